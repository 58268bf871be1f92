"""What becomes of an error that nobody expected: a line for the person, a report for us."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from skerry.errors import Bug, MachineRefuses, SkerryError

# How many reports stay; older ones go.
KEPT = 20
# What the machine refuses, whoever asks. Skerry's own mistake would be another number.
_REFUSALS = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO,
        errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR,
        errno.ENAMETOOLONG, errno.EFBIG, errno.ETXTBSY, errno.ESTALE,
    }
)  # fmt: skip


def explain(error: Exception, arguments: list[str]) -> SkerryError:
    """The error as one that a person can understand; of a bug a report is written."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return MachineRefuses(
            f"{where}{error.strerror}", hint="mend that, and run the command again"
        )
    report = render_report(error, arguments)
    try:
        path = write_report(report)
    except OSError as fault:
        hint = f"its report could not be written ({fault.strerror}): run it again with -v"
    else:
        hint = f"please report it with {path}, which holds no secret; -v shows it here"
    is_verbose = any(word == "--verbose" or _is_short_v(word) for word in arguments)
    return Bug(
        f"this is a bug of Skerry: {type(error).__name__}{_place(error)}",
        hint=hint,
        detail=report if is_verbose else "",
    )


def render_report(error: Exception, arguments: list[str]) -> str:
    """All that helps to mend it. Of the command line only the verb: its words may be secret."""
    import platform
    import traceback

    from skerry import __version__
    from skerry.cli.main import COMMANDS

    verb = next((word for word in arguments if word in COMMANDS), "")
    lines = [
        f"skerry {__version__} {verb}".rstrip(),
        f"Python {platform.python_version()} on {platform.platform()}",
        "",
        *"".join(traceback.format_exception(error)).splitlines(),
    ]
    return without_secrets("\n".join(lines)) + "\n"


def without_secrets(text: str) -> str:
    """The text without the values of secrets that this run knows, however they are written."""
    from skerry.model.secret_value import live_values

    spellings = {os.environ.get(name, "") for name in ("SKERRY_PASSWORD", "SKERRY_SSH_PASSWORD")}
    for value in live_values():
        shown = value.reveal().decode(errors="replace")
        for part in (shown, *(line for line in shown.splitlines() if len(line) > 3)):
            spellings |= {part, repr(part)[1:-1], repr(part.encode())[2:-1]}
    # An error that quotes another one escapes once more.
    spellings |= {spelling.replace("\\", "\\\\") for spelling in spellings}
    for spelling in sorted(spellings, key=len, reverse=True):
        if spelling.strip():
            text = text.replace(spelling, "[secret]")
    return text


def write_report(report: str) -> Path:
    """Writes a report into a folder of the user's own and returns its path. Raises OSError."""
    folder = report_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    path = folder / f"bug-{stamp}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(report)
    for old in sorted(folder.glob("bug-*.txt"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def report_folder() -> Path:
    """Where reports lie: ``$XDG_STATE_HOME/skerry/bugs``."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(state) if state else Path.home() / ".local/state") / "skerry/bugs"
    except RuntimeError:
        # There is no home folder.
        raise OSError(errno.ENOENT, "there is no home folder") from None


def _place(error: Exception) -> str:
    """The last place in our own sources that it came through."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith("skerry") and name != __name__:
            found = f" in {name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _is_short_v(word: str) -> bool:
    return word[:1] == "-" and set(word[1:]) == {"v"}


def show(error: SkerryError, *, as_json: bool) -> int:
    """Prints it and returns the exit code. What cannot even be printed ends with that code too."""
    from skerry.render.errors import render_error

    try:
        print(render_error(error, as_json=as_json), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass
    return error.exit_code
