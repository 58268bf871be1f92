"""Differences: files, images, units, ports, variables; expected, actual and fix apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.compile.runtimes.quadlet import quote_word
from skerry.errors import NodeUnreachable
from skerry.observe.containers import (
    NOT_PUBLISHED,
    NOT_ROUTED,
    NOTHING_LISTENS,
    Container,
    Inspected,
    parse_port,
    port_fault,
)
from skerry.observe.diff import diff_node
from skerry.observe.environment import desired_environments, parse_environment
from skerry.render.diff import render_diff_json, render_diff_line, render_findings
from skerry.render.text import Palette
from skerry_node import wire
from tests.unit.wire_examples import (
    file_entry,
    manifest,
    observed,
    on_disk,
    unit_entry,
    unit_state,
)

WEB = "skerry-blog.0.service"
FILE = "/etc/containers/systemd/skerry-blog.0.container"
ID = "a" * 64
RUNNING = Container(
    name="skerry-blog.0",
    image_id=ID,
    is_running=True,
    env=("PATH=/bin", "GREETING=hello"),
    published=("8080->80/tcp",),
    listening=("80/tcp",),
)


def blog(**different: Any) -> wire.Manifest:
    """A node with one pod of one container."""
    usual = {
        "files": {FILE: file_entry(b"new")},
        "units": {WEB: unit_entry(ports=["8080->80/tcp"], image="localhost/blog")},
        "images": {ID: "localhost/blog"},
    }
    return manifest(**{**usual, **different})


def seen(**different: Any) -> wire.Observed:
    """The node as the pod's manifest wants it."""
    usual = {"manifest": blog(), "generation": 3, "units": {WEB: unit_state()}, "images": [ID]}
    return observed(**{**usual, **different})


def inspected(container: Container = RUNNING, **different: Any) -> Inspected:
    """The node's one container."""
    usual = {
        "generation": 3,
        "units": {},
        "states": {},
        "containers": {WEB: container},
        "routed": ("8080/tcp",),
    }
    return Inspected(**{**usual, **different})


def found(
    desired: wire.Manifest, answer: wire.Observed, inside: Inspected | None = None
) -> list[tuple[str, str, str, str]]:
    """What differs: kind, expected, actual, fix."""
    findings = diff_node(
        desired,
        answer,
        inside or inspected(),
        environment_of=lambda unit: {"GREETING": "hello"},
    )
    return [(one.kind, one.expected, one.actual, one.fix) for one in findings]


def test_no_difference() -> None:
    assert found(blog(), seen()) == []


def test_an_empty_node_that_shall_be_empty() -> None:
    assert diff_node(manifest(), observed(), inspected(containers={})) == []


def test_a_file_that_was_edited() -> None:
    answer = seen(on_disk={FILE: on_disk(b"edited")})
    (one,) = diff_node(blog(), answer, inspected(), text_of=lambda path: "new")
    assert (one.kind, one.name, one.workloads, one.fix) == ("file", FILE, ("blog",), "skerry apply")
    assert one.expected == file_entry(b"new")["digest"][7:19] + " 0644 root:root"
    assert one.actual == file_entry(b"edited")["digest"][7:19]
    assert (one.old, one.new) == ("edited", "new")
    shown = render_findings([one], Palette(is_on=False))
    assert shown.splitlines()[:3] == ["alpha", "  blog", f"    file {FILE}"]
    assert "        -edited\n        +new" in shown


@pytest.mark.parametrize(
    ("there", "actual"),
    [
        (on_disk(None), "absent"),
        (on_disk(b"new", mode=0o600), "0600"),
        (on_disk(b"new", owner="bin:bin"), "bin:bin"),
        (on_disk(None, kind="link"), "a symbolic link"),
        (on_disk(None, kind="folder"), "a folder"),
    ],
)
def test_how_a_file_differs(there: wire.OnDisk, actual: str) -> None:
    assert [one[2] for one in found(blog(), seen(on_disk={FILE: there}))] == [actual]


def test_a_file_of_the_folder_that_is_not_applied_yet() -> None:
    older = blog(files={FILE: file_entry(b"old")})
    kinds = found(blog(), seen(manifest=older, on_disk={FILE: on_disk(b"old")}))
    assert [one[0] for one in kinds] == ["file"]
    # Where the node did not list the path, it is as its own record says.
    assert found(blog(), seen(manifest=older)) == kinds


