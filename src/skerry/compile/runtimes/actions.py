"""What a probe or a hook does, as a shell function for the node's probe program.

Source: Kubernetes API reference, Probe and LifecycleHandler v1 core.
"""

from __future__ import annotations

import shlex
from urllib.parse import quote

from skerry.model.container import Container
from skerry.model.probe import (
    ExecAction,
    HTTPGetAction,
    LifecycleAction,
    Probe,
    SleepAction,
    TCPSocketAction,
)

# What may stand in a path and a query as it is (RFC 3986, 3.3 and 3.4), and what is escaped there
# already.
_PATH_SIGNS = "/?:@!$&'()*+,;=-._~%[]"


def compile_action(container: Container, action: Probe | LifecycleAction) -> str:
    """The command; an answer of a hook's server is taken whatever it says, as Kubernetes does."""
    if action.exec is not None:
        return _exec(action.exec)
    if action.http_get is not None:
        name = "http_get" if isinstance(action, Probe) else "http_call"
        return _http(container, action.http_get, name)
    if isinstance(action, Probe):
        assert action.tcp_socket is not None
        return _tcp(container, action.tcp_socket)
    assert action.sleep is not None
    return _sleep(action.sleep)


def needs_address(action: Probe | LifecycleAction | None) -> bool:
    """Whether it is made over the network to the pod's own address."""
    if action is None:
        return False
    places: list[HTTPGetAction | TCPSocketAction | None] = [action.http_get]
    if isinstance(action, Probe):
        places.append(action.tcp_socket)
    return any(place is not None and place.host is None for place in places)


def needed_programs(action: Probe | LifecycleAction | None) -> tuple[str, ...]:
    """The programs of the node that do the looking."""
    if action is None:
        return ()
    own = ("nsenter", "ip") if needs_address(action) else ()
    if action.http_get is not None:
        return (*own, "curl")
    if isinstance(action, Probe) and action.tcp_socket is not None:
        return (*own, "bash")
    return own


def port_number(container: Container, port: int | str) -> int | None:
    """A port by its number or by its name among the container's; None where there is none."""
    if isinstance(port, int):
        return port
    return next((one.container_port for one in container.ports if one.name == port), None)


def _exec(action: ExecAction) -> str:
    return _call("run_inside", *action.command)


def _http(container: Container, action: HTTPGetAction, name: str) -> str:
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    # curl drops a header that ends with ":" and sends an empty one that ends with ";".
    headers = [
        f"{header.name}: {header.value}" if header.value else f"{header.name};"
        for header in action.http_headers
    ]
    return _call(
        name,
        action.scheme.lower(),
        _host(action.host),
        str(port_number(container, action.port)),
        quote(path.partition("#")[0], safe=_PATH_SIGNS),
        *headers,
    )


def _tcp(container: Container, action: TCPSocketAction) -> str:
    return _call("tcp_connect", _host(action.host), str(port_number(container, action.port)))


def _sleep(action: SleepAction) -> str:
    return _call("pause", str(action.seconds))


def _host(host: str | None) -> str:
    return "" if host is None else f"[{host}]" if ":" in host else host


def _call(*words: str) -> str:
    return " ".join(map(shlex.quote, words))
