"""Where bootstrap works: the machine's files and commands, and the record of what it made there.

The record (``/var/lib/skerry/bootstrap.json``) names what bootstrap created, and only that: what
was there before is not Skerry's and a reset leaves it.
"""

from __future__ import annotations

import json
import os
import subprocess

from skerry_node.basics import STATE_FOLDER
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

RECORD = STATE_FOLDER + "/bootstrap.json"
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
}


class Finding:
    """What one step found: nothing to do, or what is to be done by `act`.

    `state` is ``ok``, ``skipped`` (not possible here, and not needed to go on) or ``change``.
    `act` may return a detail that says more than was known before.
    """

    def __init__(
        self, state: str, detail: str, act: Optional[Callable[[], Optional[str]]] = None
    ) -> None:
        self.state = state
        self.detail = detail
        self.act = act


def fine(detail: str) -> Finding:
    """Nothing to do."""
    return Finding("ok", detail)


def skipped(detail: str) -> Finding:
    """Not possible here, and a node can do without."""
    return Finding("skipped", detail)


def change(detail: str, act: Callable[[], Optional[str]]) -> Finding:
    """Something is to be done, by calling `act`."""
    return Finding("change", detail, act)


class Site:
    """One machine: `root` is prepended to every path (a test's folder stands in for ``/``)."""

    def __init__(
        self,
        settings: Dict[str, Any],
        root: str = "",
        on_line: Optional[Callable[[str], None]] = None,
    ) -> None:
        self.settings = settings
        self.root = root
        self.on_line = on_line
        self.record = self._read_record()

    def path(self, path: str) -> str:
        """The path on this machine."""
        return self.root + path

    def read(self, path: str) -> Optional[str]:
        """A small file as text; None where it is not there."""
        try:
            with open(self.path(path), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, text: str, mode: int, owner: Tuple[int, int] = (0, 0)) -> None:
        """Replaces a file by rename, so that nobody ever reads half of it."""
        target = self.path(path)
        # A name with a dot is passed over by sudo, journald and sshd alike.
        temporary = os.path.join(os.path.dirname(target), "." + os.path.basename(target) + ".new")
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            if os.geteuid() == 0:
                os.fchown(descriptor, *owner)
            os.fsync(descriptor)
        os.rename(temporary, target)

    def make_folder(self, path: str, mode: int, owner: Tuple[int, int] = (0, 0)) -> None:
        """Makes one folder; its parent must be there."""
        os.mkdir(self.path(path), 0o700)
        os.chmod(self.path(path), mode)
        if os.geteuid() == 0:
            os.chown(self.path(path), *owner)

    def remember(self, key: str, value: Any) -> None:
        """Records what is about to be made; a list grows by the values that are new."""
        if isinstance(value, list):
            known = self.record.get(key, [])
            value = known + [one for one in value if one not in known]
        if self.record.get(key) == value:
            return
        self.record[key] = value
        if not os.path.isdir(self.path(STATE_FOLDER)):
            self.make_folder(STATE_FOLDER, 0o700)
        self.write(RECORD, json.dumps(self.record, indent=1, sort_keys=True) + "\n", 0o600)

    def has_command(self, name: str) -> bool:
        """Whether a program of that name is installed."""
        import shutil

        return shutil.which(name, path=_ENVIRONMENT["PATH"]) is not None

    def try_run(self, *argv: str, **variables: str) -> Tuple[int, str]:
        """Runs a command; its status (127 where it is not installed) and what it printed."""
        environment = dict(_ENVIRONMENT, **variables)
        lines = []
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                # The node program's own is 077, which would lock others out of what packages make.
                umask=0o022,
            )
        except FileNotFoundError:
            return 127, "%s is not installed" % argv[0]
        with child:
            assert child.stdout is not None
            for raw in child.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                lines.append(line)
                if self.on_line is not None:
                    self.on_line(line)
        return child.returncode, "\n".join(lines)

    def run(self, *argv: str, **variables: str) -> str:
        """Runs a command and returns what it printed; raises NodeFault when it fails."""
        status, text = self.try_run(*argv, **variables)
        if status != 0:
            raise NodeFault(
                "command-failed",
                "%s ended with status %d" % (" ".join(argv[:3]), status),
                detail="\n".join(text.splitlines()[-20:]),
            )
        return text

    def _read_record(self) -> Dict[str, Any]:
        text = self.read(RECORD)
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}
