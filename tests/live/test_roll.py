"""Rolling updates on lab nodes: who is down when, under real requests and by heartbeats."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until
from tests.live.node_operator import Operator
from tests.live.roll_watch import (
    Beats,
    Client,
    asking,
    beating,
    forget_beats,
    read_beats,
    widest_gap,
)

from skerry.edge.leases import Leases
from skerry.edge.ssh import Link
from skerry.edge.turn import Turn

NODES = ("alpha", "beta", "gamma")
# Between a node's report that it is healthy and a beat of the next one lie exchanges over ssh.
BUSY = 1.0
# A container is ready from its start; its first beat comes so much later at most, in seconds.
STARTS_WITHIN = 0.5
WEB = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: web-page}}
data:
  index.html: "{text}"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  strategy: {{rollingUpdate: {{maxUnavailable: 1, maxSurge: 0}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: {image}
          command: [/bin/busybox, httpd, -f, -p, "8080", -h, /www]
          ports: [{{containerPort: 8080, hostPort: 8088}}]
          volumeMounts: [{{name: page, mountPath: /www}}]
      volumes: [{{name: page, configMap: {{name: web-page}}}}]
"""


@pytest.fixture(autouse=True)
def fresh_journals(cloud: LiveCloud) -> Iterator[None]:
    """No heartbeat of another test is there."""
    forget_beats(cloud)
    yield


def roll(cloud: LiveCloud, manifest: str, placement: str, *, expect: int = 0) -> str:
    """Puts the manifest into the folder and applies; what was printed."""
    cloud.place("beat", manifest, placement)
    applied = cloud.skerry("apply", "--yes", expect=expect)
    return applied.text + applied.error_text


def generations(cloud: LiveCloud) -> dict[str, int]:
    """The number of each node's active generation."""
    return {row["name"]: row["generation"] for row in cloud.json("node", "ls")["nodes"]}


def pids(cloud: LiveCloud, workload: str) -> dict[str, list[str]]:
    """The main processes of a workload's units, by node."""
    command = (
        f"systemctl list-units --plain --no-legend 'skerry-{workload}.*' | cut -d' ' -f1 | "
        "xargs -r systemctl show -P MainPID"
    )
    return {node: cloud.shell(node, command).text.split() for node in cloud.addresses}


def locks(cloud: LiveCloud) -> list[str]:
    """The nodes whose lock is held by somebody."""
    there = "test -e /var/lib/skerry/lock"
    return [node for node in NODES if cloud.shell(node, there, check=False).status == 0]


def beats_of(cloud: LiveCloud, *nodes: str) -> dict[str, dict[tuple[int, str], Beats]]:
    """The heartbeats of some nodes."""
    return {node: read_beats(cloud, node) for node in nodes}


@pytest.mark.honours(
    "DeploymentSpec.strategy",
    "DeploymentStrategy.rollingUpdate",
    "RollingUpdateDeployment.maxUnavailable",
    "RollingUpdateDeployment.maxSurge",
)
def test_no_request_is_lost_while_two_replicas_are_rolled(cloud: LiveCloud) -> None:
    placement = "nodes: [alpha, beta], replicas: 2"
    cloud.place("web", WEB.format(image=BUSYBOX_IMAGE, text="one"), placement)
    cloud.skerry("apply", "--yes")
    client = Client(cloud, ("alpha", "beta"), 8088)
    cloud.place("web", WEB.format(image=BUSYBOX_IMAGE, text="two"), placement)
    planned = cloud.skerry("plan").text
    assert "web  stop-first: maxSurge is 0" in planned
    assert "in 2 waves: alpha, then beta" in planned
    assert "web  at most 1 of 2 down at a time" in planned
    with asking(client, at_least=4000):
        applied = cloud.skerry("apply", "--yes")
    assert "wave 2 of 2" in applied.error_text
    print(f"{len(client.lost)} of {client.asked} requests lost, {client.turned} turned")
    assert client.lost == []
    assert client.asked >= 4000
    # Both nodes were down once, and both versions were seen.
    assert client.turned >= 2
    assert set(client.answers) == {"one", "two"}


@pytest.mark.honours("RollingUpdateDeployment.maxUnavailable")
def test_client_sees_a_loss_where_both_replicas_may_be_down(cloud: LiveCloud) -> None:
    """The same client on the same pods: what loses nothing above could have lost something."""

    def manifest(text: str) -> str:
        return WEB.format(image=BUSYBOX_IMAGE, text=text).replace(
            "maxUnavailable: 1", 'maxUnavailable: "100%"'
        )

    placement = "nodes: [alpha, beta], replicas: 2"
    cloud.place("web", manifest("one"), placement)
    cloud.skerry("apply", "--yes")
    client = Client(cloud, ("alpha", "beta"), 8088)
    cloud.place("web", manifest("two"), placement)
    assert "waves" not in cloud.skerry("plan").text
    with asking(client, at_least=100):
        cloud.skerry("apply", "--yes")
    print(f"{len(client.lost)} of {client.asked} requests lost, both at once")
    assert client.lost


