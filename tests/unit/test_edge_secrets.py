"""age on the operator's machine: what is encrypted comes back, and whatever else says why not."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.edge.run import Command, run
from skerry.edge.secrets import (
    Vault,
    encrypt_key,
    encrypt_value,
    new_key,
    own_recipients,
    parse_recipient,
    read_command,
    recipients_digest,
)
from skerry.errors import SecretUnreadable, UsageError
from skerry.model.secret_value import SecretValue
from skerry.model.secrets_file import SecretEntry, SecretsFile

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """An SSH key; its public half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = ("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "eva@laptop", "-f", path)
    run(Command.of(*words, *(("-b", "2048") if kind == "rsa" else ())))
    return Path(f"{path}.pub").read_text().strip()


def make_vault(folder: Path, recipients: tuple[str, ...], **values: str) -> Vault:
    """secrets.yaml with these values."""
    entries = {
        name: SecretEntry(value=encrypt_value(name, SecretValue(text.encode()), recipients))
        for name, text in values.items()
    }
    file = SecretsFile(
        recipients=recipients, key=encrypt_key(new_key(), recipients), secrets=entries
    )
    return Vault(file, folder)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator without any key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SKERRY_IDENTITY", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@given(st.binary(max_size=5000))
def test_any_value_comes_back(content: bytes) -> None:
    text = encrypt_value("db", SecretValue(content), [RECIPIENT])
    file = SecretsFile(
        recipients=(RECIPIENT,),
        key=encrypt_key(new_key(), [RECIPIENT]),
        secrets={"db": SecretEntry(value=text)},
    )
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(__file__).parent
        patch.setattr("skerry.edge.secrets.read_identities", _Only)
        assert Vault(file, folder).read_value("db").reveal() == content


class _Only:
    keys = (IDENTITY,)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_an_ssh_key_reads_what_is_encrypted_to_it(home: Path, kind: str) -> None:
    public = make_key(home / f".ssh/id_{kind}", kind)
    vault = make_vault(home, (RECIPIENT, public), db="hunter2")
    assert vault.read_value("db").reveal() == b"hunter2"
    assert len(vault.read_key().reveal()) == 32
    assert own_recipients() == [public]


def test_the_variable_names_keys_of_both_kinds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(home / "other")
    (home / "age").write_text(f"# created: today\n{IDENTITY}\n")
    monkeypatch.setenv("SKERRY_IDENTITY", f"{home}/other:{home}/age")
    assert make_vault(home, (RECIPIENT,), db="x").read_value("db").reveal() == b"x"
    assert RECIPIENT in own_recipients()
    monkeypatch.setenv("SKERRY_IDENTITY", "/nowhere")
    with pytest.raises(SecretUnreadable, match="SKERRY_IDENTITY: /nowhere cannot be read"):
        own_recipients()


def test_without_a_key_it_says_where_it_looked(home: Path) -> None:
    with pytest.raises(SecretUnreadable) as caught:
        make_vault(home, (RECIPIENT,), db="hunter2").read_value("db")
    assert "no key here" in caught.value.message
    assert "~/.ssh/id_ed25519" in caught.value.detail


def test_a_key_with_a_passphrase_says_what_to_do(home: Path) -> None:
    public = make_key(home / ".ssh/id_ed25519", passphrase="open sesame")
    with pytest.raises(SecretUnreadable) as caught:
        make_vault(home, (public,), db="hunter2").read_value("db")
    assert caught.value.message == "your key has a passphrase, and age cannot ask for that"
    assert "~/.ssh/id_ed25519: it has a passphrase" in caught.value.detail
    assert "ssh-keygen -p -f ~/.ssh/id_ed25519" in caught.value.hint
    assert "SKERRY_IDENTITY" in caught.value.hint
    # Of somebody who cannot read anyway nothing is asked but a key without.
    with pytest.raises(SecretUnreadable) as caught:
        make_vault(home, (RECIPIENT,), db="hunter2").read_value("db")
    assert "skerry secret rekey --add ~/.ssh/skerry.pub" in caught.value.hint
    assert "-p -f" not in caught.value.hint


def test_another_key_says_whom_to_ask(home: Path) -> None:
    make_key(home / ".ssh/id_ed25519")
    make_key(home / ".ssh/id_rsa", "ecdsa")
    with pytest.raises(SecretUnreadable) as caught:
        make_vault(home, (RECIPIENT,), db="hunter2").read_value("db")
    assert "none of yours is among them" in caught.value.message
    assert "rekey --add" in caught.value.hint
    assert "~/.ssh/id_rsa: it is of a kind that age does not take" in caught.value.detail


@pytest.mark.claims("secrets-file-not-believed")
def test_a_value_under_another_name_is_refused(home: Path) -> None:
    public = make_key(home / ".ssh/id_ed25519")
    vault = make_vault(home, (public,), db="hunter2", motd="hello")
    vault.file.secrets["motd"] = vault.file.secrets["db"]
    with pytest.raises(SecretUnreadable, match="what is under 'motd' was encrypted as 'db'"):
        vault.read_value("motd")
    text = pyrage.encrypt(b"hunter2", [pyrage.ssh.Recipient.from_str(public)], armored=True)
    vault.file.secrets["motd"] = SecretEntry(value=text.decode())
    with pytest.raises(SecretUnreadable, match="but not by skerry") as caught:
        vault.read_value("motd")
    assert "hunter2" not in str(caught.value) + caught.value.detail
    damaged = str(vault.file.secrets["db"].value).replace("\n", "\nAAAA", 3)
    vault.file.secrets["db"] = SecretEntry(value=damaged)
    with pytest.raises(SecretUnreadable):
        vault.read_value("db")


@pytest.mark.claims("secrets-file-not-believed")
def test_recipients_that_were_added_by_hand_are_noticed(home: Path) -> None:
    public = make_key(home / ".ssh/id_ed25519")
    vault = make_vault(home, (public,))
    assert vault.has_known_recipients()
    vault.file = SecretsFile(recipients=(public, RECIPIENT), key=vault.file.key)
    assert not vault.has_known_recipients()
    bare = " ".join(public.split()[:2])
    assert recipients_digest([bare, RECIPIENT]) == recipients_digest([RECIPIENT, public])


def test_what_is_no_recipient_is_refused(home: Path) -> None:
    make_key(home / "key")
    for text, words in (
        ((home / "key").read_text(), "private key"),
        (str(IDENTITY), "private key"),
        ("ecdsa-sha2-nistp256 AAAA", "begins no public key that age takes"),
        ("ssh-ed25519 AAAA", "begins no public key that age takes"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            parse_recipient(text)
        assert str(IDENTITY) not in str(caught.value)


def test_a_command_prints_the_value(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("two\nlines\n")
    assert read_command("db", ["cat", "value"], tmp_path).reveal() == b"two\nlines"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo hunter2; echo no >&2; exit 3", "ended with status 3"),
        ("set -x; echo hunter2 | cat; exit 3", "ended with status 3"),
        ("true", "printed nothing"),
    ],
)
def test_a_command_that_fails_shows_no_value(tmp_path: Path, script: str, words: str) -> None:
    (tmp_path / "script").write_text(script)
    with pytest.raises(SecretUnreadable, match=words) as caught:
        read_command("db", ["sh", "script"], tmp_path)
    assert "hunter2" not in caught.value.message + caught.value.detail + caught.value.hint


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="'no-such-program' is not installed"):
        read_command("db", ["no-such-program"], tmp_path)
