"""The health gate: whether units do what they were told, decided from what systemd says."""

from __future__ import annotations

import time

from skerry_node.condition import ready_seconds, try_read_stamp
from skerry_node.units import has_lost_its_container, number_of, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Mapping, Optional, Tuple

    from skerry_node.commands import Child
    from skerry_node.host import Emit, Host
    from skerry_node.units import Properties
    from skerry_node.wire import UnitEntry

    Verdict = Tuple[str, str]

HEALTHY = "healthy"
WAITING = "waiting"
FAILED = "failed"
# A unit that systemd had to start again this often since it was acted on will not come up.
MAX_RESTARTS = 3
_FIRST_PAUSE = 0.05
_LAST_PAUSE = 0.25
# Clocks are read one after the other: so much later a unit has surely settled, in seconds.
_TICK = 0.002
# Between events that say what is waited for: the operator counts on a word now and then.
HEARTBEAT = 10.0
# How long those that are about to fail are waited for once another one has failed, in seconds.
_LAST_WORDS = 5.0
# A start that waits for other units may wait so much longer than its own deadline, in seconds:
# theirs decide.
_QUEUE_LIMIT = 1200.0
_PATIENT_STATES = ("active", "activating", "reloading", "deactivating", "refreshing", "maintenance")


class Acted:
    """A unit that was acted on: its entry, the verb, its state before.

    `at` is when, in seconds on the monotonic clock, and `restarts_before` systemd's count then;
    `ending` how it ended when it last did so.
    """

    def __init__(self, entry: UnitEntry, verb: str, at: float, restarts_before: int = 0) -> None:
        self.entry = entry
        self.verb = verb
        self.at = at
        self.restarts_before = restarts_before
        self.ending = ""


def judge(
    acted: Acted,
    properties: Properties,
    now: float,
    *,
    is_hollow: bool = False,
    ready_for: Optional[float] = float("inf"),
    stamp: Optional[str] = None,
) -> Verdict:
    """``healthy``, ``waiting`` or ``failed``, and why; `now` is on the monotonic clock.

    Healthy is a unit that has been active and ready for `settle` seconds without a break, or,
    where it `completes`, has ended with success. Failed is one that systemd gave up, that is
    started again and again, that ended by itself, or whose `deadline` is over. A hollow one is
    active but has lost its container: systemd will notice. `ready_for` are the seconds since it
    became ready, None while it is not; `stamp` tells how it ended for good.
    """
    entry = acted.entry
    load, active = properties.get("LoadState", ""), properties.get("ActiveState", "")
    result = properties.get("Result", "")
    if load == "not-found":
        return FAILED, "there is no such unit: its file was not taken (is it valid?)"
    if load == "masked":
        return FAILED, "it is masked: `systemctl unmask` it on the node"
    if load not in ("loaded", ""):
        return FAILED, "systemd cannot load it (%s)" % load
    count = number_of(properties, "NRestarts")
    # A start by hand sets the count back, so it may be lower than it was.
    restarts = count - acted.restarts_before if count >= acted.restarts_before else count
    if active == "failed" or properties.get("SubState", "").startswith("auto-restart"):
        # As soon as it is started again systemd tells of the new run.
        acted.ending = ending_of(properties)
        if entry.get("role") == "job":
            # It is tried again, after ever longer waits: nobody is to wait for that.
            return FAILED, "failed at once: %s" % acted.ending
    if restarts >= MAX_RESTARTS:
        words = "started again %d times" % restarts
        return FAILED, words + (" (%s)" % acted.ending if acted.ending else "")
    has_job = number_of(properties, "Job") != 0
    ended = number_of(properties, "InactiveEnterTimestampMonotonic") / 1e6
    # A pod that takes its time to stop is systemd's matter (TimeoutStopSec): the deadline is for
    # what comes after.
    begun = max(acted.at, ended)
    if active in ("inactive", "failed") and has_job:
        # What it waits for (an init container, a sidecar) has a deadline of its own.
        late = now - acted.at > entry["deadline"] + _QUEUE_LIMIT
    else:
        begun = max(begun, number_of(properties, "InactiveExitTimestampMonotonic") / 1e6)
        late = active != "deactivating" and now - begun > entry["deadline"]
    if active == "failed" and not has_job:
        return FAILED, ending_of(properties)
    if not is_hollow and settles_in(acted, properties, now, ready_for) <= 0.0:
        return HEALTHY, ""
    if active == "inactive" and not has_job and stamp is not None and entry["completes"]:
        result, _, status = stamp.partition(" ")
        return (HEALTHY, "") if result == "success" else (FAILED, "%s %s" % (result, status))
    if active == "inactive" and not has_job and ended >= acted.at:
        if not entry["completes"]:
            return FAILED, "ended by itself (%s)" % ending_of(properties)
        if result == "success":
            return HEALTHY, ""
    if late:
        shown = "%s/%s" % (active, properties.get("SubState", ""))
        if is_hollow:
            shown += ", but its container has ended"
        elif active == "active" and ready_for is None:
            shown += ", but not ready"
        return FAILED, "not healthy within %g s: %s" % (entry["deadline"], shown)
    return WAITING, active