@pytest.mark.honours("DeploymentSpec.minReadySeconds")
def test_start_first_the_old_beats_until_the_new_was_ready_for_so_long(cloud: LiveCloud) -> None:
    pace = "minReadySeconds: 3"
    roll(cloud, beating("Deployment", "one", pace), "nodes: [alpha]")
    planned_by = cloud.json("plan")
    assert planned_by["changes"] == 0
    cloud.place("beat", beating("Deployment", "two", pace), "nodes: [alpha]")
    planned = cloud.skerry("plan").text
    assert "beat  start-first" in planned
    # What changed is shown, though the unit has another name.
    assert "beat two" in planned
    assert "beat one" in planned
    cloud.skerry("apply", "--yes")
    found = read_beats(cloud, "alpha")
    old, new = found[0, "one"], found[0, "two"]
    print(f"both beat for {old.last - new.first:.1f} s")
    assert old.last - new.first >= 3 - STARTS_WITHIN
    assert widest_gap(cloud, "alpha") < BUSY
    # One replica, of one revision, is left; nothing of the old one is.
    rows = cloud.json("status")["replicas"]
    assert [(row["replica"], row["state"]) for row in rows] == [(0, "running")]
    assert len(pids(cloud, "beat")["alpha"]) == 1
    # Its log has what the old one said.
    assert "beat one" in cloud.skerry("logs", "beat", "--lines", "100000").text
    left = "ls /etc/containers/systemd; podman ps -a --format '{{.Names}}' | grep -c beat"
    assert cloud.shell("alpha", left).text.splitlines()[-1] == "1"
    assert "no difference on 3 nodes" in cloud.skerry("diff").text


def test_failing_version_stops_at_the_first_node_and_touches_no_old_process(
    cloud: LiveCloud,
) -> None:
    roll(cloud, beating("Deployment", "one", "replicas: 3"), "")
    before, started = generations(cloud), pids(cloud, "beat")
    failing = beating("Deployment", "two", "replicas: 3", command="echo no luck; exit 3")
    said = roll(cloud, failing, "", expect=3)
    assert "no luck" in said
    assert f"back on generation {before['alpha']}" in said
    assert "the roll has stopped: beta, gamma as before" in said
    assert "0 nodes changed, 1 node failed (alpha), 2 untouched (beta, gamma)" in said
    assert generations(cloud) == before
    # Nothing of the old version was ever stopped, not even where the new one failed.
    assert pids(cloud, "beat") == started
    assert locks(cloud) == []
    found = read_beats(cloud, "alpha")
    assert found[0, "one"].widest_gap < BUSY
    # What is done is named where there is something.
    roll(cloud, beating("Deployment", "three", "replicas: 3"), "")
    assert generations(cloud) != before


@pytest.mark.honours("DeploymentSpec.progressDeadlineSeconds")
def test_version_that_is_not_ready_in_time_has_failed(cloud: LiveCloud) -> None:
    roll(cloud, beating("Deployment", "one"), "nodes: [alpha]")
    started = pids(cloud, "beat")
    probe = "readinessProbe: {exec: {command: [/bin/false]}, periodSeconds: 1}"
    never = beating("Deployment", "two", "progressDeadlineSeconds: 6").replace(
        "          image:", f"          {probe}\n          image:"
    )
    said = roll(cloud, never, "nodes: [alpha]", expect=3)
    assert "not healthy within 6 s: active/running, but not ready" in said
    assert pids(cloud, "beat") == started
    found = read_beats(cloud, "alpha")
    assert found[0, "two"].last - found[0, "two"].first < 30
    assert widest_gap(cloud, "alpha") < BUSY


def test_canary_changes_the_first_node_and_says_how_to_go_on_and_back(cloud: LiveCloud) -> None:
    roll(cloud, beating("Deployment", "one", "replicas: 3"), "")
    before = generations(cloud)
    cloud.place("beat", beating("Deployment", "two", "replicas: 3"), "")
    canary = cloud.skerry("apply", "--yes", "--canary", "1")
    assert "canary: beta, gamma would change too, but not now" in canary.text
    assert "canary: beta, gamma as before; when alpha is well, `skerry apply`" in canary.error_text
    assert "`skerry rollback -n alpha` takes back what is done" in canary.error_text
    after = generations(cloud)
    assert {node for node in NODES if after[node] != before[node]} == {"alpha"}
    assert locks(cloud) == []
    cloud.skerry("rollback", "--yes", "-n", "alpha")
    assert (0, "two") not in read_beats(cloud, "beta")
    cloud.skerry("apply", "--yes")
    assert all((0, "two") in found for found in beats_of(cloud, *NODES).values())
    assert "nothing to change on 3 nodes" in cloud.skerry("apply", "--yes").text


