"""status, diff, logs, exec, history and prune on lab nodes with real pods."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from tests.live.images_for_tests import build_busybox_image
from tests.live.lab_harness import wait_until
from tests.live.observed_cloud import ObservedCloud, json_lines

from skerry.lab import Lab

UNIT = "skerry-blog.0.service"
QUADLET = "/etc/containers/systemd/skerry-blog.0.container"


@pytest.fixture(scope="module")
def applied(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> ObservedCloud:
    """Two nodes with a talking pod each, and a pod of two containers on alpha."""
    build_busybox_image()
    lab = new_lab("observe")
    lab.up(nodes=2, with_podman=True)
    cloud = ObservedCloud(tmp_path_factory.mktemp("observed"), lab)
    cloud.place_talker("blog", 8081)
    cloud.skerry("apply", "--yes", "-m", "first")
    cloud.place_pair("nodes: [alpha]")
    cloud.skerry("apply", "--yes", "-m", "second")
    return cloud


@pytest.fixture
def cloud(applied: ObservedCloud) -> Iterator[ObservedCloud]:
    """The applied cloud, for a test that breaks it; afterwards all is as it was."""
    yield applied
    for node in applied.lab.nodes:
        node.heal()
        if node.state().name == "FROZEN":
            node.thaw()
    wait_until(
        lambda: applied.skerry("apply", "--yes", expect=None).status == 0, 60, "all as it was"
    )


# status


def test_status_tells_what_runs_where(applied: ObservedCloud) -> None:
    shown = applied.json("status")
    rows = {(one["workload"], one["node"]): one for one in shown["replicas"]}
    assert set(rows) == {("blog", "alpha"), ("blog", "beta"), ("pair", "alpha")}
    blog = rows["blog", "beta"]
    assert (blog["state"], blog["memory_limit"]) == ("running", 64 << 20)
    assert blog["ports"] == ["8081->8080/tcp"]
    assert 0 < blog["age"] < 3600
    text = applied.skerry("status", "-o", "workload,node,state", "-H").text.splitlines()
    assert text[0].split() == ["blog", "alpha", "running"]
    assert text[-1].startswith("3 replicas on 2 nodes · 3 running")


def test_status_by_container_and_of_some_workloads(applied: ObservedCloud) -> None:
    rows = applied.json("status", "--containers", "pa*")["replicas"]
    assert [(one["container"], one["state"]) for one in rows] == [
        ("look", "running"),
        ("serve", "running"),
    ]
    wrong = applied.skerry("status", "blgo", expect=2)
    assert "did you mean 'blog'?" in wrong.error_text


def test_status_of_a_unit_that_was_stopped_or_fails(cloud: ObservedCloud) -> None:
    cloud.shell("alpha", f"systemctl stop {UNIT}")
    states = {one["node"]: one["state"] for one in cloud.json("status", "blog")["replicas"]}
    assert states == {"alpha": "stopped", "beta": "running"}
    cloud.shell("alpha", f"systemctl start {UNIT}")
    before = cloud.json("status", "blog", "-n", "alpha")["replicas"][0]["restarts"]
    cloud.shell("alpha", "podman kill skerry-blog.0")
    wait_until(
        lambda: cloud.json("status", "blog", "-n", "alpha")["replicas"][0]["restarts"] > before,
        30,
        "the restart to be counted",
    )


def test_absent_before_apply_and_extra_after(cloud: ObservedCloud) -> None:
    cloud.place_talker("news", 8082, "nodes: [beta]")
    (row,) = cloud.json("status", "news")["replicas"]
    assert (row["node"], row["state"]) == ("beta", "absent")
    cloud.remove("news")
    cloud.remove("pair")
    try:
        (row,) = cloud.json("status", "pair")["replicas"]
        assert (row["state"], row["runs"]) == ("extra", "running")
    finally:
        cloud.place_pair("nodes: [alpha]")


def test_an_unreachable_node_is_a_row_and_delays_no_more_than_its_deadline(
    cloud: ObservedCloud,
) -> None:
    cloud.skerry("status")
    cloud.lab.node("beta").freeze()
    begun = time.monotonic()
    finished = cloud.skerry("status", "--timeout", "2", expect=3)
    # Without it, what is silent is given up after 15 s.
    assert time.monotonic() - begun < 12
    states = [line.split()[:3] for line in finished.text.splitlines()]
    assert ["blog", "alpha", "running"] in states
    assert ["blog", "beta", "unreachable"] in states


def test_status_while_the_folder_is_invalid(applied: ObservedCloud) -> None:
    path = applied.folder / "pods/blog.yaml"
    good = path.read_text()
    path.write_text(good.replace("containers:", "contaniers:"))
    try:
        finished = applied.skerry("status")
        assert "in the cloud folder" in finished.error_text
        assert ["blog", "alpha", "running"] in [
            line.split()[:3] for line in finished.text.splitlines()
        ]
    finally:
        path.write_text(good)


# diff


def kinds(cloud: ObservedCloud, *words: str) -> set[tuple[str, str]]:
    """What differs, as (node, kind)."""
    shown = cloud.json("diff", *words, expect=None)
    return {(one["node"], one["kind"]) for one in shown["differences"]}


def test_no_difference_after_an_apply(applied: ObservedCloud) -> None:
    assert applied.skerry("diff").text.startswith("no difference on 2 nodes")
    assert applied.skerry("diff", "--activated").text.startswith("no difference on 2 nodes")


def test_an_edited_file_is_shown_line_by_line(cloud: ObservedCloud) -> None:
    cloud.shell("alpha", f"sed -i 's/hello world/hullo/' {QUADLET}")
    finished = cloud.skerry("diff", expect=4)
    assert f"file {QUADLET}" in finished.text
    assert "hullo" in finished.text
    assert "fix       skerry apply" in finished.text
    assert kinds(cloud, "--activated") == {("alpha", "file")}


def test_a_folder_that_is_not_applied_differs_but_has_not_drifted(cloud: ObservedCloud) -> None:
    path = cloud.folder / "pods/blog.yaml"
    good = path.read_text()
    path.write_text(good.replace("hello world", "good evening"))
    try:
        assert kinds(cloud, "-n", "beta") == {("beta", "file"), ("beta", "env")}
        cloud.skerry("diff", "--activated")
    finally:
        path.write_text(good)


def test_units_that_are_down_or_masked(cloud: ObservedCloud) -> None:
    cloud.shell("beta", f"systemctl stop {UNIT}")
    assert kinds(cloud) == {("beta", "unit")}
    cloud.shell("beta", f"systemctl start {UNIT}; systemctl mask {UNIT}")
    try:
        (one,) = cloud.json("diff", expect=4)["differences"]
        assert one["actual"] == "masked (does not start at boot)"
    finally:
        cloud.shell("beta", f"systemctl unmask {UNIT}")


def test_rules_that_the_firewall_lost(cloud: ObservedCloud) -> None:
    cloud.shell("alpha", "nft flush ruleset")
    try:
        finished = cloud.skerry("diff", "blog", expect=4)
        assert "the packet filter has lost the rule" in finished.text
        assert "podman network reload skerry-blog.0" in finished.text
    finally:
        cloud.shell("alpha", "podman network reload --all")
    cloud.skerry("diff", "blog")


def test_a_port_behind_which_nothing_listens(cloud: ObservedCloud) -> None:
    cloud.skerry("exec", "-n", "alpha", "blog", "--", "busybox", "killall", "httpd")
    finished = cloud.skerry("diff", expect=4)
    assert "nothing listens behind it" in finished.text
    cloud.shell("alpha", f"systemctl restart {UNIT}")


def test_a_container_that_was_made_by_hand(cloud: ObservedCloud) -> None:
    by_hand = (
        f"sed -i 's/hello world/by hand/' {QUADLET}; systemctl daemon-reload; "
        f"systemctl restart {UNIT}; sed -i 's/by hand/hello world/' {QUADLET}; "
        "systemctl daemon-reload"
    )
    cloud.shell("beta", by_hand)
    shown = cloud.json("diff", expect=4)
    (one,) = shown["differences"]
    assert (one["kind"], one["expected"], one["actual"]) == ("env", "'hello world'", "'by hand'")
    cloud.shell("beta", f"systemctl restart {UNIT}")


def test_an_unreachable_node_is_no_difference(cloud: ObservedCloud) -> None:
    cloud.lab.node("beta").cut()
    finished = cloud.skerry("diff", "--timeout", "2", expect=3)
    assert "1 node unreachable (beta)" in finished.text
    cloud.shell("alpha", f"systemctl stop {UNIT}")
    cloud.skerry("diff", "--timeout", "2", expect=4)


# logs


def test_logs_of_all_replicas_in_the_order_of_time(applied: ObservedCloud) -> None:
    for number in range(3):
        for node in ("alpha", "beta"):
            applied.say(node, "blog", f"turn {number} of {node}\n".encode())
    wait_until(
        lambda: "turn 2 of beta" in applied.skerry("logs", "-g", "^turn").text, 10, "the last line"
    )
    lines = json_lines(applied.skerry("--json", "logs", "blog", "-g", "^turn", "--lines", "6").text)
    assert [(one["message"], one["node"]) for one in lines] == [
        (f"turn {number} of {node}", node) for number in range(3) for node in ("alpha", "beta")
    ]
    text = applied.skerry("logs", "blog", "-g", "^turn", "--lines", "1").text
    assert text.endswith(" blog/beta  turn 2 of beta")
    assert applied.skerry("logs", "--until", "@1000").text == ""
    assert "is up" in applied.skerry("logs", "--since", "1h", "blog").text


def test_log_lines_cannot_command_the_terminal(applied: ObservedCloud) -> None:
    applied.say("alpha", "blog", b"evil \x1b[2J\x1b]0;x\x07 end\n")
    shown = wait_until(
        lambda: applied.skerry("logs", "-n", "alpha", "-g", "evil").text, 10, "the line"
    )
    assert "\\x1b[2J\\x1b]0;x\\x07 end" in shown
    assert "\x1b" not in shown


def test_containers_of_a_pod_are_told_apart(applied: ObservedCloud) -> None:
    lines = applied.skerry("logs", "pair", "-g", "serving|looking").text
    assert "pair/alpha/serve serving" in lines
    assert "pair/alpha/look  looking" in lines
    only = applied.skerry("logs", "pair", "-c", "look", "-g", "serving|looking").text
    assert "serving" not in only
    assert "looking" in only


def test_following_survives_a_lost_connection_and_ends_at_once(cloud: ObservedCloud) -> None:
    running = cloud.begin("logs", "-f", "--lines", "0", "--timeout", "3", "blog")

    def has(lines: list[str], word: str) -> Callable[[], bool]:
        return lambda: any(word in line for line in lines)

    def say_until_seen(node: str, word: str) -> None:
        def said() -> bool:
            cloud.say(node, "blog", f"{word}\n".encode())
            return has(running.out, word)()

        wait_until(said, 20, f"{word} to be shown")

    say_until_seen("alpha", "before")
    say_until_seen("beta", "both")
    cloud.lab.node("beta").cut()
    wait_until(has(running.err, "beta: "), 40, "the loss to be said")
    assert any("trying again" in line for line in running.err)
    say_until_seen("alpha", "meanwhile")
    cloud.lab.node("beta").heal()
    wait_until(has(running.err, "beta: back"), 40, "the node to be back")
    say_until_seen("beta", "after")
    begun = time.monotonic()
    assert running.interrupt() == 130
    assert time.monotonic() - begun < 5, "at once, on a machine that does other things too"
    assert len([line for line in running.out if "before" in line]) >= 1
    for node in cloud.addresses:
        left = "ps -eo args | grep '[j]ournalctl' || true"
        wait_until(lambda: cloud.shell(node, left).text == "", 30, "no journalctl to be left")  # noqa: B023


# exec


@pytest.mark.parametrize("status", [0, 1, 7, 126, 127, 255])
def test_the_exit_status_is_the_commands_own(applied: ObservedCloud, status: int) -> None:
    applied.skerry("exec", "blog", "--", "sh", "-c", f"exit {status}", expect=status)


def test_a_command_that_is_not_there(applied: ObservedCloud) -> None:
    applied.skerry("exec", "blog", "--", "no-such-command", expect=127)
    applied.skerry("exec", "blog", "--", "/talk", expect=126)
    for node in applied.addresses:
        applied.skerry("exec", "-n", node, "blog", "--", "sh", "-c", "exit 255", expect=255)
        assert applied.shell(node, "ls -A /tmp | grep skerry-exec || true").text == ""


def test_bytes_go_through_unharmed(applied: ObservedCloud) -> None:
    content = os.urandom(300_000) + bytes(range(256)) + b"\r\n~.\x04\x03"
    status, out = applied.run_bytes("exec", "-i", "blog", "--", "cat", input=content)
    assert status == 0
    assert hashlib.sha256(out).digest() == hashlib.sha256(content).digest()


def test_words_arrive_as_they_are(applied: ObservedCloud) -> None:
    words = ["a b", "$HOME", "'", '"', "*", "", "-x", "\\", "é\n"]
    finished = applied.skerry("exec", "blog", "--", "printf", "%s\\0", *words)
    assert finished.stdout.decode().split("\0")[:-1] == words


def test_the_container_and_the_node_can_be_chosen(applied: ObservedCloud) -> None:
    script = "cat /proc/1/cmdline"
    serve = applied.skerry("exec", "pair", "-c", "serve", "--", "sh", "-c", script)
    assert b"httpd" in serve.stdout
    name = applied.skerry("exec", "-n", "beta", "blog", "--", "cat", "/proc/sys/kernel/hostname")
    assert name.text == "blog"
    missing = applied.skerry("exec", "-c", "nix", "pair", "--", "true", expect=2)
    assert "containers: " in missing.error_text
    nothing = applied.skerry("exec", "blgo", "--", "true", expect=2)
    assert "no workload 'blgo'" in nothing.error_text


def test_a_terminal_has_the_size_of_ours(applied: ObservedCloud) -> None:
    # Podman gives the terminal its size a moment after the command has begun.
    look = "until busybox stty size 2>/dev/null | busybox grep ' '; do :; done"
    status, out = applied.run_terminal(
        f"stty rows 33 cols 77; exec {sys.executable} -m skerry exec -it blog -- "
        f"sh -c {shlex.quote(look)}"
    )
    assert status == 0, out
    assert "33 77" in out


def test_a_lost_node_is_no_status_of_the_command(cloud: ObservedCloud) -> None:
    running = cloud.begin(
        "exec", "-n", "beta", "blog", "--", "sh", "-c", "echo begun; exec sleep 3600"
    )
    wait_until(lambda: "begun" in running.out, 20, "the command to run")
    cloud.lab.node("beta").cut()
    assert running.child.wait(timeout=60) == 3
    wait_until(lambda: any("was lost" in line for line in running.err), 5, "the reason")


# history and prune


def test_history_tells_who_when_and_what(applied: ObservedCloud) -> None:
    rows = applied.json("history")["history"]
    assert {"first", "second"} <= {row["message"] for row in rows}
    first = next(row for row in rows if row["message"] == "first")
    assert set(first["numbers"]) == {"alpha", "beta"}
    assert any("skerry-blog.0" in change for change in first["changes"])
    text = applied.skerry("history", "-n", "alpha", "-o", "message,state", "-H").text
    assert "second" in text


def test_prune_keeps_what_a_rollback_needs(cloud: ObservedCloud) -> None:
    for port in (8091, 8092, 8093):
        cloud.place_talker("news", port, "nodes: [beta]")
        cloud.skerry("apply", "--yes", "-m", f"port {port}")
    numbers = "ls /var/lib/skerry/generations"
    before = cloud.shell("beta", numbers).text.split()
    dry = cloud.skerry("prune", "--keep", "2", "--dry-run").text
    assert "would go" in dry
    assert cloud.shell("beta", numbers).text.split() == before
    refused = cloud.skerry("prune", "--keep", "2", expect=2)
    assert "--yes" in refused.error_text
    assert "removed: " in cloud.skerry("prune", "--keep", "2", "--yes").text
    assert len(cloud.shell("beta", numbers).text.split()) == 2
    assert cloud.skerry("prune", "--keep", "2", "--yes").text == "nothing to remove"
    cloud.skerry("rollback", "--yes", "-n", "beta")
    (news,) = cloud.json("status", "news")["replicas"]
    assert (news["state"], news["ports"]) == ("running", ["8092->8080/tcp"])
    cloud.remove("news")
