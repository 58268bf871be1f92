"""The examples as a person would use them: copied, given nodes, built, applied, and used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.lab_harness import wait_until

from skerry.edge.run import Command, run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def operator(cloud: LiveCloud, tmp_path: Path) -> Iterator[LiveCloud]:
    """Another folder of the session's cloud; what it deploys goes when `cloud` is emptied."""
    yield cloud.second_operator(tmp_path / "example")


def deploy(operator: LiveCloud, name: str, changes: Mapping[str, str] | None = None) -> None:
    """Puts an example in the place of what the folder has, with its own placements.

    `changes` are texts of its manifests, and what stands in their place.
    """
    for part in ("pods", "images"):
        shutil.copytree(EXAMPLES / name / part, operator.folder / part, dirs_exist_ok=True)
    for old, new in (changes or {}).items():
        for path in (operator.folder / "pods").iterdir():
            path.write_text(path.read_text().replace(old, new))
    placements = (EXAMPLES / name / "cloud.yaml").read_text().partition("\nrun:\n")[2]
    (operator.folder / "cloud.yaml").write_text(f"{operator.header}run:\n{placements}")
    operator.skerry("image", "build")
    operator.skerry("apply", "--yes", "-m", f"the example {name}")


def nodes_of(operator: LiveCloud, workload: str) -> list[str]:
    """The nodes on which a workload runs, by the node's own words."""
    found = []
    for node in operator.addresses:
        listed = operator.shell(node, "systemctl list-units --plain --no-legend 'skerry-*.service'")
        if f"skerry-{workload}." in listed.text:
            found.append(node)
    return found


def page(operator: LiveCloud, node: str) -> str:
    """What the node answers on port 8080, asked over the lab's network."""
    asked = operator.lab.inside("curl", "-s", "-m", "2", f"http://{operator.addresses[node]}:8080/")
    return run(asked, check=False).text


def wait_for_page(operator: LiveCloud, node: str, words: str) -> None:
    """Waits until the node's page has these words."""
    wait_until(lambda: words in page(operator, node), 10, f"{words!r} from {node}")


def count_words(operator: LiveCloud, text: str) -> str:
    """The answer of the queue's worker to one job, submitted by a client in its pod."""
    command = (
        "exec",
        "-i",
        "queue",
        "-c",
        "worker",
        "--",
        "gearman",
        "-h",
        "127.0.0.1",
        "-f",
        "wc",
    )
    return operator.skerry(*command, typed=text).text.strip()


def test_hello(operator: LiveCloud) -> None:
    deploy(operator, "hello")
    [node] = nodes_of(operator, "hello")
    wait_for_page(operator, node, "Hello from an archipelago")


def test_queue(operator: LiveCloud) -> None:
    deploy(operator, "queue")
    assert len(nodes_of(operator, "queue")) == 1
    assert count_words(operator, "the quick brown fox\n") == "4"


def test_fleet(operator: LiveCloud) -> None:
    deploy(operator, "fleet")
    assert nodes_of(operator, "beat") == list(operator.addresses)
    nodes = nodes_of(operator, "web")
    assert len(nodes) == 2
    for node in nodes:
        wait_for_page(operator, node, "Hello from the fleet")
    wait_until(
        lambda: operator.skerry("logs", "beat").text.count("MiB available") >= 3,
        10,
        "a line of each node's beat",
    )


@pytest.mark.honours(
    "Container.startupProbe",
    "Volume.secret",
    "PersistentVolumeClaimSpec.accessModes",
    "PersistentVolumeClaimSpec.volumeMode",
    "PersistentVolumeClaimSpec.resources",
    "StorageResourceList.storage",
    "PersistentVolumeClaim.apiVersion",
    "PersistentVolumeClaim.kind",
    "PersistentVolumeClaim.metadata",
    "PersistentVolumeClaim.spec",
)
def test_ledger(operator: LiveCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = tmp_path / "identity"
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", identity))
    monkeypatch.setenv("SKERRY_IDENTITY", str(identity))
    operator.write_cloud()
    operator.skerry("secret", "set", "redis-password", typed="a-ledgers-password\n")
    deploy(operator, "ledger", {"7 * * * *": "* * * * *"})
    [node] = nodes_of(operator, "redis")
    assert within_redis(operator, "redis-cli incr visits") == "1"
    assert "NOAUTH" in within_redis(operator, "env -u REDISCLI_AUTH redis-cli get visits")
    # Through the node's port, as its first answer to anybody.
    port = f"/dev/tcp/{operator.addresses[node]}/30379"
    script = f"exec 3<>{port}; echo PING >&3; head -1 <&3"
    asked = operator.lab.inside("bash", "-c", script)
    assert "NOAUTH" in run(asked).text
    operator.shell(node, "kill -STOP $(pidof redis-server)")
    wait_until(
        lambda: within_redis(operator, "timeout 2 redis-cli get visits") == "1",
        120,
        "Redis to be restarted by its liveness probe, with what was written",
    )
    copies = "ls /var/lib/skerry/claims/backups"
    # The job is on the node of the claim that it reads: both are one node's, and folders.
    wait_until(lambda: operator.shell(node, copies, check=False).text, 150, "the first copy")
    assert "copies" in operator.skerry("logs", "backup").text
    assert operator.shell(node, "stat -c %F /var/lib/skerry/claims/redis-data").text == "directory"
    # More than any node has free.
    large = (operator.folder / "pods/backup.yaml").read_text().replace("backup", "moreup")
    (operator.folder / "pods/moreup.yaml").write_text(large.replace("1Gi", "9Pi"))
    with (operator.folder / "cloud.yaml").open("a") as file:
        file.write("\n  moreup: {pod: pods/moreup.yaml}\n")
    refused = operator.skerry("plan", expect=None)
    assert "GB of disk are free" in refused.error_text, refused.error_text


def within_redis(operator: LiveCloud, script: str) -> str:
    """What a shell command in the container of Redis prints."""
    return operator.skerry("exec", "redis", "--", "sh", "-c", script, expect=None).text.strip()


def test_demo(operator: LiveCloud) -> None:
    deploy(operator, "demo")
    nodes = nodes_of(operator, "hello")
    assert len(nodes) == 2
    for node in nodes:
        wait_for_page(operator, node, "Hello")
    assert count_words(operator, "one two three") == "3"
    assert "nothing to change" in operator.skerry("apply", "--yes").text
