"""``skerry init``: a commented, valid cloud folder to start from."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from skerry.errors import UsageError

CLOUD_YAML = """\
# A cloud of Skerry: which computers it has, and what runs where.
# `skerry check` shows every error in this folder; `skerry schema` is the list of all fields.
name: {name}
{ssh_config}
# The computers, each by a name of your choice and the way `ssh` reaches it. This part is also
# written by: skerry node add NAME [USER@]HOST
nodes: {{}}
#  alpha: {{ssh: root@203.0.113.10, vendor: hetzner, zone: eu}}
#  beta:  {{ssh: root@198.51.100.7, vendor: ovh, zone: eu}}
#  attic: {{ssh: attic.local, vendor: home}}
# An Ansible inventory can stand in for it:
# inventory: hosts.ini

# What runs where: the name of a workload, the manifest, and its nodes.
run: {{}}
#  One on every node that is named (wildcards are allowed):
#  hello: {{pod: pods/hello.yaml, nodes: [alpha, beta]}}
#  Two, on nodes of different vendors, wherever there is room:
#  hello: {{pod: pods/hello.yaml, replicas: 2, spread: vendor}}
"""

HELLO_YAML = """\
# A plain Kubernetes Pod, as kubectl takes it. Nothing runs it until `run:` in cloud.yaml does.
apiVersion: v1
kind: Pod
metadata:
  name: hello
  labels: {app: hello}
spec:
  containers:
    - name: web
      # Images come from the store of Podman on this machine: no registry is asked.
      image: localhost/hello
      env:
        - name: GREETING
          valueFrom: {configMapKeyRef: {name: hello, key: greeting}}
      ports:
        # The node's port 8080 leads to the container's port 80.
        - {containerPort: 80, hostPort: 8080}
      volumeMounts:
        - {name: pages, mountPath: /usr/share/nginx/html, readOnly: true}
      resources:
        limits: {memory: 64Mi}
  volumes:
    # Each key of the ConfigMap below is a file in the folder where it is mounted.
    - name: pages
      configMap: {name: hello}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: hello
data:
  greeting: Hello
  index.html: |
    <!doctype html>
    <title>Hello</title>
    <h1>Hello from an island of your own.</h1>
"""

GITIGNORE = """\
# The cache; all else in this folder is the cloud and belongs into git.
.skerry/
"""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="The cloud's name (default: the folder's).")
@click.option("--lab", metavar="NAME", help="Reach the nodes of this lab (see `skerry lab`).")
def init(folder: Path, name: str | None, lab: str | None) -> None:
    """Make a cloud folder: cloud.yaml, an example pod, and a .gitignore.

    Nothing that is there is overwritten.
    """
    files = starting_files(cloud_name(folder, name), lab=lab)
    write_new(folder, files)
    click.echo(f"made {', '.join(files)} in {folder}")
    if not _ignores_cache(folder):
        click.echo("add this line to .gitignore: .skerry/")
    where = "" if folder.absolute() == Path.cwd() else f"-C {folder} "
    click.echo(f"next: skerry {where}node add NAME [USER@]HOST, then fill in `run:` in cloud.yaml")


def cloud_name(folder: Path, name: str | None) -> str:
    """The cloud's name: the one that is given, or the folder's as far as it can be one.

    Raises UsageError.
    """
    from skerry.model.metadata import DNS_LABEL_PATTERN

    chosen = name
    if chosen is None:
        chosen = re.sub(r"[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-")[:63]
        chosen = chosen.strip("-")
    if not re.fullmatch(DNS_LABEL_PATTERN, chosen):
        if name is None:
            raise UsageError(
                f"{folder} gives no name for the cloud", hint="give one with --name NAME"
            )
        raise UsageError(
            f"{name!r} cannot be the cloud's name",
            hint="a name is of lower-case letters, digits and '-' (at most 63 characters)",
        )
    return chosen


def starting_files(name: str, *, lab: str | None = None) -> dict[str, str]:
    """The content of a new cloud folder, by path."""
    # Quoted where it has to be: a cloud may be named 2024, or on.
    from skerry.load.edit import render_value

    ssh_config = ""
    if lab is not None:
        if not re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9_.]*", lab):
            raise UsageError(f"{lab!r} cannot be a lab's name")
        ssh_config = (
            f"# How `ssh` reaches the nodes of the lab {lab}.\n"
            f"ssh-config: {render_value(lab_ssh_config(lab))}\n"
        )
    return {
        "cloud.yaml": CLOUD_YAML.format(name=render_value(name), ssh_config=ssh_config),
        "pods/hello.yaml": HELLO_YAML,
        ".gitignore": GITIGNORE,
    }


def lab_ssh_config(lab: str) -> str:
    """Where the lab of that name keeps the configuration for ssh; below the home, with ``~``."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return f"{state.rstrip('/')}/skerry/lab/{lab}/ssh_config"


def write_new(folder: Path, files: dict[str, str]) -> None:
    """Writes the files that make a cloud folder. Raises UsageError where one is there already.

    An existing .gitignore is left as it is.
    """
    if (folder / "cloud.yaml").exists():
        raise UsageError(
            f"{folder} is a cloud folder already: there is a cloud.yaml in it",
            hint="choose another folder",
        )
    if (folder / ".gitignore").exists():
        del files[".gitignore"]
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise UsageError(
            f"{folder / there[0]} is there already, and is not overwritten",
            hint="choose another folder, or move that file away",
        )
    try:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with open(folder / path, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None


def _ignores_cache(folder: Path) -> bool:
    lines = (folder / ".gitignore").read_text(errors="replace").splitlines()
    return any(line.strip().strip("/") == ".skerry" for line in lines)
