"""`skerry node add` and `skerry node reset`, on nodes that are as a vendor hands them over."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import HTTPD, LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import host_key, ssh

from skerry.bootstrap.add import DEPLOY_USER, Brought, Request, plan_settings
from skerry.bootstrap.platforms import try_platform
from skerry.edge.exchange import exchange
from skerry.edge.run import Command, run
from skerry.edge.ssh import Link
from skerry.lab import Lab

# What changes by itself on a running machine, what a reset leaves on purpose (the log), apt's
# and dpkg's own notes, and the backups that useradd writes.
VOLATILE = (
    "/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/var/cache", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/systemd", "/root/.cache", "/etc/.pwd.lock",
    "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-",
)  # fmt: skip


def read_tree(root: Path, *, by_content: bool = True) -> dict[str, str]:
    """Every path of a file system with kind, mode, owner and content.

    By content a file that was written anew and is the same counts as the same; else its stamp
    decides, which is quicker and finds that too. Programs count by their size alone.
    """
    found = {}
    for base, folders, files in os.walk(root):
        inside = base[len(str(root)) :]
        folders[:] = [name for name in folders if f"{inside}/{name}" not in VOLATILE]
        for name in (*folders, *files):
            path, shown = Path(base, name), f"{inside}/{name}"
            if shown in VOLATILE or "__pycache__" in shown:
                continue
            status = path.lstat()
            content = str(status.st_rdev)
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode) and not by_content:
                content = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
            elif stat.S_ISREG(status.st_mode):
                is_program = shown.startswith("/usr/")
                digest = "" if is_program else hashlib.sha256(path.read_bytes()).hexdigest()
                content = f"{status.st_size} {digest}"
            found[shown] = f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {content}"
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The paths that are not the same."""
    return sorted(path for path in before | after if before.get(path) != after.get(path))


def steps_of(report: dict[str, object]) -> dict[str, str]:
    """The states of a report's steps by name."""
    steps = report["steps"]
    assert isinstance(steps, list)
    return {step["step"]: step["state"] for step in steps}


def make_cloud(lab: Lab, folder: Path) -> LiveCloud:
    """An empty cloud folder on a lab."""
    live = LiveCloud(folder, lab)
    live.skerry("init", ".", "--name", "test", "--lab", lab.name)
    return live


def as_root(lab: Lab, script: str) -> str:
    """What a shell command prints that root runs, by way of the deploy user."""
    return ssh(lab, f"{DEPLOY_USER}@alpha", "sudo", "-n", "sh", "-c", f"'{script}'").text


def processes_of_ours(lab: Lab) -> list[str]:
    """What runs on the node that is Skerry's or Podman's, but for sshd and the looking itself."""
    shown = as_root(lab, "ps -e -o user=,args=").splitlines()
    marks = ("skerry", "podman", "conmon", "netavark", "aardvark", "python")
    mine = ("sshd", "ps -e", "sudo", "systemd --user", "(sd-pam)")
    return [
        line
        for line in shown
        if any(mark in line for mark in marks) and not any(word in line for word in mine)
    ]


@pytest.fixture(scope="module")
def bare(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCloud]:
    """A cloud folder and one node without Podman or sudo, to which only a password leads."""
    lab = new_lab("bare")
    lab.up(nodes=1, password_only=["alpha"])
    yield make_cloud(lab, tmp_path_factory.mktemp("bare"))
    lab.down()


@pytest.fixture(scope="module")
def warm_lab(new_lab: Callable[..., Lab]) -> Iterator[Lab]:
    """A lab of one node that has the packages already."""
    lab = new_lab("warm")
    lab.up(nodes=1, with_podman=True)
    yield lab
    lab.down()


@pytest.fixture
def warm(warm_lab: Lab, tmp_path: Path) -> LiveCloud:
    """An empty cloud folder, and the node anew."""
    warm_lab.renew("alpha")
    return make_cloud(warm_lab, tmp_path)


@pytest.mark.claims("password-login-off")
def test_from_a_password_to_a_node_and_back(bare: LiveCloud) -> None:
    node, lab = bare.lab.node("alpha"), bare.lab
    words = ("node", "add", "alpha", "root@alpha", "--vendor", "north", "--ask-password")
    before, folder = read_tree(node.disk), read_tree(bare.folder)

    refused = bare.skerry("node", "add", "alpha", "root@alpha", expect=3)
    assert "accepts none of your keys" in refused.error_text
    wrong = bare.skerry(*words, typed="wrong\n", expect=3)
    assert "access-refused" in wrong.error_text

    stamps = read_tree(node.disk, by_content=False)
    checked = bare.skerry(*words, "--check", typed=f"{lab.password}\n")
    assert "would change" in checked.error_text and "nothing was changed" in checked.text
    assert differences(stamps, read_tree(node.disk, by_content=False)) == []
    assert differences(folder, read_tree(bare.folder)) == []

    added = bare.skerry("--json", *words, "--harden", typed=f"{lab.password}\n", timeout=600)
    report = json.loads(added.stdout)
    states = steps_of(report)
    assert states["packages"] == states["sudo"] == states["public keys"] == "changed"
    assert states["podman"] == states["login"] == "ok"
    assert states["password login"] == "changed"
    assert report["facts"]["podman_version"].startswith("5.")
    text = (bare.folder / "cloud.yaml").read_text()
    assert f"  alpha: {{ssh: {DEPLOY_USER}@alpha, vendor: north}}\n" in text
    assert host_key(lab, "alpha") in (bare.folder / "known_hosts").read_text()
    assert lab.password not in added.text + added.error_text + text

    # Keys only from now on: the password opens nothing, and the second run needs none.
    refused = bare.skerry(
        "node", "add", "other", "root@alpha", "--ask-password", typed=f"{lab.password}\n", expect=3
    )
    assert "access-refused" in refused.error_text
    again = bare.skerry("node", "add", "alpha", "root@alpha", "--harden")
    assert "nothing to change" in again.text
    assert "sudoers.d/skerry: parsed OK" in as_root(lab, "visudo -c")
    assert processes_of_ours(lab) == []

    bare.skerry("node", "reset", "alpha", "--yes", "--packages", timeout=600)
    assert differences(before, read_tree(node.disk)) == []


