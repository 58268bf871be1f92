"""Going back to the old generation, and mending what an interrupted switch left."""

from __future__ import annotations

import time

from skerry_node.condition import remove_job_stamps, remove_stamps, stamps_of_jobs
from skerry_node.fault import NodeFault
from skerry_node.files import Replacement
from skerry_node.health import HEARTBEAT, Acted, shown_units, wait_for_health
from skerry_node.journal import (
    CONFIRMED,
    HEALTHY,
    UNDOING,
    close_journal,
    finish_confirmed,
    is_switch_running,
    try_hold_switch,
    try_move_journal,
    try_read_journal,
    write_journal,
)
from skerry_node.secrets import clean_secrets
from skerry_node.store import FAILED, UNCONFIRMED, Store
from skerry_node.units import (
    has_unit_files,
    number_of,
    queue_units,
    reload_systemd,
    remove_volumes,
    reset_failed,
    show,
    stop_units,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

    from skerry_node.commands import Child
    from skerry_node.host import Emit, Host
    from skerry_node.wire import Manifest, UnitAction, UnitEntry

    Entries = Mapping[str, UnitEntry]

UNIT_FOLDER = "/etc/systemd/system/"
_PAUSE = 0.02


def recover(host: Host, emit: Emit) -> Optional[Dict[str, Any]]:
    """Finishes or undoes an interrupted switch, as the journal's phase says.

    Returns None where there was none, or where a switch is still running; else ``number``,
    ``state`` (``active``, ``failed`` or ``unconfirmed``), ``note`` in words, and ``problem``
    (what could not be undone, or empty). For holders of the lock only.
    """
    if try_read_journal(host) is None:
        return None
    held = try_hold_switch(host)
    if held is None:
        return None
    with held:
        entry = try_read_journal(host)
        if entry is None:
            return None
        number = int(entry["number"])
        if entry["phase"] == CONFIRMED:
            finish_confirmed(host, number)
            clean_secrets(host, Store(host), emit)
            note = "the confirmed switch to generation %d was finished" % number
            return {"number": number, "state": "active", "note": note, "problem": ""}
        state = UNCONFIRMED if entry["phase"] == HEALTHY else entry.get("outcome", FAILED)
        try:
            problem = undo(host, entry, state, emit)
        except NodeFault as fault:
            if fault.id in ("state-damaged", "no-such-generation"):
                path = host.state_path("journal")
                fault.hint = (
                    "put that back from a backup; or remove %s on the node: its files and units "
                    "stay as they are then, and `skerry apply` plans from there" % path
                )
            raise
        note = "the interrupted switch to generation %d was undone" % number
        if problem:
            note += ", but not all of it: " + problem
        return {"number": number, "state": state, "note": note, "problem": problem}


def adopt_switch(host: Host, emit: Emit) -> Optional[Dict[str, Any]]:
    """Brings a running switch to its end in the place of the operator who began it.

    One that works is confirmed: that its operator can reach the node is what a confirmation says,
    and he is here. One that does not goes back by itself. Returns what `recover` does for a
    generation that is active then, None for what is left for that.
    """
    said, confirmed = time.monotonic(), None
    while is_switch_running(host):
        entry = try_read_journal(host)
        if entry is not None and entry["phase"] == HEALTHY and entry["boot"] == host.boot_id():
            number = int(entry["number"])
            if try_move_journal(host, number, HEALTHY, CONFIRMED):
                finish_confirmed(host, number)
                confirmed = number
        if time.monotonic() - said > HEARTBEAT:
            emit({"event": "waiting", "units": []})
            said = time.monotonic()
        time.sleep(_PAUSE)
    if confirmed is None:
        return None
    clean_secrets(host, Store(host), emit)
    note = "generation %d, whose operator had gone, works and was confirmed" % confirmed
    return {"number": confirmed, "state": "active", "note": note, "problem": ""}


def undo(host: Host, entry: Dict[str, Any], state: str, emit: Emit) -> str:
    """Brings files and units back to the journal's old generation and closes the journal.

    As on the way there, what comes back is up before what made way for it goes: the stages are
    taken back from the last one that was begun to the first. Returns what is wrong with the units
    of the old generation afterwards, or an empty string. Raises NodeFault or OSError where the
    files could not be brought back; the journal is open then, and the next run tries again.
    """
    started = time.monotonic()
    number, store = int(entry["number"]), Store(host)
    # An undoing that was itself interrupted may have written files that systemd has not read.
    is_repeated = entry["phase"] == UNDOING
    before, after = store.manifest(number), store.manifest(int(entry["base"]))
    request, record = store.switch_request(number), store.record(number)
    store.free_reserve()
    write_journal(host, dict(entry, phase=UNDOING, outcome=state))
    replacement = Replacement(
        host,
        store,
        before,
        after,
        adopted=request["adopted"],
        folders=record.get("folders", []),
    )
    written = replacement.write(number, is_return=True)
    if request["daemon_reload"] and (is_repeated or has_unit_files(written)):
        reload_systemd(host)
    failed: Dict[str, str] = {}

    def emit_back(event: Dict[str, Any]) -> None:
        emit(dict(event, back=True))

    for _, actions in reversed(stages_of(_begun(host, entry, request))):
        stop_for(host, actions, before["units"], after["units"], emit)
        acted, jobs = start_for(host, actions, after["units"])
        failed.update(wait_for_health(host, acted, emit_back, jobs, notices_failures=False))
    stop_units(host, unlisted_units(before, after))
    remove_job_stamps(host, before["units"], after["units"])
    removed = replacement.remove(number)
    if request["daemon_reload"] and (is_repeated or has_unit_files(removed)):
        reload_systemd(host)
    store.update_record(number, state=state, why=entry.get("why", ""))
    close_journal(host)
    clean_secrets(host, store, emit)
    emit({"event": "phase", "name": "undo", "seconds": round(time.monotonic() - started, 3)})
    lost = ["the old content of %s is lost" % path for path in replacement.lost]
    return "; ".join(lost + [shown_units(failed)] * bool(failed))


def stages_of(actions: Sequence[UnitAction]) -> List[Tuple[int, List[UnitAction]]]:
    """The actions by stage, the first stage first."""
    numbers = sorted({one["stage"] for one in actions})
    return [(number, [one for one in actions if one["stage"] == number]) for number in numbers]


def _begun(host: Host, entry: Dict[str, Any], request: Mapping[str, Any]) -> List[UnitAction]:
    """What is to be undone: the stages that were begun.

    A unit of a later stage was left alone and is left alone now, unless it was started again by
    itself meanwhile: the new files were there already.
    """
    actions: List[UnitAction] = request["undo"]
    if entry["boot"] != host.boot_id() or "stage" not in entry:
        return actions
    later = [one for one in actions if one["stage"] > entry["stage"]]
    restarts = [one["unit"] for one in later if one["verb"] == "restart"]
    entered = {
        unit: number_of(found, "ActiveEnterTimestampMonotonic") / 1e6
        for unit, found in show(host, restarts).items()
    }
    untouched = {
        one["unit"] for one in later if entered.get(one["unit"], 0.0) < float(entry["began"])
    }
    return [
        one for one in actions if one["stage"] <= entry["stage"] or one["unit"] not in untouched
    ]


def stop_for(
    host: Host, actions: Sequence[UnitAction], before: Entries, after: Entries, emit: Emit
) -> None:
    """Stops what has to be down before anything of the same stage is started.

    A unit whose file is gone has lost its ``ExecStop=`` by the time systemd reads its files
    again: so files are removed after this. A pod with volumes of its own gets new ones.
    """
    ending = [one["unit"] for one in actions if one["verb"] == "stop"]
    acted = [one["unit"] for one in actions if one["verb"] != "reload"]
    replaced = [
        one["unit"]
        for one in actions
        if one["verb"] == "restart" and one["unit"] in before and before[one["unit"]]["volumes"]
    ]
    down = ending + replaced
    grace = sum(before[unit].get("grace", 0.0) for unit in down if unit in before)
    stop_units(host, down, grace, emit)
    finished = remove_volumes(host, volumes_to_remove(down, before, after))
    if finished is not None:
        words = "some volumes could not be removed: " + finished.words[-500:]
        emit({"event": "note", "message": words})
    # A program that was told to stop may have ended with SIGTERM's status: that is no failure.
    reset_failed(host, ending)
    # Of what is started next the stamp has another name: that of what it is made from now.
    lasting = stamps_of_jobs(before)
    stamped = [before[unit] for unit in acted if unit in before]
    remove_stamps(host, [entry for entry in stamped if entry.get("completed") not in lasting])


def unlisted_units(before: Manifest, after: Manifest) -> List[str]:
    """Units whose files go and that are in no list of units, as a probe's timer.

    They stop with the unit that they belong to, but its restart may have started them once more.
    """
    gone = [path for path in before["files"] if path not in after["files"]]
    names = [path[len(UNIT_FOLDER) :] for path in gone if path.startswith(UNIT_FOLDER)]
    return sorted(name for name in names if "/" not in name and name not in before["units"])


def volumes_to_remove(down: Sequence[str], before: Entries, after: Entries) -> List[str]:
    """The volumes of pods that are down, but for those that another unit goes on using."""
    running = [entry for unit, entry in {**before, **after}.items() if unit not in down]
    kept = {volume for entry in running for volume in entry["volumes"]}
    ours = {volume for unit in down if unit in before for volume in before[unit]["volumes"]}
    return sorted(ours - kept)


def start_for(
    host: Host, actions: Sequence[UnitAction], entries: Entries
) -> Tuple[Dict[str, Acted], Optional[Child]]:
    """Starts, restarts and reloads without waiting; what the health gate has to look at, and what
    tells it that systemd is done (see `queue_units`)."""
    acted = [one for one in actions if one["verb"] != "stop" and one["unit"] in entries]
    names = [one["unit"] for one in acted]
    starting = [one["unit"] for one in acted if one["verb"] != "reload"]
    reset_failed(host, starting)
    remove_stamps(host, [entries[unit] for unit in starting])
    counts = {unit: int(found.get("NRestarts") or 0) for unit, found in show(host, names).items()}
    at = time.monotonic()
    verbs = [
        (verb, [one["unit"] for one in acted if one["verb"] == verb])
        for verb in ("reload", "restart", "start")
    ]
    jobs = queue_units(host, verbs)
    return {
        one["unit"]: Acted(entries[one["unit"]], one["verb"], at, counts[one["unit"]])
        for one in acted
    }, jobs
