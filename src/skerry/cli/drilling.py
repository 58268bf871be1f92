"""A drill: what is looked at, the kill itself, and what came of it."""

from __future__ import annotations

import socket
import time
from threading import Event
from typing import TYPE_CHECKING

from skerry.errors import NodeError, UsageError
from skerry.model.cronjob import CronJob
from skerry.model.job import Job
from skerry.observe.answering import Door, UnitsOn, Watch
from skerry.render.drill import Result

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.lab import Lab
    from skerry.model.cloud import Workload

_NOT_WATCHED = ("job", "cron", "timer", "init")


class Drill:
    """One run: `before` is the cloud as it is, `after` the same without the node."""

    def __init__(
        self, before: OpenCloud, after: OpenCloud, name: str, lab: Lab | None, *, timeout: float
    ) -> None:
        self.before = before
        self.after = after
        self.name = name
        self.lab = lab
        self.timeout = timeout
        self.killed = 0.0
        self.apply_began = 0.0
        self.watches = {
            workload: self._watch(cloud)
            for workload, cloud in before.cloud.workloads.items()
            if not isinstance(cloud.manifest, Job | CronJob) and before.placements.of(workload)
        }

    def begin(self) -> None:
        """Looks until all workloads answer that are to survive. Raises UsageError."""
        for watch in self.watches.values():
            watch.start()
        deadline, pause = time.monotonic() + self.timeout, Event()
        while not all(watch.is_answering for watch in self.watches.values()):
            if time.monotonic() > deadline:
                silent = [name for name, one in self.watches.items() if not one.is_answering]
                self.end()
                raise UsageError(
                    f"{', '.join(sorted(silent))} does not answer now: nothing was killed",
                    hint="a drill begins when all is well; see `skerry status`",
                )
            pause.wait(0.05)

    def kill(self) -> None:
        """The node goes: a lab's vanishes, a real one is powered off at once."""
        for watch in self.watches.values():
            watch.forget(self.name, self._host(self.name))
        # A look at it that is under way would hang until its time is over, and whatever comes up
        # elsewhere meanwhile would seem never to have been away.
        from skerry.edge.ssh import close_connection

        close_connection(self.before.link(self.name, timeout=self.timeout))
        if self.lab is not None:
            self.killed = time.monotonic()
            self.lab.node(self.name).kill()
            return
        from skerry.edge.ssh import run_remote

        link = self.before.link(self.name, timeout=self.timeout)
        self.killed = time.monotonic()
        try:
            # Off without a shutdown, as when the power fails.
            run_remote(link, "sudo -n systemctl poweroff --force --force", timeout=10)
        except NodeError:
            # The connection ends with the node.
            return

    def wait_for_answers(self, within: float) -> None:
        """Waits until everything that may run answers, for `within` seconds at most."""
        held = self._held()
        deadline, pause = time.monotonic() + within, Event()
        while time.monotonic() < deadline and not all(
            watch.is_answering for name, watch in self.watches.items() if name not in held
        ):
            pause.wait(0.05)

    def end(self) -> None:
        """Stops looking."""
        for watch in self.watches.values():
            watch.stop()

    def results(self) -> list[Result]:
        """What became of each workload."""
        held = self._held()
        results = []
        for name, watch in sorted(self.watches.items()):
            again = watch.answered_again(self.killed)
            state = "never-stopped" if again == 0.0 else "answered" if again else "silent"
            if state == "silent" and name in held:
                state = "held"
            is_timed = state == "answered" and again is not None
            results.append(
                Result(
                    workload=name,
                    before=tuple(self.before.placements.of(name)),
                    after=tuple(self.after.placements.of(name)),
                    state=state,
                    from_kill=round(again - self.killed, 2) if is_timed and again else None,
                    from_apply=round(max(0.0, again - self.apply_began), 2)
                    if is_timed and again
                    else None,
                    words=held.get(name, ""),
                )
            )
        return results

    def _held(self) -> dict[str, str]:
        return {one.workload: one.describe() for one in self.after.placements.held}

    def _watch(self, workload: Workload) -> Watch:
        doors = self._doors(workload)
        units: list[UnitsOn] = []
        if not doors:
            for opened in (self.before, self.after):
                units += self._units(workload.name, opened)
        return Watch(doors, units, self._open_socket)

    def _doors(self, workload: Workload) -> list[Door]:
        """The first host port of the workload's pods, on all nodes that may have it."""
        spec, doors = workload.spec, []
        for container in spec.containers:
            probes = (container.readiness_probe, container.liveness_probe, container.startup_probe)
            for port in container.ports:
                number = port.container_port if spec.host_network else port.host_port
                if number is None or port.protocol != "TCP" or port.host_ip is not None:
                    continue
                paths = {
                    probe.http_get.path
                    for probe in probes
                    if probe is not None
                    and probe.http_get is not None
                    and probe.http_get.scheme == "HTTP"
                    and probe.http_get.port in (port.container_port, port.name)
                }
                for name in workload.nodes:
                    doors.append(Door(self._host(name), number, min(paths, default="")))
            if doors:
                break
        return doors

    def _units(self, workload: str, opened: OpenCloud) -> list[UnitsOn]:
        """The units of each of the workload's replicas."""
        found = []
        for node in opened.placements.of(workload):
            replicas: dict[int, list[str]] = {}
            ready: dict[int, list[str]] = {}
            for name, unit in opened.trees[node].units.items():
                if unit.workload == workload and unit.role not in _NOT_WATCHED:
                    replicas.setdefault(unit.replica, []).append(name)
                    if unit.ready:
                        ready.setdefault(unit.replica, []).append(unit.ready)
            link = opened.link(node, timeout=self.timeout)
            found += [
                UnitsOn(link, tuple(names), tuple(ready.get(replica, ())))
                for replica, names in replicas.items()
            ]
        return found

    def _host(self, name: str) -> str:
        return self.before.cloud.nodes[name].ssh.rpartition("@")[2]

    def _open_socket(self) -> socket.socket:
        if self.lab is not None:
            return self.lab.network.open_socket()
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
