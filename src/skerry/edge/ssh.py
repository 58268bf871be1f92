"""The one door to the nodes: the system's own ``ssh``, one multiplexed connection per node."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import msgspec

from skerry.edge.conversation import Patience, Process, converse
from skerry.edge.paths import socket_folder
from skerry.edge.run import Command, Finished, start
from skerry.edge.stop import watch_child
from skerry.errors import (
    AccessRefused,
    HostKeyMismatch,
    NodeAnswerInvalid,
    NodeError,
    NodeUnreachable,
    SkerryError,
    SshConfigInvalid,
)

CONNECT_TIMEOUT = 10
# How long the connection stays after a command, in seconds: the next command finds it standing.
PERSIST = 120
# Against what the operator's own ssh_config may say for all hosts. Root on a node could log in to
# the other nodes with a forwarded agent, and come to what a forwarded port leads to; a key that is
# vouched for by DNS would count beside the pinned one.
_NOTHING_HANDED_OVER = (
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "Tunnel=no",
    "GSSAPIDelegateCredentials=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
)
# ssh asks with the words in front, which name the node by its alias. Other questions are not ours
# to answer: the password of a host on the way (ProxyJump), a key's passphrase.
_ASKPASS = """\
#!/bin/sh
case $1 in
*"@$SKERRY_SSH_NODE's password: "* | "("*"@$SKERRY_SSH_NODE) "*)
    printf '%s\\n' "$SKERRY_SSH_PASSWORD" ;;
