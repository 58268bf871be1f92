"""One question to a workload on this machine, by HTTP or over a TCP connection."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
_CHUNK = 4096
# The end of an answer that is shown, in bytes.
_SHOWN = 200


def try_ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str = "",
    is_tls: bool = False,
    within: float,
) -> str:
    """Asks by HTTP; what is wrong with the answer, "" where nothing is: it is below 400.

    A certificate may be anybody's: it is not the network that is in doubt. `within` is in seconds.
    """
    connection: http.client.HTTPConnection
    if is_tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=within, context=context)
    else:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=within)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return f"answered {answer.status}" if answer.status >= 400 else ""


def try_talk(port: int, send: str, expect: str, *, within: float) -> str:
    """Sends words over a new connection; what is wrong, "" where the answer has `expect` in it."""
    wanted, heard = expect.encode(), b""
    try:
        with socket.create_connection((LOOPBACK, port), within) as connection:
            connection.sendall(send.encode())
            while wanted not in heard:
                chunk = connection.recv(_CHUNK)
                if not chunk:
                    return f"{expect!r} was not in the answer {heard[-_SHOWN:]!r}"
                heard += chunk
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def is_listened_on(port: int) -> bool:
    """Whether a port of the loopback takes connections."""
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True