@pytest.mark.honours("RollingUpdateDeployment.maxSurge", "RollingUpdateDeployment.maxUnavailable")
def test_replicas_of_one_node_follow_each_other(cloud: LiveCloud) -> None:
    def manifest(version: str, limits: str) -> str:
        strategy = f"strategy: {{rollingUpdate: {{{limits}}}}}"
        return beating("Deployment", version, strategy)

    surge, down = "maxSurge: 1, maxUnavailable: 0", "maxSurge: 0, maxUnavailable: 2"
    there = "nodes: [alpha], replicas: 3"
    roll(cloud, manifest("one", surge), there)
    roll(cloud, manifest("two", surge), there)
    found = read_beats(cloud, "alpha")
    for replica in range(3):
        assert found[replica, "one"].last > found[replica, "two"].first
    for replica in (1, 2):
        # One at a time beyond the three: the old one before is gone when the next new one comes.
        assert found[replica - 1, "one"].last < found[replica, "two"].first
    roll(cloud, manifest("three", down), there)
    found = read_beats(cloud, "alpha")
    for replica in range(3):
        assert found[replica, "two"].last < found[replica, "three"].first
    # Two were down together; the third one went on until one of these was back.
    assert found[1, "two"].last < found[0, "three"].first
    assert found[2, "two"].last > max(found[0, "three"].first, found[1, "three"].first)


@pytest.mark.honours("DeploymentStrategy.type")
def test_recreate_has_all_old_ones_down_before_a_new_one_starts(cloud: LiveCloud) -> None:
    recreate, there = "strategy: {type: Recreate}", "nodes: [alpha], replicas: 2"
    roll(cloud, beating("Deployment", "one", recreate), there)
    said = roll(cloud, beating("Deployment", "two", recreate), there)
    assert "beat  stop-first: Recreate" in said
    found = read_beats(cloud, "alpha")
    assert max(found[0, "one"].last, found[1, "one"].last) < min(
        found[0, "two"].first, found[1, "two"].first
    )


@pytest.mark.honours(
    "DaemonSetSpec.updateStrategy",
    "DaemonSetUpdateStrategy.type",
    "DaemonSetUpdateStrategy.rollingUpdate",
    "RollingUpdateDaemonSet.maxUnavailable",
    "RollingUpdateDaemonSet.maxSurge",
    "DaemonSetSpec.minReadySeconds",
)
def test_daemon_set_is_rolled_node_by_node_and_surges_where_it_is_told_to(
    cloud: LiveCloud,
) -> None:
    surge = "updateStrategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"
    roll(cloud, beating("DaemonSet", "one"), "")
    roll(cloud, beating("DaemonSet", "two", "minReadySeconds: 2"), "")
    found = beats_of(cloud, *NODES)
    for node in NODES:
        assert found[node][0, "one"].last < found[node][0, "two"].first
    for node, then in (("alpha", "beta"), ("beta", "gamma")):
        assert found[then][0, "one"].last - found[node][0, "two"].first >= 2 - STARTS_WITHIN
    roll(cloud, beating("DaemonSet", "three", "minReadySeconds: 2", surge), "")
    found = beats_of(cloud, *NODES)
    for node in NODES:
        assert found[node][0, "two"].last - found[node][0, "three"].first >= 2 - STARTS_WITHIN
    half = "updateStrategy: {rollingUpdate: {maxUnavailable: 50%}}"
    roll(cloud, beating("DaemonSet", "four", half), "")
    found = beats_of(cloud, *NODES)
    # Half of three, rounded up: two go together, the third one after them.
    assert found["beta"][0, "three"].last < found["alpha"][0, "four"].last
    assert found["gamma"][0, "three"].last > found["alpha"][0, "four"].first


@pytest.mark.honours(
    "StatefulSetSpec.podManagementPolicy",
    "StatefulSetSpec.updateStrategy",
    "StatefulSetUpdateStrategy.rollingUpdate",
    "StatefulSetSpec.minReadySeconds",
)
def test_stateful_set_comes_up_from_the_lowest_and_is_replaced_from_the_highest(
    cloud: LiveCloud,
) -> None:
    lines = ("replicas: 3", "minReadySeconds: 1")
    roll(cloud, beating("StatefulSet", "one", *lines), "")
    first = {key: beats.first for node in NODES for key, beats in read_beats(cloud, node).items()}
    assert first[1, "one"] - first[0, "one"] >= 1 - STARTS_WITHIN
    assert first[2, "one"] - first[1, "one"] >= 1 - STARTS_WITHIN
    roll(cloud, beating("StatefulSet", "two", *lines), "")
    first = {key: beats.first for node in NODES for key, beats in read_beats(cloud, node).items()}
    assert first[1, "two"] - first[2, "two"] >= 1 - STARTS_WITHIN
    assert first[0, "two"] - first[1, "two"] >= 1 - STARTS_WITHIN


