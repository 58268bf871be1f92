"""What a node answers: right, with something wrong, and as bytes that are no answer at all."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import damage, hostile
from tests.unit.wire_examples import file_entry, manifest, on_disk, unit_entry, unit_state

UNIT = "skerry-blog.0.service"
TIMER = "skerry-night.0.timer"
FILE = "/etc/containers/systemd/skerry-blog.0.container"
FACTS: dict[str, Any] = {
    "hostname": "alpha",
    "address": "198.18.1.10",
    "os_id": "debian",
    "os_version": "13",
    "os_name": "Debian GNU/Linux 13",
    "kernel": "6.12.1",
    "architecture": "x86_64",
    "cpus": 2,
    "memory_total": 2_000_000_000,
    "memory_available": 1_500_000_000,
    "memory_pods": 100_000_000,
    "swap_total": 0,
    "disk_total": 20_000_000_000,
    "disk_free": 10_000_000_000,
    "podman_version": "5.4.2",
    "systemd_version": "257",
    "programs": ["bash", "curl"],
    "container_users": True,
    "boot_id": "0f0f",
    "uptime": 12.5,
    "time": 1_700_000_000.5,
}
MANIFEST: dict[str, Any] = {
    **manifest(
        files={FILE: file_entry(b"unit"), "/etc/skerry/config/a/b": file_entry(b"x")},
        units={
            UNIT: unit_entry(files=[FILE], ports=["8080->80/tcp"], secrets=["skerry-s.1"]),
            TIMER: unit_entry(
                workload="night", role="timer", container="", image_id="", records="/run/skerry/r"
            ),
            "skerry-pair.0-pod.service": unit_entry(workload="pair", role="pod", image_id=""),
            "skerry-pair.0.a-1a2b3c4d.service": unit_entry(workload="pair", container="a"),
            "skerry-pair.0.b-1a2b3c4d.service": unit_entry(
                workload="pair", container="b", memory_limit=64 << 20, completes=True
            ),
        },
        images={"a" * 64: "localhost/blog"},
    ),
    "secrets": {"skerry-s.1": {"of": "db/password", "immutable": False}},
}
GENERATION: dict[str, Any] = {
    "number": 3,
    "who": "eve@laptop",
    "when": 1_700_000_000.0,
    "message": "a change",
    "changes": ["add /etc/x (new)", f"start {UNIT} (new)"],
    "state": "active",
    "rollback_of": None,
}
STATES: dict[str, Any] = {
    UNIT: unit_state(memory=1_000_000, restarts=2),
    TIMER: unit_state(
        runs=[{"begun": 1000.0, "ended": 1010.0, "result": "success", "status": 0}], next=2000.0
    ),
    "skerry-pair.0-pod.service": unit_state(),
    "skerry-pair.0.a-1a2b3c4d.service": unit_state(active="failed", result="exit-code"),
    "skerry-pair.0.b-1a2b3c4d.service": unit_state(active="activating", sub="auto-restart"),
}
RESULTS: dict[str, dict[str, Any]] = {
    "observe": {
        "facts": FACTS,
        "generation": 3,
        "next_number": 4,
        "manifest": MANIFEST,
        "on_disk": {FILE: on_disk(b"one\ntwo\n"), "/etc/other": on_disk(None)},
        "missing": [file_entry(b"unit")["digest"]],
        "units": STATES,
        "images": ["a" * 64],
        "secrets": ["skerry-s.1"],
        "lock": {
            "cloud": "home",
            "who": "eve@laptop",
            "why": "apply",
            "since": 1_700_000_000.0,
            "token": "",
            "expires": 1_700_000_100.0,
            "boot": "0f0f",
        },
        "unfinished": 4,
    },
    "inspect": {
        "generation": 3,
        "units": MANIFEST["units"],
        "states": STATES,
        "containers": {
            UNIT: {
                "name": "skerry-blog.0",
                "image_id": "b" * 64,
                "is_running": True,
                "env": ["A=1", "PATH=/bin"],
                "published": ["8081->80/tcp"],
                "listening": ["80/tcp"],
                "uses_host_network": False,
            }
        },
        "routed": ["8080/tcp"],
        "error": "",
    },
    "history": {
        "current": 3,
        "generations": [
            GENERATION,
            {**GENERATION, "number": 2, "state": "previous", "rollback_of": 1},
        ],
    },
    "generation": {
        "generation": GENERATION,
        "manifest": MANIFEST,
        "displaced": {FILE: file_entry(b"y")},
    },
    "prune": {
        "generations": [1],
        "kept": [2, 3],
        "blobs": 2,
        "blob_bytes": 300,
        "images": {"c" * 64: "localhost/old"},
        "image_bytes": 50_000_000,
        "secrets": ["skerry-old.1"],
    },
    "activate": {
        "state": "failed",
        "failed": [{"unit": UNIT, "reason": "exit-code", "log": ["starting", "no such file"]}],
        "error": "",
        "undo_failed": "",
        "notes": ["a note"],
    },
    "facts": FACTS,
    "reset": {"left": ["/var/log/journal"], "user_removed": True},
    "ping": {"time": 1_700_000_000.0},
    "lock": {"recovered": None, "notes": []},
}
EVENTS: list[dict[str, Any]] = [
    {"event": "phase", "name": "files", "seconds": 0.5},
    {"event": "phase", "name": "image localhost/blog", "seconds": 2.5},
    {"event": "unit", "unit": UNIT, "state": "healthy", "why": "ready", "seconds": 1.5},
    {"event": "unit", "unit": UNIT, "state": "started", "why": "", "seconds": 0.5, "back": True},
    {"event": "waiting", "units": [UNIT]},
    {"event": "note", "message": "took over a stale lock"},
    {"event": "progress", "step": "packages", "message": "Get:1 podman"},
    {"event": "progress", "image": "a" * 64, "bytes": 1000},
    {"event": "secret", "name": "skerry-s.1"},
    {"event": "step", "step": "swap", "state": "changed", "detail": "zram", "seconds": 1.0},
    {"event": "error", "id": "disk-full", "message": "no space", "hint": "prune", "detail": "x\ny"},
    {"event": "error", "id": "locked", "message": "eve is at work", "hint": "", "detail": ""},
]
values = hostile.values | st.sampled_from(
    [*hostile.HALVES, float("nan"), float("inf"), -float("inf"), 10**4200, hostile.deep(500)]
)


def line(value: Any, *, is_ascii: bool = False) -> bytes:
    """A value as a node prints it; what is no JSON (NaN) is what Python makes of it."""
    return json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")


@st.composite
def results(draw: st.DrawFn) -> tuple[str, bytes]:
    """An op, and a line that begins as an answer to it does: mostly with something wrong."""
    op = draw(st.sampled_from(sorted(RESULTS)))
    result = RESULTS[op]
    for _ in range(draw(st.integers(0, 3))):
        if not isinstance(result, dict) or not result:
            break
        how = draw(st.sampled_from(["one thing", "texts", "number"]))
        if how == "one thing":
            result = draw(damage.one_thing_wrong(result, values))
        elif how == "texts":
            result = draw(damage.hostile_text_in(result))
        else:
            result = draw(damage.other_number_in(result))
    return op, line({"event": "result", "result": result}, is_ascii=draw(st.booleans()))


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """An event with hostile texts, or with something wrong in it."""
    event = draw(st.sampled_from(EVENTS))
    if draw(st.booleans()):
        event = draw(damage.hostile_text_in(event))
        event["event"] = draw(st.sampled_from([event["event"], "note", "phase"]))
    else:
        event = draw(damage.one_thing_wrong(event, values))
    return line(event)


@st.composite
def broken_bytes(draw: st.DrawFn) -> bytes:
    """A right answer with bytes changed, left out or put in between, or no answer at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=100))
    good = line({"event": "result", "result": RESULTS[draw(st.sampled_from(sorted(RESULTS)))]})
    changed = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, len(changed) - 1))
        changed[where : where + draw(st.integers(0, 3))] = draw(
            st.sampled_from([b"", b"\0", b"\n", b'"', b"{", b"}", b"[", b"\\", b"\xff", b"\xed\xa0",
                             b"-", b"9" * 30, b"1e999", b"null", b"\\ud800", b"\x1b[2J", b",,"])
        )  # fmt: skip
    return bytes(changed)


@st.composite
def journal_lines(draw: st.DrawFn) -> bytes:
    """A line of ``journalctl --output=json``, with hostile texts or something wrong in it."""
    entry: dict[str, Any] = {
        "__REALTIME_TIMESTAMP": "1700000000000000",
        "__CURSOR": "s=a;i=1",
        "_SYSTEMD_UNIT": UNIT,
        "PRIORITY": "6",
        "MESSAGE": draw(hostile.texts | st.lists(st.integers(0, 255), max_size=5)),
        "_COMM": "web",
    }
    if draw(st.booleans()):
        entry = draw(damage.one_thing_wrong(entry, values | st.just(hostile.deep(990))))
    return line(entry) if draw(st.integers(0, 9)) else draw(broken_bytes())
