"""Secrets on the node: whole or not there, and gone when nothing needs them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from skerry_node.activate import run_activate, run_confirm
from skerry_node.commands import Child, Commands
from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.lock import show_lock, take_lock
from skerry_node.observe import run_observe
from skerry_node.prune import run_prune
from skerry_node.push import run_push
from skerry_node.secrets import list_secrets
from skerry_node.store import Store
from skerry_node.streams import Streams
from tests.unit.node_machine import (
    TOKEN,
    Events,
    Machine,
    actions,
    activation,
    lock_request,
    tree,
)

OLD, NEW = "skerry-db-password-" + "1" * 16, "skerry-db-password-" + "2" * 16
# Stands for Podman's secrets: a file each in a folder, and an index that changes with it.
PODMAN = """\
store=%(store)s; index=$store/secrets.json
test "$1" = secret || exit 0
case "$2" in
ls) ls $store/data ;;
create) cat > $store/data/$3.part
    case "$3" in *refused*) rm $store/data/$3.part; echo "no: $3" >&2; exit 125 ;; esac
    mv $store/data/$3.part $store/data/$3 ;;
rm) shift 2; for name; do rm $store/data/$name || exit 125; done ;;
esac
test "$2" = ls || { ls $store/data; date +%%N; } > $index
"""


class Scripted(Commands):
    """Real processes; `podman` is a script. `log` has the commands."""

    def __init__(self, root: Path) -> None:
        self.script = root / "podman"
        store = root / "var/lib/containers/storage/secrets"
        (store / "data").mkdir(parents=True)
        self.folder = store / "data"
        self.script.write_text(PODMAN % {"store": store})
        self.log: list[Sequence[str]] = []

    def start(self, *argv: str, has_input: bool = False) -> Child:
        self.log.append(argv)
        words = ["sh", str(self.script), *argv[1:]] if argv[0] == "podman" else list(argv)
        return Child(words, has_input=has_input)


@pytest.fixture
def commands(tmp_path: Path) -> Scripted:
    """The scripted Podman of the node."""
    (tmp_path / "var/lib/skerry").mkdir(parents=True)
    return Scripted(tmp_path)


@pytest.fixture
def host(tmp_path: Path, commands: Scripted) -> Host:
    """The node."""
    return Host(str(tmp_path), commands)


def push(host: Host, content: bytes, *described: tuple[str, int]) -> dict[str, Any]:
    """Runs the op with secrets of these names and sizes."""
    streams = [{"kind": "secret", "name": name, "size": size} for name, size in described]
    args = {"lock": lock_request()}
    return run_push(args, Streams(io.BytesIO(content), streams), Events(), host)  # type: ignore[arg-type]


def test_a_secret_goes_to_podmans_standard_input(host: Host, commands: Scripted) -> None:
    assert list_secrets(host) == []
    assert commands.log == []
    push(host, b"hunter2two\nlines\n", (OLD, 7), (NEW, 10))
    assert (commands.folder / OLD).read_bytes() == b"hunter2"
    assert (commands.folder / NEW).read_bytes() == b"two\nlines\n"
    assert not [words for words in commands.log if "hunter2" in " ".join(words)]
    assert not [
        path
        for path in (Path(host.root) / "var/lib/skerry").rglob("*")
        if path.is_file() and b"hunter2" in path.read_bytes()
    ]


def test_podman_is_asked_again_only_when_its_secrets_changed(
    host: Host, commands: Scripted
) -> None:
    push(host, b"x", (OLD, 1))
    (commands.folder / "somebodys").write_text("x")
    (commands.folder / "skerry-mine").write_text("x")
    commands.log.clear()
    assert list_secrets(host) == list_secrets(host) == [OLD]
    assert len(commands.log) == 1


@pytest.mark.parametrize(
    ("content", "described", "fault"),
    [
        (b"hun", [(OLD, 7)], "cut-off"),
        (b"xhun", [(NEW, 1), (OLD, 7)], "cut-off"),
        (b"xhunter2", [(NEW, 1), ("skerry-refused-" + "1" * 16, 7)], "secret-refused"),
        (b"xhunter2", [(NEW, 1), ("others", 7)], "bad-request"),
        (b"x", [(NEW, 1), (OLD, 0)], "bad-request"),
        (b"x" * 512000, [(OLD, 512000)], "bad-request"),
    ],
)
def test_nothing_is_half_done(
    host: Host,
    commands: Scripted,
    content: bytes,
    described: list[tuple[str, int]],
    fault: str,
) -> None:
    with pytest.raises(NodeFault) as caught:
        push(host, content, *described)
    assert caught.value.id == fault
    assert "hunter2" not in str(caught.value.event())
    assert list(commands.folder.iterdir()) == []
    assert show_lock(host) is None


def test_prune_takes_what_an_interrupted_run_left(host: Host, commands: Scripted) -> None:
    push(host, b"xy", (OLD, 1), (NEW, 1))
    (commands.folder / "somebodys").write_text("x")
    args = {"keep": 5, "images": False, "lock": lock_request()}
    assert run_prune({**args, "dry_run": True}, None, Events(), host)["secrets"] == [OLD, NEW]
    assert list_secrets(host) == [OLD, NEW]
    assert run_prune(args, None, Events(), host)["secrets"] == [OLD, NEW]
    assert [path.name for path in commands.folder.iterdir()] == ["somebodys"]


class MachineWithSecrets(Machine):
    """The node of a few lines, with Podman's secrets as files."""

    @property
    def folder(self) -> Path:
        """Podman's secrets."""
        found = self.root / "var/lib/containers/storage/secrets"
        found.mkdir(parents=True, exist_ok=True)
        return found

    def start(self, *argv: str, has_input: bool = False) -> Child:
        if argv[:2] != ("podman", "secret"):
            return super().start(*argv, has_input=has_input)
        script = self.root / "podman"
        store = self.root / "var/lib/containers/storage/secrets"
        (store / "data").mkdir(parents=True, exist_ok=True)
        script.write_text(PODMAN % {"store": store})
        return Child(["sh", str(script), *argv[1:]], has_input=has_input)


