"""Placement on real nodes: drain and back, a lost node, volumes, and the drill's ten seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

from skerry.lab import Lab

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: NAME}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Mi}}
---
"""
SLEEPER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: IMAGE
          command: [/bin/busybox, sleep, "100000"]
"""


def sleeper(name: str, replicas: int = 1, **more: str) -> str:
    text = SLEEPER.replace("NAME", name).replace("replicas: 1", f"replicas: {replicas}")
    text = text.replace("IMAGE", BUSYBOX_IMAGE)
    for field, value in more.items():
        text += f"      {field}: {value}\n"
    return text


def homes(cloud: LiveCloud, workload: str) -> list[str]:
    """The nodes on which a container of the workload runs, as Podman says."""
    found = []
    for node in cloud.lab.nodes:
        if str(node.state()) != "running":
            continue
        names = cloud.containers(node.name)
        found += [node.name for name in names if name.startswith(f"skerry-{workload}.")]
    return sorted(found)


@pytest.fixture
def whole(cloud: LiveCloud, lab: Lab) -> Iterator[LiveCloud]:
    """The session's cloud; whatever was killed in the test is switched on again."""
    yield cloud
    for node in lab.nodes:
        if node.start():
            node.wait_ready()


def read_header(cloud: LiveCloud) -> None:
    """Takes up what `skerry` wrote about the nodes."""
    text = (cloud.folder / "cloud.yaml").read_text()
    cloud.header = text[: text.index("\nrun:") + 1]


def first_home(cloud: LiveCloud, *workloads: str) -> str:
    """The node that has most of these."""
    places = [node for name in workloads for node in homes(cloud, name)]
    return max(sorted(set(places)), key=places.count)


def test_drain_moves_just_what_was_there_and_uncordon_brings_it_back(whole: LiveCloud) -> None:
    names = [f"w{number}" for number in range(4)]
    for name in names:
        whole.place(name, sleeper(name))
    whole.skerry("apply", "--yes")
    before = {name: homes(whole, name) for name in names}
    node = first_home(whole, *names)
    assert node
    finished = whole.skerry("node", "drain", node, "--yes")
    moved = sorted(name for name in names if before[name] == [node])
    told = re.findall(r"moves: (\S+) (\S+) -> (\S+)", finished.text)
    assert sorted(name for name, _, _ in told) == moved
    after = {name: homes(whole, name) for name in names}
    for name, source, target in told:
        assert source == node
        assert after[name] == [target]
    assert all(after[name] == before[name] for name in names if name not in moved)
    assert "cordon: []" in (whole.folder / "cloud.yaml").read_text()
    # The new place is up before the old one goes.
    assert re.search(rf"in \d waves: .*, then {node}$", finished.text, re.MULTILINE)
    done = re.findall(r"^  (\S+) +done:", finished.error_text, re.MULTILINE)
    assert set(done[:-1]) == {target for _, _, target in told}
    assert done[-1] == node
    assert "nothing to change" in whole.skerry("apply", "--yes").text
    whole.skerry("node", "uncordon", node)
    whole.skerry("apply", "--yes")
    assert {name: homes(whole, name) for name in names} == before


def test_a_cordoned_node_gets_nothing_new(whole: LiveCloud) -> None:
    whole.place("old", sleeper("old", 3))
    whole.skerry("apply", "--yes")
    whole.skerry("node", "cordon", "beta")
    read_header(whole)
    whole.place("new", sleeper("new", 3))
    whole.skerry("apply", "--yes")
    assert homes(whole, "old") == ["alpha", "beta", "gamma"]
    assert "beta" not in homes(whole, "new")
    assert len(homes(whole, "new")) == 3
    whole.skerry("node", "uncordon", "beta")
    read_header(whole)
    # Nothing but the cordon kept the new one from there.
    whole.skerry("apply", "--yes")
    assert "beta" in homes(whole, "new")


def test_a_volume_is_not_moved_and_given_up_only_when_that_is_said(whole: LiveCloud) -> None:
    volume = "[{name: v, persistentVolumeClaim: {claimName: data}}]"
    whole.place("db", CLAIM.replace("NAME", "data") + sleeper("db", volumes=volume))
    whole.place("web", sleeper("web", 3))
    whole.skerry("apply", "--yes")
    (home,) = homes(whole, "db")
    assert f'"data": "{home}"' in (whole.folder / "cloud.lock").read_text()
    whole.lab.node(home).kill()
    finished = whole.skerry("apply", "--yes", "--without", home, expect=3)
    assert f"db is not moved and does not run: its volume data is on {home}" in finished.text
    assert "--abandon-volume data" in finished.text
    assert homes(whole, "db") == []
    assert len(homes(whole, "web")) == 3
    whole.skerry("apply", "--yes", "--without", home, "--abandon-volume", "data")
    (new,) = homes(whole, "db")
    assert new != home


