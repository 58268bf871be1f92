"""What units of ours may not do: they run as root on a node, and need little of what root may.

A look at a container by HTTP or TCP reads what that container answers, so a hostile one talks to
it. What carries jobs on (`CARRIER`) is a shell with systemctl. A command that is run in a
container takes what is forbidden here along with it, as does all that Podman starts: units of
these are left as they are.

All lines are known to systemd 239, the oldest on a node. Source: systemd.exec(5).
"""

from __future__ import annotations

import shlex

from skerry.compile.runtimes.quadlet import Section

_BOTH: Section = [
    ("NoNewPrivileges", "yes"),
    ("KeyringMode", "private"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("RestrictRealtime", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
]
# More of what makes folders private takes 30 ms for each look on a small node.
LOOK: Section = [
    *_BOTH,
    # The pod's network is entered (nsenter), which belongs to a user namespace of the pod's.
    ("CapabilityBoundingSet", "CAP_SYS_ADMIN CAP_SYS_PTRACE"),
    ("RestrictNamespaces", "net"),
    # Netlink: how the resolver learns which kinds of addresses there are.
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    ("ReadWritePaths", "-/run/skerry"),
]
CARRIER: Section = [
    *_BOTH,
    # What pods leave in their volumes is of any owner and mode, and goes.
    ("CapabilityBoundingSet", "CAP_DAC_OVERRIDE CAP_FOWNER"),
    ("RestrictNamespaces", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX"),
    ("PrivateNetwork", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ReadWritePaths", "-/var/lib/skerry -/run/skerry"),
]


def transient_words(section: Section) -> str:
    """The same for ``systemd-run``, as words for a shell, a line for each."""
    words = [shlex.quote(f"--property={key}={value}") for key, value in section]
    return " \\\n        ".join(words)
