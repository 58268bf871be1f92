"""Every file that the node program keeps, damaged in every way: no traceback, and a way out."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.switch import run_switch
from tests.unit.node_applies import (
    apply,
    ask,
    left_behind,
    make_old_machine,
    on_this_machine,
    words_of_end,
)
from tests.unit.node_machine import Events, Machine, lock_request
from tests.unit.node_switches import NEW, NEW_UNITS, OLD_UNITS, raise_if_not

PAGE = "blobs/sha256/" + wire.digest_of(b"two")[7:]
B_UNIT = "blobs/sha256/" + wire.digest_of(b"b1")[7:]
# What a node keeps below its state folder, and in /run.
FILES = (
    "lock",
    "journal",
    "guard",
    "switching",
    "current",
    "reserve",
    "images.json",
    "generations/1/manifest.json",
    "generations/1/generation.json",
    "generations/1/switch.json",
    "generations/1",
    "generations",
    PAGE,
    B_UNIT,
    "blobs/sha256",
    "../../../run/skerry/images.json",
    "../../../run/skerry/version-podman",
    "../../../run/skerry/switch-1.jsonl",
    "../../../run/skerry",
)


def write_bytes(content: bytes) -> Callable[[Path], None]:
    """Damage by other content."""

    def write(path: Path) -> None:
        remove(path)
        path.write_bytes(content)

    return write


def truncate(path: Path) -> None:
    """Damage by half of the content."""
    content = path.read_bytes() if path.is_file() else b'{"a": {"b"'
    write_bytes(content[: len(content) // 2])(path)


def put_folder(path: Path) -> None:
    """A folder with something in it, in the place of a file."""
    remove(path)
    path.mkdir()
    (path / "something").write_text("of somebody")


def put_link(path: Path) -> None:
    """A link that leads nowhere."""
    remove(path)
    path.symlink_to("/nowhere/at/all")


def remove(path: Path) -> None:
    """Nothing is there any more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def change_values(path: Path) -> None:
    """JSON of the right keys with values of other types, where there is JSON."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        found = {"number": "x", "base": [], "phase": {}, "token": 1}
    swapped = {
        key: 7 if isinstance(value, (dict, list, str)) else [value] for key, value in found.items()
    }
    write_bytes(json.dumps(swapped).encode())(path)


def change_deep_values(path: Path) -> None:
    """JSON that is right on the outside alone."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        found = {}
    for key, value in found.items():
        if isinstance(value, dict):
            found[key] = dict.fromkeys(value) or {"x": None}
        elif isinstance(value, list):
            found[key] = [None]
    write_bytes(json.dumps(found).encode())(path)


KINDS: dict[str, Callable[[Path], None]] = {
    "empty": write_bytes(b""),
    "garbage": write_bytes(bytes(range(256))),
    "zeros": write_bytes(b"\0" * 4096),
    "truncated": truncate,
    "nested": write_bytes(b"[" * 100_000),
    "list": write_bytes(b"[]"),
    "number": write_bytes(b"7"),
    "null": write_bytes(b"null"),
    "values": change_values,
    "deep values": change_deep_values,
    "folder": put_folder,
    "link": put_link,
    "gone": remove,
}
SOME_OR_ALL = [
    pytest.param(kind, marks=() if kind in ("empty", "deep values", "folder") else pytest.mark.slow)
    for kind in KINDS
]


@pytest.fixture(autouse=True)
def without_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls the plug, and the disk of a busy machine syncs slowly."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A node that runs the old tree, with the new page in its store already."""
    found = make_old_machine(tmp_path)
    yield found
    found.join()


def look_at_all() -> list[dict[str, Any]]:
    """All that looks at a node, whatever it is like: a bug fails the test."""
    lock = lock_request("ben@desk", "o" * 32)
    asked = [
        ask("observe", manifest=NEW),
        ask("history"),
        ask("generation", number=1),
        ask("inspect", containers=False),
        ask("facts"),
        ask("prune", keep=1, images=False, dry_run=True),
        ask("prune", keep=1, images=False, lock=lock),
        ask("renew", token="o" * 32),
        ask("rejoin", token="o" * 32, number=1),
        ask("confirm", token="o" * 32, number=1),
        ask("recover", lock=lock),
    ]
    ask("unlock", force=True)
    return asked


