"""plan, apply and rollback on lab nodes: real sshd, systemd, Podman and HTTP."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from subprocess import DEVNULL

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

from skerry.edge.run import run, start


def page(cloud: LiveCloud, node: str, port: int) -> str:
    """What the node answers on a port; empty while nothing answers."""
    url = f"http://{cloud.addresses[node]}:{port}/index.html"
    return run(cloud.lab.inside("curl", "-s", "-m", "2", url), check=False).text


def generation(cloud: LiveCloud, node: str) -> int:
    """The number of the node's active generation."""
    return int(cloud.shell(node, "readlink /var/lib/skerry/current | grep -o '[0-9]*$'").text)


def started(cloud: LiveCloud, node: str, unit: str) -> str:
    """When a unit was last started: another value means that it was touched."""
    return cloud.shell(node, f"systemctl show -P ActiveEnterTimestampMonotonic {unit}").text


def test_apply_serves_http_and_the_second_apply_does_nothing(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    planned = cloud.json("plan")
    assert planned["changes"] > 0
    assert all(page(cloud, node, 8081) == "" for node in cloud.addresses)
    cloud.skerry("apply", "--yes", "-m", "first")
    for node in cloud.addresses:
        assert page(cloud, node, 8081) == "hello"
    before = {node: generation(cloud, node) for node in cloud.addresses}
    again = cloud.skerry("apply", "--yes")
    assert "nothing to change on 3 nodes" in again.text
    assert before == {node: generation(cloud, node) for node in cloud.addresses}


def test_one_changed_line_touches_one_workload_only(cloud: LiveCloud) -> None:
    cloud.place("one", httpd("one", image=BUSYBOX_IMAGE, port=8081), "nodes: [alpha]")
    cloud.place("two", httpd("two", image=BUSYBOX_IMAGE, port=8082), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    untouched = started(cloud, "alpha", "skerry-two.0.service")
    touched = started(cloud, "alpha", "skerry-one.0.service")
    cloud.place("one", httpd("one", image=BUSYBOX_IMAGE, port=8081, text="bye"), "nodes: [alpha]")
    planned = cloud.skerry("plan").text
    assert "-hello" in planned.replace(" ", "")
    assert "+bye" in planned.replace(" ", "")
    cloud.skerry("apply", "--yes")
    assert page(cloud, "alpha", 8081) == "bye"
    assert started(cloud, "alpha", "skerry-two.0.service") == untouched
    assert started(cloud, "alpha", "skerry-one.0.service") != touched


def test_what_left_the_folder_is_removed_from_the_node(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [beta]")
    cloud.skerry("apply", "--yes")
    assert page(cloud, "beta", 8081) == "hello"
    cloud.remove("web")
    cloud.skerry("apply", "--yes")
    assert page(cloud, "beta", 8081) == ""
    left = "find /etc/containers/systemd /etc/skerry -type f 2>/dev/null; podman ps -aq"
    assert cloud.shell("beta", left).text == ""


def test_failing_pod_shows_its_log_and_the_node_goes_back(cloud: LiveCloud) -> None:
    good = httpd("web", image=BUSYBOX_IMAGE, port=8081)
    cloud.place("web", good, "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    before = generation(cloud, "alpha")
    broken = good.replace('[httpd, -f, -p, "8080", -h, /www]', '[sh, -c, "echo no luck; exit 3"]')
    assert broken != good
    cloud.place("web", broken, "nodes: [alpha]")
    failed = cloud.skerry("apply", "--yes", expect=3)
    assert "no luck" in failed.error_text
    assert re.search(r"started again \d+ times \(exit status 3\)", failed.error_text)
    # Podman's own events are not among the lines that are shown.
    assert "container create" not in failed.error_text
    assert "conmon" not in failed.error_text
    assert f"back on generation {before}" in failed.error_text
    assert generation(cloud, "alpha") == before
    wait_until(lambda: page(cloud, "alpha", 8081) == "hello", 10, "the old pod to answer")
    cloud.place("web", good, "nodes: [alpha]")
    assert "nothing to change" in cloud.skerry("apply", "--yes").text


def test_failing_node_does_not_hold_the_others_back(cloud: LiveCloud) -> None:
    cloud.shell("alpha", "mkdir -p /etc/containers/systemd && echo foreign > "
              "/etc/containers/systemd/skerry-web.0.container")  # fmt: skip
    try:
        cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
        refused = cloud.skerry("apply", "--yes", expect=3)
        assert "is not Skerry's" in refused.text
        assert page(cloud, "beta", 8081) == "hello"
        kept = cloud.shell("alpha", "cat /etc/containers/systemd/skerry-web.0.container").text
        assert kept == "foreign"
    finally:
        cloud.shell("alpha", "rm /etc/containers/systemd/skerry-web.0.container")


def test_rollback_brings_the_old_page_back(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081, text="v1"), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes", "-m", "v1")
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081, text="v2"), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes", "-m", "v2")
    assert page(cloud, "gamma", 8081) == "v2"
    cloud.skerry("rollback", "--yes", "-n", "gamma")
    assert page(cloud, "gamma", 8081) == "v1"
    assert page(cloud, "alpha", 8081) == "v2"


def test_drift_by_hand_is_planned_and_mended(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    cloud.shell("alpha", "echo hacked > /etc/skerry/config/web-page/index.html")
    assert "was changed on the node" in cloud.skerry("plan").text
    cloud.skerry("apply", "--yes")
    assert page(cloud, "alpha", 8081) == "hello"
    cloud.shell("alpha", "systemctl stop skerry-web.0.service")
    assert "was stopped" in cloud.skerry("plan").text
    cloud.skerry("apply", "--yes")
    assert page(cloud, "alpha", 8081) == "hello"


def test_two_operators_at_once_one_is_told_who(cloud: LiveCloud, tmp_path: Path) -> None:
    good = httpd("web", image=BUSYBOX_IMAGE, port=8081)
    # It takes three restarts, so several seconds, until the first operator knows that it fails.
    failing = good.replace('[httpd, -f, -p, "8080", -h, /www]', '[sh, -c, "exit 3"]')
    other = cloud.second_operator(tmp_path / "other")
    cloud.place("web", failing, "nodes: [alpha]")
    other.place("web", good, "nodes: [alpha]")
    other.place("also", httpd("also", image=BUSYBOX_IMAGE, port=8082), "nodes: [beta]")
    first = threading.Thread(
        target=lambda: cloud.skerry("apply", "--yes", "-m", "mine", expect=3), daemon=True
    )
    first.start()
    wait_until(
        lambda: cloud.shell("alpha", "test -e /var/lib/skerry/lock", check=False).status == 0,
        30,
        "the lock to be taken",
    )
    refused = other.skerry("apply", "--yes", "-m", "theirs", expect=5)
    assert "mine" in refused.error_text
    first.join()
    # Nothing was begun on the node that was free, and nobody holds a lock any more.
    assert page(cloud, "beta", 8082) == ""
    other.skerry("apply", "--yes", "-m", "theirs")
    assert page(cloud, "alpha", 8081) == "hello"
    assert page(cloud, "beta", 8082) == "hello"


def test_dead_node_delays_no_other_and_is_caught_up_later(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.lab.node("gamma").freeze()
    try:
        partial = cloud.skerry("apply", "--yes", "--timeout", "4", expect=3)
        assert "gamma" in partial.text + partial.error_text
        assert page(cloud, "alpha", 8081) == "hello"
    finally:
        cloud.lab.node("gamma").thaw()
    wait_until(
        lambda: cloud.skerry("apply", "--yes", expect=None).status == 0, 60, "gamma to be caught up"
    )
    assert page(cloud, "gamma", 8081) == "hello"


def test_node_that_lost_power_in_the_middle_is_mended_by_the_next_apply(
    cloud: LiveCloud,
) -> None:
    good = httpd("web", image=BUSYBOX_IMAGE, port=8081)
    cloud.place("web", good, "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    failing = good.replace('[httpd, -f, -p, "8080", -h, /www]', '[sh, -c, "exit 3"]')
    cloud.place("web", failing, "nodes: [alpha]")
    first = start(cloud.command("apply", "--yes"), stdout=DEVNULL, stderr=DEVNULL)
    changed = "grep -q 'exit 3' /etc/containers/systemd/skerry-web.0.container"
    wait_until(
        lambda: cloud.shell("alpha", changed, check=False).status == 0,
        30,
        "the files to be changed",
    )
    cloud.lab.node("alpha").kill()
    # The operator's machine dies too: nobody rejoins the switch.
    first.kill()
    first.wait()
    cloud.lab.node("alpha").start()
    cloud.place("web", good, "nodes: [alpha]")
    assert "was interrupted" in cloud.skerry("plan").text
    cloud.skerry("apply", "--yes")
    assert page(cloud, "alpha", 8081) == "hello"
    assert "nothing to change" in cloud.skerry("apply", "--yes").text


def test_pods_are_back_after_a_reboot(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [beta]")
    cloud.skerry("apply", "--yes")
    cloud.lab.node("beta").reboot()
    wait_until(lambda: page(cloud, "beta", 8081) == "hello", 60, "the pod after the reboot")
    assert "nothing to change" in cloud.skerry("apply", "--yes").text


@pytest.mark.parametrize("is_json", [False, True])
def test_no_process_of_skerry_is_left_on_a_node(cloud: LiveCloud, *, is_json: bool) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [alpha]")
    commands = (
        ["check"],
        ["plan"],
        ["apply", "--yes"],
        ["apply", "--yes"],
        ["status"],
        ["diff"],
        ["logs", "web"],
        ["exec", "web", "--", "true"],
        ["history"],
        ["prune", "--dry-run"],
        ["prune", "--yes"],
        ["rollback", "--yes"],
        ["node", "ls"],
        ["node", "facts", "alpha"],
        ["image", "ls"],
    )
    for words in commands:
        cloud.skerry(*(["--json"] if is_json else []), *words, expect=None)
        listed = cloud.shell(
            "alpha", "ps -eo args; systemctl list-units --plain 'skerry-activate*'"
        )
        ours = [
            line
            for line in listed.text.splitlines()
            if ("skerry_node" in line or "skerry-activate-" in line) and "ps -eo" not in line
        ]
        assert ours == [], f"after {words}: {ours}"


def test_apply_with_nothing_to_change_is_one_exchange(cloud: LiveCloud) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    count = "journalctl -q -o cat _COMM=sudo | grep -c skerry_node || true"
    before = int(cloud.shell("alpha", count).text)
    cloud.skerry("apply", "--yes")
    assert int(cloud.shell("alpha", count).text) - before == 1
