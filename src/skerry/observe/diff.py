"""What is on a node beside what shall be there: expected, actual and fix, kept apart. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import get_args

from skerry.observe.containers import Inspected, diff_container
from skerry.observe.finding import Finding, Kind
from skerry.observe.status import state_of_unit
from skerry.plan.secrets import plan_secrets
from skerry_node import wire

APPLY = "skerry apply"
QUADLET_FOLDER = "/etc/containers/systemd/"
# The states of a plain unit's file that leave it to start or to be pulled in.
_PLAIN_ENABLED = ("enabled", "static", "indirect", "generated", "alias", "linked", "transient", "")

_SECRET_FAULTS = {"new": "absent", "changed": "another value"}

_KINDS: tuple[str, ...] = get_args(Kind)

TextOf = Callable[[str], str | None]
EnvironmentOf = Callable[[str], Mapping[str, str] | None]


def diff_node(
    desired: wire.Manifest,
    observed: wire.Observed,
    inspected: Inspected,
    *,
    text_of: TextOf = lambda path: None,
    environment_of: EnvironmentOf = lambda unit: None,
) -> list[Finding]:
    """All that differs on one node, sorted by workload, kind and name.

    `text_of` gives a desired file's text and `environment_of` the variables of a unit's
    container, each None where it is not known and so not compared.
    """
    findings = [
        *_diff_files(desired, observed, text_of),
        *_diff_images(desired, observed),
        *_diff_secrets(desired, observed),
        *_diff_units(desired, observed),
    ]
    if not findings and not _is_recorded(desired, observed):
        findings.append(_unrecorded(desired, observed))
    if inspected.error:
        findings.append(_uninspected(desired, inspected.error))
    for unit, entry in desired["units"].items():
        state, container = observed["units"].get(unit), inspected.containers.get(unit)
        if container is not None and state_of_unit(entry, state) == "running":
            findings += diff_container(
                desired["node"], unit, entry, container, environment_of(unit), inspected.routed
            )
    return sorted(findings, key=lambda one: (one.workloads, _KINDS.index(one.kind), one.name))


def _diff_files(
    desired: wire.Manifest, observed: wire.Observed, text_of: TextOf
) -> Iterable[Finding]:
    active = observed["manifest"]
    owned = active["files"] if active else {}
    users = {**_users_of_files(active), **_users_of_files(desired)}
    for path, entry in desired["files"].items():
        there = observed["on_disk"].get(path)
        if there is None:
            # Only what differs from the one manifest or the other is in the answer.
            if owned.get(path, entry) == entry:
                continue
            there = _as_recorded(owned[path])
        if _same(there, entry):
            continue
        yield Finding(
            node=desired["node"],
            workloads=users.get(path, ()),
            kind="file",
            name=path,
            expected=_describe_entry(entry),
            actual=_describe_on_disk(there, entry),
            fix=APPLY,
            old=there["text"] if there["kind"] != "absent" else None,
            new=text_of(path),
        )
    for path in owned:
        there = observed["on_disk"].get(path)
        if path in desired["files"] or (there is not None and there["kind"] == "absent"):
            continue
        yield Finding(
            node=desired["node"],
            workloads=users.get(path, ()),
            kind="file",
            name=path,
            expected="absent",
            actual="there, from an older generation",
            fix=APPLY,
        )


def _diff_images(desired: wire.Manifest, observed: wire.Observed) -> Iterable[Finding]:
    there = set(observed["images"])
    for image_id, reference in desired["images"].items():
        if image_id not in there:
            users = {
                entry["workload"]
                for entry in desired["units"].values()
                if entry["image_id"] == image_id
            }
            yield Finding(
                node=desired["node"],
                workloads=tuple(sorted(users)),
                kind="image",
                name=reference,
                expected=image_id[:12],
                actual="absent",
                fix=APPLY,
            )


def _diff_secrets(desired: wire.Manifest, observed: wire.Observed) -> Iterable[Finding]:
    """By name: the value's version is in it."""
    sends, removes = plan_secrets(desired, observed)
    for send in sends:
        yield Finding(
            node=desired["node"],
            workloads=send.workloads,
            kind="secret",
            name=send.of,
            expected="the folder's value",
            actual=_SECRET_FAULTS.get(send.why, send.why),
            fix=APPLY,
        )
    for remove in removes:
        yield Finding(
            node=desired["node"],
            workloads=remove.workloads,
            kind="secret",
            name=remove.of,
            expected="absent",
            actual=f"there, {remove.why}",
            fix=APPLY,
        )


