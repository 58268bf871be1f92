"""``secrets.yaml``: read with the places of its values, and changed without touching the rest."""

from __future__ import annotations

import os
import re
from pathlib import Path

from skerry.errors import CloudInvalid, Problem, UsageError
from skerry.load.decode import decode
from skerry.load.document import parse_documents, read_text
from skerry.load.files import write_whole
from skerry.load.layout import Part, parse_layout, render_value
from skerry.load.reading import Reading
from skerry.model.secrets_file import SecretEntry, SecretsFile

NAME = "secrets.yaml"
HEADER = """\
# Values that only the recipients can read (age). Safe to commit. `skerry secret` changes them;
# a Secret manifest refers to one as $(NAME) in its stringData.
"""
ARMOR_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----"


def load_secrets_file(folder: Path, problems: list[Problem]) -> SecretsFile | None:
    """The file, or None where there is none; or where it is wrong, which is noted."""
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    before = len(problems)
    text = read_text(path, NAME, problems)
    if text is None:
        return None
    return parse_secrets_file(text, problems) if len(problems) == before else None


def read_secrets_file(folder: Path) -> SecretsFile | None:
    """The file, or None where there is none. Raises CloudInvalid with all of its problems."""
    problems: list[Problem] = []
    file = load_secrets_file(folder, problems)
    if problems:
        raise CloudInvalid(problems)
    return file


def parse_secrets_file(text: str, problems: list[Problem]) -> SecretsFile | None:
    """The file that a text is, or None after problems were noted."""
    before = len(problems)
    roots = parse_documents(text, NAME, problems)
    if len(problems) > before:
        return None
    if not roots:
        problems.append(Problem(NAME, 1, 1, "is empty: `recipients` and `key` must be given"))
        return None
    if len(roots) > 1:
        problems.append(Problem(NAME, 1, 1, "there is more than one document (---)"))
    reading = Reading(NAME, problems)
    reading.secret_fields = ("key", "secrets")
    file = decode(roots[0], SecretsFile, reading)
    if file is None or len(problems) > before:
        return None
    problems += _check_armor(file.key, file, "key")
    for name, entry in file.secrets.items():
        problems += _check_entry(name, entry)
    return file if len(problems) == before else None


def _check_entry(name: str, entry: SecretEntry) -> list[Problem]:
    if (entry.value is None) == (not entry.command):
        return [
            entry.origin.problem(
                f"the secret {name!r} has one of `value` and `command`",
                hint=f"skerry secret set {name}; or command: [pass, show, {name}]",
            )
        ]
    return _check_armor(entry.value, entry, "value") if entry.value is not None else []


def _check_armor(text: str, where: SecretEntry | SecretsFile, field: str) -> list[Problem]:
    if text.startswith(ARMOR_BEGIN) and text.rstrip().endswith("-----END AGE ENCRYPTED FILE-----"):
        return []
    return [
        where.origin.of(field).problem(
            f"`{field}` is not an encrypted value ({ARMOR_BEGIN} ...)",
            hint="`skerry secret set` writes it; never write a value here by hand",
        )
    ]


def render_secrets_file(file: SecretsFile) -> str:
    """The whole file, entries sorted by name."""
    lines = [HEADER + "recipients:"]
    lines += [f"  - {render_value(recipient)}" for recipient in file.recipients]
    lines += ["key: |", *_indented(file.key, 2)]
    lines.append("secrets:" if file.secrets else "secrets: {}")
    for name in sorted(file.secrets):
        lines.append(render_entry(name, file.secrets[name]))
    return "\n".join(lines).rstrip("\n") + "\n"


def render_entry(name: str, entry: SecretEntry) -> str:
    """One entry of `secrets`, without a newline at its end."""
    lines = [f"  {render_value(name)}:"]
    if entry.since is not None:
        lines.append(f"    since: {render_value(entry.since)}")
    if entry.command:
        lines.append(f"    command: {render_value(entry.command)}")
    if entry.value is not None:
        lines += ["    value: |", *_indented(entry.value, 6)]
    return "\n".join(lines)


def change_entry(text: str, name: str, entry: SecretEntry | None) -> str:
    """The text with one entry added, replaced, or, for None, removed.

    All else stays as it is, comments too. Raises UsageError where the text is written in a way
    that cannot be changed here.
    """
    old = _parsed(text)
    wanted = dict(old.secrets)
    wanted.pop(name, None)
    if entry is not None:
        wanted[name] = entry
    part = parse_layout(text).find("secrets")
    if part is None or part[1].is_null or not part[1].children or not wanted:
        changed = _replace_all(text, part, wanted)
    else:
        changed = _replace_entry(text, part[1], name, entry)
    found = _parsed(changed)
    if (found.recipients, found.key, found.secrets) != (old.recipients, old.key, wanted):
        raise UsageError(
            f"{NAME} is written in a way in which {name!r} cannot be changed here",
            hint="`skerry secret rekey` writes the whole file anew",
        )
    return changed


def write_secrets_file(folder: Path, text: str) -> None:
    """Replaces the file, as `write_whole` does."""
    write_whole(folder / NAME, text.encode())


def _replace_all(text: str, part: tuple[Part, Part] | None, wanted: dict[str, SecretEntry]) -> str:
    """The text with another `secrets`: for one that is empty, or shall be."""
    body = "".join(render_entry(one, wanted[one]) + "\n" for one in sorted(wanted))
    block = f"secrets:\n{body}" if wanted else "secrets: {}\n"
    if part is None:
        return text.rstrip("\n") + "\n" + block
    key, value = part
    end = max(value.end, text.index(":", key.end) + 1)
    return text[: key.start] + block + text[_line_end(text, end) :]


def _replace_entry(text: str, secrets: Part, name: str, entry: SecretEntry | None) -> str:
    new = render_entry(name, entry) + "\n" if entry is not None else ""
    found = secrets.find(name)
    if found is not None:
        start = text.rfind("\n", 0, found[0].start) + 1
        return text[:start] + new + text[_line_end(text, found[1].end) :]
    for key, _ in secrets.pairs:
        if key.value > name:
            start = text.rfind("\n", 0, key.start) + 1
            return text[:start] + new + text[start:]
    end = _line_end(text, secrets.end)
    return text[:end] + new + text[end:]


def _line_end(text: str, at: int) -> int:
    """Where the next line begins; `at` itself where it is a line's beginning already."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return found + 1 if found >= 0 else len(text)


def _indented(text: str, width: int) -> list[str]:
    return [" " * width + line for line in text.strip("\n").split("\n")]


def _parsed(text: str) -> SecretsFile:
    problems: list[Problem] = []
    file = parse_secrets_file(text, problems)
    if problems or file is None:
        raise CloudInvalid(problems)
    return _without_places(file)


def _without_places(file: SecretsFile) -> SecretsFile:
    """Two files that say the same are equal, wherever it is written."""
    import msgspec

    from skerry.model.origin import Origin

    bare = Origin()
    replaced = {
        name: msgspec.structs.replace(
            entry,
            origin=bare,
            value=_armor(entry.value) if entry.value is not None else None,
        )
        for name, entry in file.secrets.items()
    }
    return msgspec.structs.replace(file, origin=bare, key=_armor(file.key), secrets=replaced)


def _armor(text: str) -> str:
    return re.sub(r"\s*\Z", "", text) + "\n"
