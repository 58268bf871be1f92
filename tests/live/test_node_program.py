"""The node program on a real node: switching, going back, and whatever can cut it short."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import LIST_RUNNING, wait_until
from tests.live.node_operator import (
    Aside,
    Operator,
    Tree,
    forever,
    outgoing,
    read_on_node,
    service,
    wait_for_phase,
)
from tests.unit.node_machine import actions

from skerry.edge.run import Command, run
from skerry.edge.ssh import Link, close_connection
from skerry.errors import NodeError, NodeLocked, NodeProgramFailed, NodeUnreachable
from skerry.lab import Lab, Node

OLD = Tree(
    {"skerry-a.service": forever("a1"), "skerry-b.service": forever("b1")},
    {"/srv/skerry/page": "old\n"},
)
# Comes up when somebody says so.
WAITS = service(
    "exec tail -f /dev/null",
    'ExecStartPre=/bin/sh -c "until test -e /run/go; do read -t 0.05 x < /dev/zero || :; done"',
)


@pytest.fixture(scope="module")
def node(new_lab: Callable[..., Lab]) -> Node:
    """A node of this module's own, because it is killed and rebooted."""
    lab = new_lab("program")
    lab.up(nodes=1, with_podman=True)
    return lab.nodes[0]


@pytest.fixture(scope="module")
def link(node: Node, new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> Link:
    """The way to it, as root."""
    folder = tmp_path_factory.mktemp("link")
    return Link(
        node="alpha",
        target=f"root@{node.address}",
        known_hosts=str(folder / "known_hosts"),
        ssh_config=str(new_lab("program").ssh_config),
        accept_new=True,
    )


@pytest.fixture
def operator(link: Link, node: Node) -> Iterator[Operator]:
    """An operator of a node on which nothing of Skerry runs."""
    found = Operator(link)
    clean(found)
    yield found
    clean(Operator(link))


def clean(operator: Operator) -> None:
    """Takes everything off the node, whatever state it is in."""
    operator.ask("unlock", force=True)
    operator.ask("recover", lock=operator.lock)
    active = operator.observe()["manifest"]
    if active is not None and active["files"]:
        gone = actions("stop", *active["units"])
        assert operator.activate(Tree(), gone, [])["state"] == "healthy"
        operator.confirm()
    operator.shell("rm -rf /run/go /srv/skerry; systemctl reset-failed")


def start_old(operator: Operator) -> int:
    """The old tree is active; its generation's number."""
    operator.run(OLD, *OLD.manifest["units"])
    return operator.observe()["generation"]


def invocation(operator: Operator, unit: str) -> str:
    """Another one after each start of the unit."""
    return operator.shell(f"systemctl show --value -p InvocationID {unit}").text


def raise_if_not_old(operator: Operator, number: int) -> None:
    """Fails unless the node has the old tree and runs it."""
    observed = operator.observe(OLD)
    assert observed["generation"] == number
    assert observed["on_disk"] == {}
    assert observed["unfinished"] is None
    assert {name: state["active"] for name, state in observed["units"].items()} == {
        "skerry-a.service": "active",
        "skerry-b.service": "active",
    }
    extra = operator.shell("find /etc/systemd/system /srv -name '*skerry-[^ab]*' -type f").text
    assert extra == ""


def processes(operator: Operator) -> list[str]:
    """Processes and units of the node program on the node."""
    listed = operator.shell(
        "ps -eo args; systemctl list-units --all --plain --no-legend 'skerry-activate*'"
    )
    return [
        line
        for line in listed.text.splitlines()
        if ("skerry_node" in line or "skerry-activate" in line) and "ps -eo" not in line
    ]


def test_switch_touches_what_changed_and_nothing_else(operator: Operator) -> None:
    number = start_old(operator)
    before = {unit: invocation(operator, unit) for unit in OLD.manifest["units"]}
    new = Tree(
        {"skerry-a.service": forever("a2"), "skerry-b.service": forever("b1")},
        {"/srv/skerry/other/page": "new\n"},
    )
    restart = actions("restart", "skerry-a.service")
    result = operator.activate(new, restart, restart)
    assert result["state"] == "healthy"
    phases = [event["name"] for event in operator.events if event["event"] == "phase"]
    # What goes goes last.
    assert phases == ["files", "daemon-reload", "units", "health", "files"]
    assert operator.observe()["generation"] == number
    assert operator.confirm() == {"state": "active"}
    assert operator.observe()["generation"] == number + 1
    assert invocation(operator, "skerry-a.service") != before["skerry-a.service"]
    assert invocation(operator, "skerry-b.service") == before["skerry-b.service"]
    assert operator.shell("find /srv/skerry").text.split() == [
        "/srv/skerry",
        "/srv/skerry/other",
        "/srv/skerry/other/page",
    ]
    assert operator.observe()["lock"] is None
    assert processes(operator) == []


def test_failing_unit_shows_its_log_and_the_node_goes_back(operator: Operator) -> None:
    number = start_old(operator)
    broken = service("echo no luck; exit 3", "Restart=always", "RestartSec=100ms")
    bad = Tree({"skerry-a.service": broken, "skerry-b.service": forever("b1")})
    restart = actions("restart", "skerry-a.service")
    result = operator.activate(bad, restart, restart)
    assert result["state"] == "failed"
    assert result["undo_failed"] == ""
    (failed,) = result["failed"]
    assert failed["unit"] == "skerry-a.service"
    assert re.search(r"started again \d+ times", failed["reason"])
    assert "no luck" in failed["log"]
    assert len(failed["log"]) <= 20
    raise_if_not_old(operator, number)
    assert operator.ask("history")["generations"][0]["state"] == "failed"
    assert processes(operator) == []


def test_unconfirmed_switch_goes_back_by_itself(operator: Operator, node: Node) -> None:
    number = start_old(operator)
    new = Tree({"skerry-a.service": forever("a2")})
    act = [*actions("stop", "skerry-b.service"), *actions("restart", "skerry-a.service")]
    undo = [*actions("restart", "skerry-a.service"), *actions("start", "skerry-b.service")]
    assert operator.activate(new, act, undo, confirm_within=0.5)["state"] == "healthy"
    wait_until(lambda: not read_on_node(node, "/var/lib/skerry/journal"), 20, "it to go back")
    with pytest.raises(NodeProgramFailed) as found:
        operator.confirm()
    assert found.value.reason == "activation-rolled-back"
    raise_if_not_old(operator, number)
    wait_until(lambda: processes(operator) == [], 10, "the switch to be gone")


def test_lost_connection_is_made_again_and_the_switch_confirmed(
    operator: Operator, node: Node
) -> None:
    number = start_old(operator)
    new = Tree({"skerry-a.service": WAITS, "skerry-b.service": forever("b1")})
    restart = actions("restart", "skerry-a.service")
    call = Aside(lambda: operator.activate(new, restart, restart, deadline=5))
    wait_for_phase(node, "switching")
    node.cut()
    assert isinstance(call.result(), NodeUnreachable)
    (node.disk / "run/go").parent.mkdir(exist_ok=True)
    node.heal()
    close_connection(operator.link)
    operator.shell("touch /run/go")
    result = operator.ask("rejoin", token=operator.token, number=number + 1)
    assert result["state"] == "healthy"
    phases = [event["name"] for event in operator.events if event["event"] == "phase"]
    # What goes goes last.
    assert phases == ["files", "daemon-reload", "units", "health", "files"]
    operator.confirm()
    assert operator.observe()["generation"] == number + 1


KILL = "kill -9 $(pgrep -f '[s]kerry_node')"


@pytest.mark.parametrize("moment", ["coming up", "healthy", "going back"])
def test_switch_that_is_killed_is_undone_by_the_next_run(
    operator: Operator, node: Node, moment: str
) -> None:
    number = start_old(operator)
    new = Tree(
        {
            "skerry-a.service": forever("a2"),
            "skerry-b.service": forever("b1"),
            "skerry-waits.service": WAITS,
        },
        {"/srv/skerry/page": "new\n", "/srv/skerry/other": "new\n"},
    )
    act = [*actions("restart", "skerry-a.service"), *actions("start", "skerry-waits.service")]
    undo = [*actions("stop", "skerry-waits.service"), *actions("restart", "skerry-a.service")]
    if moment == "healthy":
        operator.shell("touch /run/go")
    if moment == "going back":
        # An old unit that does not come up again holds the way back open.
        operator.shell("systemctl stop skerry-a.service")
    call = Aside(lambda: operator.activate(new, act, undo, confirm_within=0.2))
    if moment == "coming up":
        wait_until(lambda: "new" in read_on_node(node, "/srv/skerry/page"), 20, "the new page")
    else:
        phase = {"healthy": "healthy", "going back": "switching"}[moment]
        wait_for_phase(node, phase)
    if moment == "going back":
        operator.shell("touch /run/go")
        wait_for_phase(node, "undoing")
    operator.shell(KILL)
    call.result()
    other = Operator(operator.link, "ben@desk")
    other.ask("unlock", force=True)
    assert other.observe()["unfinished"] == number + 1
    # Looking mends nothing.
    assert other.observe()["unfinished"] == number + 1
    (note,) = other.ask("lock", lock=other.lock)["notes"]
    assert note == f"the interrupted switch to generation {number + 1} was undone"
    raise_if_not_old(other, number)
    assert processes(other) == []


def test_machine_that_loses_power_is_mended_by_the_next_run(operator: Operator, node: Node) -> None:
    number = start_old(operator)
    new = Tree({"skerry-a.service": WAITS}, {"/srv/skerry/page": "new\n"})
    act = [*actions("stop", "skerry-b.service"), *actions("restart", "skerry-a.service")]
    undo = [*actions("restart", "skerry-a.service"), *actions("start", "skerry-b.service")]
    call = Aside(lambda: operator.activate(new, act, undo, deadline=4))
    wait_until(lambda: "new" in read_on_node(node, "/srv/skerry/page"), 20, "the new page")
    node.kill()
    assert isinstance(call.result(), NodeError)
    close_connection(operator.link)
    node.start()
    node.wait_ready()
    # The lock is of an earlier boot: another operator need not wait for it.
    other = Operator(operator.link, "ben@desk")
    assert other.observe()["unfinished"] == number + 1
    notes = other.ask("lock", lock=other.lock)["notes"]
    assert "took over a stale lock of eva@laptop" in notes[0]
    assert "was undone" in notes[1]
    raise_if_not_old(other, number)


def test_activation_planned_before_the_mending_is_refused(operator: Operator, node: Node) -> None:
    number = start_old(operator)
    new = Tree({"skerry-a.service": WAITS, "skerry-b.service": forever("b1")})
    restart = actions("restart", "skerry-a.service")
    call = Aside(lambda: operator.activate(new, restart, restart))
    wait_until(
        lambda: "run/go" in read_on_node(node, "/etc/systemd/system/skerry-a.service"), 20, "file"
    )
    operator.shell(KILL)
    call.result()
    with pytest.raises(NodeProgramFailed) as found:
        operator.activate(OLD, [], [])
    assert found.value.reason == "node-changed"
    raise_if_not_old(operator, number)


def test_second_operator_is_told_who_holds_the_lock(operator: Operator) -> None:
    operator.ask("lock", lock=operator.lock)
    other = Operator(operator.link, "ben@desk")
    with pytest.raises(NodeLocked, match=r"locked by eva@laptop since .* \(a live test\)"):
        other.push(OLD)
    assert other.observe()["lock"] is not None
    operator.ask("unlock", token=operator.token)
    other.push(OLD)
    other.ask("unlock", token=other.token)


def test_file_of_somebody_else_is_never_overwritten(operator: Operator) -> None:
    operator.shell("mkdir -p /srv/skerry; echo mine > /srv/skerry/page")
    with pytest.raises(NodeProgramFailed, match="is not Skerry's") as found:
        operator.activate(OLD, [], [])
    assert found.value.reason == "file-in-the-way"
    assert operator.shell("cat /srv/skerry/page").text == "mine"
    # With the same content it is taken over, and going back leaves it.
    operator.shell("echo old > /srv/skerry/page; chmod 644 /srv/skerry/page")
    bad = Tree({"skerry-a.service": service("exit 3")}, {"/srv/skerry/page": "old\n"})
    start, stop = actions("start", "skerry-a.service"), actions("stop", "skerry-a.service")
    assert operator.activate(bad, start, stop)["state"] == "failed"
    assert operator.shell("cat /srv/skerry/page").text == "old"


def test_full_disk_is_said_and_nothing_is_half_done(operator: Operator) -> None:
    number = start_old(operator)
    full = "mount -t tmpfs -o size=64k none /srv/skerry && cp -a /root/page /srv/skerry"
    operator.shell(f"cp -a /srv/skerry/page /root/page; {full}")
    try:
        large = Tree(
            {"skerry-a.service": forever("a1"), "skerry-b.service": forever("b1")},
            {"/srv/skerry/page": "old\n", "/srv/skerry/large": "x" * 200_000},
        )
        result = operator.activate(large, [], [])
        assert result["state"] == "failed"
        assert "no space left for /srv/skerry/large" in result["error"]
        assert operator.shell("ls -A /srv/skerry").text == "page"
    finally:
        operator.shell("umount /srv/skerry; rm /root/page")
    raise_if_not_old(operator, number)
    operator.shell("mount -t tmpfs -o size=64k none /var/lib/skerry/blobs/sha256")
    try:
        with pytest.raises(NodeProgramFailed) as found:
            operator.push(large)
        assert found.value.reason == "disk-full"
        assert operator.observe()["lock"] is None
    finally:
        operator.shell("umount /var/lib/skerry/blobs/sha256")


def test_read_only_file_system_is_said_and_nothing_is_half_done(operator: Operator) -> None:
    number = start_old(operator)
    operator.shell("mount --bind /srv/skerry /srv/skerry; mount -o remount,bind,ro /srv/skerry")
    try:
        new = Tree({"skerry-a.service": forever("a2")}, {"/srv/skerry/page": "new\n"})
        restart = actions("restart", "skerry-a.service")
        result = operator.activate(new, restart, restart)
        assert result["state"] == "failed"
        assert "mounted read-only" in result["error"]
    finally:
        operator.shell("umount /srv/skerry")
    raise_if_not_old(operator, number)


def saved_image() -> tuple[str, bytes]:
    """The test image's id and its archive."""
    image_id = build_busybox_image()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        run(Command.of("podman", "save", "--quiet", "--output", archive, BUSYBOX_IMAGE))
        return image_id, archive.read_bytes()


QUADLET = """\
[Container]
Image={image}
ContainerName=skerry-web
Pull=never
Network=none
Volume=skerry-web-scratch:/scratch
Exec=/bin/sh -c "test ! -e /scratch/used || exit 4; echo > /scratch/used; exec tail -f /dev/null"
[Service]
Environment=WORD={word}
"""


def test_image_and_a_quadlet_pod_with_a_volume_of_its_own(operator: Operator) -> None:
    operator.shell("podman image rm --all --force")
    image_id, archive = saved_image()
    path = "/etc/containers/systemd/skerry-web.container"

    def tree(word: str) -> Tree:
        entry = {"files": [path], "volumes": ["skerry-web-scratch"], "image_id": image_id}
        return Tree(
            files={path: QUADLET.format(image=image_id, word=word)},
            images={image_id: BUSYBOX_IMAGE},
            entries={"skerry-web.service": entry},
        )

    sizes = {image_id: {"reference": BUSYBOX_IMAGE, "size": len(archive)}}
    cut = outgoing("image", image_id, archive[: len(archive) // 2])
    with pytest.raises(NodeProgramFailed) as found:
        operator.push(tree("one"), cut, images=sizes)
    assert found.value.reason == "image-refused"
    assert operator.observe()["images"] == []
    assert operator.shell("ls -A /var/tmp | grep -v systemd", check=False).text == ""
    pushed = operator.push(tree("one"), outgoing("image", image_id, archive), images=sizes)
    assert pushed["images"] == [image_id]
    assert operator.observe()["images"] == [image_id]
    names = operator.shell("podman image ls --format '{{.Repository}}'").text
    assert names == BUSYBOX_IMAGE
    operator.run(tree("one"), "skerry-web.service")
    listing = f"{LIST_RUNNING} --format '{{{{.Names}}}}'"
    assert operator.shell(listing).text == "skerry-web"
    # With the old volume still there the new container would end with 4.
    restart = actions("restart", "skerry-web.service")
    result = operator.activate(tree("two"), restart, restart)
    assert result["state"] == "healthy", result
    operator.confirm()
    gone = operator.activate(Tree(), actions("stop", "skerry-web.service"), [])
    assert gone["state"] == "healthy"
    operator.confirm()
    assert operator.shell("podman volume ls -q; podman ps -aq").text == ""
    done = operator.ask("prune", keep=1, images=True, dry_run=False, lock=operator.lock)
    assert done["images"] == {image_id: BUSYBOX_IMAGE}
    assert operator.observe()["images"] == []


def test_file_that_quadlet_does_not_take_is_named(operator: Operator) -> None:
    path = "/etc/containers/systemd/skerry-bad.container"
    tree = Tree(
        files={path: "[Container]\nNoSuchKey=1\n"},
        entries={"skerry-bad.service": {"files": [path]}},
    )
    start, stop = actions("start", "skerry-bad.service"), actions("stop", "skerry-bad.service")
    result = operator.activate(tree, start, stop)
    (failed,) = result["failed"]
    assert "no such unit" in failed["reason"]
    (line,) = failed["log"]
    assert "unsupported key 'NoSuchKey'" in line
    assert operator.shell(f"test -e {path}", check=False).status == 1


def test_no_process_is_left_by_any_op(operator: Operator) -> None:
    start_old(operator)
    for op, args in (
        ("ping", {}),
        ("facts", {}),
        ("history", {}),
        ("observe", {"manifest": None}),
        ("generation", {"number": operator.observe()["generation"]}),
        ("prune", {"keep": 3, "dry_run": True}),
    ):
        operator.ask(op, **args)
        assert processes(operator) == [], op
