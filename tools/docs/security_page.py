"""``docs/security.md``: the claims of ``tools/docs/security.md``, each with its tests."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.file_modes import ON_OUR_SIDE, ON_THE_NODE, Written
from tools.docs.marks import LIVE, Mark, read_marks

UNIT = LIVE.parent / "unit"
SOURCE = Path(__file__).with_name("security.md")
RATINGS = LIVE / "unit_exposure.json"
_PLACE = re.compile(r"\[\[([a-z:-]+)\]\]")


def render_page() -> str:
    """The page."""
    return render_claims(SOURCE.read_text(), read_claim_marks())


def read_claim_marks() -> list[Mark]:
    """The marks of all tests that show a claim."""
    return [*read_marks(LIVE, name="claims"), *read_marks(UNIT, name="claims")]


def claims_of(text: str) -> list[str]:
    """The ids of the claims that a text makes, in its order."""
    return [name for name in _PLACE.findall(text) if ":" not in name]


def bare_claims(text: str) -> list[str]:
    """The items of lists that name no test, nor explain a table in bold."""
    found = []
    for item in re.split(r"\n(?=- )|\n\n", text):
        if item.startswith("- ") and not item.startswith("- **") and not claims_of(item):
            found.append(item)
    return found


def render_claims(text: str, marks: Sequence[Mark]) -> str:
    """The text with tests and tables in their places."""
    tests: dict[str, dict[str, str]] = defaultdict(dict)
    for mark in marks:
        tests[mark.field][mark.test] = mark.file

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        return TABLES[name]() if name in TABLES else _shown_tests(tests.get(name, {}))

    return _wrapped(_PLACE.sub(fill, text))


def _shown_tests(tests: Mapping[str, str]) -> str:
    shown = [
        f"[{test.removeprefix('test_').replace('_', ' ')}](../{file})"
        for test, file in tests.items()
    ]
    return f"({'; '.join(shown)})"


def _wrapped(text: str) -> str:
    """Links are long: where a line has become so, its tests get lines of their own."""
    lines = []
    for line in text.splitlines():
        if line.startswith("|") or len(line) <= 100:
            lines.append(line)
            continue
        head, sign, links = line.partition("([")
        if not sign:
            lines.append(line)
            continue
        lines += [head.rstrip()] if head.strip() else []
        lines.append(f"  {sign}{links}".rstrip())
    return "\n".join(lines) + "\n"


def _node_files() -> str:
    rows = ["| path | mode | what |", "|---|---|---|"]
    rows += [f"| `{row.path}` | {row.mode} | {_what(row)} |" for row in ON_THE_NODE]
    return "\n".join(rows)


def _what(row: Written) -> str:
    return row.what if row.owner == "root:root" else f"{row.what or 'a folder'}; the deploy user's"


def _our_files() -> str:
    rows = ["| path | mode | what |", "|---|---|---|"]
    for row in ON_OUR_SIDE:
        less = " less your umask" if row.umask else ""
        rows.append(f"| `{row.path}` | {row.mode}{less} | {row.what} |")
    return "\n".join(rows)


def _units() -> str:
    rows = ["| unit | rating |", "|---|---|"]
    ratings: dict[str, float] = json.loads(RATINGS.read_text())
    rows += [f"| {kind} | {rating} |" for kind, rating in ratings.items()]
    return "\n".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "table:node-files": _node_files,
    "table:our-files": _our_files,
    "table:units": _units,
}
