"""Nodes that hang or are cut off, and an ssh of ours that hangs: nobody else waits for them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from tests.live.aftermath import Look, check_aftermath, look_at
from tests.live.cloud_for_tests import LiveCloud
from tests.live.fault_harness import (
    APPLY,
    Seen,
    link_of,
    mended,
    page,
    pages,
    serve,
    serve_and_look,
    told,
)
from tests.live.lab_harness import wait_until
from tests.live.roll_watch import beating
from tests.live.terminal import Terminal

from skerry.edge.ssh import control_path
from skerry.lab import State

# A machine that is busy with other tests takes its time beside what is waited for.
BUSY = 20.0
TIMEOUT = ("--timeout", "4")


@pytest.fixture
def breakable(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud; nodes that were frozen or cut go on afterwards."""
    yield cloud
    for node in cloud.lab.nodes:
        node.heal()
        if node.state() is State.FROZEN:
            node.thaw()
    for name in cloud.addresses:
        whole(cloud, name)
    cloud.skerry("node", "unlock", "--yes")


def back(cloud: LiveCloud, *nodes: str) -> None:
    """Waits until these nodes answer again."""
    wait_until(
        lambda: cloud.skerry("node", "ls", "-n", ",".join(nodes), expect=None).status == 0,
        60,
        f"{', '.join(nodes)} to be back",
    )


def whole(cloud: LiveCloud, node: str) -> None:
    """Waits until a switch that nobody confirmed has gone back by itself, as the words say."""
    there = "! test -e /var/lib/skerry/journal"
    wait_until(lambda: cloud.shell(node, there, check=False).status == 0, 120, f"{node} to go back")


def roll_to_beta(cloud: LiveCloud) -> tuple[Look, Terminal]:
    """A roll over the three nodes that has come to beta's switch, and what was there before it."""
    lines = ("replicas: 3", "minReadySeconds: 2")
    cloud.place("beat", beating("Deployment", "one", *lines))
    cloud.skerry("apply", "--yes")
    before = look_at(cloud)
    cloud.place("beat", beating("Deployment", "two", *lines))
    terminal = Terminal(cloud, "apply", "--yes")
    terminal.wait_for("wave 2 of 3")
    running = "systemctl is-active --quiet 'skerry-activate-*.service'"
    wait_until(lambda: cloud.shell("beta", running, check=False).status == 0, 60, "beta's switch")
    return before, terminal


@pytest.mark.fault("frozen-before")
def test_a_node_that_hangs_holds_nobody_up(breakable: LiveCloud, seen: Seen) -> None:
    cloud, before = breakable, serve_and_look(breakable)
    cloud.lab.node("beta").freeze()
    begun = monotonic()
    partial = cloud.skerry("apply", "--yes", *TIMEOUT, expect=3)
    assert monotonic() - begun < 4 + BUSY
    assert pages(cloud) == {"alpha": "two", "beta": "", "gamma": "two"}
    seen(told(partial, "beta"), typed=f"{APPLY} --timeout 4")
    cloud.lab.node("beta").thaw()
    back(cloud, "beta")
    mended(cloud, before)


@pytest.mark.fault("frozen-during")
def test_a_node_that_hangs_in_the_middle(breakable: LiveCloud, seen: Seen) -> None:
    cloud, (before, terminal) = breakable, roll_to_beta(breakable)
    cloud.lab.node("beta").freeze()
    begun = monotonic()
    assert terminal.end(180) == 3
    # The connection is given up after 15 s, and tried again for 30 s and one more try.
    assert monotonic() - begun < 15 + 30 + 15 + BUSY
    said = terminal.said
    seen(said[said.index("error: beta") :], typed=APPLY)
    assert look_at(cloud, ["gamma"]).nodes["gamma"].containers == before.nodes["gamma"].containers
    cloud.lab.node("beta").thaw()
    back(cloud, "beta")
    whole(cloud, "beta")
    # Its switch gave the lock back, with nobody there to tell it to.
    free = "! test -e /var/lib/skerry/lock"
    wait_until(lambda: cloud.shell("beta", free, check=False).status == 0, 30, "beta's lock to go")
    cloud.skerry("apply", "--yes", "-m", "again")
    check_aftermath(cloud, before, restarted={"beat"})


def as_silence(text: str, op: str) -> str:
    """The text as it is where our own clock is the first to say that a node is silent.

    ssh has the same time for a new connection: on a busy machine its clock may be the first.
    """
    for words in ("Connection timed out during banner exchange", "Connection timed out"):
        text = text.replace(words, f"silent for 4 s during {op}")
    return text


