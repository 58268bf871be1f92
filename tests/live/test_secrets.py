"""Secrets from secrets.yaml to running containers, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import LIST_RUNNING, wait_until
from tests.live.secret_search import PODMANS, Marker, Search, is_for_root_alone

from skerry.edge.paths import cache_folder
from skerry.edge.run import Command, run

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {{name: {name} }}
stringData:
  password: $({value})
  url: "postgres://blog:$({value})@db/blog?$$(x)"
"""
POD = """\
---
apiVersion: v1
kind: Pod
metadata: {{name: {name} }}
spec:
  containers:
    - name: main
      image: {image}
      command: [sh, -c, "{command}"]
      env:
        - name: PASSWORD
          valueFrom: {{secretKeyRef: {{name: {secret}, key: password}} }}
        - name: DSN
          value: "user=blog password=$(PASSWORD)"
      volumeMounts: [{{name: files, mountPath: /run/db}}]
  volumes:
    - name: files
      secret: {{secretName: {secret} }}
"""
WAITS = "exec tail -f /dev/null"


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's key, and folders of this test's own for what commands leave behind."""
    key = tmp_path / "keys/id"
    key.parent.mkdir()
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eva@laptop", "-f", key))
    monkeypatch.setenv("SKERRY_IDENTITY", str(key))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return key


@pytest.fixture
def secret_cloud(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud without a secrets.yaml of an earlier test."""
    (cloud.folder / "secrets.yaml").unlink(missing_ok=True)
    yield cloud
    for name in list(cloud.places):
        cloud.remove(name)
    cloud.skerry("apply", "--yes", "-m", "emptied by a test of secrets")
    (cloud.folder / "secrets.yaml").unlink(missing_ok=True)


def place_database_user(
    cloud: LiveCloud, name: str = "blog", *, secret: str = "db", node: str = "alpha"
) -> None:
    """A pod with a secret as variable, in a variable, and as files."""
    manifest = SECRET.format(name=secret, value=f"{secret}-password")
    manifest += POD.format(name=name, image=BUSYBOX_IMAGE, command=WAITS, secret=secret)
    cloud.place(name, manifest, f"nodes: [{node}]")


def within(cloud: LiveCloud, script: str, *, node: str = "alpha", word: str = "blog") -> str:
    """What a shell command prints in the one container of a workload."""
    pick = f"{LIST_RUNNING} --filter label=skerry.workload={word} --format '{{{{.Names}}}}'"
    return cloud.shell(node, f"podman exec $({pick} | head -n 1) sh -c '{script}'").text


def podman_secrets(cloud: LiveCloud, node: str = "alpha") -> list[str]:
    """The names of secrets in a node's Podman store."""
    return sorted(cloud.shell(node, "podman secret ls --format '{{.Name}}'").text.split())


def starts(cloud: LiveCloud, node: str = "alpha") -> dict[str, str]:
    """The containers by workload, another one after each restart."""
    shown = '{{index .Labels "skerry.workload"}} {{.ID}}'
    words = f"{LIST_RUNNING} --no-trunc --format '{shown}'"
    return dict(line.split() for line in cloud.shell(node, words).text.splitlines())


