"""Where a value of the model was written."""

from __future__ import annotations

import msgspec

from skerry.errors import Problem


class Origin(msgspec.Struct, frozen=True):
    """The place of a mapping in a file of the cloud folder.

    `file` is relative to the cloud folder; `line` and `column` count from 1, and are 0 where the
    value was not read from a file. `fields` holds the place of each field's value, by the name
    that the file uses; of a sequence's items too, as ``name[0]``, and of a mapping's values, as
    ``name[key]``.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    fields: dict[str, tuple[int, int]] = {}

    def of(self, field: str) -> Origin:
        """The place of one field's value, or the whole mapping's where the field is not given."""
        line, column = self.fields.get(field, (self.line, self.column))
        return Origin(self.file, line, column)

    def problem(self, message: str, *, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(self.file, self.line, self.column, message, hint=hint)


class Located(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of the model that knows where it was written.

    `origin` is filled by the loader; it is not a field that a file can have.
    """

    origin: Origin = Origin()