@pytest.mark.claims("host-key-pinned")
def test_a_reinstalled_host_is_refused_until_its_key_is_replaced(warm: LiveCloud) -> None:
    warm.skerry("node", "add", "alpha", "root@alpha")
    old = fingerprint(warm.lab)
    warm.lab.renew("alpha")
    new = fingerprint(warm.lab)
    folder = read_tree(warm.folder)
    refused = warm.skerry("node", "add", "alpha", "root@alpha", expect=3)
    assert old in refused.error_text and new in refused.error_text
    assert "host-key-mismatch" in refused.error_text
    (listed,) = warm.json("node", "ls", expect=3)["nodes"]
    assert listed["state"] == "refused" and new in listed["error"]["message"]
    assert differences(folder, read_tree(warm.folder)) == []

    mended = warm.skerry("node", "add", "alpha", "root@alpha", "--replace-host-key")
    assert f"pinned {new}, in place of {old}" in mended.error_text
    assert (warm.folder / "known_hosts").read_text().count("alpha ") == 1
    assert warm.json("node", "ls")["nodes"][0]["state"] == "new"


@pytest.mark.claims("host-key-expected")
def test_the_expected_host_key(warm: LiveCloud) -> None:
    right, wrong = fingerprint(warm.lab), "SHA256:" + "A" * 43
    disk = warm.lab.node("alpha").disk
    before, folder = read_tree(disk, by_content=False), read_tree(warm.folder)
    words = ("node", "add", "alpha", "root@alpha", "--host-key")
    refused = warm.skerry(*words, wrong, expect=3)
    assert right in refused.error_text and wrong in refused.error_text
    assert differences(folder, read_tree(warm.folder)) == []
    assert differences(before, read_tree(disk, by_content=False)) == []
    warm.skerry(*words, f"256 {right} root@alpha (ED25519)")
    refused = warm.skerry(*words, wrong, expect=3)
    assert right in refused.error_text and wrong in refused.error_text


def test_an_unsupported_system_is_refused_before_anything_is_changed(warm: LiveCloud) -> None:
    disk = warm.lab.node("alpha").disk
    warm.ssh("alpha", "sed -i s/VERSION_ID=.*/VERSION_ID=12/ /usr/lib/os-release")
    before, folder = read_tree(disk, by_content=False), read_tree(warm.folder)
    refused = warm.skerry("--json", "node", "add", "alpha", "root@alpha", expect=3)
    error = json.loads(refused.error_text)
    assert error["error"] == "node-unsupported" and "Debian 13" in error["hint"]
    assert differences(before, read_tree(disk, by_content=False)) == []
    assert differences(folder, read_tree(warm.folder)) == []


def test_a_user_with_sudo_and_a_password(warm: LiveCloud) -> None:
    warm.ssh("alpha", "useradd -m -G sudo op && useradd -m no && echo op:pa55 | chpasswd")
    warm.ssh("alpha", "echo no:pa55 | chpasswd")
    words = ("node", "add", "alpha")
    refused = warm.skerry(*words, "no@alpha", "--ask-password", typed="pa55\n", expect=3)
    assert "sudo does not let the user no in" in refused.error_text
    added = warm.skerry(*words, "op@alpha", "--ask-password", typed="pa55\n")
    assert "changed" in added.text and "pa55" not in added.text + added.error_text
    assert "nothing to change" in warm.skerry(*words).text


def test_an_expired_password_is_called_so(warm: LiveCloud) -> None:
    warm.ssh("alpha", "useradd -m -G sudo op && echo op:pa55 | chpasswd && chage -d 0 op")
    words = ("node", "add", "alpha", "op@alpha", "--ask-password")
    refused = warm.skerry(*words, typed="pa55\n", expect=3)
    assert "the password of op has expired" in refused.error_text
    assert "ssh op@alpha" in refused.error_text