@pytest.mark.honours(
    "Secret.stringData",
    "Secret.metadata",
    "EnvVarSource.secretKeyRef",
    "SecretKeySelector.name",
    "SecretKeySelector.key",
    "Volume.secret",
    "SecretVolumeSource.secretName",
)
@pytest.mark.claims("secret-where-used")
def test_a_secret_is_where_its_pod_is_and_nowhere_else(
    secret_cloud: LiveCloud, tmp_path: Path
) -> None:
    cloud, alpha = secret_cloud, secret_cloud.lab.node("alpha")
    said: list[bytes] = []

    def skerry(*words: str, typed: str | None = None) -> None:
        finished = cloud.skerry(*words, typed=typed)
        said.extend((finished.stdout, finished.stderr))

    def raise_if_left(search: Search, *, is_used: bool) -> None:
        found = search.node_files(alpha)
        assert bool(found) == is_used, found
        for path in found:
            assert path.startswith(PODMANS), found
            assert is_for_root_alone(alpha, path), path
        if is_used:
            for other in ("beta", "gamma"):
                assert search.node_files(cloud.lab.node(other)) == []
        log = cloud.shell("alpha", "journalctl --sync; journalctl --no-pager -q -o export").stdout
        assert not search.marker.is_in(log)
        shown = "systemctl show '*'; podman inspect $(podman ps -aq) 2>/dev/null; podman secret ls"
        shown += "; podman secret inspect $(podman secret ls -q) 2>/dev/null"
        shown += "; podman events --stream=false"
        assert not search.marker.is_in(cloud.shell("alpha", shown, check=False).stdout)
        # One place is the container's: what it was given as a variable.
        for process in search.processes():
            assert is_used, process
            assert re.fullmatch(r"environ of (sh|tail|busybox) in skerry-blog.*", process), process
        # The lab's disk is in the cache of whoever runs the tests.
        caches = [path for path in cache_folder().iterdir() if path.name != "lab"]
        ours = [cloud.folder, tmp_path / "tmp", Path("/dev/shm"), *caches]
        assert search.files(*ours) == []
        assert not any(search.marker.is_in(text) for text in said)

    first, second = Marker(), Marker()
    searches = [Search(marker, tmp_path) for marker in (first, second)]
    place_database_user(cloud)
    with searches[0].watching_command_lines() as lines:
        skerry("secret", "set", "db-password", typed=first.text)
        skerry("check")
        skerry("--json", "plan")
        skerry("-v", "plan")
        skerry("apply", "--yes", "-m", "a secret")
    assert lines == []
    assert within(cloud, 'echo -n "$PASSWORD"') == first.text
    assert within(cloud, 'echo -n "$DSN"') == f"user=blog password={first.text}"
    assert within(cloud, "cat /run/db/password") == first.text
    assert within(cloud, "cat /run/db/url") == f"postgres://blog:{first.text}@db/blog?$(x)"
    raise_if_left(searches[0], is_used=True)

    with searches[1].watching_command_lines() as lines:
        skerry("secret", "set", "db-password", typed=second.text)
        skerry("-v", "apply", "--yes", "-m", "another value")
    assert lines == []
    assert within(cloud, 'echo -n "$PASSWORD"') == second.text
    assert within(cloud, "cat /run/db/password") == second.text
    raise_if_left(searches[0], is_used=False)
    raise_if_left(searches[1], is_used=True)
    skerry("--json", "status")
    skerry("--json", "diff")
    skerry("--json", "history")
    skerry("logs", "blog")

    cloud.remove("blog")
    skerry("apply", "--yes", "-m", "no more")
    for search in searches:
        raise_if_left(search, is_used=False)
    assert podman_secrets(cloud) == []


