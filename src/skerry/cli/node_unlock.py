"""``skerry node unlock``: take away the lock of an operator who has gone."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.errors import NodeError
    from skerry_node import wire


@click.command("unlock")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@nodes_option
@timeout_option
@click.pass_obj
def unlock(settings: Settings, nodes: tuple[str, ...], timeout: float, *, yes: bool) -> int:
    """Take away the locks of an operator who has gone, and show whose they were.

    A lock runs out by itself 120 s after the last sign of life of its holder, so this saves
    waiting, no more. A holder who is still at work is told at the next step that the lock is
    lost, and stops. A switch that runs on a node is not disturbed: its lock stays until it ends.

    Exit codes: 0 no node is locked any more; 3 some node failed, or is being switched.
    """
    from skerry.cli.flow import lock_words
    from skerry.cli.observing import exit_code, open_nodes, show_failed, split_answers
    from skerry.edge.fan_out import fan_out
    from skerry.observe.node import observe_node

    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)
    found, failed = split_answers(
        fan_out(
            names,
            lambda name: observe_node(
                opened.link(name, timeout=timeout), None, wants_images=False, deadline=timeout
            ),
        )
    )
    locks = {name: one["lock"] for name, one in found.items() if one["lock"] is not None}
    for name, lock in locks.items():
        click.echo(f"{name}: {lock_words(lock)}", err=True)
    if locks and not yes:
        _ask(settings, len(locks))
    unlocked, more = split_answers(
        fan_out(locks, lambda name: _unlock(opened, name, timeout=timeout))
    )
    failed = {**failed, **more}
    _show(settings, unlocked, locks, failed)
    show_failed({} if settings.json else failed)
    return exit_code(failed)


def _unlock(opened: OpenCloud, name: str, *, timeout: float) -> bool:
    from skerry.edge.exchange import exchange

    link = opened.link(name, timeout=timeout)
    return bool(exchange(link, "unlock", {"force": True}, deadline=timeout)["released"])


def _show(
    settings: Settings,
    unlocked: dict[str, bool],
    locks: dict[str, wire.LockEntry],
    failed: dict[str, NodeError],
) -> None:
    if settings.json:
        from skerry.render.errors import error_to_builtins

        shown: dict[str, object] = {
            "unlocked": {name: locks[name]["who"] for name in unlocked},
            "failed": {name: error_to_builtins(error) for name, error in failed.items()},
        }
        print(json.dumps(shown, indent=2))
        return
    print(f"unlocked: {', '.join(unlocked)}" if unlocked else "no node is locked")


def _ask(settings: Settings, count: int) -> None:
    if settings.json or not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="`--yes` unlocks without asking")
    if not click.confirm(f"Unlock {count} node{'s' if count != 1 else ''}?", err=True):
        raise click.exceptions.Exit(ExitCode.DONE)
