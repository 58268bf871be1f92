"""``skerry node add``: look, decide, change what is missing, prove that the new way in works."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from skerry.bootstrap.doors import RootDoor, install_python, open_root_door
from skerry.bootstrap.host_keys import (
    pin_expected,
    raise_unless_pinned,
    read_pins,
    temporary_link,
    write_pins,
)
from skerry.bootstrap.platforms import LOW_MEMORY, PODMAN_MINIMUM, Platform
from skerry.bootstrap.probe import Host, choose_platform, probe_host, raise_unless_root
from skerry.bootstrap.report import Report, Step, step_of
from skerry.edge import program
from skerry.edge.exchange import Event, exchange
from skerry.edge.ssh import Link, close_connection, pinned_fingerprints, run_remote
from skerry.errors import AccessRefused, NodeError, NodeProgramFailed

DEPLOY_USER = "skerry"
# apt says nothing while it unpacks a large package on a slow disk, in seconds.
_SILENCE = 600.0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `doors` are the ways in, tried in order until one is opened.

    `known_hosts` is the cloud folder's file. `expected` is the fingerprint that the host must
    show; `replaces_host_key` says that a pinned one does not count. With `is_check` nothing is
    changed anywhere.
    """

    node: str
    doors: tuple[Link, ...]
    deploy: Link
    known_hosts: str
    keys: tuple[str, ...]
    expected: str | None = None
    replaces_host_key: bool = False
    is_check: bool = False
    hardens: bool = False


OnStep = Callable[[Step], None]
OnWords = Callable[[str], None]


def add_node(request: Request, *, on_step: OnStep, on_words: OnWords) -> Report:
    """Makes the host into a node, or says what that would take.

    `on_step` is called after each step, `on_words` with a line of a long one. Raises a
    `NodeError`, before anything is changed where the host is the wrong one or cannot be a node.
    """
    started = time.monotonic()
    steps: list[Step] = []

    def take(step: Step) -> None:
        steps.append(step)
        on_step(step)

    def hear(event: Event) -> None:
        if event["event"] == "step":
            take(step_of(event))
        elif event["event"] == "progress":
            on_words(f"{event.get('step')}: {event.get('message')}")

    with _first_contact(request) as (link, host, is_pinned):
        platform = choose_platform(request.node, host, has_password=link.password is not None)
        fingerprints = tuple(pinned_fingerprints(link))
        door = open_root_door(link, host)
        take(_host_key_step(request, link, fingerprints, is_pinned=is_pinned))
        brought = _bring_python(request, door, host, platform, take)
        if brought is not None:
            settings = plan_settings(request, platform, brought)
            python, archive = brought.python, program.build()
            ops = ["bootstrap", "harden"] if request.is_check and request.hardens else ["bootstrap"]
            for op in ops:
                exchange(
                    link,
                    op,
                    settings,
                    deadline=_SILENCE,
                    on_event=hear,
                    door=door.program_door(python, archive),
                )
    facts = None
    if not request.is_check:
        facts = _prove(request, take)
        if request.hardens:
            settings = plan_settings(request, platform, Brought("", []))
            exchange(request.deploy, "harden", settings, deadline=60.0, on_event=hear)
            if steps[-1].state == "changed":
                _prove_again(request, settings)
    return Report(
        node=request.node,
        target=link.target,
        host=host,
        fingerprints=fingerprints,
        is_check=request.is_check,
        steps=tuple(steps),
        facts=facts,
        seconds=time.monotonic() - started,
    )


class Brought(msgspec.Struct, frozen=True):
    """The Python that the node program runs on, and the packages that came with it just now."""

    python: str
    packages: list[str]


def plan_settings(request: Request, platform: Platform, brought: Brought) -> dict[str, Any]:
    """The arguments of the node's op ``bootstrap``: the platform's words and the request's."""
    return {
        "check": request.is_check,
        "user": DEPLOY_USER,
        "keys": list(request.keys),
        "package_manager": platform.manager,
        "packages": list(platform.packages),
        "optional": list(platform.optional),
        "brought": brought.packages,
        "zram_package": platform.zram,
        "low_memory": LOW_MEMORY,
        "podman_minimum": list(PODMAN_MINIMUM),
        "idle_units": list(platform.idle_units),
        "ssh_unit": platform.ssh_unit,
    }


