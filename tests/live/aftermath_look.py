"""Run on a node by `aftermath`: prints as JSON what runs there and what a command left behind.

It stands alone: the standard library, read from standard input by the node's own Python. What a
node may hold is taken from the active generation's manifest; whatever is ours and not in it is a
leftover.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

STATE = "/var/lib/skerry"
RUN = "/run/skerry"
UNIT_FOLDER = "/etc/systemd/system/"
# Folders in which every file is Skerry's or is named like one of its.
FOLDERS = ("/etc/containers/systemd", UNIT_FOLDER, "/etc/skerry", STATE, RUN)
# What pods keep there is theirs, and a version of the node program is one folder.
THEIRS = re.compile(rf"{STATE}/(claims|volumes|empty|program/[0-9a-f]+)(/|$)")
TEMPORARY = re.compile(r".*\.skerry-new|.*\.json\.\d+")
# Left by systemd itself in every boot.
SYSTEMDS = re.compile(r"systemd-private-|\.(X11|ICE|XIM|font|Test)-unix$")
# Programs that only an exchange of Skerry starts on a node of the lab.
STARTED = (b"podman\0load\0", b"podman\0secret\0create\0", b"zstd\0-dcq", b"systemd-run\0")


def main() -> None:
    """Prints all that `aftermath` wants to know."""
    manifest = read_manifest()
    containers = list_containers()
    found = {
        "generation": current_number(),
        "workloads": sorted({unit["workload"] for unit in manifest["units"].values()}),
        "containers": {
            one["name"]: {key: one[key] for key in ("id", "started", "workload")}
            for one in containers
            if one["is_running"]
        },
        # By themselves these say nothing: they are compared with those of before.
        "scratch": scratch_files(),
        "nameless": nameless_images(),
        "leftovers": [
            *state_files(),
            *temporary_files(),
            *damaged_blobs(),
            *damaged_generations(),
            *processes(),
            *units(manifest),
            *foreign_containers(manifest, containers),
            *volumes_and_mounts(manifest),
            *secrets(manifest),
        ],
    }
    json.dump(found, sys.stdout)


def run(*argv: str) -> str:
    """What a program prints; nothing where it fails."""
    return subprocess.run(argv, stdout=subprocess.PIPE, check=False).stdout.decode()


def current_number() -> int:
    """The active generation's number, 0 where there is none."""
    try:
        return int(os.path.basename(os.readlink(f"{STATE}/current")))
    except FileNotFoundError:
        return 0


def read_manifest() -> dict[str, Any]:
    """The active generation's manifest."""
    try:
        with open(f"{STATE}/current/manifest.json") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {"files": {}, "units": {}, "secrets": {}}


def state_files() -> Iterator[str]:
    """The lock, the journal, and what an image is loaded by: there while a command is at work."""
    for name in ("lock", "journal"):
        if os.path.lexists(f"{STATE}/{name}"):
            with open(f"{STATE}/{name}") as file:
                yield f"{name} {STATE}/{name}: {file.read().strip()}"
    if os.path.lexists(f"{STATE}/loading"):
        yield f"temporary folder {STATE}/loading"


def temporary_files() -> Iterator[str]:
    """Files that were to be renamed or removed, beside every path of every generation."""
    beside = set(FOLDERS)
    for number in generations():
        try:
            with open(f"{STATE}/generations/{number}/manifest.json") as file:
                beside |= {os.path.dirname(path) for path in json.load(file)["files"]}
        except (OSError, ValueError):
            continue
    seen: set[str] = set()
    for folder in sorted(beside):
        for parent, names, files in os.walk(folder):
            if parent in seen or THEIRS.match(parent):
                names.clear()
                continue
            seen.add(parent)
            for name in (*names, *files):
                is_hidden = name.startswith(".") and parent.startswith((STATE, RUN))
                if is_hidden or TEMPORARY.fullmatch(name):
                    yield f"temporary file {parent}/{name}"


