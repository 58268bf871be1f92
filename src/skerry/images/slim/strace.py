"""What strace(1) printed of a run, one file for each process (``-ff -y -ttt``): what was touched.

With ``-y`` strace prints the path of every file descriptor behind it, and that of the working
directory behind ``AT_FDCWD``. Where a call has neither, the working directory is followed here:
from ``chdir`` to ``chdir``, and from each process to those that it makes. The processes' calls are
put in the order in which they began.
"""

from __future__ import annotations

import heapq
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from skerry.images.slim.syscalls import (
    ADDRESSES,
    CHANGED,
    FORKS,
    LISTED,
    LISTINGS,
    MADE,
    MOVES,
    OPENED,
    PATHS,
    WRITTEN,
)
from skerry.images.slim.trace import Trace

# A call: its name, all of its arguments, what it returned; and what that is, as -y says it.
_CALL = re.compile(
    r"(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)(?:<((?:[^>\\]|\\.)*)>)?(.*)", re.DOTALL
)
# The places at which arguments are looked at: strings, what -y adds, and brackets of three kinds.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?|<(?:[^>\\]|\\.)*>|[\[\]{}()]|,')
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f"}
_DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>")
_UNIX = re.compile(r'sun_path="((?:[^"\\]|\\.)*)"')
_OTHER_NUMBER = re.compile(r"/\* (\d+) in strace's PID NS \*/")
# Behind the path of a file that has been removed, and before what is no path at all.
_DELETED = "(deleted)"
_NOT_THERE = ("ENOENT", "ENOTDIR")


class Call(msgspec.Struct, frozen=True):
    """One call as strace prints it: name, arguments, result, and the path that the result opens."""

    name: str
    arguments: tuple[str, ...]
    result: int | None
    path: str | None
    rest: str

    @property
    def has_succeeded(self) -> bool:
        """Whether the call did what it was asked for."""
        return self.result is not None and self.result >= 0


class _Place:
    """A working directory, and the root file system that is still to be entered; threads share
    one."""

    def __init__(self, path: str, root: str = "") -> None:
        self.path = path
        self.root = root
        self.is_inside = not root

    def copy(self) -> _Place:
        """What a new process begins with."""
        copied = _Place(self.path, self.root)
        copied.is_inside = self.is_inside
        return copied

    def seen(self, path: str) -> str:
        """A path as the process sees it, which strace shows as it sees it itself."""
        if not self.root or not f"{path}/".startswith(f"{self.root}/"):
            return path
        return path[len(self.root) :] or "/"


def read_trace(processes: Mapping[int, Iterable[str]], *, folder: str, root: str = "") -> Trace:
    """What the processes of a run touched: the lines of each by its number.

    `folder` is the working directory of the first one, and of every process whose maker is not
    among them. With `root` they change their root file system to that: what they touch before is
    left out, and paths are those that they see then.
    """
    trace = Trace()
    places: dict[int, _Place] = {}
    for _, number, words in heapq.merge(*(_timed(one, lines) for one, lines in processes.items())):
        call = try_parse_call(words)
        if call is None:
            continue
        place = places.setdefault(number, _Place(folder, root))
        if call.name in FORKS:
            if call.has_succeeded:
                is_thread = any("CLONE_FS" in one for one in call.arguments)
                places[_number_of(call)] = place if is_thread else place.copy()
            continue
        _note(trace, call, place)
    return trace


def _timed(number: int, lines: Iterable[str]) -> Iterator[tuple[float, int, str]]:
    """The lines with the time at which each call began; others are left out."""
    for line in lines:
        time, separator, words = line.partition(" ")
        if separator:
            try:
                yield float(time), number, words
            except ValueError:
                continue


def try_parse_call(line: str) -> Call | None:
    """The call of a line; None for a line about anything else."""
    match = _CALL.fullmatch(line.rstrip("\n"))
    if match is None:
        return None
    name, words, returned, path, rest = match.groups()
    try:
        result = int(returned, 0)
    except ValueError:
        result = None
    return Call(
        name=name,
        arguments=tuple(_split(words)),
        result=result,
        path=unescape(path) if path is not None else None,
        rest=rest,
    )