@pytest.mark.honours("PersistentVolumeClaimSpec.resources", "VolumeResourceRequirements.requests")
def test_a_volume_is_made_where_the_disk_has_room_for_it(whole: LiveCloud) -> None:
    volume = "[{name: v, persistentVolumeClaim: {claimName: huge}}]"
    claim = CLAIM.replace("NAME", "huge")
    whole.place("db", claim.replace("10Mi", "900Ti") + sleeper("db", volumes=volume))
    refused = whole.skerry("plan", expect=2)
    for node in whole.addresses:
        assert f"  {node}: " in refused.error_text
    assert "GB of disk are free, the volume asks 989560.5" in refused.error_text
    whole.place("db", claim + sleeper("db", volumes=volume))
    whole.skerry("apply", "--yes")
    assert len(homes(whole, "db")) == 1


def test_drill_every_stateless_workload_answers_within_ten_seconds_of_apply(
    whole: LiveCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        page = httpd(f"page{number}", image=BUSYBOX_IMAGE, port=8100 + number)
        whole.place(f"page{number}", page)
    whole.place("quiet", sleeper("quiet"))
    whole.place("three", sleeper("three", 3))
    whole.skerry("apply", "--yes")
    victim = first_home(whole, "page0", "page1", "page2", "page3", "quiet")
    affected = {name for name in whole.places if homes(whole, name) == [victim]}
    assert affected
    found = whole.json("drill", "kill", victim)
    workloads = found["workloads"]
    assert set(workloads) == set(whole.places)
    for name, one in workloads.items():
        assert one["state"] == ("answered" if name in affected else "never-stopped"), (name, one)
        assert victim not in one["after"]
    assert found["slowest_from_apply"] < 10, workloads
    with capsys.disabled():
        print(f"\ndrill: {len(affected)} workloads of {victim} answered again within "
              f"{found['slowest_from_apply']:.1f} s of apply")  # fmt: skip
    for name in affected:
        assert homes(whole, name) == workloads[name]["after"]
    # Switched on again, the node gives back what is not its own and gets what is.
    node = whole.lab.node(victim)
    assert node.start()
    node.wait_ready()
    whole.skerry("apply", "--yes")
    assert {name for name in whole.places if homes(whole, name) == [victim]} == affected


def test_a_node_of_no_lab_is_powered_off_only_when_that_is_meant(whole: LiveCloud) -> None:
    header = whole.header
    # The same way to the nodes under another name: it says nothing of a lab.
    (whole.folder / "ssh_config").write_text(whole.lab.ssh_config.read_text())
    whole.header = re.sub(r"(?m)^ssh-config:.*$", "ssh-config: ssh_config", header)
    for number in range(4):
        whole.place(f"w{number}", sleeper(f"w{number}"))
    whole.skerry("apply", "--yes")
    victim = first_home(whole, *whole.places)
    affected = {name for name in whole.places if homes(whole, name) == [victim]}
    refused = whole.skerry("drill", "kill", victim, "--yes", expect=2)
    assert f"{victim} is not of a lab" in refused.error_text
    assert "--really" in refused.error_text
    assert str(whole.lab.node(victim).state()) == "running"
    found = whole.json("drill", "kill", victim, "--yes", "--really")
    wait_until(lambda: str(whole.lab.node(victim).state()) == "down", 30, f"{victim} to be off")
    states = {name: one["state"] for name, one in found["workloads"].items()}
    assert {name for name in states if states[name] == "answered"} == affected
    assert set(states.values()) <= {"answered", "never-stopped"}
    whole.header = header
    whole.write_cloud()


def test_a_lost_node_is_removed_and_its_successor_gets_what_belonged_there(
    whole: LiveCloud,
) -> None:
    names = [f"w{number}" for number in range(4)]
    for name in names:
        whole.place(name, sleeper(name))
    whole.skerry("apply", "--yes")
    before = {name: homes(whole, name) for name in names}
    lost = first_home(whole, *names)
    alive = whole.skerry("node", "rm", "--lost", lost, "--yes", expect=2)
    assert f"{lost} answers: it is not lost" in alive.error_text
    node = whole.lab.node(lost)
    node.kill()
    whole.skerry("node", "rm", "--lost", lost, "--yes")
    after = {name: homes(whole, name) for name in names}
    assert all(len(places) == 1 for places in after.values())
    assert all(after[name] == before[name] for name in names if before[name] != [lost])
    left = (whole.folder / "cloud.yaml").read_text()
    assert not re.search(rf"^  {lost}:", left, re.MULTILINE)
    assert "nothing to change" in whole.skerry("apply", "--yes").text
    whole.lab.renew(lost)
    whole.skerry("node", "add", lost, f"root@{node.address}", "--vendor", node.vendor)
    whole.skerry("apply", "--yes")
    read_header(whole)
    assert {name: homes(whole, name) for name in names} == before