@pytest.fixture
def machine(tmp_path: Path) -> MachineWithSecrets:
    """A node that runs generation 1, whose unit uses the old secret."""
    (tmp_path / "var/lib").mkdir(parents=True)
    found = MachineWithSecrets(tmp_path)
    found.store_contents(b"a1", b"a2", b"fails")
    push(found.host, b"old", (OLD, 3))
    activate(found, tree({"a.service": "a1"}), OLD, 0)
    confirm(found, 1)
    return found


def activate(
    machine: Machine, after: Any, secret: str, base: int, **different: Any
) -> dict[str, Any]:
    """The op, with a tree that needs this secret."""
    take_lock(machine.host, lock_request(), Events())
    after = {**after, "secrets": {secret: {"of": "db/password", "immutable": False}}}
    verb = "restart" if base else "start"
    act, undo = actions(verb, "a.service"), actions("restart", "a.service")
    args = {**activation(after, base, base + 1, act=act, undo=undo), **different}
    return run_activate(args, None, Events(), machine.host)


def confirm(machine: Machine, number: int) -> None:
    """The op."""
    args = {"token": TOKEN, "number": number, "unlock": True}
    run_confirm(args, None, Events(), machine.host)
    machine.join()


def test_the_old_one_goes_when_the_new_generation_is_confirmed(
    machine: MachineWithSecrets,
) -> None:
    push(machine.host, b"new", (NEW, 3))
    assert activate(machine, tree({"a.service": "a2"}), NEW, 1)["state"] == "healthy"
    assert list_secrets(machine.host) == [OLD, NEW]
    confirm(machine, 2)
    assert list_secrets(machine.host) == [NEW]
    observed = run_observe({"manifest": None, "images": False}, None, Events(), machine.host)
    assert observed["secrets"] == [NEW]


@pytest.mark.parametrize("text", ["fails", "a2"])
def test_the_new_one_goes_when_the_node_goes_back(machine: MachineWithSecrets, text: str) -> None:
    push(machine.host, b"new", (NEW, 3))
    result = activate(machine, tree({"a.service": text}), NEW, 1, confirm_within=0.1)
    machine.join()
    assert result["state"] in ("failed", "healthy", "unconfirmed")
    assert Store(machine.host).current_number() == 1
    assert list_secrets(machine.host) == [OLD]
    assert machine.running == {"a.service": "a1"}


def test_a_tree_whose_secret_was_not_sent_is_refused(machine: MachineWithSecrets) -> None:
    with pytest.raises(NodeFault) as caught:
        activate(machine, tree({"a.service": "a2"}), NEW, 1)
    assert caught.value.id == "secret-missing"
    assert machine.running == {"a.service": "a1"}
