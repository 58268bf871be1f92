"""The roll: which nodes follow which, what follows what on a node, and how many at a time."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.compile.rolling.strategy import Strategy
from skerry.plan.plan import Plan, plan_node
from skerry.plan.roll import limit_roll, plan_roll
from skerry.plan.steps import ActOnUnit
from skerry_node import wire
from tests.unit.wire_examples import file_entry, manifest, observed, on_disk, unit_entry, unit_state

FOLDER = "/etc/containers/systemd/"
NAMES = ("alpha", "beta", "gamma", "delta")


class Fleet:
    """Nodes with replicas as they are and as they shall be; a replica is (workload, number)."""

    def __init__(self, **strategies: Strategy) -> None:
        self.strategies = strategies
        self.before: dict[str, wire.Manifest] = {}
        self.after: dict[str, wire.Manifest] = {}
        self.states: dict[str, dict[str, wire.UnitState]] = {}
        self.unreachable: dict[str, str] = {}

    def has(self, node: str, *replicas: str, version: str = "v1") -> None:
        """What runs on a node: ``web.0``, or with a revision ``web.0-11111111``."""
        self.before[node] = tree(node, replicas, version)
        self.states[node] = {unit: unit_state() for unit in self.before[node]["units"]}

    def wants(self, node: str, *replicas: str, version: str = "v2") -> None:
        """What shall run on a node."""
        self.after[node] = tree(node, replicas, version)

    def plan(self, cramped: dict[str, dict[str, str]] | None = None) -> Plan:
        """The plan with its roll."""
        seen, plans = {}, {}
        for node, desired in self.after.items():
            active = self.before.get(node)
            if node in self.unreachable:
                continue
            seen[node] = observed(
                manifest=active,
                generation=int(active is not None),
                units=self.states.get(node, {}),
                on_disk=differing(active, desired),
            )
            plans[node] = plan_node(desired, seen[node], {}, lambda path: None)
        plan = Plan(cloud="home", nodes=plans, unreachable=self.unreachable)
        return plan_roll(plan, self.after, seen, self.strategies, cramped)

    def waves(self) -> list[list[str]]:
        """The waves of the plan."""
        return [list(wave) for wave in self.plan().roll.waves]


def tree(node: str, replicas: tuple[str, ...], version: str) -> wire.Manifest:
    """A unit and a file for each replica."""
    units, files = {}, {}
    for replica in replicas:
        workload, _, number = replica.partition(".")
        path = f"{FOLDER}skerry-{replica}.container"
        files[path] = file_entry(version.encode())
        units[f"skerry-{replica}.service"] = unit_entry(
            files=[path], workload=workload, replica=int(number.partition("-")[0])
        )
    return manifest(node=node, files=files, units=units)


def differing(active: wire.Manifest | None, desired: wire.Manifest) -> dict[str, wire.OnDisk]:
    """What the node tells of files that are not yet as they shall be."""
    owned = active["files"] if active is not None else {}
    return {
        path: on_disk(b"v1")
        for path, entry in desired["files"].items()
        if path in owned and owned[path] != entry
    }


def stages(plan: Plan, node: str) -> list[list[str]]:
    """What happens on a node, stage by stage."""
    found: dict[int, list[str]] = {}
    for step in plan.nodes[node].steps:
        if isinstance(step, ActOnUnit):
            name = step.unit.removeprefix("skerry-").removesuffix(".service")
            found.setdefault(step.stage, []).append(f"{step.action.value} {name}")
    return [found[stage] for stage in sorted(found)]


def stop_first(replicas: int = 2, down: int = 1, **more: Any) -> Strategy:
    """A strategy of a workload with a port."""
    return Strategy(
        replicas=replicas, order="stop-first", reason="port 80", max_unavailable=down, **more
    )


def start_first(replicas: int = 2, surge: int = 1) -> Strategy:
    """A strategy of a workload without one."""
    return Strategy(replicas=replicas, order="start-first", max_surge=surge)


OLD, NEW = "11111111", "22222222"


def test_nothing_to_roll_is_one_wave() -> None:
    fleet = Fleet(web=stop_first(3))
    for node in NAMES[:3]:
        fleet.wants(node, "web.0")
    assert fleet.waves() == [["alpha", "beta", "gamma"]]
    assert fleet.plan().roll.workloads == {}


def test_nothing_to_change_is_no_wave() -> None:
    fleet = Fleet(web=stop_first())
    fleet.has("alpha", "web.0")
    fleet.wants("alpha", "web.0", version="v1")
    assert fleet.waves() == []


def test_single_replica_holds_nobody_back() -> None:
    fleet = Fleet(one=stop_first(1), two=stop_first(1))
    for node, name in (("alpha", "one.0"), ("beta", "two.0")):
        fleet.has(node, name)
        fleet.wants(node, name)
    fleet.wants("gamma", "one.0")
    assert fleet.waves() == [["alpha", "beta", "gamma"]]


@pytest.mark.parametrize(
    ("down", "expected"),
    [
        (1, [["alpha"], ["beta"], ["gamma"], ["delta"]]),
        (2, [["alpha", "beta"], ["gamma", "delta"]]),
        (3, [["alpha", "beta", "gamma"], ["delta"]]),
        (4, [["alpha", "beta", "gamma", "delta"]]),
    ],
)
def test_as_many_nodes_at_a_time_as_may_be_down(down: int, expected: list[list[str]]) -> None:
    fleet = Fleet(web=stop_first(4, down))
    for node in NAMES:
        fleet.has(node, "web.0")
        fleet.wants(node, "web.0")
    assert fleet.waves() == expected


def test_unrelated_nodes_go_with_the_first_wave() -> None:
    fleet = Fleet(web=stop_first(), one=stop_first(1))
    for node, name in (("alpha", "web.0"), ("beta", "web.0"), ("gamma", "one.0")):
        fleet.has(node, name)
        fleet.wants(node, name)
    plan = fleet.plan()
    assert plan.roll.waves == (("alpha", "gamma"), ("beta",))
    assert plan.roll.workloads["web"].reason == "port 80"


def test_surge_bounds_how_many_nodes_start_first_at_a_time() -> None:
    fleet = Fleet(web=start_first(4, surge=2))
    for node in NAMES:
        fleet.has(node, f"web.0-{OLD}")
        fleet.wants(node, f"web.0-{NEW}")
    assert fleet.waves() == [["alpha", "beta"], ["gamma", "delta"]]


def test_start_first_the_old_one_goes_a_stage_later() -> None:
    fleet = Fleet(web=start_first(2))
    fleet.has("alpha", f"web.0-{OLD}", f"web.1-{OLD}")
    fleet.wants("alpha", f"web.0-{NEW}", f"web.1-{NEW}")
    plan = fleet.plan()
    assert stages(plan, "alpha") == [
        [f"start web.0-{NEW}"],
        [f"stop web.0-{OLD}", f"start web.1-{NEW}"],
        [f"stop web.1-{OLD}"],
    ]
    undo = [(one["verb"], one["unit"], one["stage"]) for one in plan.nodes["alpha"].undo_actions()]
    assert ("start", f"skerry-web.0-{OLD}.service", 1) in undo
    assert ("stop", f"skerry-web.0-{NEW}.service", 0) in undo
    assert plan.roll.workloads["web"].order == "start-first"


def test_old_version_with_a_port_goes_before_a_new_one_without() -> None:
    fleet = Fleet(web=start_first(1))
    fleet.has("alpha", "web.0")
    fleet.before["alpha"]["units"]["skerry-web.0.service"]["ports"] = ["80->80/tcp"]
    fleet.wants("alpha", f"web.0-{NEW}")
    assert stages(fleet.plan(), "alpha") == [["stop web.0", f"start web.0-{NEW}"]]


def test_old_one_goes_first_where_there_is_no_memory_for_two() -> None:
    fleet = Fleet(web=start_first(1))
    fleet.has("alpha", f"web.0-{OLD}")
    fleet.wants("alpha", f"web.0-{NEW}")
    plan = fleet.plan({"alpha": {"web": "no memory for two on alpha"}})
    assert stages(plan, "alpha") == [[f"stop web.0-{OLD}", f"start web.0-{NEW}"]]
    assert plan.roll.workloads["web"].order == "stop-first"
    assert plan.roll.workloads["web"].reason == "no memory for two on alpha"


def test_replicas_of_one_node_follow_each_other() -> None:
    fleet = Fleet(web=stop_first(3))
    fleet.has("alpha", "web.0", "web.1", "web.2")
    fleet.wants("alpha", "web.0", "web.1", "web.2")
    assert stages(fleet.plan(), "alpha") == [
        ["restart web.0"],
        ["restart web.1"],
        ["restart web.2"],
    ]
    fleet.strategies["web"] = stop_first(3, down=2)
    assert stages(fleet.plan(), "alpha") == [["restart web.0", "restart web.1"], ["restart web.2"]]


def test_what_is_down_already_waits_for_nobody() -> None:
    fleet = Fleet(web=stop_first(3))
    for node in NAMES[:3]:
        fleet.has(node, "web.0")
        fleet.wants(node, "web.0")
    fleet.states["beta"]["skerry-web.0.service"] = unit_state(active="failed")
    assert fleet.waves() == [["alpha", "beta"], ["gamma"]]


def test_what_is_down_elsewhere_counts_but_never_stops_all() -> None:
    fleet = Fleet(web=stop_first(4, down=2))
    for node in NAMES:
        fleet.has(node, "web.0")
        fleet.wants(node, "web.0")
    fleet.unreachable = {"delta": "gone"}
    assert fleet.waves() == [["alpha"], ["beta"], ["gamma"]]
    fleet.strategies["web"] = stop_first(4)
    assert fleet.waves() == [["alpha"], ["beta"], ["gamma"]]


def test_moved_replica_starts_before_it_goes() -> None:
    fleet = Fleet(web=stop_first(1))
    fleet.has("alpha", "web.0")
    fleet.wants("alpha")
    fleet.wants("beta", "web.0")
    assert fleet.waves() == [["beta"], ["alpha"]]


def test_last_replica_does_not_go_while_its_new_node_is_not_there() -> None:
    fleet = Fleet(web=stop_first(1), one=stop_first(1))
    fleet.has("alpha", "web.0")
    fleet.wants("alpha")
    fleet.wants("beta", "web.0")
    fleet.wants("gamma", "one.0")
    fleet.unreachable = {"beta": "gone"}
    plan = fleet.plan()
    assert plan.roll.waves == (("gamma",),)
    assert plan.nodes["alpha"].blockers == (
        "web is to run on beta, which cannot be changed now: here runs the last of it "
        "(`--without beta` gives it another place)",
    )
    fleet.has("delta", "web.0")
    fleet.wants("delta", "web.0", version="v1")
    assert fleet.plan().roll.waves == (("alpha", "gamma"),)


def test_numbered_or_recreated_replica_goes_before_it_starts_elsewhere() -> None:
    for strategy in (stop_first(1, is_numbered=True), stop_first(1, at_once=True)):
        fleet = Fleet(web=strategy)
        fleet.has("beta", "web.0")
        fleet.wants("alpha", "web.0")
        fleet.wants("beta")
        assert fleet.waves() == [["beta"], ["alpha"]]


def test_replicas_that_change_places_go_one_by_one_and_it_is_said() -> None:
    fleet = Fleet(one=stop_first(1), two=stop_first(1))
    fleet.has("alpha", "one.0")
    fleet.has("beta", "two.0")
    fleet.wants("alpha", "two.0")
    fleet.wants("beta", "one.0")
    plan = fleet.plan()
    assert plan.roll.waves == (("alpha",), ("beta",))
    assert plan.roll.notes == ("one: a replica goes from alpha before it is up on beta",)


def numbered(replicas: int = 3, **more: Any) -> Strategy:
    """A StatefulSet's."""
    return stop_first(replicas, is_numbered=True, is_ordered=True, **more)


