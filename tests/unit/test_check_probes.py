"""What is wrong with probes, hooks and init containers: the place and the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_load_problems import POD, problems_of, write_folder

# What is added after POD (so its first line is line 8), and the problems.
CASES: list[tuple[str, list[str]]] = [
    (
        "    livenessProbe: {periodSeconds: 5}",
        [
            "8:20: livenessProbe says not what is done "
            "(give one of exec, httpGet and tcpSocket)"
        ],
    ),
    (
        "    readinessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}",
        ["readinessProbe has both exec and tcpSocket (leave one of them out)"],
    ),
    (
        "    livenessProbe: {exec: {command: [a]}, successThreshold: 2}",
        ["a livenessProbe has passed when it passed once: successThreshold is 1"],
    ),
    (
        "    startupProbe: {exec: {command: [a]}, successThreshold: 2}",
        ["a startupProbe has passed when it passed once: successThreshold is 1"],
    ),
    (
        "    readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 2}",
        ["a readinessProbe stops nothing: it has no terminationGracePeriodSeconds"],
    ),
    (
        "    ports: [{containerPort: 80, name: http}]\n"
        "    livenessProbe: {httpGet: {port: htpp}}",
        ["container 'web' has no port with the name 'htpp' (did you mean 'http'?)"],
    ),
    (
        "    lifecycle: {preStop: {sleep: {seconds: 31}}}",
        ["31 s are more than the pod has to stop (terminationGracePeriodSeconds is 30)"],
    ),
    ("    lifecycle: {postStart: {}}", ["postStart says not what is done"]),
    (
        "    restartPolicy: Always",
        ["container 'web': only an init container has a restartPolicy"],
    ),
    (
        "  initContainers:\n  - {name: i, image: x, lifecycle: {preStop: {sleep: {seconds: 1}}}}",
        [
            "init container 'i' runs to its end: it has no lifecycle "
            "(restartPolicy: Always has it run beside the pod's containers)"
        ],
    ),
    ("  initContainers:\n  - {name: i, image: x, restartPolicy: Always, "
     "livenessProbe: {tcpSocket: {port: 1}}}", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_problem(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = problems_of(write_folder(tmp_path, {"pods/p.yaml": f"{POD}{text}\n"}))
    assert len(found) == len(expected), found
    for words, problem in zip(expected, found, strict=True):
        assert words in problem
