"""Ansible inventories as nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.errors import CloudInvalid, Problem
from skerry.load.cloud import load_cloud
from skerry.load.inventory import read_inventory
from skerry.load.inventory_groups import RangeFault, expand_range
from skerry.model.cloud import Node

INI = """\
; the whole fleet
lone.example.com ansible_user=root   # by itself

[web]
web[01:02] ansible_host=10.0.0.1 zone="eu"
DB_[a:c:2].x:2222 vendor=ovh

[web:vars]
ansible_user = deploy
ansible_port=22
vendor=hetzner

[zone_eu:children]
web

[zone_eu:vars]
vendor=other
zone=west

[all:vars]
ansible_ssh_private_key_file=keys/id
ansible_python_interpreter=/usr/bin/python3
"""
YAML = """\
all:
  vars: {ansible_ssh_private_key_file: keys/id, secret: !vault abc}
  hosts:
    lone.example.com: {ansible_user: root}
  children:
    zone_eu:
      vars: {vendor: other, zone: west}
      children:
        web:
web:
  vars: {ansible_user: deploy, ansible_port: 22, vendor: hetzner}
  hosts:
    web[01:02]: {ansible_host: 10.0.0.1, zone: eu}
    DB_[a:c:2].x: {vendor: ovh, ansible_port: '2222'}
