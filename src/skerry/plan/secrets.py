"""Which secrets a node gets, and which leave it: by name, for a name has its value's version."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.plan.steps import RemoveSecret, SendSecret
from skerry_node import wire


def plan_secrets(
    desired: wire.Manifest, observed: wire.Observed
) -> tuple[list[SendSecret], list[RemoveSecret]]:
    """What is sent before the switch, and what goes when it is confirmed.

    The old version of one that is sent goes without a step of its own.
    """
    present, owned = set(observed.get("secrets", [])), _active_secrets(observed)
    wanted = desired.get("secrets", {})
    users = {**_users(observed["manifest"]), **_users(desired)}
    known = {entry["of"] for entry in owned.values()}
    sends = []
    for name, entry in wanted.items():
        if name in present:
            continue
        why = "changed" if entry["of"] in known else "new"
        if name in owned:
            why = "was deleted on the node"
        sends.append(
            SendSecret(of=entry["of"], name=name, why=why, workloads=tuple(users.get(name, ())))
        )
    kept = {entry["of"] for entry in wanted.values()}
    removes = [
        RemoveSecret(
            of=owned[name]["of"] if name in owned else name,
            name=name,
            why="no longer wanted" if name in owned else "left by an interrupted run",
            workloads=tuple(users.get(name, ())),
        )
        for name in sorted(present - set(wanted))
        if name not in owned or owned[name]["of"] not in kept
    ]
    return sends, removes


def plan_immutable(desired: wire.Manifest, observed: wire.Observed) -> Iterator[str]:
    """A line for each secret that was immutable and shall be another."""
    wanted = desired.get("secrets", {})
    fixed = {
        entry["of"]: name
        for name, entry in _active_secrets(observed).items()
        if entry["immutable"] and name not in wanted
    }
    for name, entry in wanted.items():
        if entry["of"] in fixed and name != fixed[entry["of"]]:
            yield (
                f"secret {entry['of']} is immutable and cannot change its value: make a Secret of "
                "another name, and let the pods use that"
            )


def _active_secrets(observed: wire.Observed) -> dict[str, wire.SecretEntry]:
    active = observed["manifest"]
    return active.get("secrets", {}) if active is not None else {}


def _users(manifest: wire.Manifest | None) -> dict[str, list[str]]:
    """The workloads that use each secret, by its name."""
    users: dict[str, set[str]] = {}
    for unit in manifest["units"].values() if manifest is not None else ():
        for name in unit.get("secrets", []):
            users.setdefault(name, set()).add(unit["workload"])
    return {name: sorted(names) for name, names in users.items()}
