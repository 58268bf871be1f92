"""Probes and hooks of containers (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.origin import Located
from skerry.model.words import AtLeastOne, Port, PortName, Seconds

HeaderName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
        description="the name of an HTTP header",
    ),
]
HeaderValue = Annotated[
    str, msgspec.Meta(pattern=r"^[^\x00\r\n]*$", description="text on one line")
]
UrlPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x20\x7f]*$",
        description="the path of a URL (no spaces, no control characters)",
    ),
]
HostName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9A-Za-z:]([-0-9A-Za-z.:]{0,251}[0-9A-Za-z:])?$",
        description="a host's name or address",
    ),
]


class ExecAction(Located, frozen=True, kw_only=True):
    """A command in the container, without a shell; success is exit status 0."""

    command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class HTTPHeader(Located, frozen=True, kw_only=True):
    """A header of a request."""

    name: HeaderName
    value: HeaderValue = ""


class HTTPGetAction(Located, frozen=True, kw_only=True):
    """A GET request to the pod; success is a status from 200 to 399. HTTPS is not verified."""

    port: Port | PortName
    path: UrlPath = "/"
    host: HostName | None = None
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Located, frozen=True, kw_only=True):
    """A TCP connection to the pod; success is that it is accepted."""

    port: Port | PortName
    host: HostName | None = None


class Probe(Located, frozen=True, kw_only=True):
    """A check that is made again and again; exactly one of its actions is given. In seconds."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    initial_delay_seconds: Seconds = 0
    period_seconds: AtLeastOne = 10
    timeout_seconds: AtLeastOne = 1
    success_threshold: AtLeastOne = 1
    failure_threshold: AtLeastOne = 3
    termination_grace_period_seconds: AtLeastOne | None = None


class SleepAction(Located, frozen=True, kw_only=True):
    """A pause, in seconds."""

    seconds: Seconds


class LifecycleAction(Located, frozen=True, kw_only=True):
    """What is done at a moment in a container's life; exactly one of the actions is given."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Located, frozen=True, kw_only=True):
    """What is done right after a container has started, and before it is told to stop."""

    post_start: LifecycleAction | None = None
    pre_stop: LifecycleAction | None = None