def unescape(text: str) -> str:
    """What strace escaped: bytes that are no UTF-8 come back as Python's surrogates."""

    def character(match: re.Match[str]) -> str:
        word = match[1]
        if word[0] == "x":
            return chr(int(word[1:], 16))
        return chr(int(word, 8)) if word[0].isdigit() else _LETTERS.get(word, word)

    return _ESCAPE.sub(character, text).encode("latin-1").decode(errors="surrogateescape")


def _split(words: str) -> Iterator[str]:
    """The arguments of a call: commas within strings and brackets belong to them."""
    depth, begin = 0, 0
    for token in _TOKEN.finditer(words):
        sign = token[0]
        if sign in "[{(":
            depth += 1
        elif sign in "]})":
            depth -= 1
        elif sign == "," and depth == 0:
            yield words[begin : token.start()].strip()
            begin = token.end()
    if words[begin:].strip():
        yield words[begin:].strip()


def _note(trace: Trace, call: Call, place: _Place) -> None:
    if not place.is_inside:
        place.is_inside = call.name == "chroot" and call.has_succeeded
        return
    if call.name in LISTINGS:
        listed = _try_descriptor(call.arguments[0], place) if call.arguments else None
        if listed is not None and call.has_succeeded:
            trace.touch(listed, LISTED)
        return
    if call.name in ADDRESSES:
        found = _UNIX.search(call.arguments[1]) if len(call.arguments) > 1 else None
        if found is not None and call.has_succeeded:
            trace.touch(_joined(place.path, unescape(found[1])), ADDRESSES[call.name])
        return
    for argument in PATHS.get(call.name, ()):
        path = _path_of(call, argument.place, argument.folder, place)
        if path is None:
            continue
        if call.has_succeeded:
            trace.touch(path, _how(call, argument.how))
            if call.path is not None and call.path.startswith("/"):
                trace.touch(place.seen(_without_mark(call.path)), OPENED)
        elif any(word in call.rest for word in _NOT_THERE) and argument.how != MADE:
            trace.miss(path)
    if call.name in MOVES and call.has_succeeded:
        place.path = _target_of(call, place) or place.path


def _how(call: Call, how: str) -> str:
    """What an open does, by its flags."""
    if how != OPENED or not call.name.startswith("open"):
        return how
    flags = " ".join(call.arguments)
    if "O_CREAT" in flags and "O_EXCL" in flags:
        return MADE
    if "O_CREAT" in flags:
        return WRITTEN
    return CHANGED if "O_TRUNC" in flags else OPENED


def _target_of(call: Call, place: _Place) -> str | None:
    if call.name == "fchdir":
        return _try_descriptor(call.arguments[0], place) if call.arguments else None
    return _path_of(call, 0, None, place)


def _path_of(call: Call, number: int, folder: int | None, place: _Place) -> str | None:
    """The absolute path that an argument names; None where it names none."""
    if len(call.arguments) <= number:
        return None
    word = call.arguments[number]
    if not word.startswith('"') or word.endswith("..."):
        # NULL, or longer than any path.
        return None
    path = unescape(word[1:-1])
    base = place.path
    if folder is not None and len(call.arguments) > folder:
        base = _try_descriptor(call.arguments[folder], place) or base
    if not path:
        # It is about the descriptor alone, which was opened before, or came from outside.
        return None
    return _joined(base, path)


def _joined(base: str, path: str) -> str:
    """The path as it is walked: ``..`` is left in, as it goes up from where a link leads to."""
    joined = posixpath.join(base, path)
    parts = [part for part in joined.split("/") if part not in ("", ".")]
    return "/" + "/".join(parts)


def _try_descriptor(word: str, place: _Place) -> str | None:
    match = _DESCRIPTOR.match(word)
    if match is None:
        return None
    path = _without_mark(unescape(match[1]))
    return place.seen(path) if path.startswith("/") else None


def _without_mark(path: str) -> str:
    return path.removesuffix(_DELETED)


def _number_of(call: Call) -> int:
    """The number of the process that was made, as strace itself counts."""
    other = _OTHER_NUMBER.search(call.rest)
    assert call.result is not None
    return int(other[1]) if other is not None else call.result
