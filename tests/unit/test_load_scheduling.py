"""What a pod asks of nodes, checked when it is loaded; ports that two take for certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_load_problems import CLOUD, POD, problems_of, write_folder

AFFINITY = """\
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - {FIELD: [{key: KEY, operator: OPERATOR, values: VALUES}]}
"""


def affinity(key: str, operator: str, values: str, field: str = "matchExpressions") -> str:
    text = AFFINITY.replace("KEY", key).replace("OPERATOR", operator)
    return text.replace("VALUES", values).replace("FIELD", field)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (affinity("a", "In", "[]"), "the operator In needs at least one of `values`"),
        (affinity("a", "Exists", "[b]"), "the operator Exists has no `values`"),
        (affinity("a", "Gt", "[many]"), "the operator Gt needs one whole number in `values`"),
        (affinity("a", "Lt", "['1', '2']"), "the operator Lt needs one whole number in `values`"),
        (affinity("spec.x", "In", "[b]", "matchFields"), "'spec.x' is no field of nodes"),
        (affinity("metadata.name", "In", "[b, c]", "matchFields"), "In or NotIn and one value"),
        ("  tolerations: [{value: x}]\n", "a toleration without a key is for all taints"),
        ("  tolerations: [{key: a, operator: Exists, value: x}]\n", "Exists has no `value`"),
        ("  nodeName: alpa\n", "there is no node 'alpa' (did you mean 'alpha'?)"),
        (
            "  topologySpreadConstraints:\n"
            "    - {maxSkew: 1, topologyKey: z, minDomains: 2,\n"
            "       whenUnsatisfiable: ScheduleAnyway}\n",
            "minDomains is for whenUnsatisfiable: DoNotSchedule alone",
        ),
        (
            "  topologySpreadConstraints:\n"
            "    - {maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule}\n"
            "    - {maxSkew: 2, topologyKey: z, whenUnsatisfiable: DoNotSchedule}\n",
            "a second constraint has topologyKey z and whenUnsatisfiable DoNotSchedule",
        ),
    ],
)
def test_what_cannot_be_asked_of_nodes(tmp_path: Path, spec: str, words: str) -> None:
    cloud = CLOUD + "run:\n  w: {pod: pods/p.yaml}\n"
    write_folder(tmp_path, {"cloud.yaml": cloud, "pods/p.yaml": POD + spec})
    told = problems_of(tmp_path)
    assert len(told) == 1
    assert words in told[0]


def test_a_taint_is_there_once(tmp_path: Path) -> None:
    taints = "taints: [{key: a}, {key: a, value: b}]"
    text = f"name: x\nnodes:\n  alpha: {{ssh: root@h, {taints}}}\nrun: {{}}\n"
    write_folder(tmp_path, {"cloud.yaml": text})
    (told,) = problems_of(tmp_path)
    assert "the taint a:NoSchedule is there twice" in told


def test_ports_of_pods_that_choose_their_nodes_are_a_matter_of_placement(tmp_path: Path) -> None:
    port = POD + "    ports: [{containerPort: 80, hostPort: 80}]\n"
    write_folder(
        tmp_path,
        {
            "cloud.yaml": CLOUD + "run:\n  a: {pod: pods/a.yaml}\n  b: {pod: pods/b.yaml}\n",
            "pods/a.yaml": port + "  nodeSelector: {name: alpha}\n",
            "pods/b.yaml": port + "  nodeSelector: {name: beta}\n",
        },
    )
    assert problems_of(tmp_path) == []