def mend_by_hand(machine: Machine, said: str) -> bool:
    """Moves away what a person was told to; whether there was something."""
    found = re.findall(r"(?:move (?=\S+ away)|remove (?=\S+ on the node))(/\S+)", said)
    found = found or re.findall(r"/[^\s:,;]+", said if "move" in said else "")
    for named in map(Path, found):
        here = named.is_relative_to(machine.root)
        path = named if here else machine.root / named.relative_to("/")
        # Of a path that leads through a broken link it is the link.
        for one in (*reversed(path.parents), path):
            is_meant = one.is_symlink() or (one == path and one.exists())
            if is_meant and one.is_relative_to(machine.root):
                remove(one)
                return True
    return False


@pytest.mark.fault("corrupt-manifest", "corrupt-blob", "corrupt-lock", "corrupt-node-cache")
@pytest.mark.parametrize("kind", SOME_OR_ALL)
@pytest.mark.parametrize("name", FILES)
def test_damaged_state_is_mended_by_apply_or_says_what_to_do(
    machine: Machine, name: str, kind: str
) -> None:
    path = Path(os.path.normpath(machine.root / "var/lib/skerry" / name))
    entered = machine.entered["b.service"]
    KINDS[kind](path)
    with on_this_machine(machine):
        look_at_all()
        for said in apply_until_done(machine):
            # What could not be done has not been begun.
            assert machine.running == OLD_UNITS, said
        if not name.startswith("generations"):
            raise_if_not(machine, NEW, NEW_UNITS)
        # Of a generation that is lost nobody knows what it had alone.
        assert machine.running.items() >= NEW_UNITS.items()
        look_at_all()
    assert machine.entered["b.service"] == entered
    damaged = f"the blob {path.name[:12]}"
    assert [one for one in left_behind(machine) if one not in (name, damaged)] == []


# The same of a switch that was killed when its files lay there and its units had yet to follow.
INTERRUPTED = (
    "lock",
    "journal",
    "current",
    "generations/1/manifest.json",
    "generations/1/generation.json",
    "generations/2/manifest.json",
    "generations/2/generation.json",
    "generations/2/switch.json",
    "generations/2",
    "blobs/sha256/" + wire.digest_of(b"a1")[7:],
    "blobs/sha256/" + wire.digest_of(b"a2")[7:],
    "../../../run/skerry/switch-2.jsonl",
)


@pytest.mark.fault("corrupt-journal")
@pytest.mark.parametrize("kind", SOME_OR_ALL)
@pytest.mark.parametrize("name", INTERRUPTED)
def test_damaged_state_of_an_interrupted_switch_is_no_dead_end(
    machine: Machine, name: str, kind: str
) -> None:
    with on_this_machine(machine):
        interrupt_switch(machine)
    entered = machine.entered["b.service"]
    KINDS[kind](Path(os.path.normpath(machine.root / "var/lib/skerry" / name)))
    with on_this_machine(machine):
        look_at_all()
        for said in apply_until_done(machine):
            assert machine.running.keys() >= {"a.service", "b.service"}, said
        if name != "generations/1/manifest.json":
            assert machine.running.items() >= NEW_UNITS.items()
        # With the old manifest it is lost, too, that a.service still runs from it.
        assert machine.running.keys() >= NEW_UNITS.keys()
        for path, text in machine.texts().items():
            entry = NEW["files"].get(path)
            assert entry is None or entry["digest"] == wire.digest_of(text.encode())
        look_at_all()
    assert machine.entered["b.service"] == entered
    assert [one for one in left_behind(machine) if not one.startswith("the blob")] == []


def interrupt_switch(machine: Machine) -> None:
    """Leaves the switch to the new tree in the middle, as a kill does, and its lock behind."""
    machine.starts_switches = False
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("skerry_node.activate.follow_switch", lambda *_: {"state": "healthy"})
        patch.setattr("tests.unit.node_applies.ask", ask_until_confirm)
        apply(NEW)
    machine.starts_switches = True
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("skerry_node.switch.start_for", kill)
        run_switch(machine.host, 2, Events())


def ask_until_confirm(op: str, *blobs: bytes, **args: Any) -> dict[str, Any]:
    """The operator dies before it confirms."""
    if op == "confirm":
        raise KeyboardInterrupt
    return ask(op, *blobs, **args)


def kill(*_: Any) -> Any:
    """Ends the program as a signal does."""
    raise KeyboardInterrupt


def apply_until_done(machine: Machine) -> Iterator[str]:
    """Applies, doing what a person is told, until there is nothing to do; what was said."""
    for _ in range(6):
        ended = apply(NEW, confirm_within=0.3)
        machine.join()
        said = words_of_end(ended)
        if ended["event"] == "result" and ended["result"]["state"] == "nothing to change":
            return
        if ended["event"] == "error" or ended["result"]["state"] != "active":
            yield said
            assert "run the command again" in said or mend_by_hand(machine, said), said
    raise AssertionError(f"it does not come to an end: {said}")
