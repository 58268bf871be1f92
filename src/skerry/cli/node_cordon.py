"""``skerry node cordon``, ``uncordon`` and ``drain``: what may be on a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import timeout_option
from skerry.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud


@click.command("cordon")
@click.argument("name")
@click.pass_obj
def cordon(settings: Settings, name: str) -> None:
    """Place nothing new on a node; what is there stays.

    Writes `cordon: [workloads that may stay]` into cloud.yaml; no node is asked. DaemonSets do
    not care. `skerry node uncordon` takes it back.

    Exit codes: 0 done; 2 the node cannot be cordoned.
    """
    opened, name = _open(settings, name)
    kept = sorted(one for one, nodes in opened.placements.where.items() if name in nodes)
    has_changed = _write(opened, name, kept)
    words = f"{name} gets nothing new; {', '.join(kept) or 'nothing'} may stay"
    _finish(settings, name, kept, words, has_changed=has_changed)


@click.command("uncordon")
@click.argument("name")
@click.pass_obj
def uncordon(settings: Settings, name: str) -> None:
    """Let a node have workloads again.

    Takes the node's `cordon:` out of cloud.yaml; the next apply brings back what belongs there.

    Exit codes: 0 done; 2 the node cannot be changed.
    """
    opened, name = _open(settings, name)
    has_changed = _write(opened, name, None)
    words = f"{name} may have workloads again: `skerry apply` brings back what belongs there"
    _finish(settings, name, None, words, has_changed=has_changed)


@click.command("drain")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@timeout_option
@click.pass_context
def drain(context: click.Context, name: str, timeout: float, *, yes: bool) -> int:
    """Move what is on a node to other nodes; nothing else moves.

    Writes `cordon: []` into cloud.yaml and applies: each replica is up in its new place before
    the old one goes. As with `kubectl drain`, DaemonSets stay. What can run nowhere else stays
    too and is named: what has a volume on the node, is placed there by name, or finds no room;
    and jobs, which end where they began.
    `skerry node uncordon` and an apply bring everything back.

    Exit codes: 0 done; 2 the node cannot be drained; 3 something stays, or a node failed.
    """
    from skerry.cli.apply import apply

    settings: Settings = context.obj
    opened, name = _open(settings, name)
    stays = find_staying(opened, name)
    _write(opened, name, sorted(stays))
    for workload, why in sorted(stays.items()):
        click.echo(f"stays: {workload} on {name}: {why}", err=True)
    status: int = context.invoke(
        apply, nodes=(), without=(), abandoned=(), timeout=timeout, message=f"drain {name}", yes=yes
    )
    if status == ExitCode.DONE and stays:
        return ExitCode.NODE_FAILED
    return status


def find_staying(opened: OpenCloud, name: str) -> dict[str, str]:
    """What cannot leave the node though it should, and why."""
    import msgspec

    from skerry.compile.placement.place_cloud import place_cloud
    from skerry.model.job import Job

    empty = msgspec.structs.replace(opened.cloud.nodes[name], cordon=())
    nodes = {**opened.cloud.nodes, name: empty}
    placed = place_cloud(msgspec.structs.replace(opened.cloud, nodes=nodes), opened.lock)
    stays: dict[str, str] = {}
    for held in placed.held:
        if name not in held.node.split(" and "):
            continue
        if held.why == "no-room":
            stays[held.workload] = "no other node takes it:\n  " + "\n  ".join(held.reasons)
        elif held.why == "by-name":
            stays[held.workload] = "it is placed there by name"
        else:
            stays[held.workload] = f"its volume {' and '.join(held.claims)} is there"
    for workload, places in placed.where.items():
        if name in places and isinstance(opened.cloud.workloads[workload].manifest, Job):
            stays[workload] = "a job ends where it began"
    return stays


def _open(settings: Settings, name: str) -> tuple[OpenCloud, str]:
    """The cloud and the one node. Raises UsageError for a node that is not in cloud.yaml."""
    from skerry.bootstrap.entry import is_in_cloud_file
    from skerry.cli.cloud import open_cloud

    opened = open_cloud(settings, wants_images=True)
    (name,) = opened.select_nodes((name,))[:1]
    known = opened.cloud.nodes[name]
    if not is_in_cloud_file(known):
        raise UsageError(
            f"{name} is written in {known.origin.file}:{known.origin.line}, which is not Skerry's",
            hint="a node of an inventory cannot be cordoned",
        )
    return opened, name


def _write(opened: OpenCloud, name: str, kept: list[str] | None) -> bool:
    """Writes the node's `cordon`, or for None takes it out; whether that changed the file."""
    from skerry.bootstrap.entry import change_entry
    from skerry.load.edit import set_node_field

    return change_entry(opened.folder, lambda text: set_node_field(text, name, "cordon", kept))


def _finish(
    settings: Settings, name: str, kept: list[str] | None, words: str, *, has_changed: bool
) -> None:
    if settings.json:
        print(json.dumps({"node": name, "cordon": kept, "edits_cloud_yaml": has_changed}, indent=2))
    else:
        print(words if has_changed else f"{words}; cloud.yaml said so already")
