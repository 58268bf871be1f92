"""Runs on a machine whose clock is its own: the node program while the clock jumps.

Started with the seconds by which the clock jumps, beside ``program.zip`` and ``trees.json``
(manifests, contents by digest, requests). Prints one line of JSON: what became of each step.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

HERE = Path.cwd()
CODE = "import sys; sys.path.insert(0, sys.argv[1]); from skerry_node.__main__ import main; main()"
STATE = Path("/var/lib/skerry")
TICKS = Path("/root/ticks")


def ask(op: str, *streams: tuple[str, bytes], **args: Any) -> dict[str, Any]:
    """One exchange with the node program; its last event."""
    described = [{"kind": "blob", "name": name, "size": len(held)} for name, held in streams]
    request = {"protocol": trees["protocol"], "op": op, "args": args, "streams": described}
    said = json.dumps(request).encode() + b"\n" + b"".join(held for _, held in streams)
    words = (sys.executable, "-I", "-S", "-B", "-c", CODE, str(HERE / "program.zip"))
    answer = subprocess.run(words, input=said, stdout=subprocess.PIPE, check=False).stdout
    last: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return last


def jump() -> None:
    """Sets the clock."""
    time.clock_settime(time.CLOCK_REALTIME, time.time() + int(sys.argv[1]))


def uptime() -> float:
    """Seconds since boot: this clock does not jump."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def ticks() -> int:
    """How often the timer's service ran."""
    return len(TICKS.read_text().splitlines()) if TICKS.exists() else 0


def wait_for_tick(before: int, seconds: float = 60.0) -> int:
    """The number of runs once there is one more; the same number when there is none."""
    until = uptime() + seconds
    while ticks() <= before and uptime() < until:
        threading.Event().wait(0.1)
    return ticks()


def switch(number: int, confirm_within: float) -> dict[str, Any]:
    """Sends and activates the tree of this number; the last event."""
    tree, base = trees["trees"][number - 1], number - 1
    held = [(name, text.encode()) for name, text in tree["contents"].items()]
    pushed = ask("push", *held, lock=trees["locks"][0], compression="none", images={})
    assert pushed["event"] == "result", pushed
    generation = {
        "number": number, "who": "eva@laptop", "when": time.time(), "message": "", "changes": [],
        "rollback_of": None,
    }  # fmt: skip
    switched = ask(
        "activate", token=token, base=base, number=number, manifest=tree["manifest"],
        generation=generation, actions=tree["act"], undo=tree["undo"], daemon_reload=True,
        confirm_within=confirm_within,
    )  # fmt: skip
    assert switched["event"] == "result", switched
    assert switched["result"]["state"] == "healthy", switched
    return switched


def steps() -> dict[str, Any]:
    """All steps in turn."""
    told: dict[str, Any] = {}
    assert ask("lock", lock=trees["locks"][0])["event"] == "result"
    jump()
    told["locked"] = ask("lock", lock=trees["locks"][1])
    seen = ask("observe", manifest=None, text=False, images=False)["result"]
    told["lock_left"] = seen["lock"]["expires"] - seen["facts"]["time"]
    switch(1, 600.0)
    told["ticks_before"] = wait_for_tick(0)
    jump()
    told["confirmed"] = ask("confirm", token=token, number=1, unlock=False)["result"]
    told["ticks_after"] = wait_for_tick(told["ticks_before"])
    switch(2, 3.0)
    jump()
    begun, state = uptime(), "healthy"
    while state == "healthy" and uptime() < begun + 90:
        state = ask("rejoin", token=token, number=2)["result"]["state"]
    told["unconfirmed"], told["went_back_after"] = state, uptime() - begun
    seen = ask("observe", manifest=None, text=False, images=False)["result"]
    told["generation"], told["next_number"] = seen["generation"], seen["next_number"]
    folders = (STATE, Path("/etc/systemd/system"))
    found = [path for folder in folders for path in folder.rglob(".*.skerry-new")]
    found += [path for name in ("lock", "journal") if (path := STATE / name).exists()]
    told["leftovers"] = [str(path) for path in found]
    return told


if __name__ == "__main__":
    trees = json.loads((HERE / "trees.json").read_text())
    token = trees["locks"][0]["token"]
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    try:
        print(json.dumps(steps()), flush=True)
    except Exception:
        print(json.dumps({"error": traceback.format_exc()}), flush=True)