def test_what_left_the_folder_is_extra() -> None:
    kinds = found(manifest(), seen())
    assert kinds == [
        ("file", "absent", "there, from an older generation", "skerry apply"),
        ("unit", "absent", "running", "skerry apply"),
    ]


def test_only_the_record_differs() -> None:
    older = blog(units={WEB: unit_entry(ports=["8080->80/tcp"], image="localhost/old")})
    assert [one[0] for one in found(blog(), seen(manifest=older))] == ["generation"]


def test_an_image_that_is_gone() -> None:
    assert found(blog(), seen(images=[])) == [("image", ID[:12], "absent", "skerry apply")]


@pytest.mark.parametrize(
    ("state", "expected", "actual", "fix"),
    [
        ({"active": "failed", "result": "exit-code"}, "running", "failed (exit-code)",
         "skerry apply"),
        ({"active": "inactive", "sub": "dead"}, "running", "stopped", "skerry apply"),
        ({"load": "not-found", "active": "inactive"}, "running", "systemd has no such unit",
         "skerry apply"),
        ({"active": "activating", "sub": "auto-restart"}, "running", "restarting",
         "skerry logs blog"),
        ({"enabled": "disabled"}, "generated (starts at boot)",
         "disabled (does not start at boot)",
         f"on the node: systemctl unmask {WEB}, then skerry apply"),
    ],
)  # fmt: skip
def test_units(state: dict[str, object], expected: str, actual: str, fix: str) -> None:
    answer = seen(units={WEB: unit_state(**state)})
    assert found(blog(), answer) == [("unit", expected, actual, fix)]


def test_a_masked_unit_does_not_start_at_boot() -> None:
    state = unit_state(load="masked", active="inactive", sub="dead", enabled="masked")
    actual = [one[2] for one in found(blog(), seen(units={WEB: state}))]
    assert actual == ["stopped", "masked (does not start at boot)"]


def test_a_unit_that_completed_is_as_it_shall_be() -> None:
    once = blog(units={WEB: unit_entry(completes=True)})
    state = unit_state(active="inactive", sub="dead", ended=5.0, since=0.0)
    assert found(once, seen(manifest=once, units={WEB: state})) == []


def test_the_container_runs_with_something_else() -> None:
    other = Container(name="skerry-blog.0", image_id="b" * 64, is_running=True)
    fix = f"on the node: systemctl restart {WEB}"
    assert found(blog(), seen(), inspected(other)) == [
        ("image", ID[:12], "b" * 12, fix),
        ("port", "published, and something listens behind it", NOT_PUBLISHED, fix),
        ("env", "'hello'", "not set", fix),
    ]


def test_a_container_that_does_not_run_is_the_units_matter() -> None:
    stopped = Container(name="skerry-blog.0", image_id="b" * 64, is_running=False)
    answer = seen(units={WEB: unit_state(active="failed")})
    assert [one[0] for one in found(blog(), answer, inspected(stopped))] == ["unit"]


