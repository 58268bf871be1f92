"""The package proxy: nodes reach the Debian mirror and nothing else outside the lab.

tinyproxy listens on this computer's loopback; two socats join it to the lab's network over a
UNIX socket, so that no route leads out of the lab.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.lab.cgroup import end_all, is_populated, start_in
from skerry.lab.network import Network
from skerry.lab.places import Places

PORT = 3142
"""Where the nodes find the proxy, on their gateway."""


def start_proxy(places: Places, network: Network, cgroup: Path, hosts: list[str]) -> bool:
    """Starts what is not running of the proxy, for these hosts only; False if all of it runs."""
    parts = [cgroup / name for name in ("proxy", "proxy-outside", "proxy-inside")]
    if all(is_populated(part) for part in parts):
        return False
    for part in parts:
        end_all(part)
    port = _free_port()
    outside, inside = places.state / "proxy.sock", places.logs / "proxy.log"
    outside.unlink(missing_ok=True)
    settings = _write_settings(places.state, port, hosts)
    start_in(parts[0], Command.of("tinyproxy", "-d", "-c", settings), log=inside)
    start_in(
        parts[1],
        Command.of("socat", f"UNIX-LISTEN:{outside},fork", f"TCP:127.0.0.1:{port}"),
        log=inside,
    )
    listen = f"TCP-LISTEN:{PORT},fork,reuseaddr"
    start_in(parts[2], network.inside("socat", listen, f"UNIX-CONNECT:{outside}"), log=inside)
    return True


def _write_settings(folder: Path, port: int, hosts: list[str]) -> Path:
    allowed = folder / "proxy-hosts"
    allowed.write_text("".join(f"^{re.escape(host)}$\n" for host in hosts))
    settings = folder / "tinyproxy.conf"
    settings.write_text(
        f"Port {port}\n"
        "Listen 127.0.0.1\n"
        "Timeout 60\n"
        "MaxClients 100\n"
        "DisableViaHeader Yes\n"
        "ConnectPort 443\n"
        "FilterDefaultDeny Yes\n"
        f'Filter "{allowed}"\n'
        f"{_render_upstream()}"
    )
    return settings


def _render_upstream() -> str:
    """The proxy that this computer itself must use, if any, as tinyproxy has it."""
    dump = run(Command.of("apt-config", "dump"), check=False).text
    found = re.search(r'^Acquire::http::Proxy "(?:http://)?([^/"]+)/?";$', dump, re.MULTILINE)
    by_environment = os.environ.get("http_proxy", "").removeprefix("http://").rstrip("/")
    upstream = found[1] if found else by_environment
    return f"Upstream http {upstream}\n" if upstream and upstream != "DIRECT" else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
