"""The same nodes for the peers: inventories and files, byte by byte those that Skerry put there."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bench.measure import Run, RunFailed, measure
from skerry.compile.tree import Tree
from skerry.edge.run import Command

HERE = Path(__file__).parent
QUADLETS = "/etc/containers/systemd/"
SSH_CONFIG_NOTE = "# The lab's own, as Skerry and Ansible and pyinfra all use it.\n"


class Ansible:
    """`ansible-playbook` with pipelining and a standing connection."""

    name = "ansible"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self) -> Run:
        """One run; raises `RunFailed` unless it found nothing to change on any node."""
        run = measure(
            Command(
                (_program("ansible-playbook"), "playbook.yml"),
                env=(("ANSIBLE_CONFIG", "ansible.cfg"), ("ANSIBLE_NOCOLOR", "1")),
                cwd=str(self.folder),
            )
        )
        counts = parse_recap(run.output)
        bad = [name for name, count in counts.items() if any(_unwanted(count))]
        if not counts or bad:
            raise RunFailed(f"ansible changed something or failed: {bad}\n{run.output[-6000:]}")
        return run


class Pyinfra:
    """`pyinfra` over the same connections' configuration; it has none that stands."""

    name = "pyinfra"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self) -> Run:
        """One run; raises `RunFailed` unless it found nothing to change on any node."""
        words = (_program("pyinfra"), "-y", "inventory.py", "deploy.py")
        run = measure(Command(words, env=(("NO_COLOR", "1"),), cwd=str(self.folder)))
        changed = parse_pyinfra_changes(run.output)
        if changed != 0:
            raise RunFailed(f"pyinfra changed {changed} things\n{run.output[-6000:]}")
        return run


def write_peers(
    folder: Path, trees: Mapping[str, Tree], addresses: Mapping[str, str], ssh_config: Path
) -> None:
    """Writes the folder that both peers run in: files, inventories, playbook, deploy."""
    hosts = {
        name: {"address": addresses[name], **write_files(folder, tree)}
        for name, tree in trees.items()
    }
    for path in (*(HERE / "ansible").iterdir(), *(HERE / "pyinfra_deploy").glob("*.py")):
        shutil.copy(path, folder / path.name)
    (folder / "ssh_config").write_text(SSH_CONFIG_NOTE + ssh_config.read_text())
    (folder / "hosts.json").write_text(json.dumps(hosts, indent=1))
    # JSON is YAML.
    inventory = {
        "nodes": {
            "hosts": {
                name: {"ansible_host": host.pop("address"), "ansible_user": "root", **host}
                for name, host in hosts.items()
            }
        }
    }
    (folder / "inventory.yml").write_text(json.dumps(inventory, indent=1))


def write_files(folder: Path, tree: Tree) -> dict[str, Any]:
    """Writes a node's files below ``files/NODE/`` and returns the variables that name them."""
    configs: list[dict[str, str]] = []
    quadlets: list[dict[str, str]] = []
    for path, file in sorted(tree.files.items()):
        source = folder / "files" / tree.node / path.lstrip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(file.content)
        owner, _, group = file.owner.partition(":")
        item = {
            "src": str(source.relative_to(folder)),
            "dest": path,
            "owner": owner,
            "group": group,
            "mode": f"{file.mode:04o}",
        }
        (quadlets if path.startswith(QUADLETS) else configs).append(item)
    return {
        "images": sorted(tree.images),
        "folders": sorted({str(PurePosixPath(item["dest"]).parent) for item in configs}),
        "configs": configs,
        "quadlets": quadlets,
        "services": sorted(tree.units),
    }


def parse_recap(output: str) -> dict[str, dict[str, int]]:
    """The counts of each host in Ansible's PLAY RECAP."""
    _, _, recap = output.partition("PLAY RECAP")
    return {
        match[1]: {word.partition("=")[0]: int(word.partition("=")[2]) for word in match[2].split()}
        for match in re.finditer(r"^(\S+)\s+: ((?:\w+=\d+\s*)+)$", recap, re.MULTILINE)
    }


def parse_pyinfra_changes(output: str) -> int:
    """How many things pyinfra changed or failed to change, over all hosts and operations.

    Raises `RunFailed` where the output has no results.
    """
    totals = re.findall(r"^\s*Grand total\s+(.*)$", output, re.MULTILINE)
    if not totals:
        raise RunFailed(f"no results in what pyinfra printed:\n{output[-4000:]}")
    _, changed, failed, _ = (0 if word == "-" else int(word) for word in totals[-1].split())
    return changed + failed


def _unwanted(count: Mapping[str, int]) -> list[int]:
    return [count.get(word, 1) for word in ("changed", "failed", "unreachable")]


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)
