"""What programs need that no trace of them shows, as each of them may look at it another day."""

from __future__ import annotations

from collections.abc import Sequence

from skerry.errors import UsageError
from skerry.images.slim.spec import BELOW

# In every container, where the root has it.
ALWAYS = (
    "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/tmp", "/var/tmp", "/var/run", "/var/lock",
    "/bin", "/lib", "/lib64", "/sbin",
)  # fmt: skip
PRESETS: dict[str, tuple[str, ...]] = {
    # Who a number is: id(1), and every program that writes owners.
    "users": ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/lib/*/libnss_files.so.2"),
    # getaddrinfo(3), by files and by DNS.
    "names": (
        "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
        "/etc/services", "/etc/protocols", "/lib/*/libnss_dns.so.2", "/lib/*/libresolv.so.2",
        "/lib/*/libnss_files.so.2",
    ),
    "certs": (
        "/etc/ssl/certs" + BELOW, "/etc/ssl/openssl.cnf", "/usr/lib/ssl" + BELOW,
        "/etc/ca-certificates.conf", "/usr/share/ca-certificates" + BELOW,
        "/etc/pki/tls/certs" + BELOW, "/etc/pki/ca-trust/extracted" + BELOW,
    ),
    "zones": ("/usr/share/zoneinfo" + BELOW, "/etc/localtime", "/etc/timezone"),
    "locale": (
        "/usr/lib/locale" + BELOW, "/etc/locale.alias", "/etc/default/locale", "/etc/locale.conf",
        "/usr/share/locale/locale.alias",
    ),
    # iconv(3) finds its modules by name.
    "gconv": ("/usr/lib/*/gconv" + BELOW, "/usr/lib/gconv" + BELOW),
}  # fmt: skip
DEFAULT = ("users", "names")


def choose_presets(words: Sequence[str]) -> tuple[str, ...]:
    """The presets that are named, by commas or each alone; `DEFAULT` without any, and none for
    ``none``. Raises `UsageError` for a name that there is not."""
    chosen = tuple(one for word in words or DEFAULT for one in word.split(",") if one != "none")
    for one in chosen:
        if one not in PRESETS:
            raise UsageError(
                f"there is no preset {one!r}", hint=f"presets: {', '.join(sorted(PRESETS))}, none"
            )
    return chosen