def damaged_blobs() -> Iterator[str]:
    """Contents that are not what their names say."""
    folder = f"{STATE}/blobs/sha256"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(f"{folder}/{name}", "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != name:
                yield f"half-written file {folder}/{name}"


def generations() -> list[str]:
    """The numbers of all generations."""
    try:
        return [name for name in os.listdir(f"{STATE}/generations") if name.isdigit()]
    except FileNotFoundError:
        return []


def damaged_generations() -> Iterator[str]:
    """Generations that lack a file, or have one that is no JSON."""
    for number in generations():
        for name in ("manifest", "generation", "switch"):
            path = f"{STATE}/generations/{number}/{name}.json"
            try:
                with open(path) as file:
                    json.load(file)
            except (OSError, ValueError) as error:
                yield f"half-written file {path}: {error}"


def processes() -> Iterator[str]:
    """Processes of the node program, of a switch, and what these started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read()
            with open(f"/proc/{pid}/cgroup") as file:
                group = file.read()
        except OSError:
            continue
        is_ours = b"skerry_node" in words or "skerry-activate" in group
        if is_ours or any(name in words for name in STARTED):
            yield f"process {pid}: {words.replace(bytes(1), b' ')[:120].decode(errors='replace')}"


def units(manifest: dict[str, Any]) -> Iterator[str]:
    """Transient units of ours, failed ones, and active ones that the manifest does not have."""
    known = set(manifest["units"])
    known |= {
        path[len(UNIT_FOLDER) :] for path in manifest["files"] if path.startswith(UNIT_FOLDER)
    }
    listed = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "skerry-*")
    for line in listed.splitlines():
        name, load, active, *_ = line.split()
        if name.startswith("skerry-activate-"):
            yield f"transient unit {name} ({active})"
        elif active == "failed":
            yield f"failed unit {name}"
        elif active != "inactive" and (load == "not-found" or name not in known):
            yield f"unit {name} ({load}, {active}) that no generation has"


def list_containers() -> list[dict[str, Any]]:
    """All containers of Podman with the units that they belong to."""
    listed = json.loads(run("podman", "ps", "--all", "--format", "json") or "[]") or []
    return [
        {
            "id": one["Id"],
            "name": one["Names"][0],
            "started": one["StartedAt"],
            "is_running": one["State"] == "running",
            "state": one["State"],
            "unit": (one["Labels"] or {}).get("PODMAN_SYSTEMD_UNIT", ""),
            "workload": (one["Labels"] or {}).get("skerry.workload", ""),
        }
        for one in listed
    ]


def foreign_containers(manifest: dict[str, Any], containers: list[dict[str, Any]]) -> Iterator[str]:
    """Containers of ours, in whatever state, whose unit the manifest does not have."""
    for one in containers:
        if one["unit"].startswith("skerry-") and one["unit"] not in manifest["units"]:
            yield f"container {one['name']} ({one['state']}) that no generation has"


def volumes_and_mounts(manifest: dict[str, Any]) -> Iterator[str]:
    """Folders and mounts of volumes whose pod is gone, and mounts elsewhere in our folders."""
    kept = {volume for unit in manifest["units"].values() for volume in unit["volumes"]}
    folder = f"{STATE}/volumes"
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if f"{folder}/{name}" not in kept:
            yield f"volume {folder}/{name} that no generation has"
    with open("/proc/self/mountinfo") as file:
        targets = [line.split()[4] for line in file]
    for target in targets:
        if target.startswith((STATE + "/", RUN + "/", "/etc/skerry/")) and target not in kept:
            yield f"mount {target}"


def secrets(manifest: dict[str, Any]) -> Iterator[str]:
    """Secrets in Podman's store that the active generation does not use."""
    for name in run("podman", "secret", "ls", "--format", "{{.Name}}").split():
        if name.startswith("skerry-") and name not in manifest["secrets"]:
            yield f"secret {name} that no generation has"


def nameless_images() -> list[str]:
    """Images without a name: a load that was cut off may leave one."""
    return sorted(run("podman", "images", "--quiet", "--filter", "dangling=true").split())


def scratch_files() -> list[str]:
    """What lies in the folders for temporary files."""
    return sorted(
        f"{folder}/{name}"
        for folder in ("/tmp", "/var/tmp")
        for name in os.listdir(folder)
        if not SYSTEMDS.match(name)
    )


if __name__ == "__main__":
    main()
