"""Looks for a secret in every place where one could have been left, in every form."""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.lab import Node

# Podman's own: its store, and what its runtimes keep of running containers.
PODMANS = ("/var/lib/containers/storage/", "/run/containers/", "/run/crun/", "/run/runc/")


class Marker:
    """A value that is nowhere else. Its core is of letters, so that every way of quoting a text
    leaves it as it is; around it is what quoting would change."""

    def __init__(self, core: str = "") -> None:
        self.core = core or "".join(secrets.choice(string.ascii_letters) for _ in range(24))
        self.text = f"%s \"q' ü$& {self.core}/+="

    def forms(self) -> list[bytes]:
        """The core as it is, backwards, in hexadecimal, and in base64 at each of its three
        positions in a longer text."""
        core = self.core.encode()
        found = [core, core[::-1], core.hex().encode(), core.hex().upper().encode()]
        for before in range(3):
            encoded = base64.b64encode(b"x" * before + core)
            # What depends on the neighbours is left out.
            found.append(encoded[4 if before else 0 : len(core) // 3 * 4].rstrip(b"="))
        return found

    def is_in(self, content: bytes) -> bool:
        """Whether a text has it in some form."""
        return any(form in content for form in self.forms())


class Search:
    """Searches for a marker, or for several at once; `folder` is for the list of what is searched,
    and is not searched."""

    def __init__(self, marker: Marker, folder: Path, *others: Marker) -> None:
        self.marker = marker
        self.markers = (marker, *others)
        self.patterns = folder / f"patterns-{marker.core[:6]}"
        forms = [form for one in self.markers for form in one.forms()]
        self.patterns.write_bytes(b"\n".join(forms) + b"\n")

    def is_in(self, content: bytes) -> bool:
        """Whether a text has any of them in some form."""
        return any(one.is_in(content) for one in self.markers)

    def files(self, *folders: Path) -> list[str]:
        """The files below the folders that have it, in their content or name."""
        there = [str(folder) for folder in folders if folder.exists()]
        words = ("grep", "-rlaF", "--devices=skip", "-f", str(self.patterns), "--", *there)
        finished = run(Command(words), check=False, timeout=300)
        assert finished.status in (0, 1, 2), finished.error_text
        found = finished.text.splitlines()
        for folder in there:
            for parent, names, files in os.walk(folder):
                found += [
                    f"{parent}/{name}" for name in (*names, *files) if self.is_in(os.fsencode(name))
                ]
        return sorted(found)

    def node_files(self, node: Node) -> list[str]:
        """The paths on a node that have it: its whole disk as the host sees it, and its /run,
        /tmp and /dev/shm, which are in memory."""
        inside = Path(f"/proc/{node.init_pid()}/root")
        disk = [path.removeprefix(str(node.disk)) for path in self.files(node.disk)]
        memory = [inside / name for name in ("run", "tmp", "dev/shm")]
        volatile = [path.removeprefix(str(inside)) for path in self.files(*memory)]
        return sorted({*disk, *volatile})

    def processes(self, kinds: tuple[str, ...] = ("cmdline", "environ")) -> list[str]:
        """Command lines and environments, of all processes of this machine and of its labs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            for name in kinds:
                try:
                    content = (process / name).read_bytes()
                    if not self.is_in(content):
                        continue
                    comm = (process / "comm").read_text().strip()
                    groups = re.split(r"[/\s]+", (process / "cgroup").read_text())
                except OSError:
                    continue
                unit = next((one for one in reversed(groups) if one.endswith(".service")), "")
                found.append(f"{name} of {comm} in {unit}")
        return sorted(set(found))

    @contextmanager
    def watching_command_lines(self) -> Iterator[list[str]]:
        """Looks at all command lines, again and again, while the block runs."""
        found: list[str] = []
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.is_set():
                found.extend(self.processes(("cmdline",)))
                is_over.wait(0.01)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield found
        finally:
            is_over.set()
            watcher.join()


def is_for_root_alone(node: Node, path: str) -> bool:
    """Whether nobody but root can come to a file of the node."""
    inside = Path(f"/proc/{node.init_pid()}/root{path}")
    for one in (inside, *inside.parents):
        status = one.lstat()
        wanted = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
        if status.st_uid == 0 and not status.st_mode & (wanted | stat.S_IRGRP):
            return True
        if str(one) == f"/proc/{node.init_pid()}/root":
            return False
    return False
