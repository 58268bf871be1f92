"""An operator who talks to the node program by hand: one exchange per call."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from tests.live.lab_harness import wait_until
from tests.unit.node_machine import actions
from tests.unit.wire_examples import manifest, unit_entry

from skerry.edge.exchange import Event, Outgoing, exchange
from skerry.edge.run import Finished
from skerry.edge.ssh import Link, run_remote
from skerry.errors import NodeError
from skerry.lab import Node
from skerry_node import wire

UNITS = "/etc/systemd/system/"


def service(command: str, *lines: str) -> str:
    """A unit file that runs a shell command."""
    more = "".join(line + "\n" for line in lines)
    return f"[Service]\nExecStart=/bin/sh -c '{command}'\n{more}"


def forever(word: str) -> str:
    """A unit that runs until it is stopped; another `word` is another unit file."""
    return service(f"echo {word}; exec tail -f /dev/null")


class Tree:
    """A desired tree of plain units and files, by their texts."""

    def __init__(
        self,
        units: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        images: Mapping[str, str] | None = None,
        entries: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        paths = {UNITS + name: text for name, text in (units or {}).items()}
        self.contents = {path: text.encode() for path, text in {**paths, **(files or {})}.items()}
        found = {
            name: unit_entry(files=[UNITS + name], settle=0.2, deadline=20.0)
            for name in units or {}
        }
        for name, entry in (entries or {}).items():
            found[name] = unit_entry(**{"settle": 0.2, "deadline": 20.0, **entry})
        self.manifest = manifest(
            files={
                path: {"digest": wire.digest_of(content), "mode": 0o644, "owner": "root:root"}
                for path, content in self.contents.items()
            },
            units=found,
            images=dict(images or {}),
        )

    def blobs(self, digests: list[str]) -> Iterator[Outgoing]:
        """The contents of these digests, as streams."""
        by_digest = {wire.digest_of(content): content for content in self.contents.values()}
        for digest in digests:
            yield outgoing("blob", digest, by_digest[digest])


def outgoing(kind: str, name: str, content: bytes) -> Outgoing:
    """A stream of bytes at hand."""
    return Outgoing(kind, name, len(content), lambda: iter((content,)))


class Operator:
    """One run against one node, with a token of its own. `events` are those of the last call."""

    def __init__(self, link: Link, who: str = "eva@laptop") -> None:
        self.link = link
        self.token = secrets.token_hex(16)
        self.lock = {"cloud": "test", "who": who, "why": "a live test", "token": self.token}
        self.events: list[Event] = []

    def ask(self, op: str, *streams: Outgoing, deadline: float = 60, **args: Any) -> dict[str, Any]:
        """One exchange. What the operator's side of Skerry leaves undecoded, as it uses none of
        it, is decoded here."""
        self.events = []
        result = exchange(
            self.link, op, args, streams=streams, deadline=deadline, on_event=self.events.append
        )
        return {
            name: json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value
            for name, value in result.items()
        }

    def observe(self, tree: Tree | None = None) -> wire.Observed:
        """What is true, beside a tree."""
        desired = tree.manifest if tree else None
        return cast(wire.Observed, self.ask("observe", manifest=desired, text=True, images=True))

    def push(self, tree: Tree, *images: Outgoing, **args: Any) -> dict[str, Any]:
        """Takes the lock and sends what is missing."""
        blobs = tree.blobs(self.observe(tree)["missing"])
        args = {"lock": self.lock, "compression": "none", "images": {}, **args}
        return self.ask("push", *blobs, *images, **args)

    def activate(
        self,
        tree: Tree,
        act: list[wire.UnitAction],
        undo: list[wire.UnitAction],
        *,
        confirm_within: float = 30.0,
        deadline: float = 60.0,
    ) -> dict[str, Any]:
        """Sends what is missing and starts the switch."""
        observed = self.observe(tree)
        self.push(tree)
        number = observed["next_number"]
        generation = {
            "number": number,
            "who": "eva@laptop",
            "when": time.time(),
            "message": "by a live test",
            "changes": [],
            "rollback_of": None,
        }
        return self.ask(
            "activate",
            deadline=deadline,
            token=self.token,
            base=observed["generation"],
            number=number,
            manifest=tree.manifest,
            generation=generation,
            actions=act,
            undo=undo,
            daemon_reload=True,
            confirm_within=confirm_within,
        )

    def confirm(self) -> dict[str, Any]:
        """Confirms the newest generation and gives the lock back."""
        number = self.observe()["next_number"] - 1
        return self.ask("confirm", token=self.token, number=number, unlock=True)

    def run(self, tree: Tree, *units: str) -> None:
        """Activates a first tree with these units started, and confirms it."""
        result = self.activate(tree, actions("start", *units), actions("stop", *units))
        assert result["state"] == "healthy", result
        self.confirm()

    def shell(self, command: str, *, check: bool = True) -> Finished:
        """Runs a shell command on the node."""
        finished = run_remote(self.link, command)
        assert not check or finished.status == 0, finished.error_text
        return finished


class Aside:
    """A call that runs beside the test; what it raised or returned is told by `result`."""

    def __init__(self, function: Callable[[], dict[str, Any]]) -> None:
        self.answer: dict[str, Any] | NodeError | None = None
        self.thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self.thread.start()

    def _run(self, function: Callable[[], dict[str, Any]]) -> None:
        try:
            self.answer = function()
        except NodeError as error:
            self.answer = error

    def result(self) -> dict[str, Any] | NodeError:
        """Waits for the end."""
        self.thread.join(90)
        assert self.answer is not None, "it did not end"
        return self.answer


def journal_phase(node: Node) -> str:
    """The phase in the node's journal, read past the node; empty where there is none."""
    import json

    try:
        return str(json.loads((node.disk / "var/lib/skerry/journal").read_text())["phase"])
    except (FileNotFoundError, ValueError):
        return ""


def wait_for_phase(node: Node, phase: str) -> None:
    """Returns when the journal is in that phase."""
    wait_until(lambda: journal_phase(node) == phase, 30, f"the journal's phase {phase}")


def read_on_node(node: Node, path: str) -> str:
    """A file of the node, read past it; empty where there is none."""
    file = Path(f"{node.disk}{path}")
    return file.read_text() if file.is_file() else ""
