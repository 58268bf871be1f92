"""A node in a temporary folder: real files, and a systemd and a Podman of a few lines."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skerry_node import wire
from skerry_node.commands import Child, Commands, Finished
from skerry_node.host import Host
from skerry_node.store import Store
from skerry_node.switch import run_switch
from tests.unit.wire_examples import manifest, unit_entry

TOKEN = "t" * 32
UNITS = "/etc/systemd/system/"


class Answered(Child):
    """A command that has run already."""

    def __init__(self, argv: Sequence[str], status: int, stdout: str, stderr: str) -> None:
        self.argv = list(argv)
        self.stdin = None
        self.answer = Finished(argv, status, stdout.encode(), stderr.encode())

    def finish(
        self,
        deadline: float = 0.0,
        say: Callable[[], None] | None = None,
        *,
        tail: int | None = None,
    ) -> Finished:
        return self.answer

    def has_ended(self, within: float) -> bool:
        return True

    def leave(self) -> None:
        return


class Machine(Commands):
    """systemd as far as a switch sees it: a unit runs as its file says.

    A unit's file may say ``fails`` (it ends at once), ``flaps`` (it is started again and again)
    or anything else (it runs). `log` has every command.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[str] = []
        self.loaded: dict[str, str] = {}
        self.running: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.entered: dict[str, float] = {}
        self.restarts: dict[str, int] = {}
        self.broken: dict[str, str] = {}
        self.volumes: set[str] = set()
        self.images: dict[str, str] = {}
        self.threads: list[threading.Thread] = []
        self.host = Host(str(root), self)
        self.reload()
        # A switch that is started runs beside the test, as the transient unit does on a node.
        self.starts_switches = True

    def start(self, *argv: str, has_input: bool = False) -> Child:
        if argv[0] == "env":
            argv = argv[2:]
        self.log.append(" ".join(argv))
        for words, why in self.broken.items():
            if " ".join(argv).startswith(words):
                return Answered(argv, 1, "", why)
        verb = argv[1] if argv[1] != "--no-block" else argv[2]
        names = list(argv[argv.index("--") + 1 :]) if "--" in argv else list(argv[2:])
        if argv[0].endswith("podman-system-generator"):
            words = 'quadlet-generator[5]: converting "lost.container": unsupported key'
            return Answered(argv, 1, "", f"quadlet-generator[5]: Loading lost.container\n{words}")
        answer = getattr(self, f"{argv[0].replace('-', '_')}_{verb.lstrip('-')}", None)
        status, stdout = answer(names) if answer is not None else (0, "")
        return Answered(argv, status, stdout, "")

    def reload(self) -> None:
        """Reads the unit files."""
        folder = self.root / "etc/systemd/system"
        files = folder.glob("*.service") if folder.is_dir() else []
        self.loaded = {file.name: file.read_text() for file in files}

    def systemctl_show(self, names: list[str]) -> tuple[int, str]:
        return 0, "\n\n".join(self._show(name) for name in names)

    def _show(self, name: str) -> str:
        active = "active" if name in self.running else "failed" if name in self.failed else ""
        load = "loaded" if name in self.loaded or active else "not-found"
        entered = int(self.entered.get(name, 0) * 1e6)
        lines = [
            f"Id={name}",
            f"LoadState={load}",
            f"ActiveState={active or 'inactive'}",
            "SubState=running",
            f"Result={'exit-code' if active == 'failed' else 'success'}",
            f"ExecMainStatus={3 if active == 'failed' else 0}",
            f"NRestarts={self.restarts.get(name, 0)}",
            "MemoryCurrent=[not set]",
            f"ActiveEnterTimestampMonotonic={entered}",
            f"InactiveEnterTimestampMonotonic={entered if active == 'failed' else 0}",
        ]
        return "\n".join(lines)

    def systemctl_stop(self, names: list[str]) -> tuple[int, str]:
        for name in names:
            self.running.pop(name, None)
            self.failed.pop(name, None)
        return 0, ""

    def systemctl_start(self, names: list[str]) -> tuple[int, str]:
        return self.systemctl_restart([name for name in names if name not in self.running])

    def systemctl_restart(self, names: list[str]) -> tuple[int, str]:
        for name in names:
            text = self.loaded.get(name)
            if text is None:
                continue
            self.entered[name] = time.monotonic()
            self.running.pop(name, None)
            if text.startswith("fails"):
                self.failed[name] = text
                continue
            self.restarts[name] = 5 if text.startswith("flaps") else 0
            self.running[name] = text
        return 0, ""

    def systemctl_reload(self, names: list[str]) -> tuple[int, str]:
        for name in names:
            self.running[name] = self.loaded[name]
        return 0, ""

    def systemctl_daemon_reload(self, names: list[str]) -> tuple[int, str]:
        self.reload()
        return 0, ""

    def __getattr__(self, name: str) -> Any:
        if name == "systemctl_daemon-reload":
            return self.systemctl_daemon_reload
        raise AttributeError(name)

    def journalctl_quiet(self, names: list[str]) -> tuple[int, str]:
        return 0, '{"MESSAGE": "no luck\\n", "_COMM": "conmon", "CONTAINER_ID_FULL": "c"}\n'

    def podman_volume(self, names: list[str]) -> tuple[int, str]:
        self.volumes -= set(names[1:])
        return 0, ""

    def systemd_run_quiet(self, names: list[str]) -> tuple[int, str]:
        found = re.search(r"main\((\d+)\)", names[-1])
        assert found is not None
        if self.starts_switches:
            self.begin_switch(int(found.group(1)))
        return 0, ""

    def begin_switch(self, number: int) -> None:
        """Runs the switch to a generation in a thread, with its events in the real file."""
        from skerry_node.switch import emit_to, events_path

        emit = emit_to(events_path(self.host, number))
        thread = threading.Thread(target=run_switch, args=(self.host, number, emit), daemon=True)
        self.threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Waits until every switch has ended."""
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def store_contents(self, *contents: bytes) -> None:
        """Puts blobs into the store, as a push does."""
        for content in contents:
            put_blob(Store(self.host), content)

    def texts(self) -> dict[str, str]:
        """All files of the node below /etc and /srv, by path."""
        return {
            "/" + str(path.relative_to(self.root)): path.read_text()
            for top in ("etc", "srv")
            for path in sorted((self.root / top).rglob("*"))
            if path.is_file()
        }


def put_blob(store: Store, content: bytes) -> str:
    """Stores a content; its digest."""
    store.make_folders()
    digest = wire.digest_of(content)
    store.write_blob(digest, (content,))
    return digest


def tree(units: dict[str, str] | None = None, files: dict[str, str] | None = None) -> wire.Manifest:
    """A manifest of units (name -> text) and further files (path -> text)."""
    contents = {UNITS + name: text for name, text in (units or {}).items()} | (files or {})
    return manifest(
        files={
            path: {
                "digest": wire.digest_of(text.encode()),
                "mode": 0o644,
                "owner": "root:root",
            }
            for path, text in contents.items()
        },
        units={
            name: unit_entry(files=[UNITS + name], settle=0.0, deadline=5.0) for name in units or {}
        },
    )


def actions(verb: str, *units: str, stage: int = 0) -> list[wire.UnitAction]:
    """The same verb for several units."""
    return [{"verb": verb, "unit": unit, "stage": stage} for unit in units]


def lock_request(who: str = "eva@laptop", token: str = TOKEN) -> dict[str, Any]:
    """What an operator asks the lock with."""
    return {"cloud": "home", "who": who, "why": "apply", "token": token}


def activation(
    after: wire.Manifest,
    base: int = 0,
    number: int = 1,
    *,
    act: list[wire.UnitAction] | None = None,
    undo: list[wire.UnitAction] | None = None,
    confirm_within: float = 10.0,
) -> dict[str, Any]:
    """The arguments of ``activate``."""
    return {
        "token": TOKEN,
        "base": base,
        "number": number,
        "manifest": after,
        "generation": {
            "number": number,
            "who": "eva@laptop",
            "when": 1000.0,
            "message": f"number {number}",
            "changes": [],
            "rollback_of": None,
        },
        "actions": act or [],
        "undo": undo or [],
        "daemon_reload": True,
        "confirm_within": confirm_within,
    }


class Events(list[dict[str, Any]]):
    """An `emit` that remembers."""

    def __call__(self, event: dict[str, Any]) -> None:
        self.append(event)

    def names(self) -> list[str]:
        """The kinds of events, phases by their own names."""
        return [str(one["name"] if one["event"] == "phase" else one["event"]) for one in self]
