"""Ctrl-C at any time, SIGTERM, a closed terminal: what is under way ends well, and locks go."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from threading import Event
from time import monotonic

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until
from tests.live.roll_watch import beating, forget_beats, read_beats, widest_gap
from tests.live.terminal import CTRL_C, Terminal, ssh_left

NODES = ("alpha", "beta", "gamma")
# Nodes follow each other in three waves, and each takes so long that there is time for a signal.
ROLLED = ("replicas: 3", "minReadySeconds: 3")
# Between a beat of the old one and the first of the new one lies what a busy machine makes of it.
BUSY = 1.5
APPLY = "skerry apply --yes"
Seen = Callable[..., None]


def locked(cloud: LiveCloud) -> list[str]:
    """The nodes whose lock is held by somebody."""
    there = "test -e /var/lib/skerry/lock"
    return [node for node in NODES if cloud.shell(node, there, check=False).status == 0]


def generations(cloud: LiveCloud) -> dict[str, int]:
    """The number of each node's active generation."""
    return {row["name"]: row["generation"] for row in cloud.json("node", "ls")["nodes"]}


def last_words(terminal: Terminal) -> str:
    """What is said from the first signal on."""
    said = terminal.said
    assert "Traceback" not in said, said
    # Keys are echoed wherever the cursor is.
    return said[said.index("interrupted") :].replace("^C", "")


def converges(cloud: LiveCloud) -> None:
    """The next apply does the rest, and the one after it finds nothing to do."""
    cloud.skerry("apply", "--yes")
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    assert locked(cloud) == []


@pytest.fixture
def rolling(cloud: LiveCloud) -> Iterator[Terminal]:
    """An apply on a terminal, in the middle of the second of three waves."""
    cloud.place("beat", beating("Deployment", "one", *ROLLED))
    cloud.skerry("apply", "--yes")
    forget_beats(cloud)
    cloud.place("beat", beating("Deployment", "two", *ROLLED))
    terminal = Terminal(cloud, "apply", "--yes")
    terminal.wait_for("wave 2 of 3")
    running = "systemctl is-active --quiet 'skerry-activate-*.service'"
    wait_until(lambda: cloud.shell("beta", running, check=False).status == 0, 60, "beta's switch")
    yield terminal
    if terminal.process.poll() is None:
        terminal.process.kill()
        terminal.end()


@pytest.mark.fault("ctrl-c-before-changes")
@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_ctrl_c_while_nodes_are_looked_at(cloud: LiveCloud, seen: Seen, verb: str) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.lab.node("gamma").freeze()
    try:
        terminal = Terminal(cloud, verb)
        asking = "systemctl show -P ActiveState skerry-web.0.service"
        wait_until(lambda: len(ssh_left(cloud)) == 1, 60, "all but gamma to have answered")
        assert "active" in cloud.shell("alpha", asking).text
        begun = monotonic()
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        # What is silent would be given up after 15 s.
        assert monotonic() - begun < 10
    finally:
        cloud.lab.node("gamma").thaw()
    seen(last_words(terminal), typed=f"skerry {verb}")
    assert ssh_left(cloud) == [] and locked(cloud) == []
    converges(cloud)