@pytest.mark.claims("secret-where-used")
def test_the_search_finds_a_secret_in_a_wrong_place(
    secret_cloud: LiveCloud, tmp_path: Path
) -> None:
    cloud, alpha = secret_cloud, secret_cloud.lab.node("alpha")
    marker = Marker()
    search, core = Search(marker, tmp_path), marker.core
    forms = marker.forms()
    assert search.node_files(alpha) == []
    plants = [
        f"echo 'x {form.decode()} y' >/var/lib/skerry/p-{at}" for at, form in enumerate(forms)
    ]
    plants += [
        f"printf '%s' 'ab{core}cd' | base64 -w0 >/etc/p-64",
        f"printf '%s' 'ab?>{core}cd' | base64 -w0 | tr +/ -_ >/etc/p-url",
        f"touch /etc/{core}; echo {core} >/run/p-run; echo {core} >/dev/shm/p-shm",
    ]
    cloud.shell("alpha", "; ".join(plants))
    expected = [f"/var/lib/skerry/p-{at}" for at in range(len(forms))]
    expected += ["/etc/p-64", "/etc/p-url", f"/etc/{core}", "/run/p-run", "/dev/shm/p-shm"]
    assert search.node_files(alpha) == sorted(expected)
    cloud.shell("alpha", f"rm /var/lib/skerry/p-* /etc/p-* /etc/{core} /run/p-run /dev/shm/p-shm")

    unit = f"[Service]\nEnvironment=PASSWORD={core}\nExecStart=/usr/bin/tail -f /dev/null\n"
    path = "/etc/systemd/system/planted.service"
    cloud.shell(
        "alpha", f"printf '{unit}' > {path}; systemctl daemon-reload; systemctl start planted"
    )
    assert search.node_files(alpha) == [path]
    assert marker.is_in(cloud.shell("alpha", "systemctl show '*'").stdout)
    assert search.processes() == ["environ of tail in planted.service"]
    cloud.shell("alpha", f"systemctl stop planted; rm {path}; systemctl daemon-reload")

    run_it = f"systemd-run -q --unit=planted tail -f /dev/null /dev/{core}"
    cloud.shell("alpha", run_it)
    wait_until(
        lambda: any(one.startswith("cmdline of tail") for one in search.processes()),
        20,
        "the command line to be found",
    )
    cloud.shell("alpha", "systemctl stop planted")
    with search.watching_command_lines() as lines:
        cloud.shell("alpha", f"timeout 0.3 tail -f /dev/null {core}", check=False)
    assert lines

    cloud.shell("alpha", f"logger planted {core}; journalctl --sync")
    assert any("/journal/" in found for found in search.node_files(alpha))
    (cloud.folder / ".skerry").mkdir(exist_ok=True)
    (cloud.folder / ".skerry/planted").write_text(core)
    assert search.files(cloud.folder) == [str(cloud.folder / ".skerry/planted")]
    (cloud.folder / ".skerry/planted").unlink()


@pytest.fixture
def is_restarted(secret_cloud: LiveCloud) -> Callable[[], dict[str, bool]]:
    """Which workloads of alpha are in other containers than when it was asked last."""
    before: dict[str, str] = {}

    def look() -> dict[str, bool]:
        now = starts(secret_cloud)
        changed = {name: before.get(name) != container for name, container in now.items()}
        before.clear()
        before.update(now)
        return changed

    return look


def test_a_changed_value_restarts_just_its_pods_and_rekey_none(
    secret_cloud: LiveCloud, is_restarted: Callable[[], dict[str, bool]], tmp_path: Path
) -> None:
    cloud = secret_cloud
    place_database_user(cloud, "blog", secret="db")
    place_database_user(cloud, "mail", secret="smtp")
    cloud.place("page", httpd("page", image=BUSYBOX_IMAGE, port=18080), "nodes: [alpha]")
    for name in ("db-password", "smtp-password"):
        cloud.skerry("secret", "set", name, typed=f"old {name}")
    cloud.skerry("apply", "--yes")
    is_restarted()

    cloud.skerry("secret", "set", "db-password", typed="a new one")
    plan = cloud.skerry("plan").text
    assert "secret db/password  changed" in plan
    assert "variable blog/main/DSN  changed" in plan
    assert "smtp" not in plan
    assert "new one" not in plan
    cloud.skerry("apply", "--yes")
    assert is_restarted() == {"blog": True, "mail": False, "page": False}
    assert within(cloud, "echo $PASSWORD") == "a new one"

    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"))
    before = (cloud.folder / "secrets.yaml").read_text()
    cloud.skerry("secret", "rekey", "--add", str(tmp_path / "other.pub"))
    assert (cloud.folder / "secrets.yaml").read_text() != before
    assert "nothing to change" in cloud.skerry("plan").text
    os.environ["SKERRY_IDENTITY"] = str(tmp_path / "other")
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    assert is_restarted() == {"blog": False, "mail": False, "page": False}