@pytest.mark.honours(
    "StatefulSetUpdateStrategy.type",
    "RollingUpdateStatefulSetStrategy.partition",
)
def test_replicas_below_the_partition_keep_their_version(cloud: LiveCloud) -> None:
    partition, there = (
        "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}",
        "nodes: [alpha], replicas: 2",
    )
    roll(cloud, beating("StatefulSet", "one"), there)
    kept = pids(cloud, "beat")["alpha"][0]
    roll(cloud, beating("StatefulSet", "two", partition), there)
    found = read_beats(cloud, "alpha")
    assert (1, "two") in found
    assert (0, "two") not in found
    assert pids(cloud, "beat")["alpha"][0] == kept
    # It is as it shall be, and the next apply leaves it alone as well.
    assert "no difference on 3 nodes" in cloud.skerry("diff").text
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    roll(cloud, beating("StatefulSet", "two"), there)
    assert (0, "two") in read_beats(cloud, "alpha")


@pytest.mark.honours("RollingUpdateStatefulSetStrategy.maxUnavailable")
def test_stateful_set_has_as_many_down_as_it_may(cloud: LiveCloud) -> None:
    two, there = (
        "updateStrategy: {rollingUpdate: {maxUnavailable: 2}}",
        "nodes: [alpha], replicas: 3",
    )
    roll(cloud, beating("StatefulSet", "one", two), there)
    roll(cloud, beating("StatefulSet", "two", two), there)
    found = read_beats(cloud, "alpha")
    assert found[1, "one"].last < found[2, "two"].first
    assert found[0, "one"].last > max(found[1, "two"].first, found[2, "two"].first)


def test_locks_of_all_nodes_are_held_until_the_roll_is_over(cloud: LiveCloud) -> None:
    lines = ("replicas: 3", "minReadySeconds: 2")
    roll(cloud, beating("Deployment", "one", *lines), "")
    before = generations(cloud)
    cloud.place("beat", beating("Deployment", "two", *lines), "")
    rolling = threading.Thread(target=lambda: cloud.skerry("apply", "--yes"), daemon=True)
    rolling.start()
    # The first node is done and the last one is not begun: both are held.
    wait_until(lambda: generations(cloud)["alpha"] != before["alpha"], 60, "alpha to be done")
    held, now = locks(cloud), generations(cloud)
    assert now["gamma"] == before["gamma"]
    assert held == list(NODES)
    other = Operator(link_of(cloud, "gamma"), "ben@desk")
    assert "is at work" in cloud.skerry("apply", "--yes", expect=5).error_text
    with pytest.raises(Exception, match="locked by"):
        other.ask("lock", lock=other.lock)
    rolling.join()
    assert locks(cloud) == []


def test_lock_is_renewed_while_it_is_held(cloud: LiveCloud) -> None:
    operator = Operator(link_of(cloud, "beta"))
    operator.ask("lock", lock=operator.lock)
    try:
        lock = json.loads(cloud.shell("beta", "cat /var/lib/skerry/lock").stdout)
        uptime = float(cloud.shell("beta", "cut -d' ' -f1 /proc/uptime").text)
        # As if nothing had been heard of its holder for nearly two minutes.
        old = json.dumps({**lock, "expires_at": uptime + 10})
        cloud.shell("beta", f"echo '{old}' > /var/lib/skerry/lock")
        turn = Turn(cloud="test", who="eva@laptop", message="", when=0.0, token=operator.token)
        with Leases(turn, lambda node: link_of(cloud, node), every=0.2) as leases:
            leases.hold("beta")

            def expires_at() -> float:
                text = cloud.shell("beta", "cat /var/lib/skerry/lock").stdout
                return float(json.loads(text)["expires_at"])

            wait_until(lambda: expires_at() > uptime + 100, 30, "the lock to be renewed")
    finally:
        operator.ask("unlock", token=operator.token)


def link_of(cloud: LiveCloud, node: str) -> Link:
    """How a test talks to the node program itself."""
    return Link(
        node=node,
        target=f"root@{cloud.addresses[node]}",
        known_hosts=str(cloud.folder / "known_hosts"),
        ssh_config=str(cloud.lab.ssh_config),
    )