@contextmanager
def _first_contact(request: Request) -> Iterator[tuple[Link, Host, bool]]:
    """The first door that opens, what the host says, and whether its key was pinned before.

    A key that is new is accepted into a temporary file: the cloud's is written when the host is
    known to be the right one.
    """
    with tempfile.TemporaryDirectory(prefix="skerry-") as folder:
        pinned = bool(pinned_fingerprints(request.deploy)) and not request.replaces_host_key
        doors = request.doors
        if pinned and request.expected is not None:
            raise_unless_pinned(doors[0], request.expected)
        if not pinned:
            accepts = request.expected is None
            doors = tuple(temporary_link(door, folder, accept_new=accepts) for door in doors)
            if request.expected is not None:
                pin_expected(doors[0], request.expected)
        link = doors[0]
        try:
            for link in doors:
                try:
                    host = probe_host(link)
                    if link is not doors[-1]:
                        # A deploy user that sudo lets in no longer is no door either.
                        has_password = link.password is not None
                        raise_unless_root(request.node, host, has_password=has_password)
                    break
                except AccessRefused:
                    if link is doors[-1]:
                        raise
            yield link, host, pinned
        finally:
            # The deploy user's own connection is another one; this one may be root's.
            for door in doors:
                if door != request.deploy:
                    close_connection(door)


def _host_key_step(
    request: Request, link: Link, fingerprints: tuple[str, ...], *, is_pinned: bool
) -> Step:
    """Pins the key that the host showed, unless this is a check or it is pinned already."""
    shown = ", ".join(fingerprints)
    if is_pinned:
        return Step(step="host key", state="ok", detail=shown, seconds=0.0)
    state = "would-change" if request.is_check else "changed"
    known_hosts = Path(request.known_hosts)
    old = pinned_fingerprints(request.deploy)
    if not request.is_check:
        write_pins(known_hosts, request.node, read_pins(Path(link.known_hosts), request.node))
        if old:
            close_connection(request.deploy)
    verb = "pin" if request.is_check else "pinned"
    tail = f", in place of {', '.join(old)}" if old and old != list(fingerprints) else ""
    return Step(step="host key", state=state, detail=f"{verb} {shown}{tail}", seconds=0.0)


def _bring_python(
    request: Request, door: RootDoor, host: Host, platform: Platform, take: OnStep
) -> Brought | None:
    """A Python for the node program; None in a check of a host that has none."""
    if host.python:
        return Brought(host.python, [])
    detail = f"install {platform.python}"
    if request.is_check:
        later = f"{detail}; the other steps are looked at once it is there"
        take(Step(step="python", state="would-change", detail=later, seconds=0.0))
        return None
    started = time.monotonic()
    packages = install_python(door, platform)
    seconds = time.monotonic() - started
    take(Step(step="python", state="changed", detail=platform.python, seconds=seconds))
    found = probe_host(door.link)
    if not found.python:
        raise NodeProgramFailed(
            request.node, f"{platform.python} is installed, but no Python >= 3.9 runs on the node"
        )
    return Brought(found.python, packages)


def _prove(request: Request, take: OnStep) -> dict[str, Any]:
    """Logs in as the deploy user over a new connection and asks the node for its facts as root."""
    started = time.monotonic()
    close_connection(request.deploy)
    try:
        facts = exchange(request.deploy, "facts")
    except AccessRefused as error:
        raise AccessRefused(
            request.node,
            f"the host does not let {request.deploy.target} in with your key, though the key is "
            "in place",
            hint="look at AllowUsers, AllowGroups and AuthorizedKeysFile on the host (sshd -T), "
            "and whether your ssh offers that key (ssh -v)",
            detail=error.detail,
        ) from None
    except NodeProgramFailed as error:
        if "sudo" not in error.message:
            raise
        raise NodeProgramFailed(
            request.node,
            f"sudo asks {DEPLOY_USER} for a password in spite of /etc/sudoers.d/skerry",
            hint="does /etc/sudoers on the host include /etc/sudoers.d?",
            detail=error.detail,
        ) from None
    seconds = time.monotonic() - started
    detail = f"{request.deploy.target} by key over a new connection, and root by sudo"
    take(Step(step="login", state="ok", detail=detail, seconds=seconds))
    return facts


def _prove_again(request: Request, settings: dict[str, Any]) -> None:
    """Logs in once more with password login turned off; if that fails, turns it on again."""
    fresh = msgspec.structs.replace(request.deploy, multiplex=False)
    try:
        run_remote(fresh, "true", timeout=20)
    except NodeError as error:
        # The connection from before still stands.
        exchange(request.deploy, "harden", {**settings, "undo": True}, deadline=60.0)
        raise NodeProgramFailed(
            request.node,
            "no login works with password login turned off; it is on again",
            detail=error.message,
        ) from None