def test_a_failed_activation_has_the_old_value_and_leaves_no_new_one(
    secret_cloud: LiveCloud, tmp_path: Path
) -> None:
    cloud, marker = secret_cloud, Marker()
    place_database_user(cloud)
    cloud.skerry("secret", "set", "db-password", typed="the old one")
    cloud.skerry("apply", "--yes")
    names = podman_secrets(cloud)
    cloud.skerry("secret", "set", "db-password", typed=marker.text)
    path = cloud.folder / "pods/blog.yaml"
    good = path.read_text()
    path.write_text(good.replace(WAITS, "exit 3"))
    failed = cloud.skerry("apply", "--yes", expect=3)
    assert "did not become healthy" in failed.error_text
    assert not marker.is_in(failed.stdout + failed.stderr)
    assert podman_secrets(cloud) == names
    assert Search(marker, tmp_path).node_files(cloud.lab.node("alpha")) == []
    assert within(cloud, "echo $PASSWORD") == "the old one"
    path.write_text(good)
    cloud.skerry("apply", "--yes")
    assert within(cloud, "cat /run/db/password") == marker.text


def test_a_rollback_sends_what_the_operator_still_has(secret_cloud: LiveCloud) -> None:
    cloud = secret_cloud
    place_database_user(cloud)
    cloud.skerry("secret", "set", "db-password", typed="the first")
    cloud.skerry("apply", "--yes")
    number = cloud.json("history")["history"][0]["numbers"]["alpha"]
    cloud.skerry("secret", "set", "db-password", typed="the second")
    cloud.skerry("apply", "--yes")
    refused = cloud.skerry("rollback", str(number), "-n", "alpha", "--yes", expect=3)
    assert "is not on the node any more" in refused.text
    assert "secret db/password" in refused.text
    assert within(cloud, "echo $PASSWORD") == "the second"
    cloud.skerry("secret", "set", "db-password", typed="the first")
    cloud.skerry("rollback", str(number), "-n", "alpha", "--yes")
    assert within(cloud, "echo $PASSWORD") == "the first"
    assert "nothing to change" in cloud.skerry("plan").text


def test_what_is_missing_comes_back_and_what_is_left_over_goes(secret_cloud: LiveCloud) -> None:
    cloud = secret_cloud
    place_database_user(cloud)
    cloud.skerry("secret", "set", "db-password", typed="the value")
    cloud.skerry("apply", "--yes")
    names, before = podman_secrets(cloud), starts(cloud)
    gone = next(name for name in names if name.startswith("skerry-db-password-"))
    cloud.shell("alpha", f"podman secret rm {gone}; printf x | podman secret create others -")
    assert "was deleted on the node" in cloud.skerry("plan").text
    assert "1 secret" in cloud.skerry("diff", expect=4).text
    cloud.skerry("apply", "--yes")
    assert podman_secrets(cloud) == sorted([*names, "others"])
    assert starts(cloud) == before

    left = "skerry-db-password-" + "0" * 16
    cloud.shell("alpha", f"printf x | podman secret create {left} -")
    assert "left by an interrupted run" in cloud.skerry("plan").text
    cloud.skerry("prune", "--yes")
    assert podman_secrets(cloud) == sorted([*names, "others"])
    cloud.shell("alpha", f"printf x | podman secret create {left} -")
    cloud.skerry("apply", "--yes")
    assert podman_secrets(cloud) == sorted([*names, "others"])
    assert starts(cloud) == before
    cloud.shell("alpha", "podman secret rm others")


@pytest.mark.honours("Secret.data", "Secret.immutable")
def test_plain_secrets_work_without_a_key_and_immutable_ones_stay(
    secret_cloud: LiveCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = secret_cloud
    monkeypatch.delenv("SKERRY_IDENTITY")
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nimmutable: true\n"
    secret += "data: {password: aHVudGVyMg==}\nstringData: {url: 'a$$(b)'}\n"
    pod = POD.format(name="blog", image=BUSYBOX_IMAGE, command=WAITS, secret="db")
    cloud.place("blog", secret + pod, "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    assert within(cloud, 'cat /run/db/url; echo -n " $PASSWORD"') == "a$(b) hunter2"
    assert "nothing to change" in cloud.skerry("plan").text
    names = podman_secrets(cloud)
    changed = secret.replace("aHVudGVyMg==", "aHVudGVyMw==")
    (cloud.folder / "pods/blog.yaml").write_text(changed + pod)
    refused = cloud.skerry("apply", "--yes", expect=3)
    assert "secret db/password is immutable" in refused.text
    assert podman_secrets(cloud) == names
