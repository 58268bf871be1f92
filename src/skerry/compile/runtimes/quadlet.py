"""Quadlet unit files: sections of keys and values, and words that arrive byte for byte.

A word of ``Exec=``, ``PodmanArgs=``, ``Environment=``, ``Label=`` or ``Annotation=`` is read three
times: Quadlet splits the value and resolves its escapes, and writes the word into ``ExecStart=``
of the service; there systemd splits and resolves again, and puts in specifiers (``%``) and
variables (``$``).

Sources: podman-systemd.unit(5); systemd.syntax(7) "Quoting"; systemd.unit(5) "Specifiers";
systemd.service(5) "Command lines".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Section = list[tuple[str, str]]

FOLDER = "/etc/containers/systemd"
# The longest argument or variable that Linux passes to a program, with its closing zero byte
# (MAX_ARG_STRLEN, execve(2)), in bytes.
ARGUMENT_LIMIT = 128 * 1024
# The longest line of a unit file (LONG_LINE_MAX of systemd), in bytes.
LINE_LIMIT = 1024 * 1024

_PLAIN = re.compile(r"[A-Za-z0-9_./:=,@+%$-]+")
# Control characters, and what some programs take for the end of a line.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff]")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def render_unit(sections: Iterable[tuple[str, Section]], *, comment: str) -> bytes:
    """The unit file; sections without lines are left out."""
    lines = [f"# {comment}"]
    for name, entries in sections:
        if entries:
            lines += ["", f"[{name}]"]
            lines += [f"{key}={value}" for key, value in entries]
    lines.append("")
    return "\n".join(lines).encode()


def quote_word(word: str) -> str:
    """One word for a value that Quadlet makes a part of ``ExecStart=``."""
    # Quadlet drops an empty word with all that follows it, and writes ";" bare, which ends a
    # command for systemd. %i, the instance's name, is empty in a unit that is no template.
    if word in ("", ";"):
        return f"%i{word}"
    return quote_systemd(word)


def quote_pieces(pieces: Sequence[tuple[str, str]]) -> str:
    """One word like that of `quote_word`, of pieces (``text``, TEXT) and (``variable``, NAME).

    systemd puts in a variable of the unit's environment after it has split the line.
    """
    if all(kind == "text" for kind, _ in pieces):
        return quote_word("".join(text for _, text in pieces))
    quoted = [
        "".join(map(_escape, _double(text))) if kind == "text" else f"${{{text}}}"
        for kind, text in pieces
    ]
    return f'"{"".join(quoted)}"'


def quote_systemd(word: str) -> str:
    """One word for a command line that systemd reads itself, as ``ExecStartPre=``."""
    text = _double(word)
    if _PLAIN.fullmatch(text):
        return text
    return f'"{"".join(map(_escape, text))}"'


def quote_value(text: str) -> str:
    """The text of a value that Quadlet takes whole, without splitting or escapes (``Volume=``)."""
    return _double(text)


def _double(text: str) -> str:
    return text.replace("%", "%%").replace("$", "$$")


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if not _UNSEEN.fullmatch(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
