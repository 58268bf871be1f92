"""The ssh command line, and what ssh's own failures become."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from skerry.edge.exchange import exchange
from skerry.edge.run import Command
from skerry.edge.ssh import Link, control_path, pinned_fingerprints, raise_for_ssh, ssh_command
from skerry.errors import (
    AccessRefused,
    HostKeyMismatch,
    NodeUnreachable,
    SshConfigInvalid,
    UsageError,
)

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


HOSTILE = """\
Host *
    ForwardAgent yes
    ForwardX11 yes
    LocalForward 127.0.0.1:8000 127.0.0.1:80
    RemoteForward 127.0.0.1:9000 127.0.0.1:90
    DynamicForward 1080
    Tunnel yes
    GSSAPIDelegateCredentials yes
    PermitLocalCommand yes
    LocalCommand touch /tmp/planted
    RemoteCommand touch /tmp/planted
    VerifyHostKeyDNS yes
    NoHostAuthenticationForLocalhost yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    GlobalKnownHostsFile /dev/zero
    UpdateHostKeys yes
    HostKeyAlias another
    BatchMode no
    ControlPath /tmp/planted-%C
"""


def effective(command: Command) -> dict[str, str]:
    """What ssh makes of a command's options and of the configuration that it names."""
    words = (command.argv[0], "-G", *command.argv[1:])
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


@pytest.mark.claims("ssh-hands-nothing-over", "ssh-pinned-whatever-is-configured")
@pytest.mark.parametrize("password", [None, "hunter2"])
def test_what_the_operators_own_configuration_says_is_not_obeyed(
    tmp_path: Path, password: str | None
) -> None:
    (tmp_path / "config").write_text(HOSTILE)
    way = link(tmp_path, ssh_config=str(tmp_path / "config"), password=password)
    plain = effective(Command(("ssh", "-F", str(tmp_path / "config"), "--", way.target)))
    assert plain["forwardagent"] == "yes" and "localforward" in plain, "this test proves nothing"
    found = effective(ssh_command(way, None))
    off = (
        "forwardagent", "forwardx11", "gssapidelegatecredentials", "permitlocalcommand",
        "verifyhostkeydns", "nohostauthenticationforlocalhost", "tunnel", "updatehostkeys",
    )  # fmt: skip
    assert {name: found.get(name) for name in off} == {
        name: "false" if name in ("verifyhostkeydns", "tunnel", "updatehostkeys") else "no"
        for name in off
    }
    assert found["clearallforwardings"] == "yes"
    assert not {"localforward", "remoteforward", "dynamicforward"} & set(found)
    assert "remotecommand" not in found
    assert found["stricthostkeychecking"] in ("true", "yes")
    assert found["userknownhostsfile"] == str(tmp_path / "known_hosts")
    assert found["globalknownhostsfile"] == "none"
    assert found["hostkeyalias"] == "alpha"
    assert "planted" not in found["controlpath"]


@pytest.mark.claims("password-asked-by-the-node-alone")
@pytest.mark.parametrize(
    ("question", "is_answered"),
    [
        ("root@alpha's password: ", True),
        ("(root@alpha) Password: ", True),
        ("root@bastion's password: ", False),
        ("(root@bastion) alpha Password: ", False),
        ("Enter passphrase for key '/home/eva/.ssh/id_ed25519': ", False),
        ("Password: ", False),
        ("", False),
    ],
)
def test_the_password_is_for_the_node_and_no_host_on_the_way(
    tmp_path: Path, question: str, *, is_answered: bool
) -> None:
    words = ssh_command(link(tmp_path, password="hunter2 '\\n"), "true").env
    environment = {**dict(words), "PATH": os.environ["PATH"]}
    asked = subprocess.run(
        (environment["SSH_ASKPASS"], question), env=environment, capture_output=True, check=False
    )
    assert (asked.returncode == 0) == is_answered
    assert asked.stdout == (b"hunter2 '\\n\n" if is_answered else b"")
    script = Path(environment["SSH_ASKPASS"])
    assert "hunter2" not in script.read_text()
    assert stat.S_IMODE(script.stat().st_mode) == 0o700


@pytest.mark.claims("sockets-are-yours")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_sockets_lie_where_nobody_else_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    before = os.umask(umask)
    try:
        folder = Path(control_path(link(tmp_path))).parent
    finally:
        os.umask(before)
    assert folder == tmp_path / f"skerry-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.claims("sockets-are-yours")
@pytest.mark.parametrize("plant", ["open folder", "link", "file", "another's"])
def test_a_folder_for_sockets_that_somebody_else_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / f"skerry-{os.getuid()}"
    (tmp_path / "theirs").mkdir(mode=0o700)
    if plant == "link":
        folder.symlink_to(tmp_path / "theirs")
    elif plant == "file":
        folder.touch(mode=0o600)
    else:
        folder.mkdir(mode=0o700)
        if plant == "open folder":
            folder.chmod(0o770)
        else:
            another = os.getuid() + 1
            monkeypatch.setattr(os, "getuid", lambda: another)
            folder.rename(tmp_path / f"skerry-{another}")
    with pytest.raises(UsageError, match="for the sockets of ssh"):
        control_path(link(tmp_path))
    assert list((tmp_path / "theirs").iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        "/x/config: line 2: Bad configuration option: hostnaem\n"
        "/x/config: terminating, 1 bad configuration options\n",
        "Bad owner or permissions on /root/.ssh/config\n",
        "Can't open user config file /x/config: No such file or directory\n",
    ],
)
def test_a_wrong_configuration_is_no_nodes_fault(tmp_path: Path, words: str) -> None:
    with pytest.raises(SshConfigInvalid) as caught:
        raise_for_ssh(link(tmp_path, ssh_config="/x/config"), 255, words.encode())
    assert words.splitlines()[0] in caught.value.detail
    assert "`ssh -F /x/config -G HOST`" in caught.value.hint


def test_pinned_keys_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(HostKeyMismatch, match="known_hosts cannot be read: Is a directory"):
        raise_for_ssh(link(tmp_path), 255, b"Host key verification failed.")


FAKE_SSH = """\
#!/bin/sh
case "$*" in *"-O exit"*) exit 0;; esac
echo asked >> {log}
if [ -e {socket} ]; then
    echo 'mux_client_request_session: read from master failed: Broken pipe' >&2
    exit 255
fi
cat >/dev/null
{answer}
"""


@pytest.mark.parametrize(
    ("op", "answer", "asked"),
    [
        ("ping", """echo '{"event": "result", "result": {"time": 1.0}}'""", 2),
        ("ping", "exit 255", 2),
        ("activate", "exit 255", 1),
    ],
    ids=["the node is well", "the node is gone", "not to be repeated"],
)
def test_a_dead_connection_is_not_a_dead_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, op: str, answer: str, asked: int
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    socket, log = Path(control_path(link(tmp_path))), tmp_path / "log"
    socket.touch()
    fake = tmp_path / "ssh"
    fake.write_text(FAKE_SSH.format(socket=socket, log=log, answer=answer))
    fake.chmod(0o755)
    if answer.startswith("echo"):
        assert exchange(link(tmp_path), op) == {"time": 1.0}
    else:
        with pytest.raises(NodeUnreachable):
            exchange(link(tmp_path), op)
    assert len(log.read_text().splitlines()) == asked
