"""Ready files, stamps of what has ended, and the log without Podman's bookkeeping."""

from __future__ import annotations

import json
from pathlib import Path

from skerry_node.commands import Commands, Finished
from skerry_node.condition import (
    read_unit_state,
    ready_seconds,
    remove_job_stamps,
    remove_stamps,
    stamps_of_jobs,
)
from skerry_node.host import Host
from skerry_node.unit_log import is_bookkeeping, message_of, read_log
from tests.unit.node_machine import Machine
from tests.unit.wire_examples import unit_entry

STAMP = "/var/lib/skerry/completed/skerry-once.0@1a2b"
ONCE = unit_entry(completes=True, completed=STAMP)
DEAD = {"LoadState": "loaded", "ActiveState": "inactive", "Result": "success"}


def test_unit_is_ready_while_its_file_is_there(tmp_path: Path) -> None:
    host = Machine(tmp_path).host
    entry = unit_entry(ready="/run/skerry/web/ready")
    running = {"LoadState": "loaded", "ActiveState": "active"}
    assert ready_seconds(host, entry) is None
    assert not read_unit_state(host, entry, running)["ready"]
    (tmp_path / "run/skerry/web").mkdir(parents=True)
    (tmp_path / "run/skerry/web/ready").touch()
    assert ready_seconds(host, entry) is not None
    assert read_unit_state(host, entry, running)["ready"]
    assert read_unit_state(host, unit_entry(), running)["ready"]


def test_stamp_tells_how_a_unit_ended_in_an_earlier_boot(tmp_path: Path) -> None:
    host = Machine(tmp_path).host
    file = tmp_path / STAMP[1:]
    file.parent.mkdir(parents=True)
    assert not read_unit_state(host, ONCE, DEAD)["completed"]
    file.write_text("success 0\n")
    assert read_unit_state(host, ONCE, DEAD)["completed"]
    # It was started by hand: what runs now counts.
    assert not read_unit_state(host, ONCE, {**DEAD, "ActiveState": "active"})["completed"]
    file.write_text("exit-code 3\n")
    state = read_unit_state(host, ONCE, DEAD)
    assert (state["active"], state["completed"]) == ("failed", False)
    assert (state["result"], state["exit_status"]) == ("exit-code", 3)
    remove_stamps(host, [ONCE, unit_entry()])
    assert not file.exists()


def test_podmans_bookkeeping_is_told_from_what_a_container_says() -> None:
    container = {"MESSAGE": "no luck\n", "_COMM": "conmon", "CONTAINER_ID_FULL": "1a"}
    event = {"MESSAGE": "container died", "_COMM": "podman", "PODMAN_EVENT": "died"}
    supervisor = {"MESSAGE": "conmon 1a <nwarn>: Failed to open cgroups file", "_COMM": "conmon"}
    an_id = {"MESSAGE": "1a" * 32, "_COMM": "podman"}
    error = {"MESSAGE": "Error: no such image", "_COMM": "podman"}
    systemd = {"MESSAGE": "Main process exited", "_COMM": "systemd"}
    assert [is_bookkeeping(one) for one in (event, supervisor, an_id)] == [True] * 3
    assert [is_bookkeeping(one) for one in (container, error, systemd)] == [False] * 3
    assert message_of(json.loads('{"MESSAGE": [195, 40]}')) == "\ufffd("


def test_jobs_are_forgotten_when_the_other_tree_has_them_no_more(tmp_path: Path) -> None:
    host = Machine(tmp_path).host
    stamps = {name: f"/var/lib/skerry/completed/{name}" for name in ("same", "gone", "pod")}
    for path in stamps.values():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_text("success 0\n")
    gone = {
        "same": unit_entry(role="job", completed=stamps["same"]),
        "gone": unit_entry(role="cron", completed=stamps["gone"]),
        "gone.first": unit_entry(role="init", completed=stamps["gone"]),
        "pod": unit_entry(completed=stamps["pod"]),
    }
    assert stamps_of_jobs(gone) == {stamps["same"], stamps["gone"]}
    remove_job_stamps(host, gone, {"same": gone["same"]})
    assert sorted(path.name for path in (tmp_path / "var/lib/skerry/completed").iterdir()) == [
        "pod",
        "same",
    ]


class Journal(Commands):
    """A journal whose beginning was cut off in the middle of an entry."""

    def run(self, *argv: str, deadline: float = 0.0, tail: int | None = None) -> Finished:
        entries = [{"MESSAGE": word * 3000, "_COMM": "sh"} for word in "ab"]
        entries.append({"MESSAGE": "c", "_COMM": "sh"})
        text = 'AGE": "lost"}\n[1]\n' + "".join(json.dumps(entry) + "\n" for entry in entries)
        return Finished(argv, 0, text.encode(), b"")


def test_of_a_log_the_last_lines_are_shown_and_of_a_long_line_its_beginning() -> None:
    lines = read_log(Host(commands=Journal()), "a.service", 2)
    assert lines == ["b" * 2000 + "... (3000 characters)", "c"]
    assert len(read_log(Host(commands=Journal()), "a.service", 9)) == 3