"""
GROUPS = {"group.zone_eu": "true", "group.web": "true"}
EXPECTED = {
    "lone-example-com": ("root@lone.example.com", None, "keys/id", None, None, {}),
    "web01": ("deploy@10.0.0.1", 22, "keys/id", "hetzner", "eu", GROUPS),
    "web02": ("deploy@10.0.0.1", 22, "keys/id", "hetzner", "eu", GROUPS),
    "db-a-x": ("deploy@DB_a.x", 2222, "keys/id", "ovh", "west", GROUPS),
    "db-c-x": ("deploy@DB_c.x", 2222, "keys/id", "ovh", "west", GROUPS),
}


def read(path: Path, text: str) -> tuple[dict[str, Node], list[str]]:
    path.write_text(text)
    problems: list[Problem] = []
    nodes = read_inventory(path, path.name, problems)
    return nodes, [str(problem) for problem in problems]


@pytest.mark.parametrize(("name", "text"), [("hosts", INI), ("hosts.ini", INI), ("h.yml", YAML)])
def test_nodes(tmp_path: Path, name: str, text: str) -> None:
    nodes, problems = read(tmp_path / name, text)
    assert problems == []
    assert {
        name: (node.ssh, node.port, node.identity_file, node.vendor, node.zone, node.labels)
        for name, node in nodes.items()
    } == EXPECTED


def test_places(tmp_path: Path) -> None:
    nodes, _ = read(tmp_path / "hosts", INI)
    assert str(nodes["web02"].origin.of("ssh").problem("x")) == "hosts:5:25: x"
    assert str(nodes["web02"].origin.of("vendor").problem("x")) == "hosts:11:8: x"


INI_CASES = [
    ("[web", ["1:1: this section's name is not closed: ']' is missing"]),
    (
        "[web:host]",
        ["1:1: no section [web:host] (a section is [GROUP], [GROUP:children] or [GROUP:vars])"],
    ),
    (
        "[web]\na\n[eu:children]\nwbe",
        ["4:1: group eu contains group 'wbe', which is not there (did you mean 'web'?)"],
    ),
    (
        "[foo:vars]\na=b",
        ["1:1: variables are given for group 'foo', which is not there (declare it: [foo])"],
    ),
    ("[a:vars]\nx\n[a]", ["2:1: must be NAME=VALUE, not 'x'"]),
    ("a b", ["1:3: must be NAME=VALUE, not 'b' (one host on a line, its variables after it)"]),
    ("a x='1", ["1:5: this quote is not closed"]),
    ("a ansible_port=99999", ["1:16: a.port: must be a whole number from 1 to 65535, not 99999"]),
    ("a ansible_port=ssh", ['1:16: a.port: must be a whole number from 1 to 65535, not "ssh"']),
    (
        "a ansible_host=-oProxyCommand=x",
        [
            "1:16: a.ssh: must be a host or USER@HOST as the command ssh takes it, "
            'not "-oProxyCommand=x"'
        ],
    ),
    (
        "a ansible_password=x",
        [
            "1:20: a: `ansible_password`: passwords are not read from files "
            "(log in with a key; skerry node add --ask-password installs yours)"
        ],
    ),
    ("a ansible_connection=local", ["1:22: a: `ansible_connection` must be ssh"]),
    (
        "a ansible_ssh_common_args='-J b'",
        [
            "1:27: a: `ansible_ssh_common_args` is not honoured "
            "(write it to a configuration file for ssh, named as ssh-config in cloud.yaml)"
        ],
    ),
    ("a ansible_hots=1", ["1:16: a: no variable `ansible_hots` (did you mean `ansible_host`?)"]),
    ("a ansible_host={{x}}", ["1:16: a: `ansible_host`: templates are not honoured"]),
    ("a.b\na-b", ["2:1: the hosts 'a.b' and 'a-b' both give the node 'a-b'"]),
    (
        "-a",
        [
            "1:1: the host '-a' gives no name for a node "
            "(name it with letters, digits and '-', and give its address as ansible_host)"
        ],
    ),
    ("a[3:1]", ["1:1: a[3:1]: the first end of a range comes before the last"]),
    ("a[x]", ["1:1: a[x]: is no host range: [first:last] or [first:last:step]"]),
    ("a[0:999999]", ["1:1: a[0:999999]: more than 5000 hosts"]),
    ("[a:children]\nb\n[b:children]\na", ["4:1: group 'a' contains itself"]),
    ("192.0.2.1\n[2001:db8::1]", []),
]


@pytest.mark.parametrize(("text", "expected"), INI_CASES)
def test_ini_problems(tmp_path: Path, text: str, expected: list[str]) -> None:
    _, problems = read(tmp_path / "hosts", text + "\n")
    assert problems == [f"hosts:{line}" for line in expected]


YAML_CASES = [
    ("all: {host: {a: }}", ["1:7: all: no field `host` here (did you mean `hosts`?)"]),
    ("all: {hosts: [a]}", ["1:14: all.hosts: must be a mapping: each name with a ':' after it"]),
    (
        "all: {hosts: {a: {vendor: no}}}",
        [
            "1:27: a.vendor: must be a label's value: letters, digits, '-', '_' and '.' "
            '(at most 63 characters), not no, which is true or false to YAML (quote it: "no")'
        ],
    ),
    (
        "all: {hosts: {a: {ansible_host: !vault x}}}",
        ["1:33: a: `ansible_host` must be a single value"],
    ),
    (
        "a: &a {children: {a: *a}}",
        ["1:4: groups are nested more than 50 levels deep", "1:19: group 'a' contains itself"],
    ),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), YAML_CASES)
def test_yaml_problems(tmp_path: Path, text: str, expected: list[str]) -> None:
    _, problems = read(tmp_path / "h.yaml", text + "\n")
    assert problems == [f"h.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a", ["a"]),
        ("a[1:3]", ["a1", "a2", "a3"]),
        ("a[:2]", ["a0", "a1", "a2"]),
        ("a[08:10]", ["a08", "a09", "a10"]),
        ("a[0:4:2].x", ["a0.x", "a2.x", "a4.x"]),
        ("[a:b][1:2]", ["a1", "a2", "b1", "b2"]),
    ],
)
def test_ranges(pattern: str, names: list[str]) -> None:
    assert list(expand_range(pattern)) == names


def test_range_with_uneven_zeros() -> None:
    with pytest.raises(RangeFault):
        list(expand_range("a[01:100]"))


def test_variables_in_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/web.yml").write_text("x: 1\nansible_user: root\n")
    _, problems = read(tmp_path / "hosts", "a\n")
    assert problems == [
        "group_vars/web.yml:2:1: `ansible_user` is not read from group_vars/ (move it to hosts)"
    ]


def test_inventory_and_nodes_together(tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text(
        "name: x\ninventory: ansible/hosts\nnodes: {a: {ssh: a}, c: {ssh: c}}\n"
    )
    (tmp_path / "ansible").mkdir()
    (tmp_path / "ansible/hosts").write_text("b ansible_ssh_private_key_file=k\n")
    cloud = load_cloud(tmp_path)
    assert list(cloud.nodes) == ["a", "c", "b"]
    assert cloud.nodes["b"].identity_file == str(tmp_path / "ansible/k")
    (tmp_path / "ansible/hosts").write_text("\na\n")
    with pytest.raises(CloudInvalid) as caught:
        load_cloud(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "ansible/hosts:2:1: the node 'a' is there twice, first at cloud.yaml:3"
    ]