def is_about_to_fail(properties: Properties) -> bool:
    """Whether the unit ends although nobody has told it to: what is done after it is under way."""
    return properties.get("ActiveState") == "deactivating" and number_of(properties, "Job") == 0


def settles_in(
    acted: Acted, properties: Properties, now: float, ready_for: Optional[float]
) -> float:
    """In how many seconds the unit will have been active and ready for long enough, if it stays
    so; infinite while it is not."""
    if properties.get("ActiveState") != "active" or number_of(properties, "Job") != 0:
        return float("inf")
    entered = number_of(properties, "ActiveEnterTimestampMonotonic") / 1e6
    if ready_for is None or (acted.verb == "restart" and entered < acted.at):
        return float("inf")
    active_for = now - max(entered, acted.at if acted.verb == "reload" else 0.0)
    return acted.entry["settle"] - min(active_for, ready_for)


def wait_for_health(
    host: Host,
    acted: Mapping[str, Acted],
    emit: Emit,
    jobs: Optional[Child] = None,
    *,
    notices_failures: bool = True,
) -> Dict[str, str]:
    """Waits until every unit is healthy or failed; the failed ones with their reasons.

    One failed unit ends the wait for the others: the node goes back in any case. They are looked
    at once more, and those that are about to fail are waited for: what one fell for shall be named
    beside it. Without `notices_failures` it goes
    on until each has a verdict. `jobs` is a program that ends when systemd has done what it was
    told: that is looked at without delay.
    """
    waiting = dict(acted)
    failed: Dict[str, str] = {}
    pause, said = _FIRST_PAUSE, time.monotonic()
    over: Optional[float] = None
    with Watch(jobs) as watch:
        watch.wait_for_jobs(pause)
        while waiting:
            states = show(host, sorted(waiting))
            now, settled, is_ending = time.monotonic(), float("inf"), False
            for unit, properties in states.items():
                is_hollow = has_lost_its_container(host, properties)
                entry = waiting[unit].entry
                ready_for = ready_seconds(host, entry)
                verdict, why = judge(
                    waiting[unit],
                    properties,
                    now,
                    is_hollow=is_hollow,
                    ready_for=ready_for,
                    stamp=try_read_stamp(host, entry),
                )
                if verdict == WAITING:
                    is_ending |= is_about_to_fail(properties)
                    left = settles_in(waiting[unit], properties, now, ready_for)
                    settled = min(settled, left) if left > 0 else settled
                    continue
                taken = round(now - waiting.pop(unit).at, 3)
                emit(
                    {"event": "unit", "unit": unit, "state": verdict, "why": why, "seconds": taken}
                )
                said = now
                if verdict == FAILED:
                    failed[unit] = why
            if failed and notices_failures:
                if over is not None and (not is_ending or now > over):
                    break
                over = over if over is not None else now + _LAST_WORDS
            if waiting:
                if now - said > HEARTBEAT:
                    emit({"event": "waiting", "units": sorted(waiting)})
                    said = now
                # What is settling is looked at as soon as that is over.
                watch.sleep(min(pause, settled + _TICK))
                pause = min(pause * 1.3, _LAST_PAUSE)
    return failed


class Watch:
    """Waits between two looks at units, for as long as there is nothing new.

    `jobs` is a program that ends when systemd has done what it was told.
    """

    def __init__(self, jobs: Optional[Child]) -> None:
        self.jobs = jobs

    def wait_for_jobs(self, seconds: float) -> None:
        """Waits where it can be told when the jobs are done; else there is all to look at."""
        if self.jobs is not None:
            self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Waits so many seconds, or until the jobs are done."""
        if self.jobs is None:
            time.sleep(seconds)
        elif self.jobs.has_ended(seconds):
            self.close()

    def close(self) -> None:
        """Nobody waits for the jobs any more."""
        if self.jobs is not None:
            self.jobs.leave()
            self.jobs = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def shown_units(failed: Mapping[str, str]) -> str:
    """Failed units with their reasons, in one line."""
    words: List[str] = ["%s: %s" % (unit, why) for unit, why in sorted(failed.items())]
    return "; ".join(words)


def ending_of(properties: Properties) -> str:
    """How a unit's last run ended."""
    status = number_of(properties, "ExecMainStatus")
    result = properties.get("Result", "") or "unknown"
    if result == "exit-code" or (result == "success" and status):
        return "exit status %d" % status
    return result if result != "success" else "exit status 0"
