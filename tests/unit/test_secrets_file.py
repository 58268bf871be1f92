"""secrets.yaml: what is written is read again, and a change leaves the rest as it is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.errors import CloudInvalid, Problem, UsageError
from skerry.load.secrets_file import (
    change_entry,
    parse_secrets_file,
    read_secrets_file,
    render_secrets_file,
)
from skerry.model.secrets_file import SECRET_NAME_PATTERN, SecretEntry, SecretsFile

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL2eaCjCt eva@laptop"


def armored(text: str) -> str:
    """Looks like an age file."""
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{text}\n-----END AGE ENCRYPTED FILE-----\n"


NAMES = st.from_regex(SECRET_NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) < 30)
LINES = st.text("ABCxyz019+/=", min_size=1, max_size=64)
BODIES = st.lists(LINES, min_size=1, max_size=4).map(lambda lines: armored("\n".join(lines)))
ENTRIES = st.builds(
    SecretEntry,
    value=BODIES,
    since=st.none() | st.just("2026-11-21T12:00:00Z"),
) | st.builds(
    SecretEntry,
    command=st.lists(st.text(max_size=12).filter(str.isprintable), min_size=1, max_size=3).map(
        tuple
    ),
)
FILES = st.builds(
    SecretsFile,
    recipients=st.lists(st.just(KEY) | st.just("age1abcxyz otto: 'x'"), min_size=1, max_size=2).map(
        tuple
    ),
    key=BODIES,
    secrets=st.dictionaries(NAMES, ENTRIES, max_size=5),
)


def parsed(text: str) -> SecretsFile:
    problems: list[Problem] = []
    file = parse_secrets_file(text, problems)
    assert file is not None, problems
    return file


def plain(file: SecretsFile) -> dict[str, object]:
    """What a file says, without places."""
    builtins: dict[str, object] = msgspec.to_builtins(file)

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {key: without(one) for key, one in value.items() if key != "origin"}
        return value

    found = without(builtins)
    assert isinstance(found, dict)
    return found


@given(FILES)
def test_what_is_rendered_is_read_again(file: SecretsFile) -> None:
    assert plain(parsed(render_secrets_file(file))) == plain(file)


@given(FILES, NAMES, ENTRIES)
def test_a_change_is_one_entry_and_order_is_stable(
    file: SecretsFile, name: str, entry: SecretEntry
) -> None:
    text = render_secrets_file(file)
    wanted = msgspec.structs.replace(file, secrets={**file.secrets, name: entry})
    changed = change_entry(text, name, entry)
    assert changed == render_secrets_file(wanted)
    without = dict(file.secrets)
    without.pop(name, None)
    assert change_entry(changed, name, None) == render_secrets_file(
        msgspec.structs.replace(file, secrets=without)
    )


def test_comments_and_other_entries_stay_byte_for_byte() -> None:
    file = SecretsFile(
        recipients=(KEY,),
        key=armored("a"),
        secrets={"a": SecretEntry(value=armored("a")), "c": SecretEntry(value=armored("c"))},
    )
    text = render_secrets_file(file).replace("  c:\n", "  # the third\n  c:   # here\n")
    text = text.replace("recipients:", "# who\nrecipients:  # two soon") + "# the end\n"
    changed = change_entry(text, "b", SecretEntry(value=armored("b")))
    assert change_entry(changed, "b", None) == text
    assert changed.index("  a:") < changed.index("  b:") < changed.index("# the third") + 20
    replaced = change_entry(text, "a", SecretEntry(command=("pass", "show", "a")))
    assert "# the third" in replaced
    assert "# the end" in replaced
    assert replaced.count("\n") < text.count("\n")


def test_a_layout_that_cannot_be_changed_is_refused() -> None:
    entry = f"{{value: {armored('a')!r}}}".replace("'", '"')
    text = f"recipients: [{KEY}]\nkey: {armored('a')!r}\nsecrets: {{a: {entry}}}\n".replace(
        "'", '"'
    )
    assert parsed(text).secrets["a"].value == armored("a")
    with pytest.raises((UsageError, CloudInvalid)):
        change_entry(text, "b", SecretEntry(value=armored("b")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: is empty: `recipients` and `key` must be given"]),
        (
            "recipients: [ssh-dss AAAA]\nkey: x\n",
            [
                "1:14: recipients[0]: must be a public key: ssh-ed25519 ..., ssh-rsa ... or "
                'age1..., not "ssh-dss AAAA"'
            ],
        ),
        (
            f"recipients: [{KEY}]\nkey: hunter2\nsecrets:\n  a: {{value: hunter2}}\n",
            [
                "2:6: `key` is not an encrypted value (-----BEGIN AGE ENCRYPTED FILE----- ...) "
                "(`skerry secret set` writes it; never write a value here by hand)",
                "4:14: `value` is not an encrypted value (-----BEGIN AGE ENCRYPTED FILE----- ...) "
                "(`skerry secret set` writes it; never write a value here by hand)",
            ],
        ),
        (
            f"recipients: [{KEY}]\nkey: x\nsecrets:\n  a: {{value: 1234567}}\n",
            ["4:14: secrets.a.value: must be text, not what is a number to YAML (quote it)"],
        ),
        (
            f"recipients: [{KEY}]\nkey: {armored('a')!r}\nsecrets:\n  a: {{since: x}}\n".replace(
                "'", '"'
            ),
            [
                "4:6: the secret 'a' has one of `value` and `command` (skerry secret set a; or "
                "command: [pass, show, a])"
            ],
        ),
    ],
)
def test_problems_have_a_place_and_no_value(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "secrets.yaml").write_text(text)
    with pytest.raises(CloudInvalid) as caught:
        read_secrets_file(tmp_path)
    assert [re.sub(r"^secrets.yaml:", "", str(one)) for one in caught.value.problems] == expected
