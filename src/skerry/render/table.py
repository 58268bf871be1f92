"""Lists as tables of plain words: which columns, and how they are aligned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from skerry.errors import UsageError
from skerry.render.text import Palette, one_line


class Column(msgspec.Struct, frozen=True):
    """One column: its name (what ``-o`` takes and the header shows), and how it looks.

    `is_default` says whether it is shown without ``-o``; `is_number` aligns it to the right.
    """

    name: str
    is_default: bool = True
    is_number: bool = False


class Cell(msgspec.Struct, frozen=True):
    """A text with styles of `Palette.paint`; a plain string is a cell without any."""

    text: str
    styles: tuple[str, ...] = ()


Row = Mapping[str, str | Cell]


def choose_columns(columns: Sequence[Column], wanted: str | None) -> list[Column]:
    """The columns that ``-o`` asks for: ``a,b``, ``+a`` (the usual ones and a), or ``all``.

    Raises `UsageError` for a name that is none of the columns.
    """
    usual = [column for column in columns if column.is_default]
    if wanted is None:
        return usual
    if wanted == "all":
        return list(columns)
    by_name = {column.name: column for column in columns}
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    chosen = list(usual) if words and all(word.startswith("+") for word in words) else []
    for word in words:
        name = word.removeprefix("+").lower()
        if name not in by_name:
            raise UsageError(
                f"there is no column {name!r}", hint=f"columns: {', '.join(by_name)}, or all"
            )
        if by_name[name] not in chosen:
            chosen.append(by_name[name])
    if not chosen:
        raise UsageError("-o names no column", hint=f"columns: {', '.join(by_name)}, or all")
    return chosen


def render_table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    palette: Palette,
    *,
    has_header: bool = True,
) -> str:
    """The rows as lines, two spaces between columns, nothing after the last one.

    An empty cell is shown as ``-``, so that every line has as many words as there are columns.
    """
    lines: list[list[Cell]] = [
        [_cell(row.get(column.name, "")) for column in columns] for row in rows
    ]
    if has_header:
        lines.insert(0, [Cell(column.name.upper(), ("dim",)) for column in columns])
    widths = [max((len(line[at].text) for line in lines), default=0) for at in range(len(columns))]
    shown = []
    for line in lines:
        parts = []
        for at, (cell, column, width) in enumerate(zip(line, columns, widths, strict=True)):
            gap = " " * (width - len(cell.text))
            painted = palette.paint(cell.text, *cell.styles)
            is_last = at == len(columns) - 1
            parts.append(gap + painted if column.is_number else painted + ("" if is_last else gap))
        shown.append("  ".join(parts).rstrip())
    return "\n".join(shown)


def _cell(value: str | Cell) -> Cell:
    text, styles = (value.text, value.styles) if isinstance(value, Cell) else (value, ())
    return Cell(one_line(text) or "-", styles)
