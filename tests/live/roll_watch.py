"""What a roll looks like from outside: a client that asks all the time, and heartbeats in logs."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import monotonic
from typing import NamedTuple

from tests.kubernetes_schema import text_faults
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE

from skerry.lab.network import open_socket

# Prints a line ten times a second until it is told to stop.
BEAT = "trap 'exit 0' TERM; while :; do echo beat VERSION; sleep 0.1; done"
# A node's file with the time from which on beats are read.
_SINCE = "/root/beats-since"
_EMPTY = "journalctl -q --rotate; journalctl -q --vacuum-time=1us"
_UNIT = re.compile(r"skerry-(?P<workload>[^.]+)\.(?P<replica>\d+)(-[0-9a-f]{8})?\.service")


def beating(kind: str, version: str, *lines: str, command: str = BEAT) -> str:
    """A manifest of the kind, with its `lines` under `spec`, whose pods beat their version."""
    words = json.dumps(command.replace("VERSION", version))
    more = "\n  ".join(lines)
    # A part of it is lines of the test's: what kubectl would say is asked of the whole.
    text = f"""\
kind: {kind}
metadata: {{name: beat}}
spec:
  selector: {{matchLabels: {{app: beat}}}}
  {more}
  template:
    metadata: {{labels: {{app: beat}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: beat
          image: {BUSYBOX_IMAGE}
          command: [/bin/busybox, sh, -c, {words}]
"""
    text = f"apiVersion: apps/v1\n{text}"
    assert text_faults(text) == []
    return text


class Beats(NamedTuple):
    """The first and the last heartbeat of one version of one replica, in seconds."""

    first: float
    last: float
    widest_gap: float


def read_beats(cloud: LiveCloud, node: str) -> dict[tuple[int, str], Beats]:
    """All heartbeats of a node by replica and version. The nodes of a lab share a clock."""
    return {key: _beats(sorted(found)) for key, found in _times(cloud, node).items()}


def widest_gap(cloud: LiveCloud, node: str) -> float:
    """The longest time on a node without a heartbeat of any version, in seconds."""
    return _beats(
        sorted(time for found in _times(cloud, node).values() for time in found)
    ).widest_gap


def _times(cloud: LiveCloud, node: str) -> dict[tuple[int, str], list[float]]:
    text = cloud.shell(
        node, f"set -e; since=$(cat {_SINCE}); journalctl --sync; journalctl -q --no-pager "
        "--since=$since -o json --output-fields=MESSAGE,_SYSTEMD_UNIT -u 'skerry-beat.*'",
    ).text  # fmt: skip
    times: dict[tuple[int, str], list[float]] = {}
    for line in text.splitlines():
        entry = json.loads(line)
        match = _UNIT.fullmatch(str(entry.get("_SYSTEMD_UNIT")))
        words = str(entry.get("MESSAGE")).split()
        if match and len(words) == 2 and words[0] == "beat":
            key = (int(match["replica"]), words[1])
            times.setdefault(key, []).append(int(entry["__REALTIME_TIMESTAMP"]) / 1e6)
    return times


def forget_beats(cloud: LiveCloud) -> None:
    """What beats from now on is this test's: earlier beats are not read, and emptied away.

    Emptying alone would not do. On btrfs journald copies each archived journal in the background
    and puts the copy in its place: also where the journal was deleted meanwhile.
    """
    for node in cloud.addresses:
        cloud.shell(node, f"set -e; journalctl --sync; date +@%s.%6N >{_SINCE}; {_EMPTY}")


def _beats(times: list[float]) -> Beats:
    gaps = [after - before for before, after in pairwise(times)]
    return Beats(times[0], times[-1], max(gaps, default=0.0))


class Client:
    """Asks one of two nodes for a page, all the time.

    It asks the node that it believes healthy; on an error it believes in the other one and asks
    that at once. A request that fails there too is lost: on a healthy node nothing is retried.
    """

    def __init__(self, cloud: LiveCloud, nodes: tuple[str, str], port: int) -> None:
        self.namespace = cloud.lab.network.path
        self.targets = [(cloud.addresses[node], port) for node in nodes]
        self.believed = 0
        self.asked = 0
        self.turned = 0
        self.answers: dict[str, int] = {}
        self.lost: list[str] = []

    def ask(self) -> None:
        """One request of a user."""
        self.asked += 1
        for _ in self.targets:
            try:
                answer = self._fetch(self.targets[self.believed])
            except OSError as error:
                self.turned += 1
                self.believed = 1 - self.believed
                fault = f"{self.targets[1 - self.believed][0]}: {error!r}"
                continue
            self.answers[answer] = self.answers.get(answer, 0) + 1
            return
        self.lost.append(fault)

    def _fetch(self, target: tuple[str, int]) -> str:
        with open_socket(self.namespace) as connection:
            connection.settimeout(3)
            connection.connect(target)
            connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.") or b" 200 " not in head.splitlines()[0] or not body:
            raise ConnectionError(f"answered {answer[:60]!r}")
        return body.decode().strip()


@contextmanager
def asking(client: Client, *, at_least: int, within: float = 120.0) -> Iterator[Client]:
    """The client asks for as long as the block lasts, and on until it has asked often enough."""
    is_over = threading.Event()
    until = monotonic() + within

    def run() -> None:
        while not is_over.is_set() or (client.asked < at_least and monotonic() < until):
            client.ask()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield client
    finally:
        is_over.set()
        thread.join(within + 30)
