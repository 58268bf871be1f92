"""The node's side of ``skerry node add``: steps that look, and change only what is not right.

Every step first looks and then says what is to be done; a check stops there. So a dry run and
a real one are the same code, and a second run finds nothing to do.
"""

from __future__ import annotations

import time

from skerry_node.bootstrap_access import (
    look_at_keys,
    look_at_password_login,
    look_at_sudo,
    look_at_user,
)
from skerry_node.bootstrap_packages import look_at_packages
from skerry_node.bootstrap_site import Site
from skerry_node.bootstrap_swap import look_at_swap
from skerry_node.bootstrap_system import (
    look_at_journal,
    look_at_podman,
    look_at_services,
    look_at_state_folder,
    look_at_subordinate_ids,
)
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Sequence, Tuple

    from skerry_node.bootstrap_site import Finding

    Emit = Callable[[Dict[str, Any]], None]
    Step = Tuple[str, Callable[[Site], Finding]]

STEPS = (
    ("state folder", look_at_state_folder),
    ("packages", look_at_packages),
    ("deploy user", look_at_user),
    ("public keys", look_at_keys),
    ("sudo", look_at_sudo),
    ("subordinate ids", look_at_subordinate_ids),
    ("swap", look_at_swap),
    ("journal", look_at_journal),
    ("podman", look_at_podman),
    ("services", look_at_services),
)
HARDENING = (("password login", look_at_password_login),)


def run_bootstrap(args: Dict[str, Any], streams: Any, emit: Emit) -> Dict[str, Any]:
    """Makes the machine into a node; `args` are the settings (``plan_settings`` of the operator).

    Emits an event ``step`` after each step and ``progress`` for a line of a long one.
    """
    return run_steps(STEPS, args, emit)


def run_harden(args: Dict[str, Any], streams: Any, emit: Emit) -> Dict[str, Any]:
    """Turns password login off."""
    return run_steps(HARDENING, args, emit)


def run_steps(steps: Sequence[Step], settings: Dict[str, Any], emit: Emit) -> Dict[str, Any]:
    """Takes the steps in order; raises NodeFault that names the step and what was done before."""
    done: List[Dict[str, Any]] = []
    current = [""]

    def show(line: str) -> None:
        emit({"event": "progress", "step": current[0], "message": line[:300]})

    site = Site(settings, on_line=show)
    if settings.get("brought") and not settings["check"]:
        site.remember("packages", settings["brought"])
    for name, look in steps:
        current[0] = name
        started = time.monotonic()
        try:
            state, detail = take_step(look, site)
        except NodeFault as fault:
            raise failed_step(name, fault, done) from fault
        except OSError as error:
            raise failed_step(name, NodeFault("os-error", str(error)), done) from error
        entry = {
            "step": name,
            "state": state,
            "detail": detail,
            "seconds": round(time.monotonic() - started, 3),
        }
        done.append(entry)
        emit(dict(entry, event="step"))
    return {"steps": done}


def take_step(look: Callable[[Site], Finding], site: Site) -> Tuple[str, str]:
    """Looks, and changes what is not right unless this is a check: (state, detail)."""
    finding = look(site)
    if finding.act is None:
        return finding.state, finding.detail
    if site.settings["check"]:
        return "would-change", finding.detail
    return "changed", finding.act() or finding.detail


def failed_step(name: str, fault: NodeFault, done: List[Dict[str, Any]]) -> NodeFault:
    """The fault with the step's name, what was changed before it, and that it can be repeated."""
    changed = [entry["step"] for entry in done if entry["state"] == "changed"]
    before = "changed before: %s" % ", ".join(changed) if changed else "nothing was changed before"
    hint = "%s; the same command again goes on from there" % before
    return NodeFault(
        fault.id,
        "%s: %s" % (name, fault.message),
        hint="%s; %s" % (fault.hint, hint) if fault.hint else hint,
        detail=fault.detail,
    )
