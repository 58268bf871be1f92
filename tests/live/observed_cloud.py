"""A cloud on a lab of its own for the observing verbs, with pods that talk."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import threading
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import host_key

from skerry.edge.run import Command, run, start
from skerry.lab import Lab

# A line at once, and then one for every line that is written to /talk/say in the container.
TALKER = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
spec:
  containers:
    - name: web
      image: {image}
      command: [/bin/busybox, sh, -c]
      args:
        - |
          trap 'exit 0' TERM
          mkfifo /talk/say
          echo "{name} is up"
          httpd -p 8080 -h /talk
          while true; do cat /talk/say; done & wait
      env:
        - name: GREETING
          value: hello world
      ports:
        - containerPort: 8080
          hostPort: {port}
      resources:
        limits:
          memory: 64Mi
      volumeMounts:
        - name: talk
          mountPath: /talk
  volumes:
    - name: talk
      emptyDir: {{}}
"""

PAIR = """\
apiVersion: v1
kind: Pod
metadata:
  name: pair
spec:
  containers:
    - name: serve
      image: {image}
      command: [/bin/busybox, sh, -c, 'echo serving; exec httpd -f -p 9090']
      ports:
        - containerPort: 9090
          hostPort: 9090
    - name: look
      image: {image}
      command: [/bin/busybox, sh, -c, 'echo looking; exec sleep 3600']
"""


class ObservedCloud(LiveCloud):
    """Reached as root: bootstrap is another test's subject."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        super().__init__(folder, lab)
        (folder / "pods").mkdir()
        nodes = "".join(f"  {name}: {{ssh: root@{name}}}\n" for name in self.addresses)
        self.header = f"name: observed\nssh-config: {lab.ssh_config}\nnodes:\n{nodes}"
        pins = "".join(f"{name} ssh-ed25519 {host_key(lab, name)}\n" for name in self.addresses)
        (folder / "known_hosts").write_text(pins)
        self.write_cloud()
        for name in self.addresses:
            # What bootstrap would do for containers in user namespaces of their own.
            line = "containers:2147483647:2147483648"
            script = f"grep -q ^containers: $f || echo {line} >> $f"
            self.shell(name, f"for f in /etc/subuid /etc/subgid; do {script}; done")

    def place_talker(self, name: str, port: int, placement: str = 'nodes: ["*"]') -> None:
        """A pod that prints what it is told to, see `say`."""
        self.place(name, TALKER.format(name=name, image=BUSYBOX_IMAGE, port=port), placement)

    def place_pair(self, placement: str) -> None:
        """A pod of two containers."""
        self.place("pair", PAIR.format(image=BUSYBOX_IMAGE), placement)

    def say(self, node: str, workload: str, text: bytes) -> None:
        """Has the pod on a node print bytes."""
        script = "cat > /talk/say"
        self.skerry("exec", "-i", "-n", node, workload, "--", "sh", "-c", script,
                    typed=text.decode("latin-1"))  # fmt: skip

    def run_bytes(self, *words: str, input: bytes) -> tuple[int, bytes]:
        """Runs `skerry` with bytes as input; its exit status and output."""
        command = Command((sys.executable, "-m", "skerry", *words), cwd=str(self.folder))
        finished = run(command, input=input, check=False, timeout=60)
        return finished.status, finished.stdout

    def run_terminal(self, script: str) -> tuple[int, str]:
        """Runs a shell script on a terminal of its own; its exit status and all it showed."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execv("/bin/sh", ["sh", "-c", script])
        shown = b""
        try:
            while chunk := os.read(terminal, 65536):
                shown += chunk
        except OSError:
            # Linux's way to say that the other side has closed the terminal.
            pass
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode(errors="replace")

    def begin(self, *words: str) -> Running:
        """Starts `skerry` and reads along."""
        command = Command(
            (sys.executable, "-m", "skerry", *words), env=(("NO_COLOR", "1"),), cwd=str(self.folder)
        )
        return Running(start(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE))


class Running:
    """A `skerry` that goes on; what it prints is collected."""

    def __init__(self, child: Popen[bytes]) -> None:
        self.child = child
        self.out: list[str] = []
        self.err: list[str] = []
        for pipe, lines in ((child.stdout, self.out), (child.stderr, self.err)):
            assert pipe is not None
            threading.Thread(target=self._collect, args=(pipe, lines), daemon=True).start()

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        os.kill(self.child.pid, signal.SIGINT)
        return self.child.wait(timeout=5)

    @staticmethod
    def _collect(pipe: Any, lines: list[str]) -> None:
        for line in pipe:
            lines.append(line.decode(errors="replace").rstrip("\n"))


def json_lines(text: str) -> list[dict[str, Any]]:
    """JSON objects, one per line."""
    return [json.loads(line) for line in text.splitlines()]