*) exit 1 ;;
esac
"""
_CONFIG_FAULT = re.compile(
    r": terminating, \d+ bad configuration|^Bad owner or permissions on |"
    r"^Can't open user config file ",
    re.MULTILINE,
)
# What a command on a node may print, in bytes.
OUTPUT_LIMIT = 4 << 20


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """How one node is reached. `target` is ``[USER@]HOST`` as ``ssh`` takes it.

    `known_hosts` is the cloud folder's file of pinned host keys, in which the node has its name
    as alias; `accept_new` pins the key that the host shows when none is pinned yet. `password`
    is asked for by ssh when no key is accepted. `connect_timeout` is in seconds.
    """

    node: str
    target: str
    known_hosts: str
    port: int | None = None
    identity_file: str | None = None
    ssh_config: str | None = None
    accept_new: bool = False
    password: str | None = None
    connect_timeout: int = CONNECT_TIMEOUT
    multiplex: bool = True


def ssh_command(link: Link, remote: str | None, *, tty: bool = False) -> Command:
    """The ``ssh`` command that runs the shell command `remote` on the node.

    Without `remote` the command ends with the target, and the caller appends.
    """
    words = ["ssh"]
    if link.ssh_config is not None:
        words += ["-F", link.ssh_config]
    checking = "accept-new" if link.accept_new else "yes"
    options = [
        f"StrictHostKeyChecking={checking}",
        f"UserKnownHostsFile={_quoted(link.known_hosts)}",
        "GlobalKnownHostsFile=none",
        f"HostKeyAlias={link.node}",
        "CheckHostIP=no",
        "HashKnownHosts=no",
        "UpdateHostKeys=no",
        f"ConnectTimeout={link.connect_timeout}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "LogLevel=ERROR",
        *_NOTHING_HANDED_OVER,
    ]
    options += ["NumberOfPasswordPrompts=1"] if link.password is not None else ["BatchMode=yes"]
    if link.multiplex:
        options += [
            "ControlMaster=auto",
            f"ControlPath={control_path(link)}",
            f"ControlPersist={PERSIST}",
        ]
    else:
        options += ["ControlMaster=no", "ControlPath=none"]
    if link.port is not None:
        options.append(f"Port={link.port}")
    if link.identity_file is not None:
        options.append(f"IdentityFile={_quoted(link.identity_file)}")
    for option in options:
        words += ["-o", option]
    words.append("-tt" if tty else "-T")
    words += ["--", link.target]
    if remote is not None:
        words.append(remote)
    environment = _askpass(link.node, link.password) if link.password is not None else ()
    return Command(tuple(words), environment)


def control_path(link: Link) -> str:
    """The socket of the node's multiplexed connection.

    It depends on everything that decides which host answers and as whom, so that two clouds
    with a node of the same name never share a connection.
    """
    identity = msgspec.json.encode(
        [link.node, link.target, link.port, link.identity_file, link.ssh_config, link.known_hosts]
    )
    return str(socket_folder() / hashlib.blake2b(identity, digest_size=10).hexdigest())


def run_remote(
    link: Link,
    remote: str,
    *,
    input: bytes | None = None,
    timeout: float = 60.0,
    limit: int = OUTPUT_LIMIT,
) -> Finished:
    """Runs a shell command on the node to its end; a status other than 0 is the caller's matter.

    Raises `NodeUnreachable`, `HostKeyMismatch` or `AccessRefused` where ssh itself failed,
    `NodeUnreachable` when `timeout` seconds have passed, and `NodeAnswerInvalid` when it prints
    more than `limit` bytes.
    """
    command = ssh_command(link, remote)
    process = start_ssh(link, command)
    printed: list[bytes] = []
    size = 0

    def hear(chunk: bytes) -> bool:
        nonlocal size
        printed.append(chunk)
        size += len(chunk)
        if size > limit:
            raise NodeAnswerInvalid(
                link.node,
                f"a command on the node prints more than {limit >> 20} MiB",
                hint="the node is broken or hostile: look at it before you trust it again",
            )
        return False

    try:
        words = converse(process, [input or b""], hear, Patience(None, timeout))
    except TimeoutError:
        stop_ssh(process)
        close_connection(link)
        raise NodeUnreachable(link.node, f"no answer within {timeout:g} s") from None
    except BaseException:
        stop_ssh(process)
        raise
    raise_for_ssh(link, process.returncode, words)
    return Finished(command, process.returncode, b"".join(printed), words)


def start_ssh(link: Link, command: Command) -> subprocess.Popen[bytes]:
    """Starts an ssh command with pipes for input, output and errors.

    A multiplexing master inherits the pipe for errors and holds it open for as long as the
    connection stays: nobody may read it to its end (`conversation.Complaints` does not).
    """
    process = start(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        own_group=True,
    )
    watch_child(process)
    return process


def stop_ssh(process: Process) -> None:
    """Ends an ssh client of ours; the connection that it shares goes on."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass


