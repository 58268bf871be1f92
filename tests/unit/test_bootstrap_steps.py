"""The node's side of bootstrap, in a folder that stands in for the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skerry_node.bootstrap import failed_step, take_step
from skerry_node.bootstrap_access import (
    SUDOERS_TEXT,
    comment_of,
    includes_drop_ins,
    missing_keys,
    with_lines,
    without_lines,
)
from skerry_node.bootstrap_packages import configured_runtime
from skerry_node.bootstrap_site import RECORD, Site
from skerry_node.bootstrap_swap import look_at_swap
from skerry_node.bootstrap_system import (
    SUBORDINATE,
    look_at_state_folder,
    look_at_subordinate_ids,
)
from skerry_node.fault import NodeFault
from skerry_node.reset import look_at_claims

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDECVhGmhkIDmg39tDG4Ta"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ"


class Machine(Site):
    """A site whose commands answer from a table (status, text); others are not installed."""

    def __init__(self, root: Path, answers: dict[str, tuple[int, str]], **settings: Any) -> None:
        for folder in ("etc", "proc", "var/lib"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        super().__init__({"check": False, **settings}, root=str(root))
        self.answers = answers
        self.commands: list[str] = []

    def try_run(self, *argv: str, **variables: str) -> tuple[int, str]:
        self.commands.append(" ".join(argv))
        return self.answers.get(argv[0], (127, ""))


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def test_subordinate_ids_are_added_once_and_recorded(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {})
    (tmp_path / "etc/subuid").write_text("me:100000:65536")
    state, detail = take_step(look_at_subordinate_ids, machine)
    assert state == "changed" and "/etc/subuid" in detail
    assert (tmp_path / "etc/subuid").read_text() == f"me:100000:65536\n{SUBORDINATE}\n"
    assert (tmp_path / "etc/subgid").read_text() == f"{SUBORDINATE}\n"
    record = json.loads((tmp_path / RECORD.lstrip("/")).read_text())
    assert record["subordinate_ids"] == ["/etc/subuid", "/etc/subgid"]
    assert record["files"] == ["/etc/subgid"]
    before = files(tmp_path)
    assert take_step(look_at_subordinate_ids, Machine(tmp_path, {}))[0] == "ok"
    assert files(tmp_path) == before


def test_a_range_of_the_owner_is_left_alone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {})
    for name in ("subuid", "subgid"):
        (tmp_path / "etc" / name).write_text("containers:500000:65536\n")
    before = files(tmp_path)
    assert take_step(look_at_subordinate_ids, machine)[0] == "ok"
    assert files(tmp_path) == before


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {}, check=True)
    before = files(tmp_path)
    assert take_step(look_at_state_folder, machine)[0] == "would-change"
    assert take_step(look_at_subordinate_ids, machine)[0] == "would-change"
    assert files(tmp_path) == before


def test_the_state_folder_is_closed_to_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {})
    folder = tmp_path / "var/lib/skerry"
    folder.mkdir(mode=0o755)
    assert take_step(look_at_state_folder, machine)[0] == "changed"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert take_step(look_at_state_folder, machine)[0] == "ok"


@pytest.mark.parametrize(
    ("memory_kb", "swaps", "answers", "state", "words"),
    [
        (2_000_000, 0, {}, "ok", "no swap needed"),
        (480_000, 1, {}, "ok", "there is swap"),
        (480_000, 0, {"systemd-detect-virt": (0, "")}, "skipped", "not possible here"),
        (
            480_000,
            0,
            {
                "systemd-detect-virt": (1, ""),
                "modprobe": (0, ""),
                "dpkg-query": (0, ""),
                "apt-cache": (0, "Package: systemd-zram-generator"),
            },
            "change",
            "zram",
        ),
        (
            480_000,
            0,
            {
                "systemd-detect-virt": (1, ""),
                "modprobe": (0, ""),
                "dpkg-query": (0, ""),
                "apt-cache": (100, ""),
            },
            "change",
            "swap file",
        ),
        (
            480_000,
            0,
            {"systemd-detect-virt": (1, ""), "modprobe": (1, "")},
            "change",
            "swap file",
        ),
    ],
)
def test_swap_is_for_nodes_with_little_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    memory_kb: int,
    swaps: int,
    answers: dict[str, tuple[int, str]],
    state: str,
    words: str,
) -> None:
    machine = Machine(
        tmp_path,
        answers,
        low_memory=1 << 30,
        zram_package="systemd-zram-generator",
        package_manager="apt",
    )
    (tmp_path / "proc/meminfo").write_text(f"MemTotal:     {memory_kb} kB\nMemFree: 1 kB\n")
    rows = "/swap file 1 0 -2\n" * swaps
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n" + rows)
    # As much room as this machine really has is no matter of this test.
    monkeypatch.setattr("skerry_node.bootstrap_swap._ROOM", -(1 << 40))
    finding = look_at_swap(machine)
    assert finding.state == state
    assert words in finding.detail


def test_a_swap_file_needs_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path, {"systemd-detect-virt": (1, ""), "modprobe": (1, "")}, low_memory=1)
    machine.settings["low_memory"] = 1 << 30
    (tmp_path / "proc/meminfo").write_text("MemTotal: 480000 kB\n")
    monkeypatch.setattr("skerry_node.bootstrap_swap._ROOM", 1 << 60)
    finding = look_at_swap(machine)
    assert finding.state == "skipped" and "too few" in finding.detail


def test_the_runtime_that_the_owner_chose_is_installed_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {})
    assert configured_runtime(machine) is None
    (tmp_path / "etc/containers").mkdir()
    (tmp_path / "etc/containers/containers.conf").write_text('[engine]\nruntime = "runc"\n')
    assert configured_runtime(machine) == "runc"
    (tmp_path / "etc/containers/containers.conf.d").mkdir()
    (tmp_path / "etc/containers/containers.conf.d/9.conf").write_text('runtime="/opt/x"\n')
    assert configured_runtime(machine) == "runc"


def test_keys_are_known_by_kind_and_body() -> None:
    text = f'# mine\n{KEY} old name\nno-pty,from="10.0.0.1" {OTHER} x\n'
    assert missing_keys(text, [f"{KEY} new name", OTHER]) == []
    assert missing_keys(f"# {KEY}\n", [KEY]) == [KEY]
    assert missing_keys("", [KEY, OTHER]) == [KEY, OTHER]


def test_lines_come_and_go() -> None:
    assert with_lines("a", ["b"]) == "a\nb\n"
    assert with_lines("", ["b"]) == "b\n"
    assert without_lines("a\nb\nc", ["b"]) == "a\nc"
    assert comment_of(f"{KEY} me at home") == "me at home"
    assert comment_of(KEY) == "ssh-ed25519"


@pytest.mark.parametrize(
    ("config", "includes"),
    [
        ("Include /etc/ssh/sshd_config.d/*.conf\n", True),
        ("  include sshd_config.d/*.conf\n", True),
        ("#Include /etc/ssh/sshd_config.d/*.conf\n", False),
        ("Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n", False),
        ("Port 22\n", False),
    ],
)
def test_whether_sshd_reads_drop_ins(*, config: str, includes: bool) -> None:
    assert includes_drop_ins(config) == includes


@pytest.mark.claims("login-key-is-root")
def test_sudoers_names_one_user_only() -> None:
    text = SUDOERS_TEXT % {"user": "skerry"}
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert rules == [
        "Defaults:skerry !requiretty, !use_pty",
        "skerry ALL=(ALL:ALL) NOPASSWD: ALL",
    ]


def test_a_failed_step_says_what_was_done_and_that_it_can_be_repeated() -> None:
    done = [{"step": "packages", "state": "changed"}, {"step": "user", "state": "ok"}]
    fault = failed_step("sudo", NodeFault("x", "visudo says no", hint="look"), done)
    assert fault.message == "sudo: visudo says no"
    assert fault.hint == "look; changed before: packages; the same command again goes on from there"
    assert "nothing was changed before" in failed_step("a", NodeFault("x", "y"), []).hint


def test_reset_names_the_claims_whose_data_goes(tmp_path: Path) -> None:
    claims = tmp_path / "var/lib/skerry/claims"
    (claims / "db").mkdir(parents=True)
    (claims / "db/rows").write_text("precious")
    (claims / "mail").mkdir()
    looked = take_step(look_at_claims, Machine(tmp_path, {}, check=True))
    assert looked == ("would-change", "remove for good what is in db, mail")
    assert (claims / "db/rows").exists()
    assert take_step(look_at_claims, Machine(tmp_path, {})) == ("changed", "db, mail")
    assert not any(claims.iterdir())
    assert take_step(look_at_claims, Machine(tmp_path, {}))[0] == "ok"