def test_a_host_without_python(warm: LiveCloud) -> None:
    warm.ssh("alpha", "DEBIAN_FRONTEND=noninteractive apt-get -y purge '*python3*' >/dev/null 2>&1")
    assert warm.ssh("alpha", "command -v python3", check=False).status != 0
    checked = warm.skerry("node", "add", "alpha", "root@alpha", "--check")
    assert "install python3" in checked.error_text
    assert warm.ssh("alpha", "command -v python3", check=False).status != 0
    added = warm.json("node", "add", "alpha", "root@alpha")
    assert steps_of(added)["python"] == "changed"
    record = json.loads(warm.ssh("alpha", "cat /var/lib/skerry/bootstrap.json").stdout)
    assert "python3" in record["packages"]
    # The reset runs on it, so it stays.
    warm.skerry("node", "reset", "alpha", "--yes", "--packages", timeout=600)
    assert warm.ssh("alpha", "command -v python3").text == "/usr/bin/python3"


def test_a_failure_half_way_is_told_and_mended_by_the_same_command(warm: LiveCloud) -> None:
    conf = "/etc/containers/storage.conf"
    warm.ssh("alpha", f"printf '[storage]\\ndriver = nonsense\\n' > {conf}")
    failed = warm.skerry("node", "add", "alpha", "root@alpha", expect=3)
    assert "podman: podman info" in failed.error_text
    assert "changed before: state folder" in failed.error_text
    assert "goes on from there" in failed.error_text
    assert "alpha:" not in (warm.folder / "cloud.yaml").read_text().replace("#  alpha:", "")
    warm.ssh("alpha", f"rm {conf}")
    again = warm.json("node", "add", "alpha", "root@alpha")
    assert steps_of(again)["sudo"] == "ok" and again["edits_cloud_yaml"]


def test_little_memory_without_any_way_to_swap_is_no_failure(warm: LiveCloud) -> None:
    warm.skerry("node", "add", "alpha", "root@alpha")
    platform = try_platform("debian", "13")
    assert platform is not None
    request = Request(
        node="alpha", doors=(), deploy=link_of(warm), known_hosts="", keys=(), is_check=False
    )
    settings = plan_settings(request, platform, Brought("python3", []))
    steps: list[dict[str, object]] = []
    exchange(
        request.deploy, "bootstrap", {**settings, "low_memory": 1 << 60}, on_event=steps.append
    )
    (swap,) = [step for step in steps if step.get("step") == "swap"]
    assert swap["state"] == "skipped" and "not possible here" in str(swap["detail"])
    states = [step["state"] for step in steps if step["event"] == "step"]
    assert set(states) == {"ok", "skipped"}


def test_reset_takes_workloads_along_and_leaves_what_is_not_ours(warm: LiveCloud) -> None:
    build_busybox_image()
    disk = warm.lab.node("alpha").disk
    warm.ssh("alpha", "podman info >/dev/null && podman volume create mine >/dev/null")
    warm.ssh("alpha", "echo me:200000:65536 >> /etc/subuid; mkdir -p /etc/skerry-not; podman ps")
    before = read_tree(disk)
    warm.skerry("node", "add", "alpha", "root@alpha")
    warm.forget_examples()
    text = HTTPD.format(
        name="hello", text="hello", image=BUSYBOX_IMAGE, command="/bin/busybox", port=8080
    )
    (warm.folder / "pods/hello.yaml").write_text(text)
    warm.places["hello"] = "{pod: pods/hello.yaml, nodes: [alpha]}"
    warm.write_cloud()
    warm.skerry("apply", "--yes")
    (listed,) = warm.json("node", "ls")["nodes"]
    assert (listed["state"], listed["pods"], listed["running"]) == ("ready", 1, 1)
    refused = warm.skerry("node", "rm", "alpha", expect=2)
    assert "hello would go on running" in refused.error_text

    checked = warm.skerry("node", "reset", "alpha", "--check")
    assert "skerry-hello.0.service" in checked.error_text
    assert warm.json("node", "ls")["nodes"][0]["running"] == 1
    done = warm.skerry("node", "reset", "alpha", "--yes")
    assert "no longer lets the deploy user in" in done.text
    # Podman's store was there before: what Podman notes in it is its own.
    store = "/var/lib/containers/"
    left = [path for path in differences(before, read_tree(disk)) if not path.startswith(store)]
    assert left == []
    images = warm.ssh("alpha", "podman image ls -q; podman ps -aq; podman volume ls -q").text
    assert images == "mine"
    ports = warm.ssh("alpha", "ss -Htln; systemctl list-units --all --no-legend skerry*").text
    assert ":8080" not in ports and "skerry" not in ports


def fingerprint(lab: Lab) -> str:
    """The fingerprint of the host key that the node shows."""
    line = f"alpha ssh-ed25519 {host_key(lab, 'alpha')}\n"
    return run(Command.of("ssh-keygen", "-lf", "-"), input=line.encode()).text.split()[1]


def link_of(cloud: LiveCloud) -> Link:
    """How the cloud's node is reached."""
    return Link(
        node="alpha",
        target=f"{DEPLOY_USER}@alpha",
        known_hosts=str(cloud.folder / "known_hosts"),
        ssh_config=str(cloud.lab.ssh_config),
    )
