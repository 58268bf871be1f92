"""The stages of one node's unit actions: each is begun when the one before is healthy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from skerry.compile.rolling.strategy import Strategy
from skerry.plan.changes import Change
from skerry.plan.plan import NodePlan
from skerry.plan.steps import ActOnUnit
from skerry.plan.unit_actions import UnitAction
from skerry.plan.waves import Granted, in_order


def stage_changes(
    plan: NodePlan,
    changes: Sequence[Change],
    strategies: Mapping[str, Strategy],
    granted: Granted,
) -> NodePlan:
    """The node's plan with its unit actions in stages, at most as many replicas at a time as it
    was granted; all other steps as they are."""
    staged: list[ActOnUnit] = []
    for workload in sorted({change.workload for change in changes}):
        mine = [change for change in changes if change.workload == workload]
        strategy = strategies.get(workload)
        if strategy is None:
            staged += [step for change in mine for step in change.steps]
        else:
            staged += _stage_workload(mine, strategy, granted.get(workload, 1))
    # What goes is stopped before what comes is started: it may hold a port that is wanted.
    staged.sort(key=lambda step: (step.stage, step.action is not UnitAction.STOP, step.unit))
    others = [step for step in plan.steps if not isinstance(step, ActOnUnit)]
    return msgspec.structs.replace(plan, steps=(*others, *staged))


def _stage_workload(
    changes: Sequence[Change], strategy: Strategy, at_a_time: int
) -> list[ActOnUnit]:
    staged: list[ActOnUnit] = []
    sequence = [change for _, change in in_order([("", one) for one in changes], strategy)]
    for stage, change in enumerate(sequence):
        staged += _at(change.steps, stage)
    replaced = [one for one in changes if one.kind in ("replace", "beside")]
    for change in changes:
        if change not in sequence and change not in replaced:
            staged += _at(change.steps, 0)
    if strategy.at_once and len(replaced) > 1:
        return staged + _all_down_first(replaced)
    # What is down already goes first: it can only become better.
    replaced.sort(
        key=lambda one: (False, -one.replica) if strategy.is_numbered else (one.is_up, one.replica)
    )
    first = len(sequence)
    down = [one for one in replaced if one.kind == "replace" and not one.is_up]
    for change in down if not strategy.is_numbered else ():
        staged += _at(change.steps, first)
    rest = [one for one in replaced if strategy.is_numbered or one not in down]
    for index, change in enumerate(rest):
        stage = first + index // at_a_time
        staged += _beside(change, stage) if change.kind == "beside" else _at(change.steps, stage)
    return staged


def _at(steps: Sequence[ActOnUnit], stage: int) -> list[ActOnUnit]:
    return [msgspec.structs.replace(step, stage=stage) for step in steps]


def _beside(change: Change, stage: int) -> list[ActOnUnit]:
    """The new units at a stage; the old ones go when these are healthy."""
    return [
        msgspec.structs.replace(step, stage=stage + (step.action is UnitAction.STOP))
        for step in change.steps
    ]


def _all_down_first(changes: Sequence[Change]) -> list[ActOnUnit]:
    """All replicas are stopped before one is started: a restart is split into both."""
    staged = []
    for step in (step for change in changes for step in change.steps):
        if step.action is UnitAction.RESTART:
            stop = {"action": UnitAction.STOP, "undo": UnitAction.START, "stage": 0}
            start = {"action": UnitAction.START, "undo": UnitAction.STOP, "stage": 1}
            staged += [msgspec.structs.replace(step, **part) for part in (stop, start)]
        else:
            stage = 0 if step.action is UnitAction.STOP else 1
            staged.append(msgspec.structs.replace(step, stage=stage))
    return staged
