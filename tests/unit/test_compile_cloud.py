"""compile_cloud: what two cannot both have, what is missing, and that it is pure and fast."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from skerry.compile.claims import NodeClaims
from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.placement.place_cloud import place_cloud
from skerry.compile.runtimes.mounts import needed_kernel
from skerry.compile.runtimes.pod import emit_pod, needed_podman
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.tree import Tree
from skerry.errors import CloudInvalid
from skerry.model.address import has_overlap
from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.configmap import ConfigMap
from skerry.model.pod import Pod
from tests.unit.sources import ROOT

IMAGE = "localhost/web"
LOCK = Lock(images={IMAGE: ResolvedImage(id="5" * 64, size=1)})


def config_map(name: str = "page", **texts: str) -> ConfigMap:
    return msgspec.convert(
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": texts},
        ConfigMap,
    )


def pod(container: dict[str, Any] | None = None, **spec: Any) -> Pod:
    first = {"name": "web", "image": IMAGE, **(container or {})}
    fields = {"containers": [first], **spec}
    return msgspec.convert(
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": fields}, Pod
    )


def workload(name: str, manifest: Pod, *nodes: str, replicas: int | None = None) -> Workload:
    return Workload(
        name=name,
        placement=Placement(pod="pods/x.yaml"),
        manifest=manifest,
        nodes=nodes or ("alpha", "beta"),
        replicas=replicas,
    )


def cloud(*workloads: Workload, config_maps: tuple[ConfigMap, ...] = (), nodes: int = 2) -> Cloud:
    names = ["alpha", "beta", *(f"node{number}" for number in range(2, nodes))]
    return Cloud(
        name="home",
        nodes={name: Node(ssh=f"root@{name}") for name in names},
        workloads={one.name: one for one in workloads},
        config_maps={one.metadata.name: one for one in config_maps},
    )


def problems(*workloads: Workload, config_maps: tuple[ConfigMap, ...] = ()) -> list[str]:
    with pytest.raises(CloudInvalid) as caught:
        compile_cloud(cloud(*workloads, config_maps=config_maps), LOCK)
    return [one.message for one in caught.value.problems]


def taking(port: int, **fields: Any) -> Pod:
    return pod({"ports": [{"containerPort": 80, "hostPort": port, **fields}]})


def plain(name: str) -> str:
    """The name without its revision."""
    return re.sub(r"-[0-9a-f]{8}(?=[.-])", "", name)


def test_node_without_workloads_has_an_empty_tree() -> None:
    trees = compile_cloud(cloud(workload("web", pod(), "alpha")), LOCK)
    assert trees["beta"] == Tree("home", "beta", {}, {}, {})
    assert [plain(unit) for unit in trees["alpha"].units] == ["skerry-web.0.service"]
    assert trees["alpha"].images == {"5" * 64: IMAGE}


def test_only_some_nodes_give_the_same_trees() -> None:
    whole = cloud(workload("web", pod(), replicas=3), workload("job", pod()), nodes=5)
    assert compile_cloud(whole, LOCK, {"beta"}) == {"beta": compile_cloud(whole, LOCK)["beta"]}


def test_replicas_on_a_node_are_numbered_there() -> None:
    trees = compile_cloud(cloud(workload("web", pod(), replicas=3)), LOCK)
    units = sorted(plain(unit) for tree in trees.values() for unit in tree.units)
    assert units == ["skerry-web.0.service", "skerry-web.0.service", "skerry-web.1.service"]
    each = place_cloud(cloud(workload("web", pod())), LOCK)
    assert each.of("web") == {"alpha": (0,), "beta": (0,)}


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("", "", True),
        ("", "127.0.0.1", True),
        ("::1", "", True),
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "::1", False),
        ("::", "10.0.0.1", True),
        ("::", "0.0.0.0", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
def test_addresses_overlap(one: str, other: str, *, overlap: bool) -> None:
    assert has_overlap(one, other) == has_overlap(other, one) == overlap


def test_port_of_a_node_is_taken_once() -> None:
    assert problems(workload("a", taking(80)), workload("b", taking(80, hostIP="10.0.0.1"))) == [
        "'b' takes port 80/TCP of node 'alpha', which 'a' has already",
        "'b' takes port 80/TCP of node 'beta', which 'a' has already",
    ]
    hosts = pod({"ports": [{"containerPort": 80}]}, hostNetwork=True)
    assert len(problems(workload("a", taking(80), "alpha"), workload("b", hosts))) == 1
    assert problems(workload("a", taking(80), "alpha", replicas=2)) == [
        "no node takes 1 of the 2 replicas of 'a':\n"
        "  alpha: port 80/TCP is taken by another replica"
    ]
    fine = [workload("a", taking(80)), workload("b", taking(80, protocol="UDP"))]
    assert compile_cloud(cloud(*fine, workload("c", taking(81))), LOCK)


def test_all_problems_are_told_at_once() -> None:
    unbuilt = pod(
        {
            "image": "localhost/gone",
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k"}}},
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "page", "key": "k"}}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        },
        volumes=[{"name": "v", "configMap": {"name": "none"}}],
    )  # fmt: skip
    told = problems(workload("web", unbuilt), config_maps=(config_map(a="1"),))
    assert told == [
        "the image localhost/gone of container 'web' is neither in this machine's Podman store "
        "nor in cloud.lock",
        "volume 'v': there is no ConfigMap 'none' in the cloud folder",
        "variable 'A': there is no ConfigMap 'no' in the cloud folder",
        "variable 'B': ConfigMap 'page' has no text with the key 'k'",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"args": ["a\0b"]}, "args[0] has a zero byte in it"),
        ({"command": ["x", "a\0b"]}, "command[1] has a zero byte in it"),
        ({"env": [{"name": "A", "value": "\0"}]}, "variable 'A' has a zero byte in it"),
        ({"env": [{"name": "A", "value": "1\r\n2"}]}, "variable 'A' has a line that ends with CR"),
        ({"args": ["x" * 131072]}, "args[0] is 131072 bytes long"),
        ({"command": ["y" * 70000, "y" * 70000]}, "command is 140008 bytes long"),
        ({"args": ["x" * 131071] * 4}, "are 524291 bytes together"),
    ],
)
def test_what_would_not_arrive_is_an_error(fields: dict[str, Any], words: str) -> None:
    told = problems(workload("web", pod(fields), "alpha"))
    assert any(words in one for one in told), told


def test_longest_word_is_fine() -> None:
    manifest = pod({"args": ["x" * 131071, "a\rb", "a\r\nb"]})
    assert compile_cloud(cloud(workload("web", manifest)), LOCK)


def test_paths_and_units_have_one_owner() -> None:
    claims = NodeClaims("home", "alpha")
    sources = Sources(cloud(config_maps=(config_map(a="1"),)), LOCK)
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    manifest = pod(mount, volumes=[{"name": "v", "configMap": {"name": "page"}}])
    emitted = {}
    for name in ("web", "job"):
        instance = Instance(cloud="home", workload=workload(name, manifest), ordinal=0)
        emitted[name] = instance, emit_pod(instance, sources, [])
        # A ConfigMap's files are the ConfigMap's, whoever mounts them.
        assert not list(claims.add(*emitted[name]))
    again = [one.message for one in claims.add(emitted["web"][0], emitted["web"][1])]
    path = "/etc/containers/systemd/skerry-web.0.container"
    assert again == [
        f"workload web and workload web both own {path} on node 'alpha'",
        "the workloads 'web' and 'web' both make the unit skerry-web.0.service on node 'alpha'",
    ]


def test_units_depend_on_the_keys_that_they_mount_and_on_no_others() -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "configMap": {"name": "page"}}]
    one, other = (
        pod(mount, volumes=volumes),
        pod(mount, volumes=[{**volumes[0], "configMap": {"name": "else"}}]),
    )
    maps = (config_map(a="1", b="2"), config_map("else", c="3"), config_map("unused", d="4"))
    tree = compile_cloud(
        cloud(
            workload("web", one), workload("job", other), workload("none", pod()), config_maps=maps
        ),
        LOCK,
    )["alpha"]
    folder = "/etc/skerry/config"
    depends = {plain(name): set(unit.files) for name, unit in tree.units.items()}
    assert depends["skerry-web.0.service"] > {f"{folder}/page/a", f"{folder}/page/b"}
    assert f"{folder}/else/c" not in depends["skerry-web.0.service"]
    assert len(depends["skerry-none.0.service"]) == 1
    assert f"{folder}/unused/d" not in tree.files
    assert {path for paths in depends.values() for path in paths} == set(tree.files)


def test_what_a_node_needs() -> None:
    one, two = (
        pod(),
        pod(None, containers=[{"name": "a", "image": IMAGE}, {"name": "b", "image": IMAGE}]),
    )
    assert (needed_podman(one.spec), needed_podman(two.spec)) == ((4, 4), (5, 0))
    mounting = pod(
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    assert (needed_kernel(one.spec), needed_kernel(mounting.spec)) == ((4, 18), (5, 12))


def big_cloud(nodes: int) -> Cloud:
    """Ten pods on every node, and ten whose replicas are spread over all nodes."""
    container = {
        "command": ["httpd", "-f"],
        "args": ["-p", "8080 %"],
        "env": [{"name": f"V{number}", "value": f"some value {number}"} for number in range(10)],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "e", "mountPath": "/e"}],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    volumes = [{"name": "v", "configMap": {"name": "page"}}, {"name": "e", "emptyDir": {}}]
    manifest = pod(container, volumes=volumes)
    names = tuple(cloud(nodes=nodes).nodes)
    everywhere = [workload(f"e{number}", manifest, *names) for number in range(5)]
    spread = [workload(f"s{number}", manifest, *names, replicas=nodes) for number in range(5)]
    return cloud(*everywhere, *spread, config_maps=(config_map(a="1", b="2"),), nodes=nodes)


def fastest(action: Callable[[], object], times: int) -> float:
    """The shortest of some runs, in seconds of this process."""
    seconds = []
    for _ in range(times):
        begun = time.process_time()
        action()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def test_compiling_is_fast() -> None:
    small, large = big_cloud(3), big_cloud(1000)
    assert fastest(lambda: compile_cloud(small, LOCK), 20) < 0.01
    assert fastest(lambda: compile_cloud(large, LOCK), 1) < 3


def test_compiling_opens_nothing() -> None:
    """An audit hook cannot be taken out again, so a Python of its own does this."""
    code = (
        "import sys\n"
        "from tests.unit.test_compile_cloud import LOCK, big_cloud\n"
        "from skerry.compile.cloud import compile_cloud\n"
        "cloud = big_cloud(3)\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, _: seen.append(event))\n"
        "compile_cloud(cloud, LOCK)\n"
        "print(seen)\n"
        "open('/dev/null').close()\n"
        "print(seen)\n"
    )
    before, after = run_python(code).splitlines()
    assert before == "[]"
    assert after == "['open']"


def test_equal_bytes_whatever_the_hash_seed() -> None:
    code = (
        "from tests.unit.test_compile_cloud import printed_trees\n"
        "print(printed_trees())\n"
    )  # fmt: skip
    prints = {run_python(code, PYTHONHASHSEED=seed) for seed in ("1", "2", "3")}
    assert len(prints) == 1


def printed_trees() -> str:
    """A digest of all trees in the order in which they come, files and units too."""
    trees = compile_cloud(big_cloud(5), LOCK)
    return hashlib.sha256(repr(list(trees.items())).encode()).hexdigest()


def run_python(code: str, **environment: str) -> str:
    finished = subprocess.run(
        (sys.executable, "-c", code),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
