"""systemd's view of units, and the verbs on them."""

from __future__ import annotations

import os
import time

from skerry_node.basics import STATE_FOLDER
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional, Sequence, Tuple

    from skerry_node.commands import Child, Finished
    from skerry_node.host import Emit, Host
    from skerry_node.wire import UnitState

    Properties = Dict[str, str]

_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,MemoryCurrent,Job,"
    "ExecMainStatus,ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic,ControlGroup,"
    "InactiveExitTimestampMonotonic,NextElapseUSecRealtime"
)
# How systemd prints a number that is not known: words, or the largest number there is.
_UNKNOWN = ("", "[not set]", "18446744073709551615")
STOP_DEADLINE = 150.0
_VOLUME_FOLDER = STATE_FOLDER + "/volumes/"
# systemd and its generators read what lies below.
_UNIT_FOLDERS = ("/etc/systemd/system/", "/etc/containers/systemd/")
_QUADLET = "/usr/lib/systemd/system-generators/podman-system-generator"


def start_show(host: Host, units: Sequence[str]) -> Optional[Child]:
    """Asks systemd for these units; the answer is read by `finish_show`."""
    if not units:
        return None
    return host.commands.start("systemctl", "show", "--property=" + _PROPERTIES, "--", *units)


def finish_show(child: Optional[Child], units: Sequence[str]) -> Dict[str, Properties]:
    """The properties of each unit; one that does not exist has the load state ``not-found``."""
    if child is None:
        return {}
    finished = child.finish()
    finished.raise_unless_done()
    return parse_show(finished.text, units)


def show(host: Host, units: Sequence[str]) -> Dict[str, Properties]:
    """The properties of each unit, by its name."""
    return finish_show(start_show(host, units), units)


def parse_show(text: str, units: Sequence[str]) -> Dict[str, Properties]:
    """``systemctl show`` prints one paragraph per unit, in the order in which they were named."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    if len(blocks) != len(units):
        raise NodeFault(
            "command-failed",
            "systemctl show told of %d units, not of %d" % (len(blocks), len(units)),
            detail=text[:2000],
        )
    found = {}
    for unit, block in zip(units, blocks):
        lines = (line.partition("=") for line in block.splitlines())
        found[unit] = {key: value for key, equals, value in lines if equals}
    return found


def number_of(properties: Properties, key: str) -> int:
    """A numeric property, 0 where it is not known."""
    value = properties.get(key, "")
    return int(value) if value not in _UNKNOWN and value.lstrip("-").isdigit() else 0


def state_of(properties: Properties) -> UnitState:
    """The unit's state in the words of the wire format."""
    memory = properties.get("MemoryCurrent", "")
    active = properties.get("ActiveState", "inactive")
    # The wall clock at a time on the monotonic clock, in microseconds, that systemd reports.
    offset = time.time() - time.monotonic()
    entered = number_of(properties, "ActiveEnterTimestampMonotonic")
    ended = number_of(properties, "InactiveEnterTimestampMonotonic")
    is_active = active in ("active", "reloading") and entered
    return {
        "load": properties.get("LoadState", "not-found"),
        "active": active,
        "sub": properties.get("SubState", "dead"),
        "result": properties.get("Result", "success"),
        "enabled": properties.get("UnitFileState", ""),
        "restarts": number_of(properties, "NRestarts"),
        "since": round(offset + entered / 1e6, 3) if is_active else 0.0,
        "ended": round(offset + ended / 1e6, 3) if ended else 0.0,
        "memory": int(memory) if memory not in _UNKNOWN and memory.isdigit() else None,
        "exit_status": number_of(properties, "ExecMainStatus"),
        "queued": active == "inactive" and number_of(properties, "Job") != 0,
        "ready": True,
        "completed": False,
        "runs": [],
        "next": 0.0,
    }


def stop_units(
    host: Host, units: Sequence[str], grace: float = 0.0, emit: Optional[Emit] = None
) -> None:
    """Stops units and waits until they are down; one that does not exist is down.

    `grace` is how much longer that may take because of what they ask for, in seconds. While it
    takes long the operator is told, who would think that the node is gone.
    """
    if not units:
        return

    def say() -> None:
        if emit is not None:
            emit({"event": "waiting", "units": list(units)})

    child = host.commands.start("systemctl", "stop", "--", *units)
    finished = child.finish(STOP_DEADLINE + grace, say)
    # 5: a unit is not loaded. The others are stopped all the same.
    if finished.status not in (0, 5):
        finished.raise_unless_done()


