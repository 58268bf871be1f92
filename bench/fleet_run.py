"""One fleet, loaded, compiled and planned in a process of its own, without any node.

    python -m bench.fleet_run FOLDER CASE

Prints JSON: seconds of CPU per phase, and the process' largest resident set in bytes. The cloud
folder is one that `bench.fleet.write_fleet` made.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from skerry.cli.cloud import OpenCloud
from skerry.cli.flow import plan_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.tree import Tree
from skerry.edge.answers import parse_event, parse_result
from skerry.errors import NodeError, NodeUnreachable
from skerry.load.cloud import load_cloud
from skerry.plan.plan import Plan
from skerry.render.plan import render_plan
from skerry.render.text import Palette
from skerry_node import wire

IMAGE = "localhost/web"
IMAGE_ID = "0" * 64
CASES = ("new", "running", "changed", "moved")
"""What the nodes hold: nothing yet; all as it shall be; an older version of every pod; the pods
of the node that is half of the fleet away. In the last case the first node does not answer."""
_FACTS = {"podman_version": "5.4.2", "disk_free": 10_000_000_000}
T = TypeVar("T")


class Timer:
    """The seconds of CPU of each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, phase: str, work: Callable[[], T]) -> T:
        """What the work returns; a phase that comes twice is added up."""
        started = time.process_time()
        result = work()
        taken = time.process_time() - started
        self.seconds[phase] = self.seconds.get(phase, 0.0) + taken
        return result


def peak_memory() -> int:
    """The most memory that this process had, in bytes.

    Not `ru_maxrss`: that begins with what its parent had when it was started.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> int:
    """Runs the case that the command line names; the exit status."""
    folder, case = Path(sys.argv[1]), sys.argv[2]
    timer = Timer()
    plan, text = run_case(folder, case, timer)
    peak = peak_memory()
    changed, lines = len(plan.changed), text.count("\n") + 1
    print(json.dumps({**timer.seconds, "peak": peak, "changed": changed, "lines": lines}))
    return 0


def run_case(folder: Path, case: str, timer: Timer) -> tuple[Plan, str]:
    """The plan of a case, and its text as a person sees it."""
    cloud = timer.time("load", lambda: load_cloud(folder))
    opened = OpenCloud(folder, cloud, Lock(images={IMAGE: ResolvedImage(id=IMAGE_ID, size=0)}))
    trees = timer.time("compile", lambda: opened.trees)
    observed: dict[str, wire.Observed | NodeError] = {}
    for name in trees:
        if case == "moved" and not observed:
            observed[name] = NodeUnreachable(name, "Connection timed out")
            continue
        # As an exchange does it: the bytes of one node become values, and go.
        answer = answer_of(case, name, trees)
        found = timer.time("observe", lambda: parse_answer(name, answer))  # noqa: B023
        observed[name] = cast(wire.Observed, found)
    plan = timer.time("plan", lambda: plan_cloud(opened, observed))
    return plan, timer.time("render", lambda: render_plan(plan, Palette(is_on=True)))


def parse_answer(name: str, answer: bytes) -> dict[str, Any]:
    """A node's answer as an exchange takes it in, checked."""
    event = parse_event(name, "observe", answer)
    return parse_result(name, "observe", event["result"])


def answer_of(case: str, name: str, trees: Mapping[str, Tree]) -> bytes:
    """What the node would answer, as it comes over the wire."""
    desired = trees[name].manifest()
    active: wire.Manifest | None = desired
    if case == "new":
        active = None
    elif case == "changed":
        active = older(desired)
    elif case == "moved":
        names = list(trees)
        other = names[(names.index(name) + len(names) // 2) % len(names)]
        active = {**trees[other].manifest(), "node": name}
    return wire.dump({"event": "result", "result": observed(active, desired)})


def older(manifest: wire.Manifest) -> wire.Manifest:
    """The manifest with other contents in all of its files."""
    files = {path: {**entry, "digest": "sha256:" + "1" * 64} for path, entry in
             manifest["files"].items()}  # fmt: skip
    return cast(wire.Manifest, {**manifest, "files": files})


def observed(active: wire.Manifest | None, desired: wire.Manifest) -> dict[str, Any]:
    """A node that holds `active` and runs all of it."""
    owned: Mapping[str, Any] = active["files"] if active is not None else {}
    differing = {
        path: {
            "kind": "file" if path in owned else "absent",
            "digest": owned[path]["digest"] if path in owned else "",
            "mode": 0o644,
            "owner": "root:root",
            "text": f"# what was there before\n{path}\n" * 5 if path in owned else None,
            "owned": path in owned,
        }
        for path in sorted({*owned, *desired["files"]})
        if owned.get(path) != desired["files"].get(path)
    }
    units = active["units"] if active is not None else {}
    return {
        "facts": {**_FACTS, "time": time.time()},
        "generation": 0 if active is None else 1,
        "next_number": 1 if active is None else 2,
        "manifest": active,
        "on_disk": differing,
        "missing": sorted({entry["digest"] for path, entry in desired["files"].items()
                           if path in differing}),
        "units": {name: unit_state() for name in units},
        "images": sorted(desired["images"]),
        "secrets": [],
        "lock": None,
        "unfinished": None,
    }  # fmt: skip


def unit_state() -> dict[str, Any]:
    """A unit that runs."""
    return {
        "load": "loaded", "active": "active", "sub": "running", "result": "success",
        "enabled": "generated", "restarts": 0, "since": 1000.0, "ended": 0.0, "memory": 1 << 22,
        "exit_status": 0, "queued": False, "ready": True, "completed": False, "runs": [],
        "next": 0.0,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