@pytest.mark.fault("ctrl-c-before-changes")
def test_ctrl_c_at_the_question(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    terminal = Terminal(cloud, "apply")
    terminal.wait_for("Apply this to 3 nodes?")
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    assert last_words(terminal).strip() == "interrupted"
    assert locked(cloud) == []
    assert set(cloud.containers("alpha")) == set()


@pytest.mark.fault("ctrl-c-in-push")
def test_ctrl_c_while_contents_are_sent(cloud: LiveCloud, seen: Seen) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    terminal = Terminal(cloud, "apply", "--timeout", "8")
    terminal.wait_for("Apply this to 3 nodes?")
    cloud.lab.node("gamma").freeze()
    try:
        terminal.type(b"y\n")
        wait_until(lambda: locked_there(cloud, "alpha", "beta"), 60, "both locks to be taken")
        terminal.type(CTRL_C)
        assert terminal.end() == 130
        assert not locked_there(cloud, "alpha") and not locked_there(cloud, "beta")
    finally:
        cloud.lab.node("gamma").thaw()
    seen(last_words(terminal), typed="skerry apply")
    assert ssh_left(cloud) == []
    assert set(cloud.containers("alpha")) == set()
    # The frozen node hears of the end when it wakes up: it gives the lock back by itself.
    wait_until(lambda: locked(cloud) == [], 60, "gamma's lock to go")
    converges(cloud)


def locked_there(cloud: LiveCloud, *nodes: str) -> bool:
    """Whether the locks of all these nodes are taken."""
    there = "test -e /var/lib/skerry/lock"
    return all(cloud.shell(node, there, check=False).status == 0 for node in nodes)


def never_silent(cloud: LiveCloud) -> None:
    """On each node the new version came, and something ran all the time."""
    for node in NODES:
        found = read_beats(cloud, node)
        assert found[0, "two"].last > found[0, "one"].last, node
        assert widest_gap(cloud, node) < BUSY, node


@pytest.mark.fault("ctrl-c-in-roll", "ctrl-c-in-activation")
def test_ctrl_c_in_a_roll_finishes_the_wave(
    cloud: LiveCloud, rolling: Terminal, seen: Seen
) -> None:
    before = generations(cloud)
    rolling.type(CTRL_C)
    assert rolling.end() == 130
    seen(last_words(rolling), typed=APPLY)
    after = generations(cloud)
    assert after["beta"] == before["beta"] + 1, "it was being switched, and is done"
    assert after["gamma"] == before["gamma"]
    assert locked(cloud) == [] and ssh_left(cloud) == []
    converges(cloud)
    never_silent(cloud)


@pytest.mark.fault("ctrl-c-twice")
def test_the_second_ctrl_c_is_obeyed_at_once(
    cloud: LiveCloud, rolling: Terminal, seen: Seen
) -> None:
    before = generations(cloud)
    rolling.type(CTRL_C)
    rolling.wait_for("Ctrl-C again ends at once")
    begun = monotonic()
    rolling.type(CTRL_C)
    assert rolling.end() == 130
    # What shows that it was obeyed is that beta goes back; nor did it wait for that (30 s).
    assert monotonic() - begun < 10
    seen(last_words(rolling), typed=APPLY)
    assert ssh_left(cloud) == []
    gone = "! test -e /var/lib/skerry/journal"
    wait_until(lambda: cloud.shell("beta", gone, check=False).status == 0, 90, "beta to go back")
    assert generations(cloud)["beta"] == before["beta"]
    assert locked(cloud) == ["alpha", "gamma"], "nobody was there to give them back"
    # As the words say, the next run here takes them over.
    converges(cloud)
    # Nor when it went back: the old one was there again before the new one went.
    never_silent(cloud)


@pytest.mark.fault("terminated")
def test_sigterm_finishes_the_wave(cloud: LiveCloud, rolling: Terminal, seen: Seen) -> None:
    before = generations(cloud)
    rolling.process.send_signal(signal.SIGTERM)
    assert rolling.end() == 128 + signal.SIGTERM
    seen(last_words(rolling), typed=APPLY)
    after = generations(cloud)
    assert (after["beta"], after["gamma"]) == (before["beta"] + 1, before["gamma"])
    assert locked(cloud) == [] and ssh_left(cloud) == []
    converges(cloud)


@pytest.mark.fault("terminal-closed")
def test_a_closed_terminal_finishes_the_wave(
    cloud: LiveCloud, rolling: Terminal, seen: Seen
) -> None:
    before = generations(cloud)
    rolling.close()
    assert rolling.end() == 128 + signal.SIGHUP
    after = generations(cloud)
    assert (after["beta"], after["gamma"]) == (before["beta"] + 1, before["gamma"])
    assert locked(cloud) == [] and ssh_left(cloud) == []
    # Nobody saw anything; what is there to see is where it stopped.
    seen(cloud.skerry("plan").text, typed="skerry plan")
    converges(cloud)


@pytest.mark.fault("ctrl-c-in-activation")
def test_ctrl_c_at_any_time(cloud: LiveCloud) -> None:
    texts = ("one", "two")
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081, text="none"), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes")
    begun = monotonic()
    change(cloud, "whole")
    cloud.skerry("apply", "--yes")
    whole, rounds, statuses = monotonic() - begun, 10, []
    for number in range(rounds):
        change(cloud, texts[number % 2])
        terminal = Terminal(cloud, "apply", "--yes")
        Event().wait(whole * (number + 0.5) / rounds)
        terminal.type(CTRL_C)
        statuses.append(terminal.end())
        assert "Traceback" not in terminal.said, terminal.said
        assert statuses[-1] in (0, 130), terminal.said
        assert ssh_left(cloud) == [], terminal.said
        assert locked(cloud) == [], terminal.said
        assert not list(cloud.folder.glob(".*.new")), terminal.said
        wait_until(lambda: all(settled(cloud, node) for node in NODES), 60, "an end everywhere")
    assert statuses.count(130) >= rounds // 2, f"{statuses} in {whole:.1f} s"
    converges(cloud)


def change(cloud: LiveCloud, text: str) -> None:
    """Another page, on all nodes."""
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081, text=text), 'nodes: ["*"]')


def settled(cloud: LiveCloud, node: str) -> bool:
    """Whether no switch is under way on the node."""
    return cloud.shell(node, "test -e /var/lib/skerry/journal", check=False).status != 0
