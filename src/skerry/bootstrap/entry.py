"""A node's entry in cloud.yaml: what ``node add`` and ``node rm`` write there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from skerry.bootstrap.folder import held_folder, read_text, write_text
from skerry.errors import Problem, UsageError
from skerry.load.edit import insert_node, remove_node, set_node_field
from skerry.load.folder import CLOUD_FILE
from skerry.model.cloud import CloudFile, Node

Fields = dict[str, object]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a node beside how it is reached; None where nothing was said."""

    target: str
    port: int | None = None
    identity_file: str | None = None
    vendor: str | None = None
    zone: str | None = None
    labels: dict[str, str] = {}

    def fields(self) -> Fields:
        """The entry's fields as cloud.yaml has them."""
        found: dict[str, object | None] = {
            "ssh": self.target,
            "port": self.port,
            "identity-file": self.identity_file,
            "vendor": self.vendor,
            "zone": self.zone,
            "labels": dict(self.labels) or None,
        }
        return {key: value for key, value in found.items() if value is not None}


def is_in_cloud_file(known: Node | None) -> bool:
    """Whether the node is written in cloud.yaml, and not in an inventory."""
    return known is not None and known.origin.file == CLOUD_FILE


def parse_labels(words: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` words as a mapping. Raises UsageError."""
    labels = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise UsageError(f"--label {word!r} is not KEY=VALUE")
        labels[key] = value
    return labels


def edit_entry(text: str, name: str, known: Node | None, entry: Entry) -> str:
    """The text of cloud.yaml with the node as `entry` says; what it does not say stays.

    A node of an inventory is not written. Raises UsageError for values that cannot be, and
    where the file is written in a way that cannot be edited.
    """
    if known is not None and not is_in_cloud_file(known):
        return text
    if known is None:
        changed = insert_node(text, name, entry.fields())
    else:
        changed = text
        old = _old_fields(known)
        for field, value in entry.fields().items():
            if isinstance(value, dict):
                value = {**known.labels, **value}
            if old.get(field) != value:
                changed = set_node_field(changed, name, field, value)
    _raise_if_invalid(changed)
    return changed


def change_entry(folder: Path, change: Callable[[str], str]) -> bool:
    """Rewrites cloud.yaml by `change` (text to text); whether it became another one."""
    path = folder / CLOUD_FILE
    with held_folder(folder):
        text = read_text(path)
        new = change(text)
        if new == text:
            return False
        write_text(path, new)
    return True


def forget_entry(text: str, name: str) -> str:
    """The text of cloud.yaml without the node. Raises UsageError."""
    return remove_node(text, name)


def _old_fields(known: Node) -> Fields:
    entry = Entry(
        target=known.ssh, port=known.port, vendor=known.vendor, zone=known.zone, labels=known.labels
    )
    # The identity file of a loaded node is absolute: not what the file says.
    return entry.fields()


def _raise_if_invalid(text: str) -> None:
    from skerry.load.decode import decode
    from skerry.load.document import MappingNode, parse_documents
    from skerry.load.reading import Reading

    problems: list[Problem] = []
    roots = parse_documents(text, CLOUD_FILE, problems)
    if roots and isinstance(roots[0], MappingNode):
        roots[0].value = [pair for pair in roots[0].value if pair[0].value != "run"]
        decode(roots[0], CloudFile, Reading(CLOUD_FILE, problems))
    if problems:
        raise UsageError(problems[0].message, hint=problems[0].hint)
