"""Clocks that are a year off: the operator's on lab nodes, a node's on a machine of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest
from tests.live.aftermath import check_aftermath
from tests.live.cloud_for_tests import LiveCloud
from tests.live.fault_harness import APPLY, Seen, pages, serve, serve_and_look
from tests.live.node_operator import UNITS, Tree, service
from tests.live.uml_machine import build_image, find_kernel, run_machine
from tests.unit.node_machine import actions

from skerry.edge import program
from skerry.edge.run import Finished, run
from skerry.lab import Lab
from skerry_node import wire

YEAR = 365 * 86400
# The nodes of a lab share this machine's clock, so it is the operator who lives in another year:
# to a command a node that is a year behind and an operator who is a year ahead are the same.
ELSEWHEN = """\
import sys, time
now = time.time
time.time = lambda: now() + {off}
from skerry.__main__ import main
main()
"""
ON_MACHINE = Path(__file__).with_name("clock_on_machine.py")


def elsewhen(cloud: LiveCloud, off: int, *words: str) -> Finished:
    """`skerry` as an operator runs it whose clock is so many seconds off."""
    command = cloud.command()
    argv = (sys.executable, "-c", ELSEWHEN.format(off=off), *words)
    return run(msgspec.structs.replace(command, argv=argv), check=False, timeout=300)


@pytest.mark.parametrize(
    "off",
    [
        pytest.param(YEAR, id="ahead", marks=pytest.mark.fault("clock-ahead")),
        pytest.param(-YEAR, id="behind", marks=pytest.mark.fault("clock-behind")),
    ],
)
def test_an_operator_whose_clock_is_a_year_off(cloud: LiveCloud, seen: Seen, off: int) -> None:
    before = serve_and_look(cloud)
    applied = elsewhen(cloud, off, "apply", "--yes", "-m", "elsewhen")
    assert applied.status == 0, applied.error_text
    assert set(pages(cloud).values()) == {"two"}
    notes = [line for line in applied.text.splitlines() if "note:" in line]
    seen("\n".join(sorted(set(notes))), typed=APPLY)
    # The lock does not live by it, and the next operator's change is the latest one.
    serve(cloud, "three")
    cloud.skerry("apply", "--yes", "-m", "after that", "-n", "alpha")
    serve(cloud, "four")
    again = elsewhen(cloud, off, "apply", "--yes", "-m", "elsewhen again", "-n", "alpha")
    assert again.status == 0, again.error_text
    told = [row["message"] for row in cloud.json("history", "-n", "alpha")["history"]]
    assert told[:3] == ["elsewhen again", "after that", "elsewhen"]
    # What is undone is the latest change, on the node that took part in it, and no other.
    cloud.skerry("rollback", "--yes")
    assert pages(cloud) == {"alpha": "three", "beta": "two", "gamma": "two"}
    asked = elsewhen(cloud, off, "status")
    assert asked.status == 0
    # Which node is told of first is of no concern here.
    seen("\n".join(sorted(asked.error_text.splitlines())), typed="skerry status")
    for words in (("logs", "web"), ("diff",), ("node", "ls"), ("prune", "--dry-run")):
        found = elsewhen(cloud, off, *words)
        assert found.status in (0, 4), found.error_text
        assert "Traceback" not in found.error_text
    serve(cloud, "two")
    cloud.skerry("apply", "--yes")
    check_aftermath(cloud, before, restarted={"web"})


@pytest.mark.parametrize(
    "off",
    [
        pytest.param(YEAR, id="ahead", marks=pytest.mark.fault("clock-ahead")),
        pytest.param(-YEAR, id="behind", marks=pytest.mark.fault("clock-behind")),
    ],
)
def test_a_node_whose_clock_jumps_by_a_year(lab: Lab, tmp_path: Path, off: int) -> None:
    kernel = find_kernel(lab)
    if kernel is None:
        pytest.skip("there is no kernel for user-mode Linux")
    files = {
        "program.zip": program_archive(),
        "script": f"exec python3 ./clock_on_machine.py {off}".encode(),
        "trees.json": json.dumps(two_trees()).encode(),
        ON_MACHINE.name: ON_MACHINE.read_bytes(),
    }
    told = json.loads(run_machine(kernel, build_image(lab), tmp_path, files).splitlines()[-1])
    assert told.pop("error", "") == ""
    # Another operator is told of the lock right after the jump, and for how long it is there.
    assert told["locked"]["id"] == "locked"
    assert 60 <= told["lock_left"] <= 120
    # A switch that is under way is confirmed across the jump, and one that nobody confirms goes
    # back in time: in its own time, 3 s.
    assert told["confirmed"] == {"state": "active"}
    assert told["unconfirmed"] == "unconfirmed"
    assert 2 <= told["went_back_after"] <= 60
    # The journal of systemd and the timers go on: a cron job is begun after the jump.
    assert told["generation"] == 1
    assert told["next_number"] == 3
    assert told["ticks_after"] > told["ticks_before"]
    assert told["leftovers"] == []


def two_trees() -> dict[str, object]:
    """What the machine is switched to: a timer that begins a service every two seconds, as a cron
    job's does, and a second version of it."""
    trees = []
    for version in ("one", "two"):
        tick = service("echo tick >> /root/ticks", "Type=oneshot")
        timer = f"[Timer]\n# {version}\nOnCalendar=*:*:0/2\nAccuracySec=100ms\n"
        tree = Tree({"tick.timer": timer}, {UNITS + "tick.service": tick})
        verbs = ("start", "stop") if version == "one" else ("restart", "restart")
        contents = {wire.digest_of(held): held.decode() for held in tree.contents.values()}
        act, undo = (actions(verb, "tick.timer") for verb in verbs)
        trees.append({"manifest": tree.manifest, "contents": contents, "act": act, "undo": undo})
    locks = [
        {"cloud": "test", "who": who, "why": "a live test", "token": who * 4}
        for who in ("eva@laptop", "ben@desk")
    ]
    return {"protocol": wire.PROTOCOL, "trees": trees, "locks": locks}


def program_archive() -> bytes:
    """The node program as a zip file that Python can import from."""
    import bz2

    return bz2.decompress(program.build())
