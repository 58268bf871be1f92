"""Load, compile, plan and render grow with the number of nodes and not with its square."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from bench.fleet import CASES_OF, write_fleet
from bench.fleet_run import Timer, run_case

from skerry.compile.rolling.strategy import Strategy
from skerry.plan.changes import Change, Kind
from skerry.plan.waves import Budget, Wanted, plan_waves
from tests.unit.cpu_time import least_cpu

FEW, MANY = 100, 400
# What is linear takes 4 times as long, what is quadratic 16 times.
MOST = 7.0


@pytest.mark.parametrize(
    ("placement", "case"),
    [(placement, case) for placement, cases in CASES_OF.items() for case in cases],
)
def test_a_fleet_four_times_as_large_takes_four_times_as_long(
    tmp_path: Path, placement: str, case: str
) -> None:
    for nodes in (FEW, MANY):
        write_fleet(tmp_path / str(nodes), placement, nodes=nodes)
    least = dict.fromkeys((FEW, MANY), float("inf"))

    def grows_evenly() -> bool:
        for nodes in least:
            work = partial(run_case, tmp_path / str(nodes), case, Timer())
            taken = least_cpu(work, times=1)
            least[nodes] = min(least[nodes], taken)
        return least[MANY] < MOST * least[FEW]

    # The least of several times: what else runs on the machine takes from both.
    shown = any(grows_evenly() for _ in range(8))
    assert shown, f"{least[FEW]:.3f} s for {FEW} nodes, {least[MANY]:.3f} s for {MANY}"


def replaced(nodes: int) -> list[Wanted]:
    """Nodes on each of which one replica of one workload is replaced."""
    return [
        Wanted(
            node=f"node-{number}",
            changes=(
                Change(
                    workload="web", replica=0, kind="replace", is_up=True, is_job=False, steps=()
                ),
            ),
        )
        for number in range(nodes)
    ]


def moved(nodes: int) -> list[Wanted]:
    """Nodes of which each gives its replica to the next: a circle of all of them."""
    kinds: list[Kind] = ["remove", "create"]
    return [
        Wanted(
            node=f"node-{number}",
            changes=tuple(
                Change(
                    workload=f"web-{(number + step) % nodes}",
                    replica=0,
                    kind=kind,
                    is_up=True,
                    is_job=False,
                    steps=(),
                )
                for step, kind in enumerate(kinds)
            ),
        )
        for number in range(nodes)
    ]


def waves_of(nodes: list[Wanted]) -> list[tuple[str, ...]]:
    """The waves with a budget of one."""
    names = {change.workload for node in nodes for change in node.changes}
    strategies = {name: Strategy(replicas=len(nodes), order="stop-first") for name in names}
    budgets = dict.fromkeys(names, Budget(down=1, surge=1))
    return list(plan_waves(nodes, strategies, budgets)[0])


def test_one_node_at_a_time_of_a_thousand() -> None:
    """As many waves as nodes: each looks at what has become free, not at all nodes again."""
    assert len(waves_of(replaced(1000))) == 1000
    assert least_cpu(lambda: waves_of(replaced(1000))) < 1.0


def test_a_circle_of_a_thousand_nodes() -> None:
    waves = waves_of(moved(1000))
    assert sum(map(len, waves)) == 1000
    assert least_cpu(lambda: waves_of(moved(1000))) < 1.0
