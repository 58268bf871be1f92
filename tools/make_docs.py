"""Writes the generated pages of ``docs/``.

python tools/make_docs.py          write them
python tools/make_docs.py --check  say which are out of date, and end with 1 if any is
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.docs import (  # noqa: E402
    commands_page,
    errors_page,
    faults_page,
    json_pages,
    kubernetes_page,
    manifests_page,
    security_page,
)

NOTE = "<!-- Written by tools/make_docs.py (`make docs`); do not edit. -->\n\n"
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page.render_page,
    "errors.md": errors_page.render_page,
    "faults.md": faults_page.render_page,
    "kubernetes.md": kubernetes_page.render_page,
    "manifests.md": manifests_page.render_page,
    "security.md": security_page.render_page,
    **json_pages.PAGES,
}


def main(arguments: list[str]) -> int:
    """Writes the pages, or only compares them, and returns the exit status."""
    folder = ROOT / "docs"
    stale = find_stale(folder)
    if "--check" in arguments:
        print(f"out of date: {', '.join(stale)}" if stale else "up to date")
        return 1 if stale else 0
    for name in stale:
        (folder / name).write_text(NOTE + PAGES[name]())
    print(f"written: {', '.join(stale)}" if stale else "nothing to write")
    return 0


def find_stale(folder: Path) -> list[str]:
    """The generated pages that are not in the folder as they would be written now."""
    return [
        name
        for name, render in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text() != NOTE + render()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