@pytest.mark.fault("frozen-while-looking")
def test_a_node_that_hangs_while_it_is_asked(breakable: LiveCloud, seen: Seen) -> None:
    cloud, before = breakable, serve_and_look(breakable)
    cloud.lab.node("beta").freeze()
    for words, op in (
        (("status",), "observe"), (("logs", "web"), "inspect"), (("diff",), "observe"),
        (("history",), "history"), (("node", "ls"), "observe"),
    ):  # fmt: skip
        begun = monotonic()
        asked = cloud.skerry(*words, *TIMEOUT, expect=None)
        # What differs on the others is told as well, and has a status of its own.
        assert asked.status in (3, 4), asked.text
        assert monotonic() - begun < 4 + BUSY, words
        lines = [line for line in asked.error_text.splitlines() if "beta" in line]
        assert lines, asked.error_text
        said = as_silence("\n".join(lines), op)
        seen(said, typed=" ".join(("skerry", *words, *TIMEOUT)))
    # Another replica answers: the command runs there.
    begun = monotonic()
    assert cloud.skerry("exec", "web", *TIMEOUT, "--", "/bin/busybox", "echo", "hi").text == "hi"
    assert monotonic() - begun < 4 + BUSY
    refused = cloud.skerry(
        "exec", "web", "-n", "beta", *TIMEOUT, "--", "/bin/busybox", "true", expect=3
    )
    said = as_silence(refused.error_text, "inspect")
    seen(said, typed="skerry exec web -n beta --timeout 4 -- true")
    cloud.lab.node("beta").thaw()
    back(cloud, "beta")
    mended(cloud, before)


@pytest.mark.fault("partition-before")
def test_half_of_the_fleet_cannot_be_reached(breakable: LiveCloud, seen: Seen) -> None:
    cloud, before = breakable, serve_and_look(breakable)
    for name in ("beta", "gamma"):
        cloud.lab.node(name).cut()
    begun = monotonic()
    partial = cloud.skerry("apply", "--yes", *TIMEOUT, expect=3)
    assert monotonic() - begun < 4 + BUSY
    assert page(cloud, "alpha") == "two"
    seen(told(partial, "beta"), typed=f"{APPLY} --timeout 4")
    for name in ("beta", "gamma"):
        cloud.lab.node(name).heal()
    # It was cut off, not down: what ran there went on.
    assert (page(cloud, "beta"), page(cloud, "gamma")) == ("one", "one")
    mended(cloud, before)


@pytest.mark.fault("partition-during-roll")
def test_half_of_the_fleet_is_cut_off_in_a_roll(breakable: LiveCloud, seen: Seen) -> None:
    cloud, (before, terminal) = breakable, roll_to_beta(breakable)
    for name in ("beta", "gamma"):
        cloud.lab.node(name).cut()
    assert terminal.end(180) == 3
    said = terminal.said
    seen(said[said.index("error: beta") :], typed=APPLY)
    for name in ("beta", "gamma"):
        cloud.lab.node(name).heal()
    whole(cloud, "beta")
    # The one that was not being switched has a lock that nobody could give back: the next run
    # here takes it over.
    cloud.skerry("apply", "--yes", "-m", "again")
    check_aftermath(cloud, before, restarted={"beat"})


def masters(cloud: LiveCloud, node: str) -> list[int]:
    """The processes that keep the connection to a node standing."""
    mark, found = f"ssh: {control_path(link_of(cloud, node))} [mux]", []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        if words == mark:
            found.append(int(process.name))
    return found


@pytest.mark.fault("ssh-master-hangs")
def test_an_ssh_of_ours_that_hangs(cloud: LiveCloud, seen: Seen) -> None:
    before = serve_and_look(cloud)
    (master,) = masters(cloud, "beta")
    os.kill(master, signal.SIGSTOP)
    begun = monotonic()
    partial = cloud.skerry("apply", "--yes", *TIMEOUT, expect=None)
    assert monotonic() - begun < 4 + BUSY
    seen(told(partial, "beta"), typed=f"{APPLY} --timeout 4")
    # It is gone: the next command makes another one.
    wait_until(lambda: master not in masters(cloud, "beta"), 20, "the hung one to be gone")
    mended(cloud, before)


@pytest.mark.fault("ssh-master-dead")
def test_an_ssh_of_ours_that_died(cloud: LiveCloud, seen: Seen) -> None:
    before = serve_and_look(cloud)
    (master,) = masters(cloud, "beta")
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: masters(cloud, "beta") == [], 20, "it to be gone")
    assert Path(control_path(link_of(cloud, "beta"))).exists(), "its socket is left"
    applied = cloud.skerry("apply", "--yes")
    seen(applied.text.splitlines()[-1], typed=APPLY)
    mended(cloud, before)


@pytest.mark.fault("ssh-master-dead")
def test_an_ssh_of_ours_that_dies_in_the_middle(cloud: LiveCloud) -> None:
    before = serve_and_look(cloud)
    for number in range(6):
        serve(cloud, "two" if number % 2 else "three")
        terminal = Terminal(cloud, "apply", "--yes")
        Event().wait(0.3 + 0.25 * number)
        for name in cloud.addresses:
            for master in masters(cloud, name):
                os.kill(master, signal.SIGKILL)
        assert terminal.end() in (0, 3), terminal.said
        assert "Traceback" not in terminal.said
    serve(cloud, "two")
    mended(cloud, before)
