"""Every problem of cloud.yaml, its placements and what refers to what: place and words, pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_load_problems import CLOUD, POD, problems_of, write_folder

CLOUD_CASES: list[tuple[str, list[str]]] = [
    ("", ["1:1: is empty: the field `name` must be given"]),
    ("nodes: {}", ["1:1: the field `name` must be given"]),
    ("- a", ["1:1: must be a mapping of fields, not a list"]),
    (
        "name: on",
        [
            "1:7: name: must be a name of lower-case letters, digits and '-' "
            '(at most 63 characters), not on, which is true or false to YAML (quote it: "on")'
        ],
    ),
    (
        'name: "x\\n"',
        [
            "1:7: name: must be a name of lower-case letters, digits and '-' "
            '(at most 63 characters), not "x\\n"'
        ],
    ),
    ("name: x\n---\nname: y", ["3:1: there is more than one document (---)"]),
    ("name: x\nnode: {}", ["2:1: no field `node` here (did you mean `nodes`?)"]),
    ("name: x\nx-node: {}\nnodes: {a: {x-b: 1, ssh: a}}\nrun: {}", []),
    ("name: x\nnodes: [a]", ["2:8: nodes: must be a mapping, not a list"]),
    (
        "name: x\nnodes: {A: {ssh: a}}",
        [
            "2:9: nodes: the key \"A\" must be a name of lower-case letters, digits and '-' "
            "(at most 63 characters)"
        ],
    ),
    (
        "name: x\nnodes: {a: {ssh: -oProxyCommand=x}}",
        [
            "2:18: nodes.a.ssh: must be a host or USER@HOST as the command ssh takes it, "
            'not "-oProxyCommand=x"'
        ],
    ),
    (
        "name: x\nnodes: {a: {ssh: root@h:22}}",
        ["2:18: nodes.a.ssh: the port is a field of its own (write ssh: root@h and port: 22)"],
    ),
    ("name: x\nnodes: {a: {ssh: '2001:db8::22'}}", []),
    (
        "name: x\nx-d: &d {vendor: v, zone: z}\nnodes:\n  a: {<<: *d, ssh: h, zone: y}\n"
        "  b: {<<: [*d], ssh: h}",
        [],
    ),
    (
        "name: x\nnodes:\n  a: {<<: 1, ssh: h}",
        ["3:11: nodes.a: a merge (<<) takes a mapping or a list of mappings"],
    ),
    (
        "name: x\nnodes: &n\n  a: &a {<<: *a, ssh: h}",
        ["3:6: nodes.a: a merge (<<) contains itself"],
    ),
    (
        "name: x\nrun:\n  w: {pod: pods/p.yaml}",
        [
            "3:6: 'w' has no node to run on: the cloud has none "
            "(add one: skerry node add NAME [USER@]HOST)"
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CLOUD_CASES)
def test_cloud_problems(tmp_path: Path, text: str, expected: list[str]) -> None:
    write_folder(tmp_path, {"cloud.yaml": text, "pods/p.yaml": POD})
    assert problems_of(tmp_path) == [f"cloud.yaml:{line}" for line in expected]


PLACEMENT_CASES: list[tuple[str, list[str]]] = [
    ("{pod: pods/p.yaml}", []),
    ("{pod: ./pods/p.yaml, nodes: [alpha], spread: vendor}", []),
    ("{pod: pods/q.yaml}", ["12: pod: pods/q.yaml is not there (did you mean pods/p.yaml?)"]),
    ("{pod: pods}", ["12: pod: pods is a folder, not a file"]),
    (
        "{pod: ../p.yaml}",
        [
            "12: pod: '../p.yaml': a manifest's path stays within the cloud folder: "
            "no '..', no '/' or '~' first"
        ],
    ),
    (
        "{pod: /etc/passwd}",
        [
            "12: pod: '/etc/passwd': a manifest's path stays within the cloud folder: "
            "no '..', no '/' or '~' first"
        ],
    ),
    (
        "{pod: pods/out.yml}",
        ["12: pod: 'pods/out.yml': leads out of the cloud folder through a symbolic link"],
    ),
    (
        "{pod: pods/p.yaml#wep}",
        ["12: pod: pods/p.yaml holds no workload named 'wep' (did you mean pods/p.yaml#web?)"],
    ),
    (
        "{pod: pods/two.yaml}",
        [
            "12: pod: pods/two.yaml holds 2 workloads "
            "(say which: pods/two.yaml#web or pods/two.yaml#other)"
        ],
    ),
    ("{pod: pods/two.yaml#other}", []),
    (
        "{pod: pods/c.yaml}",
        [
            "12: pod: pods/c.yaml holds no workload "
            "(Pod, Deployment, DaemonSet, StatefulSet, Job or CronJob)"
        ],
    ),
    (
        "{pod: pods/p.yaml, nodes: [alhpa]}",
        ["33: nodes: there is no node 'alhpa' (did you mean 'alpha'?)"],
    ),
    ("{pod: pods/p.yaml, nodes: ['b*']}", ["33: nodes: no node's name matches 'b*'"]),
    ("{pod: pods/p.yaml, nodes: []}", ["32: run.w.nodes: must have at least 1 item"]),
    (
        "{pod: pods/p.yaml, replicas: -1}",
        ["35: run.w.replicas: must be a whole number from 0 to 10000, not -1"],
    ),
    (
        "{pod: pods/port.yaml, replicas: 3}",
        ["38: 3 replicas of 'w' take the node's port 80/TCP each: 2 nodes have room for 2"],
    ),
    (
        "{pods: pods/p.yaml}",
        [
            "6: run.w: the field `pod` must be given",
            "7: run.w: no field `pods` here (did you mean `pod`?)",
        ],
    ),
]


@pytest.mark.parametrize(("placement", "expected"), PLACEMENT_CASES)
def test_placement_problems(tmp_path: Path, placement: str, expected: list[str]) -> None:
    port = POD + "    ports: [{containerPort: 80, hostPort: 80}]\n"
    write_folder(
        tmp_path / "home",
        {
            "cloud.yaml": f"name: x\nnodes: {{alpha: {{ssh: a}}, c: {{ssh: c}}}}\n"
            f"run:\n  w: {placement}\n",
            "pods/p.yaml": POD,
            "pods/port.yaml": port,
            "pods/two.yaml": POD + "---\n" + POD.replace("{name: web}", "{name: other}"),
            "pods/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
        },
    )
    (tmp_path / "secret").write_text(POD)
    (tmp_path / "home/pods/out.yml").symlink_to("../../secret")
    wanted = [f"cloud.yaml:4:{line}" for line in expected]
    wanted.append("pods/out.yml: leads out of the cloud folder through a symbolic link")
    assert problems_of(tmp_path / "home") == wanted


def test_config_map_references(tmp_path: Path) -> None:
    text = POD + (
        "    env:\n"
        "    - {name: A, valueFrom: {configMapKeyRef: {name: conf, key: wort}}}\n"
        "    - {name: B, valueFrom: {configMapKeyRef: {name: conf, key: bin}}}\n"
        "    - {name: C, valueFrom: {configMapKeyRef: {name: cnof, key: a}}}\n"
        "    - {name: D, valueFrom: {configMapKeyRef: {name: gone, key: a, optional: true}}}\n"
    )
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {word: x}\n"
        "binaryData: {bin: aGk=}\n"
    )
    write_folder(tmp_path, {"pods/p.yaml": text, "pods/a/c.yml": config, "pods/c.yaml": config})
    assert problems_of(tmp_path) == [
        "pods/c.yaml:3:18: ConfigMap 'conf' is there twice, first at pods/a/c.yml:1",
        "pods/p.yaml:9:64: ConfigMap 'conf' has no key 'wort' (did you mean 'word'?)",
        "pods/p.yaml:10:64: the key 'bin' of ConfigMap 'conf' is binary and cannot be a variable",
        "pods/p.yaml:11:53: there is no ConfigMap 'cnof' in the cloud folder "
        "(did you mean 'conf'?)",
    ]


def test_two_workloads_on_one_port(tmp_path: Path) -> None:
    port = POD + "    ports: [{containerPort: 80, hostPort: 80}]\n"
    cloud = "run:\n  a: {pod: pods/p.yaml, nodes: [alpha]}\n  b: {pod: pods/p.yaml}\n"
    write_folder(tmp_path, {"cloud.yaml": CLOUD + cloud, "pods/p.yaml": port})
    assert problems_of(tmp_path) == [
        "cloud.yaml:6:6: 'b' and 'a' both take port 80/TCP of node 'alpha'"
    ]


def test_one_mistake_is_not_reported_as_many(tmp_path: Path) -> None:
    """What refers to something that is there but broken is not called wrong itself."""
    cloud = (
        "name: X\nnodes:\n  alpha: {ssh: a b}\n  beta: {ssh: b, port: 0}\n"
        "run:\n  a: {pod: pods/p.yaml, nodes: [alpha, beta, gamma]}\n  b: {pod: pods/bad.yaml}\n"
    )
    pod = POD + "  volumes: [{name: v, configMap: {name: c}}]\n"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndatta: {}\n"
    write_folder(
        tmp_path,
        {
            "cloud.yaml": cloud,
            "pods/p.yaml": pod,
            "pods/c.yaml": config,
            "pods/bad.yaml": POD + "x: 1\n",
        },
    )
    assert [problem.partition(" ")[0] for problem in problems_of(tmp_path)] == [
        "cloud.yaml:1:7:",
        "cloud.yaml:3:16:",
        "cloud.yaml:4:24:",
        "cloud.yaml:6:46:",
        "pods/bad.yaml:8:1:",
        "pods/c.yaml:4:1:",
    ]


def test_alias_bomb_ends_quickly(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    text = POD + "    args: *m\n"
    merges = "x-m0: &m0 {a: b}\n" + "".join(
        f"x-m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}\n" for n in range(1, 9)
    )
    write_folder(
        tmp_path,
        {
            "cloud.yaml": merges + "name: x\nnodes: {a: {ssh: a, labels: {<<: *m8}}}\n",
            "pods/p.yaml": "\n".join(levels) + "\n" + text.replace("*m", "*a8"),
        },
    )
    problems = problems_of(tmp_path)
    assert "cloud.yaml:1:1: its aliases make it too large" in problems
    assert any("args[0]: must be text, not a list" in problem for problem in problems)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == ["cloud.yaml: there is no such file"]
    (tmp_path / "cloud.yaml").mkdir()
    assert problems_of(tmp_path) == ["cloud.yaml: is a folder, not a file"]
