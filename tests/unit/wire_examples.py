"""Values of the wire format for tests, each with what a test wants to be different."""

from __future__ import annotations

from typing import Any, cast

from skerry_node import wire


def unit_entry(**different: Any) -> wire.UnitEntry:
    """A unit of a workload `blog`."""
    entry = {
        "files": ["/etc/containers/systemd/skerry-blog.0.container"],
        "volumes": [],
        "after": [],
        "settle": 0.5,
        "deadline": 30.0,
        "completes": False,
        "reloads": False,
        "workload": "blog",
        "replica": 0,
        "container": "web",
        "image": "localhost/blog",
        "image_id": "a" * 64,
        "ports": [],
        "memory_limit": None,
        "ready": "",
        "role": "container",
        "completed": "",
        "records": "",
        "grace": 30.0,
    }
    return cast(wire.UnitEntry, {**entry, **different})


def unit_state(**different: Any) -> wire.UnitState:
    """A unit that runs."""
    state = {
        "load": "loaded",
        "active": "active",
        "sub": "running",
        "result": "success",
        "enabled": "generated",
        "restarts": 0,
        "since": 1000.0,
        "ended": 0.0,
        "memory": None,
        "exit_status": 0,
        "queued": False,
        "ready": True,
        "completed": False,
        "runs": [],
        "next": 0.0,
    }
    return cast(wire.UnitState, {**state, **different})


def manifest(**different: Any) -> wire.Manifest:
    """A manifest of a node `alpha`, empty but for what is given."""
    empty = {"format": 1, "cloud": "home", "node": "alpha", "files": {}, "units": {}, "images": {}}
    return cast(wire.Manifest, {**empty, **different})


def file_entry(content: bytes = b"x", *, mode: int = 0o644) -> wire.FileEntry:
    """A file of root's with this content."""
    return {"digest": wire.digest_of(content), "mode": mode, "owner": "root:root"}


def on_disk(content: bytes | None, **different: Any) -> wire.OnDisk:
    """A file as it lies on the node; None is no file."""
    found = {
        "kind": "absent" if content is None else "file",
        "digest": "" if content is None else wire.digest_of(content),
        "mode": 0o644,
        "owner": "root:root",
        "text": None if content is None else content.decode(),
        "owned": True,
    }
    return cast(wire.OnDisk, {**found, **different})


def observed(**different: Any) -> wire.Observed:
    """A node that answers, with Podman, on which Skerry has put nothing yet."""
    bare = {
        "facts": {"podman_version": "5.4.2", "disk_free": 10_000_000_000},
        "generation": 0,
        "next_number": 1,
        "manifest": None,
        "on_disk": {},
        "missing": [],
        "units": {},
        "images": [],
        "lock": None,
        "latest": 0.0,
        "unfinished": None,
    }
    return cast(wire.Observed, {**bare, **different})
