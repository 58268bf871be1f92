"""The ssh command line, and what ssh's own failures become."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from skerry.edge.ssh import Link, control_path, pinned_fingerprints, raise_for_ssh, ssh_command
from skerry.errors import AccessRefused, HostKeyMismatch, NodeUnreachable

KEY = b"a host key"


def link(folder: Path, **different: object) -> Link:
    values: dict[str, object] = {
        "node": "alpha",
        "target": "skerry@198.18.1.10",
        "known_hosts": str(folder / "known_hosts"),
    }
    return Link(**{**values, **different})  # type: ignore[arg-type]


def test_target_is_never_an_option(tmp_path: Path) -> None:
    command = ssh_command(link(tmp_path, target="-oProxyCommand=evil"), "true")
    assert command.argv[-3:] == ("--", "-oProxyCommand=evil", "true")


def test_keys_are_pinned_under_the_nodes_name(tmp_path: Path) -> None:
    words = ssh_command(link(tmp_path), "true").argv
    assert "HostKeyAlias=alpha" in words
    assert "StrictHostKeyChecking=yes" in words
    assert "BatchMode=yes" in words
    assert (
        "StrictHostKeyChecking=accept-new"
        in ssh_command(link(tmp_path, accept_new=True), "true").argv
    )


def test_a_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    command = ssh_command(link(tmp_path, password="hunter2"), "true")
    assert not any("hunter2" in word for word in command.argv)
    assert "BatchMode=yes" not in command.argv
    assert dict(command.env)["SSH_ASKPASS_REQUIRE"] == "force"


def test_connections_are_shared_only_by_the_same_way_to_the_same_node(tmp_path: Path) -> None:
    one = control_path(link(tmp_path))
    assert one == control_path(link(tmp_path))
    assert len(one) < 90
    for other in ({"node": "beta"}, {"port": 23}, {"ssh_config": "/x"}, {"known_hosts": "/y"}):
        assert control_path(link(tmp_path, **other)) != one


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    encoded = base64.b64encode(KEY).decode()
    (tmp_path / "known_hosts").write_text(f"beta ssh-ed25519 AAAA\nalpha ssh-ed25519 {encoded}\n")
    wanted = base64.b64encode(hashlib.sha256(KEY).digest()).decode().rstrip("=")
    assert pinned_fingerprints(link(tmp_path)) == [f"SHA256:{wanted}"]


def test_another_host_key_names_both_fingerprints(tmp_path: Path) -> None:
    encoded = base64.b64encode(KEY).decode()
    (tmp_path / "known_hosts").write_text(f"alpha ssh-ed25519 {encoded}\n")
    words = (
        b"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\n"
        b"The fingerprint for the ED25519 key sent by the remote host is\r\nSHA256:offered.\r\n"
        b"Host key verification failed.\r\n"
    )
    with pytest.raises(HostKeyMismatch) as caught:
        raise_for_ssh(link(tmp_path), 255, words)
    assert "SHA256:offered;" in caught.value.message
    assert pinned_fingerprints(link(tmp_path))[0] in caught.value.message
    assert "--replace-host-key" in caught.value.hint


def test_unpinned_host_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(HostKeyMismatch, match="not pinned"):
        raise_for_ssh(link(tmp_path), 255, b"Host key verification failed.\r\n")


def test_refused_and_unreachable(tmp_path: Path) -> None:
    with pytest.raises(AccessRefused):
        raise_for_ssh(link(tmp_path), 255, b"x@y: Permission denied (publickey).\r\n")
    with pytest.raises(NodeUnreachable, match="No route to host"):
        raise_for_ssh(link(tmp_path), 255, b"ssh: connect to host y port 22: No route to host\r\n")
    raise_for_ssh(link(tmp_path), 1, b"Permission denied")
