"""A cloud of one lab node between two worlds, whose every apply has something of everything."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

from skerry.cli.cloud import make_link
from skerry.edge.run import Command, run
from skerry.edge.ssh import close_connection
from skerry.lab import Lab, Node
from skerry.load.cloud import load_cloud

# Nothing of these ever touches it.
KEPT = """\
apiVersion: v1
kind: Pod
metadata: {{name: keep}}
spec:
  containers:
    - name: main
      image: {image}
      command: [sh, -c, exec tail -f /dev/null]
"""
# Its page changes from world to world; it has a volume that goes and comes with it.
CHANGED = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: page}}
data:
  index.html: world {number}
---
apiVersion: v1
kind: Pod
metadata: {{name: page}}
spec:
  containers:
    - name: main
      image: {image}
      command: [sh, -c, exec tail -f /dev/null]
      volumeMounts:
        - {{name: page, mountPath: /www, readOnly: true}}
        - {{name: work, mountPath: /work}}
  volumes:
    - name: page
      configMap: {{name: page}}
    - name: work
      emptyDir: {{}}
"""
# In one world it is there, in the other one its twin; its image and its secret are sent each time.
COMING = """\
apiVersion: v1
kind: Secret
metadata: {{name: token-{name} }}
stringData:
  token: token of world {number}
---
apiVersion: v1
kind: Pod
metadata: {{name: "{name}"}}
spec:
  containers:
    - name: main
      image: {image}
      command: [sh, -c, exec tail -f /dev/null]
      env:
        - name: TOKEN
          valueFrom: {{secretKeyRef: {{name: token-{name}, key: token}} }}
"""
TWINS = ("even", "odd")
TOUCHED = {"page", *TWINS}
"""The workloads that an apply from one world to the next may restart."""


def twin_image(number: int) -> str:
    """The reference of the image that a world's coming pod has."""
    return f"localhost/skerry-{TWINS[number % 2]}"


@contextmanager
def three_clouds(lab: Lab, folder: Path) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own that goes at the end."""
    lab.up(nodes=3, with_podman=True)
    yield add_clouds(lab, folder)
    lab.down()


def add_clouds(lab: Lab, folder: Path) -> list[StepCloud]:
    """A cloud for each node of a lab."""
    build_twin_images()
    with ThreadPoolExecutor() as executor:
        waiting = [
            executor.submit(StepCloud.add, folder / node.name, lab, node.name) for node in lab.nodes
        ]
        return [one.result() for one in waiting]


def build_twin_images() -> None:
    """Makes sure that all images are in this machine's store."""
    build_busybox_image()
    for number, name in enumerate(TWINS):
        build_busybox_image(twin_image(number), variant=name)


class StepCloud(LiveCloud):
    """A folder with one node of a lab. `number` is that of the world in the folder."""

    def __init__(self, folder: Path, lab: Lab, name: str) -> None:
        super().__init__(folder, lab)
        self.addresses = {name: lab.node(name).address}
        self.name = name
        self.number = 0
        self.who = ""

    @classmethod
    def add(cls, folder: Path, lab: Lab, name: str) -> StepCloud:
        """A new folder whose node was bootstrapped as a person would do it; nothing runs on it."""
        folder.mkdir()
        made = cls(folder, lab, name)
        made.skerry("init", ".", "--name", name, "--lab", lab.name)
        made.skerry("node", "add", name, f"root@{made.node.address}")
        made.forget_examples()
        made.place("keep", KEPT.format(image=BUSYBOX_IMAGE))
        made.turn()
        made.skerry("apply", "--yes")
        return made

    @property
    def node(self) -> Node:
        """The node as the lab has it."""
        return self.lab.node(self.name)

    def turn(self) -> None:
        """Goes on to the next world in the folder, and has its image be missing on the node."""
        if TWINS[self.number % 2] in self.places:
            self.remove(TWINS[self.number % 2])
        self.number += 1
        self.place("page", CHANGED.format(image=BUSYBOX_IMAGE, number=self.number))
        name = TWINS[self.number % 2]
        image = twin_image(self.number)
        self.place(name, COMING.format(name=name, image=image, number=self.number))
        run(self.node.console_command("podman", "rmi", "--ignore", image), check=False)

    def command(self, *words: str) -> Command:
        """`skerry` with these words, in the folder, as `who`."""
        plain = super().command(*words)
        if not self.who:
            return plain
        return msgspec.structs.replace(plain, env=(*plain.env, ("LOGNAME", self.who)))

    def end_connection(self) -> None:
        """Ends the operator's standing connection to the node."""
        close_connection(make_link(self.folder, load_cloud(self.folder), self.name))

    def second_operator(self, folder: Path, *, who: str = "ben") -> StepCloud:
        """The same world in another folder, as another person has it from git."""
        (folder / "pods").mkdir(parents=True)
        other = StepCloud(folder, self.lab, self.name)
        other.who = who
        other.header, other.places, other.number = self.header, dict(self.places), self.number
        for path in self.files():
            (folder / path.relative_to(self.folder)).write_bytes(path.read_bytes())
        return other

    def files(self) -> Iterator[Path]:
        """What of the folder is under git."""
        for path in self.folder.rglob("*"):
            inside = path.relative_to(self.folder)
            if path.is_file() and inside.parts[0] != ".skerry":
                yield path
