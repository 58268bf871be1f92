"""What must hold for every tree, whatever the folder it was made from."""

from __future__ import annotations

import json
import posixpath
import re

from skerry.compile.tree import Tree
from skerry.render.text import visible

# The folders on a node that are Skerry's, and Quadlet's and systemd's, where the names are ours.
OWNED = re.compile(
    r"/etc/(containers/systemd/skerry-[^/]+\.(container|pod)"
    r"|systemd/system/(skerry-[^/]+\.(service|timer|slice|target|path)|[^/]+\.d/[^/]*\.conf)"
    r"|skerry/(probe|probes/[^/]+|config/[^/]+/.+|pods/skerry-[^/]+/.+|jobs/[^/]+))\Z"
)
KEY = re.compile(r"[A-Z][A-Za-z]+=")
SECTIONS = {"[Unit]", "[Container]", "[Pod]", "[Service]", "[Install]", "[Timer]", "[Slice]"}
UNIT_FOLDERS = ("/etc/containers/systemd/", "/etc/systemd/system/")
# A file of Skerry's own names is written by these alone.
OUR_EXEC = re.compile(
    r"(ExecStart|ExecStartPre|ExecStartPost|ExecStop|ExecStopPost|ExecCondition|ExecReload)="
    r"[-+!:@]*(/bin/sh|/usr/bin/podman|/usr/bin/mkdir|/usr/bin/rm)( |$)"
)


def check_tree(tree: Tree) -> None:
    """Raises AssertionError where a file is not ours to write, or a unit says what we do not."""
    for path, file in tree.files.items():
        assert OWNED.match(path), path
        assert posixpath.normpath(path) == path
        assert visible(path) == path
        assert "\n" not in path
        assert file.mode & ~0o777 == 0
        if path.startswith(UNIT_FOLDERS):
            check_unit(path, file.content.decode())
    for name, unit in tree.units.items():
        assert re.fullmatch(r"skerry-[a-z0-9.-]+\.(service|timer)", name), name
        for path in (*unit.volumes, *unit.claims):
            assert re.fullmatch(r"/var/lib/skerry/[a-z]+/[^/\n]+(/[^/\n]+)*", path), path
            assert posixpath.normpath(path) == path
        for path in filter(None, (unit.ready, unit.completed, unit.records)):
            assert re.fullmatch(r"/(var/lib|run)/skerry/[^\n]+", path), path
            assert posixpath.normpath(path) == path
    json.dumps(tree.manifest()).encode()


def check_unit(path: str, text: str) -> None:
    """Every line is one that we write: no value has broken out of its own."""
    lines = text.split("\n")
    assert len(lines) == len(text.splitlines()) + 1, f"{path}: a line that some readers see as two"
    for line in lines:
        assert len(line.encode()) < 1024 * 1024, f"{path}: a line that systemd refuses"
        assert not re.search(r"(?<!\\)(\\\\)*\\$", line), f"{path}: a line that goes on: {line!r}"
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            assert line in SECTIONS, f"{path}: {line!r}"
            continue
        assert KEY.match(line), f"{path}: {line!r}"
        if line.startswith("Exec") and not line.startswith("Exec="):
            assert OUR_EXEC.match(line), f"{path}: {line!r}"
