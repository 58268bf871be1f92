"""Containerfiles: what they start from, and one made out of an ``image.yaml``.

Source: Containerfile(5), the format of ``podman build``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from skerry.model.image import SCRATCH, ImageFile

_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"^\s*(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)


def parse_bases(text: str) -> list[str]:
    """The images that a Containerfile takes something from, as written, each once.

    Stages of its own, ``scratch`` and names with variables are left out.
    """
    stages: set[str] = set()
    found: list[str] = []
    # A line that ends with a backslash goes on.
    for line in re.sub(r"\\\s*\n", " ", text).splitlines():
        match = _FROM.match(line)
        name = match[1] if match else ""
        if not match and (copied := _COPY_FROM.match(line)):
            name = "" if copied[1].isdecimal() else copied[1]
        if name and name not in stages and name != SCRATCH and "$" not in name:
            found.append(name)
        if match and match[2]:
            stages.add(match[2])
    return list(dict.fromkeys(found))


def parse_local_name(reference: str) -> str | None:
    """NAME of ``localhost/NAME`` or ``localhost/NAME:latest``; None for every other reference."""
    match = re.fullmatch(r"localhost/([^:/@]+)(?::latest)?", reference)
    return match[1] if match else None


def render_containerfile(file: ImageFile, base: str, copies: Sequence[tuple[str, str]]) -> str:
    """The Containerfile of an ``image.yaml`` on top of the image `base`.

    `copies` are (path in the build's context, path in the image); a folder's path ends with "/".
    """
    lines = [f"FROM {base}"]
    lines += [f"COPY {_words([_literal(source), _literal(path)])}" for source, path in copies]
    lines += [f"RUN {_words(['/bin/sh', '-ec', command])}" for command in file.run]
    lines += [f'ENV {name}="{_quoted(value)}"' for name, value in file.env.items()]
    lines += [f"EXPOSE {port}" for port in file.ports]
    if file.workdir is not None:
        lines.append(f"WORKDIR {_literal(file.workdir)}")
    if file.user is not None:
        lines.append(f"USER {file.user}")
    # ENTRYPOINT first: it forgets the CMD that stands before it.
    if file.entrypoint:
        lines.append(f"ENTRYPOINT {_words(file.entrypoint)}")
    if file.cmd:
        lines.append(f"CMD {_words(file.cmd)}")
    return "\n".join(lines) + "\n"


def _words(words: Sequence[str]) -> str:
    return json.dumps(list(words))


def _literal(path: str) -> str:
    # Paths of COPY and WORKDIR may hold variables.
    return path.replace("\\", "\\\\").replace("$", "\\$")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