def _diff_units(desired: wire.Manifest, observed: wire.Observed) -> Iterable[Finding]:
    active = observed["manifest"]
    owned = active["units"] if active else {}
    for unit, entry in desired["units"].items():
        state = observed["units"].get(unit)
        yield from _diff_unit(desired["node"], unit, entry, state)
    for unit, entry in owned.items():
        state = observed["units"].get(unit)
        if unit in desired["units"] or state is None or state["load"] == "not-found":
            continue
        yield Finding(
            node=desired["node"],
            workloads=(entry["workload"],),
            kind="unit",
            name=unit,
            expected="absent",
            actual=state_of_unit(entry, state),
            fix=APPLY,
        )


def _diff_unit(
    node: str, unit: str, entry: wire.UnitEntry, state: wire.UnitState | None
) -> Iterable[Finding]:
    def finding(expected: str, actual: str, fix: str) -> Finding:
        return Finding(
            node=node,
            workloads=(entry["workload"],),
            kind="unit",
            name=unit,
            expected=expected,
            actual=actual,
            fix=fix,
        )

    word = state_of_unit(entry, state)
    expected = "running or completed" if entry["completes"] else "running"
    if state is None or word == "missing":
        yield finding(expected, "systemd has no such unit", APPLY)
        return
    if word not in (("running", "completed") if entry["completes"] else ("running",)):
        words = f"{word} ({state['result']})" if state["result"] != "success" else word
        # A plan starts what is down; what is on its way is systemd's to bring up.
        waits = word in ("starting", "restarting", "stopping")
        yield finding(expected, words, f"skerry logs {entry['workload']}" if waits else APPLY)
    quadlet = any(path.startswith(QUADLET_FOLDER) for path in entry["files"])
    allowed = ("generated",) if quadlet else _PLAIN_ENABLED
    if state["load"] == "masked" or state["enabled"].removesuffix("-runtime") not in allowed:
        enabled = "masked" if state["load"] == "masked" else state["enabled"] or "not enabled"
        yield finding(
            f"{allowed[0]} (starts at boot)",
            f"{enabled} (does not start at boot)",
            f"on the node: systemctl unmask {unit}, then {APPLY}",
        )


def _is_recorded(desired: wire.Manifest, observed: wire.Observed) -> bool:
    active = observed["manifest"]
    return active == desired or (active is None and not desired["files"])


def _unrecorded(desired: wire.Manifest, observed: wire.Observed) -> Finding:
    number = observed["generation"]
    return Finding(
        node=desired["node"],
        workloads=(),
        kind="generation",
        name=f"generation {number}" if number else "no generation",
        expected="the folder's tree, recorded",
        actual="files and units are as in the folder, the record is not",
        fix=APPLY,
    )


def _uninspected(desired: wire.Manifest, error: str) -> Finding:
    return Finding(
        node=desired["node"],
        workloads=(),
        kind="container",
        name="podman inspect",
        expected="tells what the containers run with",
        actual=error,
        fix="mend Podman on the node",
    )


def _describe_entry(entry: wire.FileEntry) -> str:
    return f"{_short(entry['digest'])} {entry['mode']:04o} {entry['owner']}"


def _describe_on_disk(there: wire.OnDisk, entry: wire.FileEntry) -> str:
    # Only what differs.
    if there["kind"] != "file":
        return {"absent": "absent", "link": "a symbolic link", "folder": "a folder"}.get(
            there["kind"], "no regular file"
        )
    words = []
    if there["digest"] != entry["digest"]:
        words.append(_short(there["digest"]))
    if there["mode"] != entry["mode"]:
        words.append(f"{there['mode']:04o}")
    if there["owner"] != entry["owner"]:
        words.append(there["owner"])
    return " ".join(words)


def _as_recorded(entry: wire.FileEntry) -> wire.OnDisk:
    return {
        "kind": "file",
        "digest": entry["digest"],
        "mode": entry["mode"],
        "owner": entry["owner"],
        "text": None,
        "owned": True,
    }


def _same(there: wire.OnDisk, entry: wire.FileEntry) -> bool:
    return (there["kind"], there["digest"], there["mode"], there["owner"]) == (
        "file",
        entry["digest"],
        entry["mode"],
        entry["owner"],
    )


def _users_of_files(manifest: wire.Manifest | None) -> dict[str, tuple[str, ...]]:
    users: dict[str, set[str]] = {}
    for entry in manifest["units"].values() if manifest else ():
        for path in entry["files"]:
            users.setdefault(path, set()).add(entry["workload"])
    return {path: tuple(sorted(names)) for path, names in users.items()}


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