def close_connection(link: Link) -> None:
    """Ends the standing connection, if there is one: a dead one would make the next one wait."""
    if not has_connection(link):
        return
    path = control_path(link)
    words = ("ssh", "-o", f"ControlPath={path}", "-O", "exit", "--", link.target)
    try:
        process = start(Command(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        _kill_master(path)
    Path(path).unlink(missing_ok=True)


def has_connection(link: Link) -> bool:
    """Whether a connection to the node seems to stand: nobody has asked whether it is alive."""
    return link.multiplex and Path(control_path(link)).exists()


def _kill_master(path: str) -> None:
    """Ends a multiplexing ssh that hangs: it would hang for ever."""
    title = rf"^ssh: {re.escape(path)} \[mux\]"
    with suppress(SkerryError):
        start(Command(("pkill", "-KILL", "-f", "--", title)), stderr=subprocess.DEVNULL).wait()


def raise_for_ssh(link: Link, status: int, stderr: bytes) -> None:
    """Raises the error that fits when ssh itself failed (status 255); else returns.

    One that concerns all nodes is no `NodeError`: `SshConfigInvalid`.

    ssh has one status for all its own failures and tells them apart by words alone (in English,
    whatever the locale), so this is the one place that reads them.
    """
    if status != 255:
        return
    words = stderr.decode(errors="replace").replace("\r", "").strip()
    last = words.splitlines()[-1] if words else "the SSH connection ended"
    if _CONFIG_FAULT.search(words):
        raise SshConfigInvalid(
            "ssh does not take its configuration",
            detail=words[-2000:],
            hint=f"mend it: `ssh {f'-F {link.ssh_config} ' if link.ssh_config else ''}-G HOST` "
            "tells when it is right",
        )
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in words or "Host key verification failed" in words:
        raise _host_key_error(link, words)
    if "Permission denied" in words or "Too many authentication failures" in words:
        raise AccessRefused(
            link.node,
            f"{link.target} accepts none of your keys",
            hint=f"`skerry node add {link.node} {root_of(link)} --ask-password` installs your key "
            "with the root password",
            detail=last,
        )
    raise NodeUnreachable(link.node, last)


def is_turned_away(status: int, stderr: bytes) -> bool:
    """Whether sshd closed the connection before a word was said.

    It does so at random when more than ten (MaxStartups) are being opened at a time: on a host
    that all connections go through (ProxyJump), say. Nothing has been done by then.
    """
    ended = (b"Connection reset by peer", b"Connection closed by remote host")
    return status == 255 and any(
        b"kex_exchange_identification: " in line and any(words in line for words in ended)
        for line in stderr.splitlines()
    )


def _host_key_error(link: Link, words: str) -> NodeError:
    offered = [line.rstrip(".") for line in words.splitlines() if line.startswith("SHA256:")]
    try:
        pinned = pinned_fingerprints(link)
    except OSError as error:
        return HostKeyMismatch(
            link.node,
            f"{link.known_hosts} cannot be read: {error.strerror}",
            hint="take it from git: it pins the keys of the hosts",
        )
    if not pinned:
        return HostKeyMismatch(
            link.node,
            "the host's key is not pinned in this cloud",
            hint=f"`skerry node add {link.node} {link.target}` pins it",
        )
    return HostKeyMismatch(
        link.node,
        f"the host shows the key {', '.join(offered) or 'of another kind'}; "
        f"pinned is {', '.join(pinned)}",
        hint="if the host was reinstalled, `skerry node add "
        f"{link.node} {root_of(link)} --replace-host-key` pins the new one; "
        "else somebody may be listening",
    )


def root_of(link: Link) -> str:
    """The node's root, as ssh and `skerry node add` take it."""
    return f"root@{link.target.rpartition('@')[2]}"


def pinned_fingerprints(link: Link) -> list[str]:
    """The fingerprints (``SHA256:...``) that are pinned for the node; reads the cloud's file.

    Raises OSError where that is there and cannot be read.
    """
    import base64

    try:
        lines = Path(link.known_hosts).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        words = line.split()
        if len(words) >= 3 and words[0] in (link.node, f"[{link.node}]"):
            try:
                digest = hashlib.sha256(base64.b64decode(words[2])).digest()
            except ValueError:
                # ssh takes no notice of such a line either.
                continue
            found.append("SHA256:" + base64.b64encode(digest).decode().rstrip("="))
    return found


def _quoted(path: str) -> str:
    # ssh_config splits values at spaces, resolves backslashes in quotes, and expands %.
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _askpass(node: str, password: str) -> tuple[tuple[str, str], ...]:
    script = socket_folder() / "askpass"
    if not script.exists() or script.read_text() != _ASKPASS:
        import tempfile

        descriptor, temporary = tempfile.mkstemp(dir=script.parent, prefix=".askpass.")
        with open(descriptor, "w") as file:
            file.write(_ASKPASS)
            os.fchmod(descriptor, 0o700)
        Path(temporary).replace(script)
    return (
        ("SKERRY_SSH_NODE", node),
        ("SKERRY_SSH_PASSWORD", password),
        ("SSH_ASKPASS", str(script)),
        ("SSH_ASKPASS_REQUIRE", "force"),
    )