def queue_units(host: Host, verbs: Sequence[Tuple[str, Sequence[str]]]) -> Optional[Child]:
    """Has systemd start, restart or reload units, and does not wait.

    One call for all of a verb: systemd orders the jobs by the units' own ``After=``. Units that
    do not exist are not an error here: the health gate names them. Returns a program that ends
    when the jobs of the last verb are done, which is told at once, where systemd would have to be
    asked again and again; None where there is nothing to do.
    """
    wanted = [(verb, units) for verb, units in verbs if units]
    for verb, units in wanted[:-1]:
        host.commands.run("systemctl", "--no-block", verb, "--", *units)
    if not wanted:
        return None
    verb, units = wanted[-1]
    return host.commands.start("systemctl", verb, "--", *units)


def reset_failed(host: Host, units: Sequence[str]) -> None:
    """Forgets failures and counts of starts, so that they do not stand in the way of a start."""
    if units:
        host.commands.run("systemctl", "reset-failed", "--", *units)


def reload_systemd(host: Host) -> None:
    """Has systemd and its generators read all units again."""
    host.commands.run("systemctl", "daemon-reload", deadline=STOP_DEADLINE).raise_unless_done()


def has_unit_files(paths: Sequence[str]) -> bool:
    """Whether systemd has to read its files again after these were touched."""
    return any(path.startswith(_UNIT_FOLDERS) for path in paths)


def remove_volumes(host: Host, volumes: Sequence[str]) -> Optional[Finished]:
    """Removes the volumes of pods that are gone; the answer where not all went.

    A path is a folder below that of the volumes; another name is a volume of Podman. Those go
    without ``--force``: that would remove containers that somebody else started on them.
    """
    for name in volumes:
        if name.startswith(_VOLUME_FOLDER) and ".." not in name.split("/"):
            import shutil

            path = host.path(name)
            # An emptyDir in memory is a file system of its own.
            if os.path.ismount(path):
                host.commands.run("umount", "--", path, deadline=STOP_DEADLINE)
            shutil.rmtree(path, ignore_errors=True)
    names = [name for name in volumes if not name.startswith("/")]
    if not names:
        return None
    finished = host.commands.run("podman", "volume", "rm", *names, deadline=STOP_DEADLINE)
    missing = ("no such volume", "no volume with name")
    lines = [
        line
        for line in finished.words.splitlines()
        if line.strip() and not any(word in line for word in missing)
    ]
    return finished if finished.status != 0 and any("rror" in line for line in lines) else None


def explain_missing(host: Host, files: Sequence[str]) -> List[str]:
    """Why Quadlet made no units of these files: what its generator says of them."""
    names = [os.path.basename(path) for path in files]
    try:
        words = host.commands.run(_QUADLET, "--dryrun").stderr.decode("utf-8", "replace")
    except NodeFault:
        return []
    lines = (line.partition("]: ")[2] or line for line in words.splitlines())
    return [
        line
        for line in lines
        if any(name in line for name in names) and not line.startswith("Loading ")
    ]


def has_lost_its_container(host: Host, properties: Properties) -> bool:
    """Whether the unit's container has ended though systemd has not noticed yet.

    Podman's supervisor (conmon) is in the folder ``runtime`` of the unit's cgroup and what it
    runs in ``libpod-payload-ID``; between the container's end and conmon's the unit still counts
    as active, for longer the busier the machine is. A unit without these folders has lost
    nothing, and neither has one that is active because its container has ended, as an init
    container's.
    """
    if properties.get("SubState") == "exited":
        return False
    cgroup = properties.get("ControlGroup", "")
    folder = host.path("/sys/fs/cgroup" + cgroup)
    if not cgroup or not os.path.isdir(os.path.join(folder, "runtime")):
        return False
    for name in os.listdir(folder):
        if name.startswith("libpod-payload-"):
            try:
                with open(os.path.join(folder, name, "cgroup.events")) as file:
                    if "populated 1" in file.read():
                        return False
            except OSError:
                continue
    return True
