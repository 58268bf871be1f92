"""The plan: for each node, what would change and why. A dry run and an apply share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from skerry.compile.lock import ResolvedImage
from skerry.compile.placement.held import Held
from skerry.compile.rolling.names import renamed, without_revision
from skerry.compile.tree import Needs
from skerry.plan.lacks import plan_lacks
from skerry.plan.moves import Move
from skerry.plan.secrets import plan_immutable, plan_secrets
from skerry.plan.steps import (
    ActOnUnit,
    AnyStep,
    RecordGeneration,
    ReloadSystemd,
    RemoveFile,
    SendImage,
    WriteFile,
)
from skerry.plan.unit_actions import (
    UnitAction,
    decide_unit_action,
    has_ended,
    job_entries,
    undo_unit_action,
)
from skerry_node import wire

# Files below these folders are read by systemd or by Quadlet's generator.
UNIT_FOLDERS = ("/etc/systemd/system/", "/etc/containers/systemd/")
# What a node keeps free when images are sent, in bytes.
DISK_RESERVE = 100 * 1000 * 1000


class NodePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens on one node.

    `base` is the generation that the plan starts from and `number` the one that it makes.
    `missing` are digests of blobs that the node does not have. `blockers` say why the node
    cannot be changed at all; with one, nothing is done there. `notes` are worth knowing.
    """

    node: str
    base: int
    number: int
    steps: tuple[AnyStep, ...] = ()
    missing: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps

    def unit_actions(self) -> list[wire.UnitAction]:
        """The actions for the node program, in order."""
        return [
            {"verb": step.action.value, "unit": step.unit, "stage": step.stage}
            for step in self.steps
            if isinstance(step, ActOnUnit)
        ]

    def undo_actions(self) -> list[wire.UnitAction]:
        """The actions that follow when the old files are back, in order."""
        return [
            {"verb": step.undo.value, "unit": step.unit, "stage": step.stage}
            for step in reversed(self.steps)
            if isinstance(step, ActOnUnit) and step.undo is not UnitAction.NONE
        ]

    def changes(self) -> list[str]:
        """The plan in lines, for the generation's history; without the contents of files."""
        return [step.describe() for step in self.steps if not isinstance(step, ReloadSystemd)]


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """How a workload is rolled in this plan; the numbers are of replicas."""

    order: str
    reason: str
    replicas: int
    max_unavailable: int
    max_surge: int


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """The order of a plan.

    `waves` are the nodes that change, each wave begun when the one before is healthy and
    confirmed. `workloads` are those of which replicas are replaced, by name; `notes` say where
    an order that was asked for cannot be kept. `left` are nodes that would change too, but are
    left as they are this time: behind a canary.
    """

    waves: tuple[tuple[str, ...], ...] = ()
    left: tuple[str, ...] = ()
    workloads: dict[str, Rolled] = {}
    notes: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a whole cloud; `unreachable` maps a node to the reason.

    `moves` are replicas that go from node to node, `held` those that should and cannot, and
    `left_out` the nodes that are treated as lost.
    """

    cloud: str
    nodes: dict[str, NodePlan]
    unreachable: dict[str, str] = {}
    roll: Roll = Roll()
    moves: tuple[Move, ...] = ()
    held: tuple[Held, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def changed(self) -> list[NodePlan]:
        """The nodes on which something is to be done and can be."""
        return [node for node in self.nodes.values() if not node.is_empty and not node.blockers]

    @property
    def blocked(self) -> list[NodePlan]:
        """The nodes that cannot be changed."""
        return [node for node in self.nodes.values() if node.blockers]


def plan_node(
    desired: wire.Manifest,
    observed: wire.Observed,
    images: Mapping[str, ResolvedImage],
    text_of: Callable[[str], str | None],
    needs: Iterable[Needs] = (),
) -> NodePlan:
    """The plan that makes one node as `desired` says.

    `images` are by id, for their sizes; `text_of` gives a desired file's text by its path, for
    the diff, or None where it is not text or not known. What the node has too little of for
    `needs` blocks it.
    """
    active = observed["manifest"]
    sends = _plan_images(desired, observed, images)
    secrets, gone_secrets = plan_secrets(desired, observed)
    writes, conflicts = _plan_files(desired, observed, text_of)
    removes = _plan_removals(desired, observed)
    touched = {step.path for step in writes} | {step.path for step in removes}
    # A file may be there before the apply that brings it; what runs is from the one before.
    touched |= {
        path
        for path, entry in (active["files"] if active else {}).items()
        if path in desired["files"] and desired["files"][path] != entry
    }
    units = _plan_units(desired, observed, touched)
    reload_ = any(path.startswith(UNIT_FOLDERS) for path in touched)
    steps: list[AnyStep] = [*sends, *secrets, *writes, *removes, *gone_secrets]
    if reload_:
        steps.append(ReloadSystemd())
    steps += units
    if not steps and active != desired and (active is not None or desired["files"]):
        steps.append(RecordGeneration())
    return NodePlan(
        node=desired["node"],
        base=observed["generation"],
        number=observed["next_number"],
        steps=tuple(steps),
        missing=_missing(desired, observed) if steps else (),
        blockers=(
            *conflicts,
            *plan_immutable(desired, observed),
            *plan_lacks(needs, observed["facts"]),
            *_plan_room(sends, observed),
        )
        if steps
        else (),
        notes=_notes_of(observed),
    )


def _missing(desired: wire.Manifest, observed: wire.Observed) -> tuple[str, ...]:
    """What the node misses; of what it is not to have it can miss nothing."""
    wanted = {entry["digest"] for entry in desired["files"].values()}
    return tuple(digest for digest in observed["missing"] if digest in wanted)


def _notes_of(observed: wire.Observed) -> tuple[str, ...]:
    if observed["unfinished"] is None:
        return ()
    return (
        f"the activation of generation {observed['unfinished']} was interrupted; "
        "apply brings it to an end first and plans anew",
    )


def _plan_images(
    desired: wire.Manifest, observed: wire.Observed, images: Mapping[str, ResolvedImage]
) -> list[SendImage]:
    present = set(observed["images"])
    users: dict[str, set[str]] = {}
    for unit in desired["units"].values():
        users.setdefault(unit["image_id"], set()).add(unit["workload"])
    return [
        SendImage(
            image_id=image_id,
            reference=reference,
            size=images[image_id].size if image_id in images else 0,
            workloads=tuple(sorted(users.get(image_id, ()))),
        )
        for image_id, reference in desired["images"].items()
        if image_id not in present
    ]


def _plan_room(sends: list[SendImage], observed: wire.Observed) -> list[str]:
    if not sends:
        return []
    blockers = []
    needed, free = sum(step.size for step in sends), int(observed["facts"].get("disk_free", 0))
    # The archive lies on the disk beside the unpacked layers while it is loaded.
    if free and 2 * needed + DISK_RESERVE > free:
        blockers.append(
            f"{len(sends)} image(s) of {needed / 1e6:.0f} MB need {2 * needed / 1e6:.0f} MB while "
            f"they are loaded, and {DISK_RESERVE / 1e6:.0f} MB are kept free; "
            f"{free / 1e6:.0f} MB are there: `skerry prune` frees old images"
        )
    return blockers


def _plan_files(
    desired: wire.Manifest, observed: wire.Observed, text_of: Callable[[str], str | None]
) -> tuple[list[WriteFile], list[str]]:
    active = observed["manifest"]
    owned = active["files"] if active else {}
    replaced = {without_revision(path): path for path in owned if path not in desired["files"]}
    users = _users_of_files(desired)
    steps: list[WriteFile] = []
    conflicts: list[str] = []
    for path, entry in desired["files"].items():
        there = observed["on_disk"].get(path)
        differs = there is not None and _differs(there, entry)
        lies_there = there is not None and there["kind"] != "absent"
        if not differs and (path in owned or lies_there):
            # Or it is adopted as it lies there.
            continue
        if path not in owned and lies_there:
            conflicts.append(
                f"{path} is there already and is not Skerry's: move it away, or name the workload "
                "differently"
            )
            continue
        kind: Literal["add", "change", "restore"] = "change"
        if path not in owned:
            kind, why = "add", "new"
            if (before := replaced.get(without_revision(path))) is not None:
                why, there = "changed", observed["on_disk"].get(before)
        elif owned[path] == entry:
            gone = there is not None and there["kind"] == "absent"
            kind = "restore"
            why = "was deleted on the node" if gone else "was changed on the node"
        else:
            why = "changed"
            if there is not None and _differs(there, owned[path]):
                why = "changed; the one on the node had been edited there"
        steps.append(
            WriteFile(
                path=path,
                kind=kind,
                why=why,
                old=renamed(there["text"], path) if there is not None else None,
                new=text_of(path),
                workloads=tuple(users.get(path, ())),
            )
        )
    return steps, conflicts


def _plan_removals(desired: wire.Manifest, observed: wire.Observed) -> list[RemoveFile]:
    active = observed["manifest"]
    if active is None:
        return []
    users = _users_of_files(active)
    return [
        RemoveFile(
            path=path,
            old=observed["on_disk"][path]["text"] if path in observed["on_disk"] else None,
            workloads=tuple(users.get(path, ())),
        )
        for path in active["files"]
        if path not in desired["files"]
    ]


def _plan_units(
    desired: wire.Manifest, observed: wire.Observed, touched: set[str]
) -> list[ActOnUnit]:
    active = observed["manifest"]
    owned_units = active["units"] if active else {}
    wanted_jobs, owned_jobs = job_entries(desired), job_entries(active)
    steps: list[ActOnUnit] = []
    for name in sorted({*desired["units"], *owned_units}):
        wanted = wanted_jobs.get(name, desired["units"].get(name))
        owned = owned_jobs.get(name, owned_units.get(name))
        entry = wanted or owned
        assert entry is not None
        files = {*(wanted["files"] if wanted else ()), *(owned["files"] if owned else ())}
        action, why = decide_unit_action(
            wanted=wanted,
            owned=owned,
            is_changed=not files.isdisjoint(touched),
            state=observed["units"].get(name),
        )
        if action is not UnitAction.NONE:
            steps.append(
                ActOnUnit(
                    unit=name,
                    action=action,
                    undo=undo_unit_action(
                        action,
                        was_owned=owned is not None,
                        has_ended=has_ended(owned, observed["units"].get(name)),
                    ),
                    why=why,
                    workloads=(entry["workload"],),
                )
            )
    # What goes is stopped before what comes is started: it may hold a port that is wanted.
    return sorted(steps, key=lambda step: step.action is not UnitAction.STOP)


def _users_of_files(manifest: wire.Manifest) -> dict[str, list[str]]:
    users: dict[str, set[str]] = {}
    for unit in manifest["units"].values():
        for path in unit["files"]:
            users.setdefault(path, set()).add(unit["workload"])
    return {path: sorted(names) for path, names in users.items()}


def _differs(there: wire.OnDisk, entry: wire.FileEntry) -> bool:
    return (there["digest"], there["mode"], there["owner"]) != (
        entry["digest"],
        entry["mode"],
        entry["owner"],
    )
