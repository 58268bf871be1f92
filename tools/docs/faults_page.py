"""``docs/faults.md``: every fault, what was seen of it, and the test that shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults import GROUPS, IMPOSSIBLE
from tests.seen import FOLDER, recording_name
from tools.docs.marks import LIVE, Mark, read_marks

UNIT = LIVE.parent / "unit"
HEAD = """\
# What happens when something breaks

Every fault that Skerry is tested with: what is broken, what a person sees then, and the test.
The tests break real machines of a lab (or, where it says *unit*, a host made of folders), and
look afterwards: the rest of the fleet is done, the next `skerry apply` converges, nothing that ran
has stopped without need, and no half-written file, lock, mount, process or temporary file is left.

Written from the marks `@pytest.mark.fault("ID")` and from what the tests record
(`tests/live/seen/`; `pytest --record-seen` writes it). What differs from run to run is shown as
`<time>`, `<seconds>`, `<address>`, `<n>` (a generation's number) and the like.

{count}
"""


def render_page() -> str:
    """The page."""
    return render_faults(GROUPS, read_fault_marks(), FOLDER)


def read_fault_marks() -> list[Mark]:
    """The marks of all tests that show a fault."""
    return [*read_marks(LIVE, name="fault"), *read_marks(UNIT, name="fault")]


def recordings_of(test: str, folder: Path = FOLDER) -> list[Path]:
    """The files of what was seen in a test; of one with parameters, those of each."""
    exact = folder / recording_name(test)
    return [*([exact] if exact.exists() else []), *sorted(folder.glob(f"{test}-*.txt"))]


def render_faults(
    groups: Mapping[str, Mapping[str, str]], marks: Sequence[Mark], folder: Path
) -> str:
    """The page for these faults and tests, with the recordings of a folder."""
    tests: dict[str, dict[str, str]] = defaultdict(dict)
    for mark in marks:
        tests[mark.field][mark.test] = mark.file
    count = sum(map(len, groups.values()))
    number = len({test for of in tests.values() for test in of})
    lines = [HEAD.format(count=f"{count} faults, {number} tests.")]
    shown_under: dict[str, str] = {}
    for heading, faults in groups.items():
        lines += [f"## {heading}", ""]
        for name, text in faults.items():
            lines += [f"### {name}", "", text, ""]
            if name in IMPOSSIBLE:
                lines += [f"Not tested: {IMPOSSIBLE[name]}.", ""]
            for test, file in sorted(tests[name].items()):
                kind = " (unit)" if file.startswith("tests/unit/") else ""
                lines += [f"[{test}](../{file}){kind}", ""]
                if test in shown_under:
                    lines += [f"Seen: as under [{shown_under[test]}](#{shown_under[test]}).", ""]
                    continue
                recordings = recordings_of(test, folder)
                if recordings:
                    shown_under[test] = name
                for path in recordings:
                    lines += [*_block(path.read_text()), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _block(text: str) -> list[str]:
    return [f"    {line}" if line else "" for line in text.rstrip("\n").splitlines()]
