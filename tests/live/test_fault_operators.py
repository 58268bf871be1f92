"""Two operators at the very same moment, and one whose machine dies in the middle."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.live.aftermath import check_aftermath, look_at
from tests.live.cloud_for_tests import LiveCloud
from tests.live.fault_harness import APPLY, Seen, pages, serve, serve_and_look
from tests.live.lab_harness import wait_until
from tests.live.roll_watch import beating
from tests.live.terminal import Terminal

from skerry.edge.run import Finished, start

ROUNDS = 4


def at_once(*clouds: LiveCloud) -> list[Finished]:
    """All apply at the very same moment."""
    commands = [cloud.command("apply", "--yes", "-m", "at once") for cloud in clouds]
    running = [start(command, stdout=PIPE, stderr=PIPE) for command in commands]
    ended = []
    for command, process in zip(commands, running, strict=True):
        stdout, stderr = process.communicate(timeout=300)
        ended.append(Finished(command, process.returncode, stdout, stderr))
    return ended


def seconds_of_lease(cloud: LiveCloud) -> float:
    """How long the last lock on the nodes is still held, by the clock that nodes of a lab share
    with this machine; without a command that would take its CPU for two minutes."""
    until = 0.0
    for node in cloud.lab.nodes:
        lock = node.disk / "var/lib/skerry/lock"
        if lock.exists():
            until = max(until, json.loads(lock.read_text())["expires_at"])
    return until - time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.fault("two-operators")
def test_two_operators_at_the_same_moment(cloud: LiveCloud, tmp_path: Path, seen: Seen) -> None:
    other = cloud.second_operator(tmp_path / "other")
    serve(cloud, "none")
    serve(other, "none")
    cloud.skerry("apply", "--yes")
    before = look_at(cloud)
    winners, losers = 0, []
    for number in range(ROUNDS):
        texts = (f"mine {number}", f"theirs {number}")
        serve(cloud, texts[0])
        serve(other, texts[1])
        ended = at_once(cloud, other)
        done = [one.status == 0 for one in ended]
        assert any(done), [one.text + one.error_text for one in ended]
        winners += sum(done)
        # What runs is what one of them wants, and on all nodes the same; the other was told,
        # or came later and has the last word.
        running = set(pages(cloud).values())
        assert len(running) == 1 and running <= set(texts)
        if not all(done):
            loser = ended[done.index(False)]
            assert loser.status in (3, 5), loser.text + loser.error_text
            assert "Traceback" not in loser.error_text
            assert running == {texts[done.index(True)]}
            losers += [loser] if loser.status == 5 else []
    assert ROUNDS <= winners <= 2 * ROUNDS
    assert losers, "no round was at the same moment"
    for node in cloud.addresses:
        assert cloud.shell(node, "test -e /var/lib/skerry/lock", check=False).status == 1
    serve(cloud, "mine at last")
    terminal = Terminal(cloud, "apply", "--yes", "-m", "mine at last")
    terminal.wait_for("wave 1 of 3")
    seen(other.skerry("apply", "--yes", expect=5).error_text, typed=APPLY)
    assert terminal.end() == 0
    check_aftermath(cloud, before, restarted={"web"})


@pytest.mark.fault("operator-dies")
def test_another_operator_finishes_what_a_dead_one_began(
    cloud: LiveCloud, tmp_path: Path, seen: Seen
) -> None:
    lines = ("replicas: 3", "minReadySeconds: 3")
    other = cloud.second_operator(tmp_path / "other")
    cloud.place("beat", beating("Deployment", "one", *lines))
    cloud.skerry("apply", "--yes")
    before = look_at(cloud)
    for folder in (cloud, other):
        folder.place("beat", beating("Deployment", "two", *lines))
    terminal = Terminal(cloud, "apply", "--yes", "-m", "the new beat")
    terminal.wait_for("wave 2 of 3")
    running = "systemctl is-active --quiet 'skerry-activate-*.service'"
    wait_until(lambda: cloud.shell("beta", running, check=False).status == 0, 60, "beta's switch")
    terminal.process.send_signal(signal.SIGKILL)
    terminal.end()
    # While the dead one's locks are there, the other one hears whose they are, until when, and
    # what to type.
    refused = other.skerry("apply", "--yes", expect=5)
    seen(refused.error_text, typed=APPLY)
    switching = other.skerry("node", "unlock", "--yes", "-n", "beta", expect=3)
    seen(switching.error_text, typed="skerry node unlock -n beta")
    over = "! test -e /var/lib/skerry/journal"
    wait_until(lambda: cloud.shell("beta", over, check=False).status == 0, 120, "beta to go back")
    unlocked = other.skerry("node", "unlock", "--yes")
    seen(f"{unlocked.error_text}\n{unlocked.text}", typed="skerry node unlock --yes")
    finished = other.skerry("apply", "--yes")
    assert "2 nodes changed" in finished.text, "alpha was done by the first one"
    check_aftermath(other, before, restarted={"beat"})


@pytest.mark.fault("operator-dies")
def test_without_a_word_the_lock_runs_out(cloud: LiveCloud, tmp_path: Path) -> None:
    before = serve_and_look(cloud)
    other = cloud.second_operator(tmp_path / "other")
    for name in ("also", "web"):
        other.place(name, (cloud.folder / f"pods/{name}.yaml").read_text(), 'nodes: ["*"]')
    terminal = Terminal(cloud, "apply", "--yes")
    terminal.wait_for("wave 1 of 3")
    terminal.process.send_signal(signal.SIGKILL)
    terminal.end()
    assert other.skerry("apply", "--yes", expect=5).status == 5
    # The lease is 120 s from the last sign of life, and a switch that runs is one.
    wait_until(lambda: seconds_of_lease(cloud) < 5, 200, "the end of the leases")
    wait_until(
        lambda: other.skerry("apply", "--yes", expect=None).status == 0, 80, "the locks to go"
    )
    assert set(pages(other).values()) == {"two"}
    check_aftermath(other, before, restarted={"web"})
