"""A cloud folder at first glance: what is remembered of it, before anything of it is loaded."""

from __future__ import annotations

import os

from skerry.cache.inputs import Inputs, try_digest_all, try_digest_nodes
from skerry.cache.sealed import CACHE, try_make_key, try_read_record, try_write_record

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    # The words of an ssh command, and the request that goes to its standard input.
    Question: TypeAlias = tuple[Sequence[str], bytes]

CHECKED = "checked.json"
ASKED = "asked.json"

_FORMAT = 1


class Glance:
    """What `.skerry/` of a folder remembers, as far as it is about what the folder holds now."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._key = try_make_key()
        self._inputs = Inputs()
        self._digest: str | None = None

    def try_verdict(self) -> dict[str, Any] | None:
        """What checking the folder as it is now came to; None where that is not known."""
        if self._key is None:
            return None
        record = self._try_read(CHECKED)
        if record is not None:
            self._inputs = Inputs.from_record(record["inputs"])
        self._digest = try_digest_all(self.folder, self._inputs, self._key)
        if record is None or self._digest is None or record["digest"] != self._digest:
            return None
        verdict: dict[str, Any] | None = record["verdict"]
        return verdict

    def keep_verdict(self, inputs: Inputs, verdict: dict[str, Any]) -> None:
        """Remembers what checking the folder came to.

        `inputs` are what was read. Where a file may have changed since `try_verdict` looked, the
        verdict may be about something else: then only the inputs are kept.
        """
        if self._key is None:
            return
        digest = try_digest_all(self.folder, inputs, self._key)
        if digest is None:
            return
        is_sure = (
            inputs.are_read_as(self._inputs)
            and self._digest is not None
            and try_digest_all(self.folder, self._inputs, self._key) == self._digest
        )
        self._write(CHECKED, inputs, digest=digest, verdict=verdict if is_sure else None)

    def questions(self) -> list[Question]:
        """What the nodes were last asked, as far as the same nodes are there still.

        The requests are empty where something else of the folder has changed: they may be others.
        """
        record = self._try_read(ASKED) if self._key is not None else None
        if record is None or self._key is None:
            return []
        inputs = Inputs.from_record(record["inputs"])
        if try_digest_nodes(self.folder, inputs, self._key) != record["nodes"]:
            return []
        is_same = try_digest_all(self.folder, inputs, self._key) == record["digest"]
        return [
            (tuple(words), request.encode() if is_same else b"")
            for words, request in record["questions"]
        ]

    def keep_questions(self, inputs: Inputs, questions: Sequence[Question]) -> None:
        """Remembers what the nodes were asked."""
        if self._key is None:
            return
        try:
            kept = [[list(words), request.decode()] for words, request in questions]
        except UnicodeDecodeError:
            return
        digest = try_digest_all(self.folder, inputs, self._key)
        nodes = try_digest_nodes(self.folder, inputs, self._key)
        if digest is not None and nodes is not None:
            self._write(ASKED, inputs, digest=digest, nodes=nodes, questions=kept)

    def _try_read(self, name: str) -> dict[str, Any] | None:
        assert self._key is not None
        record = try_read_record(self._path(name), self._key)
        if not isinstance(record, dict) or (record.get("is"), record.get("format")) != (
            name,
            _FORMAT,
        ):
            return None
        return record

    def _write(self, name: str, inputs: Inputs, **fields: Any) -> None:
        assert self._key is not None
        # A record's name is under its seal: one cannot be put in the other's place.
        record = {"is": name, "format": _FORMAT, "inputs": inputs.to_record(), **fields}
        try_write_record(self._path(name), record, self._key)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, CACHE, name)
