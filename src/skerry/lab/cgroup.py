"""Control groups: how a lab's processes are started, found, frozen and ended.

A lab has one cgroup, and each node one inside it. A process cannot leave its cgroup, so whatever
a node has started is found here without looking at names.
"""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.errors import LabError
from skerry.lab.host import Host

# "0" is the writer itself: the shell moves and then becomes the program.
_START = 'echo 0 >"$1/cgroup.procs" && log=$2 && shift 2 && exec setsid --fork "$@" >>"$log" 2>&1'


def make_lab_cgroup(host: Host, key: str) -> Path:
    """The lab's cgroup, made if it is not there."""
    unit = f"skerry-lab-{key}"
    if not host.is_systemd:
        path = host.cgroups / unit
        path.mkdir(exist_ok=True)
        return path
    # On a systemd machine the tree is systemd's: a delegated unit is ours to divide. The unit
    # lives as long as its one process, which must not stand in the way of controllers.
    if find_lab_cgroup(host, key) is None:
        run(
            Command.of(
                "systemd-run", "--quiet", "--collect", f"--unit={unit}", "--service-type=exec",
                "--property=Delegate=yes", "--property=TasksMax=infinity",
                "tail", "-f", "/dev/null",
            )
        )  # fmt: skip
    found = find_lab_cgroup(host, key)
    if found is None:
        raise LabError(f"systemd did not start {unit}.service", hint=f"systemctl status {unit}")
    holder = found / "holder"
    holder.mkdir(exist_ok=True)
    for pid in (found / "cgroup.procs").read_text().split():
        (holder / "cgroup.procs").write_text(pid)
    pass_controllers(found)
    return found


def find_lab_cgroup(host: Host, key: str) -> Path | None:
    """The lab's cgroup, or None where there is none."""
    unit = f"skerry-lab-{key}"
    path = host.cgroups / unit
    if host.is_systemd:
        show = Command.of("systemctl", "show", "--property=ControlGroup", "--value", unit)
        name = run(show, check=False).text
        path = host.cgroups / (name.lstrip("/") or unit)
    return path if path.is_dir() else None


def remove_lab_cgroup(host: Host, key: str) -> None:
    """Ends every process of the lab and removes its cgroup."""
    path = find_lab_cgroup(host, key)
    if path is not None:
        end_all(path)
        remove_tree(path)
    if host.is_systemd:
        run(Command.of("systemctl", "stop", f"skerry-lab-{key}.service"), check=False)


def pass_controllers(cgroup: Path) -> None:
    """Lets the groups inside `cgroup`, which has no processes of its own, use its controllers."""
    controllers = (cgroup / "cgroup.controllers").read_text().split()
    if controllers:
        (cgroup / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def start_in(cgroup: Path, command: Command, *, log: Path) -> None:
    """Starts `command` in `cgroup`, detached from us; its words go to the end of `log`."""
    cgroup.mkdir(parents=True, exist_ok=True)
    argv = ("sh", "-c", _START, "sh", str(cgroup), str(log), *command.argv)
    run(Command(argv, command.env, command.cwd))


def is_populated(cgroup: Path) -> bool:
    """Whether any process lives in `cgroup` or below."""
    return _read_event(cgroup, "populated") == "1"


def is_frozen(cgroup: Path) -> bool:
    """Whether every process in `cgroup` and below stands still."""
    return _read_event(cgroup, "frozen") == "1"


def set_frozen(cgroup: Path, wanted: str) -> None:
    """Freezes ("1") or thaws ("0") all processes in `cgroup`; returns when it is so."""
    (cgroup / "cgroup.freeze").write_text(wanted)
    _wait_event(cgroup, "frozen", wanted, timeout=10)


def end_all(cgroup: Path) -> None:
    """Kills all processes in `cgroup` and below; returns when they are gone."""
    if cgroup.is_dir():
        (cgroup / "cgroup.kill").write_text("1")
        _wait_event(cgroup, "populated", "0", timeout=20)


def remove_tree(cgroup: Path) -> None:
    """Removes the empty `cgroup` with all below it."""
    if not cgroup.is_dir():
        return
    # Not shutil.rmtree: the files in a cgroup cannot be removed, only the folder can.
    for child in [path for path in cgroup.iterdir() if path.is_dir()]:
        remove_tree(child)
    deadline = time.monotonic() + 5
    while True:
        try:
            cgroup.rmdir()
            return
        except FileNotFoundError:
            # systemd removes what it made when it is empty.
            return
        except OSError:
            # A killed process counts as a member until it is reaped.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def read_pids(cgroup: Path) -> list[int]:
    """The processes directly in `cgroup`; empty where there is no such cgroup."""
    try:
        return [int(word) for word in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def inner_pid(pid: int) -> int | None:
    """The number of the process in its own machine; None if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return None


def started_at(pid: int) -> float:
    """When the process began, in seconds since 1970; 0 if it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # Not `btime` of /proc/stat: it has whole seconds, and a node boots within one.
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _read_event(cgroup: Path, event: str) -> str:
    try:
        lines = (cgroup / "cgroup.events").read_text().splitlines()
    except OSError:
        return "0"
    return dict(line.split() for line in lines).get(event, "0")


def _wait_event(cgroup: Path, event: str, wanted: str, *, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    try:
        file = (cgroup / "cgroup.events").open()
    except OSError:
        return
    with file:
        poll = select.poll()
        poll.register(file, select.POLLPRI)
        while _read_event(cgroup, event) != wanted:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LabError(f"{cgroup}: {event} is not {wanted} after {timeout:g} s")
            # The kernel announces each change of this file; the limit covers one that came
            # between our look and our wait.
            poll.poll(min(left, 0.1) * 1000)
            try:
                file.seek(0)
                file.read()
            except OSError:
                # systemd has removed the cgroup, as it does with an empty one of its own.
                return