def test_podman_that_fails_is_said() -> None:
    kinds = found(blog(), seen(), inspected(containers={}, error="no space left"))
    assert kinds == [
        ("container", "tells what the containers run with", "no space left",
         "mend Podman on the node"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("port", "changes", "routed", "fault"),
    [
        ("8080->80/tcp", {}, None, None),
        ("8080->80/tcp", {}, ("8080/tcp",), None),
        ("8080->80/tcp", {}, ("80/tcp",), NOT_ROUTED),
        ("8080->80/tcp", {}, (), NOT_ROUTED),
        ("8081->80/tcp", {}, None, NOT_PUBLISHED),
        ("8080->80/udp", {}, None, NOT_PUBLISHED),
        ("8080->80/tcp", {"listening": ("81/tcp",)}, None, NOTHING_LISTENS),
        ("8080->80/tcp", {"listening": None}, None, None),
        ("0.0.0.0:8080->80/tcp", {}, None, None),
        ("127.0.0.1:8080->80/tcp", {}, None, NOT_PUBLISHED),
        ("127.0.0.1:8080->80/tcp", {"published": ("127.0.0.1:8080->80/tcp",)}, None, None),
        ("8080->80/tcp", {"published": ("127.0.0.1:8080->80/tcp",)}, None, None),
        ("80->80/tcp", {"published": (), "uses_host_network": True}, (), None),
        ("80/tcp", {"published": ()}, None, None),
        ("81/tcp", {"published": ()}, None, NOTHING_LISTENS),
    ],
)
def test_ports(
    port: str, changes: dict[str, Any], routed: tuple[str, ...] | None, fault: str | None
) -> None:
    usual = {
        "name": "c",
        "image_id": ID,
        "is_running": True,
        "published": RUNNING.published,
        "listening": RUNNING.listening,
    }
    assert port_fault(port, Container(**{**usual, **changes}), routed) == fault


def test_ports_in_words() -> None:
    assert parse_port("[::1]:53->5353/udp") == ("::1", 53, 5353, "udp")
    assert parse_port("80/TCP") == ("", 0, 80, "tcp")
    assert parse_port("eighty") is None


def test_the_last_line_and_json() -> None:
    findings = diff_node(blog(), seen(images=[]), inspected())
    gone = {"beta": NodeUnreachable("beta", "no route")}
    assert render_diff_line(findings, gone, nodes=2, seconds=0.25) == (
        "1 difference on 1 of 1 node: 1 image · 1 node unreachable (beta) · 0.25 s"
    )
    assert render_diff_line([], {}, nodes=2, seconds=0.25) == "no difference on 2 nodes · 0.25 s"
    shown = json.loads(render_diff_json(findings, gone))
    assert shown["unreachable"] == {"beta": "no route"}
    assert shown["differences"][0]["kind"] == "image"


def test_variables_are_read_as_systemd_reads_them() -> None:
    words = ["A=1", "B=two words", 'C=q"uo\\te', "D=100%", "E=a\nb\tc", "F=", "G=é€😀", "H=\x01'"]
    lines = [f"Environment={quote_word(word)}" for word in words]
    text = "\n".join(["[Unit]", "Environment=X=1", "[Container]", *lines, "[Service]", lines[0]])
    assert parse_environment(text) == dict(word.split("=", 1) for word in words)
    several = "[Container]\nEnvironment=A=1 'B=2 3' C=4\\x205"
    assert parse_environment(several) == {"A": "1", "B": "2 3", "C": "4 5"}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x85\u2028\u2029")))
def test_every_value_survives_the_units_file(value: str) -> None:
    text = f"[Container]\nEnvironment={quote_word('NAME=' + value)}\n"
    assert parse_environment(text) == {"NAME": value}


def test_units_have_the_variables_of_their_own_files() -> None:
    desired = blog(units={WEB: unit_entry(files=[FILE, "/etc/skerry/config/a/b"])})
    assert desired_environments(desired, {FILE: "[Container]\nEnvironment=A=1\n"}) == {
        WEB: {"A": "1"}
    }
    assert desired_environments(desired, {}) == {}


def test_listening_ports_are_read_from_the_kernels_tables(tmp_path: Path) -> None:
    from skerry_node.inspect import listening_ports

    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
    net = tmp_path / "7/net"
    net.mkdir(parents=True)
    (net / "tcp").write_text(
        header
        + "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000\n"
        + "   1: 0100007F:0050 0100007F:9999 01 00000000:00000000\n"
    )
    (net / "udp6").write_text(header + "   0: 00000000:0035 00000000:0000 07 00000000:00000000\n")
    assert listening_ports(7, str(tmp_path)) == ["53/udp", "8080/tcp"]
    assert listening_ports(8, str(tmp_path)) is None


def test_routed_ports_are_read_from_nft_in_either_spelling() -> None:
    from skerry_node.inspect import parse_routed_ports

    ruleset = """
        tcp dport 8080 dnat ip to 10.88.0.2:80
        udp dport 53 counter packets 0 bytes 0 xt target "DNAT"
        tcp dport 22 accept
        ip saddr 10.88.0.0/16 tcp dport 9090 jump NETAVARK-HOSTPORT-SETMARK
    """
    assert parse_routed_ports(ruleset) == ["53/udp", "8080/tcp"]


def test_podmans_words_become_ours() -> None:
    from skerry_node.inspect import container_name, describe_container, published_ports

    assert container_name("skerry-q.0-pod.service") == "skerry-q.0-infra"
    assert container_name("skerry-q.0.web.service") == "skerry-q.0.web"
    assert container_name("a.timer") == ""
    bindings = {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::1", "HostPort": "81"}],
        "9/udp": None,
    }
    assert published_ports(bindings) == ["8080->80/tcp", "[::1]:81->80/tcp"]
    one = {"Image": ID, "State": {"Running": False}, "Config": {"Env": ["A=b"]}}
    described = describe_container("c", one, one)
    assert (described["env"], described["listening"], described["image_id"]) == (["A=b"], None, ID)
