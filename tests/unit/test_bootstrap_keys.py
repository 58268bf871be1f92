"""Host keys that are pinned, and the operator's own key."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.bootstrap.host_keys import (
    check_fingerprint,
    raise_unless_pinned,
    read_pins,
    write_pins,
)
from skerry.bootstrap.operator_keys import find_public_keys, parse_public_keys
from skerry.edge.run import Command, run
from skerry.edge.ssh import Link, pinned_fingerprints
from skerry.errors import HostKeyMismatch, UsageError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDECVhGmhkIDmg39tDG4Ta+0BHB4tqJF5YM0fkJ++yYS"
FINGERPRINT = "SHA256:SWOjWTmEnXSjtXtsM5fBA+y0jcKWkbOlam5Se3FrCzw"


def link(tmp_path: Path, **changes: object) -> Link:
    return Link(
        node="alpha",
        target="root@alpha",
        known_hosts=str(tmp_path / "known_hosts"),
        **changes,  # type: ignore[arg-type]
    )


def test_pins_of_other_nodes_stay(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"# mine\nbeta {KEY}\n")
    write_pins(path, "alpha", [f"alpha {KEY}"])
    assert path.read_text() == f"# mine\nbeta {KEY}\nalpha {KEY}\n"
    assert read_pins(path, "alpha") == [f"alpha {KEY}"]
    write_pins(path, "alpha", [])
    assert path.read_text() == f"# mine\nbeta {KEY}\n"


def test_no_file_is_made_to_forget_a_node(tmp_path: Path) -> None:
    write_pins(tmp_path / "known_hosts", "alpha", [])
    assert not (tmp_path / "known_hosts").exists()


def test_an_expected_key_beside_a_pinned_one(tmp_path: Path) -> None:
    write_pins(tmp_path / "known_hosts", "alpha", [f"alpha {KEY}"])
    assert pinned_fingerprints(link(tmp_path)) == [FINGERPRINT]
    raise_unless_pinned(link(tmp_path), FINGERPRINT)
    other = "SHA256:" + "A" * 43
    with pytest.raises(HostKeyMismatch) as caught:
        raise_unless_pinned(link(tmp_path), other)
    assert FINGERPRINT in caught.value.message and other in caught.value.message


def test_a_fingerprint_is_taken_from_what_ssh_prints() -> None:
    assert check_fingerprint(f"256 {FINGERPRINT} root@alpha (ED25519)") == FINGERPRINT
    assert check_fingerprint(FINGERPRINT) == FINGERPRINT
    for wrong in ("", "SHA256:", "MD5:aa:bb", FINGERPRINT[:-1]):
        with pytest.raises(UsageError):
            check_fingerprint(wrong)


def test_public_key_files() -> None:
    assert parse_public_keys(f"# me\n{KEY} me\n\n", "k.pub") == [f"{KEY} me"]
    for wrong in ("", "hello\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n", f"{KEY}\nhello\n"):
        with pytest.raises(UsageError):
            parse_public_keys(wrong, "k.pub")


def test_the_identity_file_decides(tmp_path: Path) -> None:
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", tmp_path / "k"))
    public = (tmp_path / "k.pub").read_text().strip()
    assert find_public_keys(link(tmp_path, identity_file=str(tmp_path / "k")), None) == [public]
    (tmp_path / "k.pub").unlink()
    (found,) = find_public_keys(link(tmp_path, identity_file=str(tmp_path / "k")), None)
    assert found.split()[:2] == public.split()[:2]


def test_the_configuration_of_ssh_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", tmp_path / "k"))
    config = tmp_path / "config"
    config.write_text(f"Host alpha\n  IdentityFile {tmp_path}/k\n")
    found = find_public_keys(link(tmp_path, ssh_config=str(config)), None)
    assert found == [(tmp_path / "k.pub").read_text().strip()]


def test_no_key_at_all_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    config = tmp_path / "config"
    config.write_text(f"Host *\n  IdentityFile {tmp_path}/none\n")
    with pytest.raises(UsageError) as caught:
        find_public_keys(link(tmp_path, ssh_config=str(config)), None)
    assert "ssh-keygen" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        find_public_keys(link(tmp_path), tmp_path / "none.pub")
