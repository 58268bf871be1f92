"""`skerry lab` as a person types it, and what the nodes can and cannot reach."""

from __future__ import annotations

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.live.lab_harness import ssh, wait_until

from skerry.edge.run import Command, Finished, run
from skerry.lab import Lab
from skerry.lab.proxy import PORT


@pytest.fixture(scope="session")
def lab(breakable_lab: Lab) -> Lab:
    """Not the one on which the session's cloud stands."""
    return breakable_lab


def skerry_lab(
    lab: Lab, *words: str, expect: int = 0, as_json: bool = False, typed: bytes | None = None
) -> Finished:
    """Runs `skerry lab WORDS` on this lab; its exit status must be `expect`."""
    before = ("--json",) if as_json else ()
    argv = (sys.executable, "-m", "skerry", *before, "lab", "--name", lab.name, *words)
    finished = run(Command.of(*argv), check=False, input=typed, timeout=120)
    assert finished.status == expect, finished.error_text
    return finished


def listed(lab: Lab) -> dict[str, dict[str, Any]]:
    """The nodes as `lab ls` shows them to programs."""
    rows = json.loads(skerry_lab(lab, "ls", as_json=True).stdout)
    return {row["node"]: row for row in rows}


def states(lab: Lab) -> list[str]:
    """The states of alpha, beta and gamma."""
    rows = listed(lab)
    return [rows[name]["state"] for name in ("alpha", "beta", "gamma")]


def test_ls_says_what_is_true(restored_lab: Lab) -> None:
    lab = restored_lab
    assert states(lab) == ["running", "running", "running"]
    skerry_lab(lab, "kill", "alpha")
    skerry_lab(lab, "freeze", "beta")
    skerry_lab(lab, "cut", "gamma")
    assert states(lab) == ["down", "frozen", "cut"]
    skerry_lab(lab, "start", "alpha")
    skerry_lab(lab, "thaw", "beta")
    skerry_lab(lab, "heal", "gamma")
    assert states(lab) == ["running", "running", "running"]
    skerry_lab(lab, "cut", "alpha", "gamma")
    assert listed(lab)["alpha"]["cut_from"] == ["gamma"]
    skerry_lab(lab, "heal", "alpha", "gamma")
    assert listed(lab)["alpha"]["cut_from"] == []


def test_ls_as_a_table(lab: Lab) -> None:
    lines = skerry_lab(lab, "ls").text.splitlines()
    assert lines[0].split() == ["NODE", "VENDOR", "ADDRESS", "STATE", "SINCE"]
    assert lines[2].split()[:4] == ["beta", "east", "198.18.2.11", "running"]
    assert skerry_lab(lab, "ls", "-H", "-o", "node").text.splitlines() == [
        node.name for node in lab.nodes
    ]


def test_since_follows_a_reboot_that_nobody_told_us_of(restored_lab: Lab) -> None:
    before = listed(restored_lab)["beta"]["since"]
    beta = restored_lab.node("beta")
    init = beta.init_pid()
    ssh(restored_lab, "beta", "systemctl reboot", check=False)
    wait_until(lambda: beta.init_pid() not in (init, None), what="a new boot of beta")
    assert listed(restored_lab)["beta"]["since"] > before


def test_every_command_says_what_was_done_and_how_long_it_took(restored_lab: Lab) -> None:
    lab = restored_lab
    said = [
        skerry_lab(lab, *words).text.splitlines()[-1]
        for words in (
            ("up",),
            ("kill", "beta"),
            ("kill", "beta"),
            ("start", "beta"),
            ("start", "beta"),
            ("freeze", "beta"),
            ("thaw", "beta"),
            ("cut", "beta"),
            ("heal", "beta"),
            ("cut", "beta", "alpha"),
            ("heal", "beta", "alpha"),
            ("reboot", "beta"),
            ("new", "beta"),
        )
    ]
    assert all(re.search(r" in \d+\.\d s$", line) for line in said), said
    words = [line.partition(" in ")[0] for line in said]
    assert words == [
        f"lab {lab.name!r} is up: 0 nodes started, {len(lab.nodes)} already on",
        "beta vanished",
        "beta was down already; looked",
        "beta was switched on and answers SSH",
        "beta was on already (running); looked",
        "beta is frozen",
        "beta goes on",
        "beta is cut off",
        "beta is reachable again",
        "beta and alpha are cut off from each other",
        "beta and alpha reach each other again",
        "beta rebooted and answers SSH",
        "beta is another machine now, empty, and answers SSH",
    ]


def test_errors_name_the_way_out(lab: Lab) -> None:
    wrong = skerry_lab(lab, "kill", "bta", expect=2).error_text
    assert "has no node 'bta'" in wrong
    assert "hint: did you mean 'beta'?" in wrong
    absent = run(
        Command.of(sys.executable, "-m", "skerry", "lab", "--name", "nothere", "ls"), check=False
    )
    assert absent.status == 2
    assert "hint: skerry lab --name nothere up" in absent.error_text
    bad = run(Command.of(sys.executable, "-m", "skerry", "lab", "--name", "A/b", "up"), check=False)
    assert bad.status == 2
    assert "cannot be a lab's name" in bad.error_text


def test_shell_and_exec_pass_the_status_on(lab: Lab) -> None:
    answer = skerry_lab(lab, "shell", "gamma", typed=b"hostname; exit 7\n", expect=7)
    assert answer.text == "gamma"
    addresses = skerry_lab(lab, "exec", "--", "ip", "-o", "address").text
    assert "198.18.1.1/24" in addresses
    assert skerry_lab(lab, "exec", "--", "false", expect=1).text == ""


def test_ssh_config_and_password(lab: Lab) -> None:
    path = skerry_lab(lab, "ssh-config").text
    address = lab.node("beta").address
    for target in ("beta", address):
        assert run(Command.of("ssh", "-F", path, target, "hostname")).text == "beta"
    assert skerry_lab(lab, "password").text == lab.password


def test_nodes_of_different_vendors_reach_each_other(lab: Lab) -> None:
    gamma = lab.node("gamma").address
    assert "ttl=63" in ssh(lab, "alpha", f"ping -c 1 -W 2 {gamma}").text, "one router between"


def test_three_nodes_install_packages_at_once(lab: Lab) -> None:
    names = ["alpha", "beta", "gamma"]
    install = "apt-get -y -qq install hello >/dev/null && hello"
    with ThreadPoolExecutor(len(names)) as executor:
        answers = list(executor.map(lambda name: ssh(lab, name, install).text, names))
    assert answers == ["Hello, world!"] * len(names)


def test_nothing_but_the_mirror_is_reached_from_inside(lab: Lab) -> None:
    ask = "curl -s -m 5 -o /dev/null -w '%{http_code}'"
    mirror = ssh(lab, "alpha", "grep -o 'http://[^/ ]*' /etc/apt/sources.list | head -1").text
    assert ssh(lab, "alpha", f"{ask} -x http://198.18.1.1:{PORT} {mirror}/").text == "200"
    # The proxy stands on this computer: its other services are none of the nodes' business.
    refused = ssh(lab, "alpha", f"{ask} -x http://198.18.1.1:{PORT} http://127.0.0.1:22/")
    assert refused.text == "403"
    direct = ssh(lab, "alpha", f"{ask} --noproxy '*' http://192.0.2.1/", check=False)
    assert direct.status != 0