def test_numbered_replicas_are_made_from_the_lowest_and_replaced_from_the_highest() -> None:
    fleet = Fleet(db=numbered())
    for number, node in enumerate(("beta", "alpha", "gamma")):
        fleet.wants(node, f"db.{number}")
    assert fleet.waves() == [["beta"], ["alpha"], ["gamma"]]
    for number, node in enumerate(("beta", "alpha", "gamma")):
        fleet.has(node, f"db.{number}")
    assert fleet.waves() == [["gamma"], ["alpha"], ["beta"]]
    fleet.strategies["db"] = numbered(down=2)
    assert fleet.waves() == [["alpha", "gamma"], ["beta"]]


def test_numbered_replicas_of_one_node_keep_their_order() -> None:
    fleet = Fleet(db=numbered())
    fleet.wants("alpha", "db.0", "db.1", "db.2")
    assert stages(fleet.plan(), "alpha") == [["start db.0"], ["start db.1"], ["start db.2"]]
    fleet.has("alpha", "db.0", "db.1")
    assert stages(fleet.plan(), "alpha") == [["start db.2"], ["restart db.1"], ["restart db.0"]]


def test_order_that_nodes_cannot_keep_is_said() -> None:
    fleet = Fleet(db=numbered())
    fleet.wants("alpha", "db.0", "db.2")
    fleet.wants("beta", "db.1")
    plan = fleet.plan()
    assert plan.roll.waves == (("alpha",), ("beta",))
    assert "the order of its numbers is not kept" in plan.roll.notes[0]


