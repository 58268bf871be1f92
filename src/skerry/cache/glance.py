"""A cloud folder at first glance: what is remembered of it, before anything of it is loaded."""

from __future__ import annotations

import os

from skerry.cache.inputs import Inputs, try_digest_all, try_digest_nodes
from skerry.cache.sealed import CACHE, try_make_key, try_read_record, try_write_record

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any, TypeAlias

    # The words of an ssh command, and the request that goes to its standard input.
    Question: TypeAlias = tuple[Sequence[str], bytes]

CHECKED = "checked.json"
ASKED = "asked.json"
RESTED = "rested.json"

_FORMAT = 1


class Glance:
    """What `.skerry/` of a folder remembers, as far as it is about what the folder holds now."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._key = try_make_key()
        self._inputs = Inputs()
        self._digest: str | None = None
        # What the folder held when its nodes were asked what they had been asked before.
        self._asked: str | None = None

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
        A node that runs what is in a file that was edited is not asked about what it shall hold no
        more: the last word of the command, which names that, is another one then.
        """
        record = self._try_read(ASKED) if self._key is not None else None
        if record is None or self._key is None:
            return []
        inputs = Inputs.from_record(record["inputs"])
        if try_digest_nodes(self.folder, inputs, self._key) != record["nodes"]:
            return []
        is_same = try_digest_all(self.folder, inputs, self._key) == record["digest"]
        if is_same:
            self._inputs, self._asked = inputs, record["digest"]
            return [(tuple(words), request.encode()) for words, request in record["questions"]]
        from skerry.cache.touched import find_touched

        touched = find_touched(self.folder, record["files"], self._key)
        return [
            ((*words[:-1], record["word"]) if number in touched else tuple(words), b"")
            for number, (words, _) in enumerate(record["questions"])
        ]

    def keep_questions(
        self,
        inputs: Inputs,
        questions: Sequence[Question],
        files: Mapping[str, Collection[int]] | None = None,
        word: str = "",
    ) -> None:
        """Remembers what the nodes were asked.

        `files` are manifests with the numbers of the questions to nodes that run what is in them,
        and `word` the last one of the command to such a node when the file has changed.
        """
        if self._key is None:
            return
        try:
            kept = [[list(words), request.decode()] for words, request in questions]
        except UnicodeDecodeError:
            return
        digest = try_digest_all(self.folder, inputs, self._key)
        nodes = try_digest_nodes(self.folder, inputs, self._key)
        if digest is not None and nodes is not None:
            from skerry.cache.touched import record_files

            recorded = record_files(self.folder, files or {}, self._key)
            fields = {"nodes": nodes, "questions": kept, "files": recorded, "word": word}
            self._write(ASKED, inputs, digest=digest, **fields)

    def try_rest(self) -> dict[str, Any] | None:
        """What is known of the cloud with nothing to change, where its folder is as it was then,
        and so are the images; None where that is not known. Asks after `questions`."""
        record = self._try_read(RESTED) if self._key is not None and self._asked else None
        if record is None or record["digest"] != self._asked:
            return None
        if record["store"] is not None:
            from skerry.cache.store import is_local, state_of

            if not is_local() or record["store"] != state_of(record["store"][0]):
                return None
        return record

    def is_at_rest(self, record: dict[str, Any], answers: Sequence[bytes], now: float) -> bool:
        """Whether the nodes' answers, in the order of `questions`, are as they were then.

        `now` is this machine's time, in seconds since 1970.
        """
        assert self._key is not None
        return bool(record["answers"] == self._digest_answers(answers, now))

    def keep_rest(
        self, answers: Sequence[bytes], now: float, *, store: list[Any] | None, words: str
    ) -> None:
        """Remembers that with these answers, which came at `now`, nothing was to be changed.

        `store` is the state of the operator's image store (`state_of`), None where no image is
        used; `words` are what was said. Where a file has changed since the nodes were asked,
        nothing is kept.
        """
        if self._key is None or self._asked is None:
            return
        digests = self._digest_answers(answers, now)
        if None in digests or not digests:
            return
        if try_digest_all(self.folder, self._inputs, self._key) != self._asked:
            return
        fields = {"digest": self._asked, "answers": digests, "store": store, "words": words}
        self._write(RESTED, self._inputs, **fields)

    def _digest_answers(self, answers: Sequence[bytes], now: float) -> list[str | None]:
        from skerry.cache.rest import try_digest_answer

        assert self._key is not None
        return [try_digest_answer(answer, self._key, now) for answer in answers]

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
