"""Which public key of the operator a node is to accept."""

from __future__ import annotations

from pathlib import Path

from skerry.edge.run import Command, run
from skerry.edge.ssh import Link
from skerry.errors import CommandFailed, CommandMissing, UsageError

_KINDS = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")


def find_public_keys(link: Link, public_key: Path | None) -> list[str]:
    """The lines for the deploy user's authorized_keys.

    `public_key` if given; else the key of the link's identity file; else the one that ssh's own
    configuration names for this host, an agent's before one that only lies on the disk. Raises
    UsageError where there is none.
    """
    if public_key is not None:
        return _read_public_key(public_key)
    if link.identity_file is not None:
        return [_public_half(Path(link.identity_file).expanduser())]
    files = [path for path in _configured_identities(link) if path.exists()]
    halves = [key for key in map(_try_public_half, files) if key is not None]
    held = _agent_keys()
    bodies = {tuple(key.split()[:2]) for key in held}
    for key in halves:
        if tuple(key.split()[:2]) in bodies:
            return [key]
    if halves or held:
        return [(halves or held)[0]]
    raise UsageError(
        "you have no SSH key that a node could know you by",
        hint="make one (ssh-keygen -t ed25519) and repeat, or name one with --public-key FILE",
    )


def parse_public_keys(text: str, name: str) -> list[str]:
    """The keys of a public key file, one per line. Raises UsageError for anything else."""
    if "PRIVATE KEY" in text:
        raise UsageError(f"{name} is a private key", hint="its public half ends with .pub")
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or not all(_is_public_key(key) for key in keys):
        raise UsageError(
            f"{name} is not a file of public keys", hint="a line looks like: ssh-ed25519 AAAA... me"
        )
    return keys


def _is_public_key(line: str) -> bool:
    words = line.split()
    return len(words) >= 2 and words[0].startswith(_KINDS) and words[1].startswith("AAAA")


def _read_public_key(path: Path) -> list[str]:
    try:
        return parse_public_keys(path.expanduser().read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"{path} cannot be read: {reason}") from None


def _public_half(path: Path) -> str:
    if not path.exists() and not path.with_name(path.name + ".pub").exists():
        raise UsageError(f"there is no key {path}")
    key = _try_public_half(path)
    if key is None:
        raise UsageError(
            f"the public half of {path} is not to be had",
            hint=f"write it beside it: ssh-keygen -y -f {path} > {path}.pub",
        )
    return key


def _try_public_half(path: Path) -> str | None:
    beside = path.with_name(path.name + ".pub")
    try:
        if beside.exists():
            return parse_public_keys(beside.read_text(), str(beside))[0]
        # Works for a key without a passphrase; nobody is asked for one.
        finished = run(
            Command.of("ssh-keygen", "-y", "-P", "", "-f", path), timeout=10, check=False
        )
    except (OSError, UnicodeDecodeError, UsageError, CommandFailed, CommandMissing):
        return None
    return finished.text if finished.status == 0 and _is_public_key(finished.text) else None


def _configured_identities(link: Link) -> list[Path]:
    words = ["ssh", "-G", *(("-F", link.ssh_config) if link.ssh_config else ())]
    finished = run(Command.of(*words, "--", link.target), timeout=10, check=False)
    found = [line.partition(" ") for line in finished.text.splitlines()]
    return [Path(value).expanduser() for key, _, value in found if key == "identityfile"]


def _agent_keys() -> list[str]:
    try:
        finished = run(Command.of("ssh-add", "-L"), timeout=5, check=False)
    except (CommandFailed, CommandMissing):
        return []
    if finished.status != 0:
        return []
    return [line for line in finished.text.splitlines() if _is_public_key(line)]
