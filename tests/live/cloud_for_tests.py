"""A cloud folder on the session's lab, and `skerry` run in it as a person would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.kubernetes_schema import text_faults
from tests.live.lab_harness import LIST_RUNNING, run_on

from skerry.edge.run import Command, Finished, run
from skerry.lab import Lab

HTTPD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-page
data:
  index.html: |
    {text}
---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
    - name: web
      image: {image}
      command: [{command}]
      args: [httpd, -f, -p, "8080", -h, /www]
      ports:
        - containerPort: 8080
          hostPort: {port}
      volumeMounts:
        - name: page
          mountPath: /www
          readOnly: true
  volumes:
    - name: page
      configMap:
        name: {name}-page
"""


class LiveCloud:
    """A cloud folder whose nodes are those of a lab."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder = folder
        self.lab = lab
        self.addresses = {node.name: node.address for node in lab.nodes}
        self.places: dict[str, str] = {}
        self.header = ""
        # As the last test left it, or as it was made.
        self.is_empty = True

    def forget_examples(self) -> None:
        """Keeps what `init` and `node add` wrote of the nodes, and nothing that runs."""
        text = (self.folder / "cloud.yaml").read_text()
        self.header = text[: text.index("\nrun:") + 1]
        for example in (self.folder / "pods").iterdir():
            example.unlink()
        self.write_cloud()

    def second_operator(self, folder: Path) -> LiveCloud:
        """The same cloud in another folder, as another person has it from git."""
        (folder / "pods").mkdir(parents=True)
        other = LiveCloud(folder, self.lab)
        other.header = self.header
        (folder / "known_hosts").write_bytes((self.folder / "known_hosts").read_bytes())
        return other

    def skerry(
        self, *words: str, expect: int | None = 0, typed: str | None = None, timeout: float = 300
    ) -> Finished:
        """Runs `skerry` in the folder; its exit status must be `expect` (None: any)."""
        command = self.command(*words)
        finished = run(
            command,
            input=typed.encode() if typed is not None else None,
            check=False,
            timeout=timeout,
        )
        assert expect is None or finished.status == expect, (
            f"{command}: status {finished.status}\n{finished.text}\n{finished.error_text}"
        )
        return finished

    def command(self, *words: str) -> Command:
        """`skerry` with these words, in the folder."""
        return Command(
            (sys.executable, "-m", "skerry", *words),
            env=(("NO_COLOR", "1"),),
            cwd=str(self.folder),
        )

    def json(self, *words: str, expect: int | None = 0) -> Any:
        """What `skerry --json` prints."""
        return json.loads(self.skerry("--json", *words, expect=expect).stdout)

    def shell(self, node: str, script: str, *, check: bool = True) -> Finished:
        """Runs a shell command on a node as root, past Skerry and past SSH."""
        return run_on(self.lab.node(node), script, check=check)

    def ssh(self, node: str, remote: str, *, check: bool = True) -> Finished:
        """The same over SSH, by a connection of its own: for what a session is given."""
        words: tuple[str, ...] = ("ssh", "-F", str(self.lab.ssh_config))
        words += ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        words += ("-o", "LogLevel=ERROR")
        return run(Command((*words, f"root@{self.addresses[node]}", remote)), check=check)

    def containers(self, node: str) -> list[str]:
        """The names of the node's running containers, as Podman says."""
        return self.shell(node, f"{LIST_RUNNING} --format '{{{{.Names}}}}'").text.split()

    def write_cloud(self) -> None:
        """Writes ``cloud.yaml`` with the placements under the nodes."""
        places = "".join(f"  {name}: {place}\n" for name, place in self.places.items())
        run_part = f"run:\n{places}" if places else "run: {}\n"
        (self.folder / "cloud.yaml").write_text(self.header + run_part)

    def place(self, name: str, manifest: str, placement: str = "") -> None:
        """Puts a manifest into ``pods/`` and says where it runs (YAML flow fields)."""
        faults = text_faults(manifest)
        assert not faults, f"Kubernetes would refuse what this test deploys: {faults}"
        (self.folder / "pods" / f"{name}.yaml").write_text(manifest)
        tail = f", {placement}" if placement else ""
        self.places[name] = f"{{pod: pods/{name}.yaml{tail}}}"
        self.is_empty = False
        self.write_cloud()

    def remove(self, name: str) -> None:
        """Takes a workload out of the folder."""
        (self.folder / "pods" / f"{name}.yaml").unlink()
        del self.places[name]
        self.write_cloud()

    def empty(self) -> None:
        """Takes every workload out of the folder and off the nodes."""
        for name in list(self.places):
            self.remove(name)
        self.write_cloud()
        self.skerry("apply", "--yes", "-m", "emptied by a test")
        self.is_empty = True


def httpd(name: str, *, image: str, port: int, text: str = "hello") -> str:
    """A pod with busybox's web server and a page out of a ConfigMap."""
    return HTTPD.format(name=name, image=image, port=port, text=text, command="/bin/busybox")