def test_recreated_replicas_are_all_down_before_one_starts() -> None:
    fleet = Fleet(web=stop_first(2, at_once=True))
    fleet.has("alpha", "web.0", "web.1")
    fleet.wants("alpha", "web.0", "web.1")
    plan = fleet.plan()
    assert stages(plan, "alpha") == [["stop web.0", "stop web.1"], ["start web.0", "start web.1"]]
    undo = [(one["verb"], one["stage"]) for one in plan.nodes["alpha"].undo_actions()]
    assert sorted(undo) == [("start", 0), ("start", 0), ("stop", 1), ("stop", 1)]


def test_workload_without_a_strategy_waits_for_nothing() -> None:
    fleet = Fleet()
    for node in NAMES[:2]:
        fleet.has(node, "job.0")
        fleet.wants(node, "job.0")
        for one in (fleet.before, fleet.after):
            one[node]["units"]["skerry-job.0.service"]["role"] = "job"
    assert fleet.waves() == [["alpha", "beta"]]


def test_workload_that_left_the_folder_is_rolled_all_the_same() -> None:
    """A rollback may bring back one of which the folder knows nothing any more."""
    fleet = Fleet()
    for node in NAMES[:2]:
        fleet.has(node, "web.0")
        fleet.wants(node, "web.0")
    assert fleet.waves() == [["alpha"], ["beta"]]


def test_canary_takes_the_first_nodes_of_the_roll() -> None:
    fleet = Fleet(web=stop_first(4, down=2))
    for node in NAMES:
        fleet.has(node, "web.0")
        fleet.wants(node, "web.0")
    plan = limit_roll(fleet.plan(), 3)
    assert plan.roll.waves == (("alpha", "beta"), ("gamma",))
    assert plan.roll.left == ("delta",)
    assert [node.node for node in plan.changed] == ["alpha", "beta", "gamma"]
    assert limit_roll(fleet.plan(), 9).roll.left == ()
