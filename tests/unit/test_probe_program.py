"""The node's probe program under each shell that a node may have: what it does to its state."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from skerry.compile.runtimes.probe_program import PROGRAM
from skerry.edge.run import Command, run

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
SPEC = """\
unit=web.service
grace=7
pod=''
is_sidecar=''
timers=''
needs_address=''
case $kind in
{kind})
    has=1
    delay={delay} period=1 limit=1 successes={successes} failures={failures} kill_grace=
    action() {{
        [ -e {root}/fine ] || {{ reason='not fine'; return 1; }}
    }} ;;
pre_stop)
    has=1
    action() {{
        echo pre-stop >>{root}/said
    }} ;;
esac
"""


class Container:
    """A container as far as the program sees it, in a folder."""

    def __init__(self, root: Path, shell: str) -> None:
        self.root, self.shell = root, shell
        self.run = root / "run/skerry/web"
        self.run.mkdir(parents=True)
        program = PROGRAM.replace("/run/", f"{root}/run/").replace("/etc/", f"{root}/etc/")
        (root / "probe").write_text(program)
        tools = root / "bin"
        tools.mkdir()
        for name in ("logger", "podman"):
            (tools / name).write_text(
                f'#!/bin/sh\necho "{name} $*" >>{root}/said\n'
                + (f"cat >>{root}/said\n" if name == "logger" else "")
            )
            (tools / name).chmod(0o755)
        # It has run whatever it is given when it returns.
        starts = '#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n'
        (tools / "systemd-run").write_text(starts)
        (tools / "systemd-run").chmod(0o755)
        (self.run / "pid").write_text("1\n")
        (self.run / "up").touch()
        (root / "run/web.cid").write_text("c0ffee")

    def spec(self, kind: str, *, successes: int = 1, failures: int = 3, delay: int = 0) -> None:
        """Says what is looked at."""
        text = SPEC.format(
            kind=kind, successes=successes, failures=failures, delay=delay, root=self.root
        )
        (self.run / "spec").write_text(text)

    def tick(self, kind: str) -> None:
        """One look."""
        run(
            Command(
                (self.shell, str(self.root / "probe"), "tick", "web", kind),
                env=(("PATH", f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"),),
            )
        )

    def said(self) -> list[str]:
        """What the program told the journal and Podman."""
        file = self.root / "said"
        lines = file.read_text().splitlines() if file.exists() else []
        shown = ("MESSAGE=", "podman", "pre-stop")
        return [line.removeprefix("MESSAGE=") for line in lines if line.startswith(shown)]

    def is_ready(self) -> bool:
        return (self.run / "ready").exists()


@pytest.fixture(params=SHELLS)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    return Container(tmp_path, request.param)


def test_readiness_counts_looks_in_a_row(container: Container) -> None:
    container.spec("readiness", successes=2, failures=2)
    (container.root / "fine").touch()
    container.tick("readiness")
    assert not container.is_ready()
    container.tick("readiness")
    assert container.is_ready()
    (container.root / "fine").unlink()
    container.tick("readiness")
    assert container.is_ready()
    container.tick("readiness")
    assert not container.is_ready()
    container.tick("readiness")
    assert container.said() == [
        "readiness probe fails (1 of 2): not fine",
        "readiness probe failed (2 of 2): not fine; not ready",
    ]
    (container.root / "fine").touch()
    container.tick("readiness")
    container.tick("readiness")
    assert container.is_ready()
    assert container.said()[2:] == ["readiness probe passes: ready again"]


def test_success_between_failures_begins_the_count_again(container: Container) -> None:
    container.spec("liveness", failures=2)
    fine = container.root / "fine"
    for _ in range(3):
        container.tick("liveness")
        fine.touch()
        container.tick("liveness")
        fine.unlink()
    assert not any("podman" in line for line in container.said())


def test_liveness_stops_the_container_after_its_hook(container: Container) -> None:
    container.spec("liveness", failures=2)
    container.tick("liveness")
    container.tick("liveness")
    assert container.said() == [
        "liveness probe fails (1 of 2): not fine",
        "liveness probe failed (2 of 2): not fine; the container is stopped",
        "pre-stop",
        "podman stop --ignore --time 7 c0ffee",
    ]
    # It is no more looked at until it has started again.
    container.tick("liveness")
    assert len(container.said()) == 4


def test_no_look_before_the_delay_is_over(container: Container) -> None:
    container.spec("liveness", failures=1, delay=10**7)
    (container.run / "began").write_text("0\n")
    container.tick("liveness")
    assert container.said() == []


def test_no_look_at_what_does_not_run(container: Container) -> None:
    container.spec("liveness", failures=1)
    (container.run / "pid").write_text("4194305\n")
    container.tick("liveness")
    (container.run / "pid").write_text("1\n")
    (container.run / "up").unlink()
    container.tick("liveness")
    assert container.said() == []
