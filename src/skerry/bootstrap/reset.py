"""``skerry node reset``: everything of Skerry's off a node; the way in goes last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import msgspec

from skerry.bootstrap.add import DEPLOY_USER
from skerry.bootstrap.probe import probe_host
from skerry.bootstrap.report import ResetReport, Step, step_of
from skerry.edge.exchange import Event, exchange
from skerry.edge.ssh import Link, close_connection, run_remote
from skerry.edge.turn import Turn
from skerry.errors import AccessRefused, NodeError, NodeProgramFailed, NodeUnreachable

# How long the node may take to end our session and remove the deploy user, in seconds.
_FINISH_WITHIN = 40.0


def reset_node(
    link: Link,
    turn: Turn,
    *,
    is_check: bool,
    takes_packages: bool,
    on_step: Callable[[Step], None] | None = None,
) -> ResetReport:
    """Removes all of Skerry from the node, or with `is_check` says what that is.

    Raises `NodeLocked` when another operator is at work, and what `exchange` raises.
    """
    steps: list[Step] = []

    def hear(event: Event) -> None:
        if event["event"] == "step":
            steps.append(step_of(event))
            if on_step is not None:
                on_step(steps[-1])

    # Not by the platform: a node that was upgraded to a release unknown here can be reset too.
    manager = "apt" if "apt-get" in probe_host(link).managers else "dnf"
    if not is_check:
        exchange(link, "lock", {"lock": turn.lock_request()})
    args = {
        "check": is_check,
        "user": DEPLOY_USER,
        "package_manager": manager,
        "packages": takes_packages,
        "token": turn.token,
    }
    result = exchange(link, "reset", args, deadline=600.0, on_event=hear)
    close_connection(link)
    is_shut = False
    if not is_check and result.get("user_removed"):
        _wait_until_shut(link)
        is_shut = True
    left = tuple(cast("list[str]", result.get("left", [])))
    return ResetReport(steps=tuple(steps), left=left, is_check=is_check, is_shut=is_shut)


def _wait_until_shut(link: Link) -> None:
    """Returns once the host no longer knows the deploy user's key: the last step is done."""
    fresh = msgspec.structs.replace(link, multiplex=False)
    until = time.monotonic() + _FINISH_WITHIN
    last: NodeError | None = None
    while time.monotonic() < until:
        try:
            run_remote(fresh, "true", timeout=20)
        except AccessRefused:
            return
        except NodeUnreachable as error:
            last = error
        # Each try is a session of the user that the node waits for, so there must be a gap.
        time.sleep(0.5)
    raise NodeProgramFailed(
        link.node,
        "all but the deploy user is removed; the user still lets us in"
        if last is None
        else f"the node stopped answering before the end was seen ({last.message})",
        hint="`journalctl -u skerry-reset` on the node says why",
    )
