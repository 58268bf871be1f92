"""What a node knows of the others and of the operator, and what stolen keys open."""

from __future__ import annotations

import os
import secrets
import shutil
import string
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import host_key
from tests.live.secret_search import Marker, Search

from skerry.edge.paths import cache_folder, socket_folder
from skerry.edge.run import Command, run
from skerry.edge.ssh import Link, run_remote
from skerry.lab import Lab

CLAIM_AND_SECRET = """\
---
apiVersion: v1
kind: Secret
metadata: {{name: secret-{word} }}
stringData: {{key-{word}: $(value-{word})}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: claim-{word} }}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}} }} }}
---
apiVersion: v1
kind: Pod
metadata: {{name: keeper-{word}, labels: {{label-{word}: x}} }}
spec:
  nodeSelector: {{place: of-{word} }}
  containers:
    - name: main
      image: {image}
      command: [sleep, "100000"]
      env:
        - name: PASSWORD
          valueFrom: {{secretKeyRef: {{name: secret-{word}, key: key-{word} }} }}
      volumeMounts: [{{name: kept, mountPath: /kept}}]
  volumes:
    - name: kept
      persistentVolumeClaim: {{claimName: claim-{word} }}
"""


def random_word() -> str:
    """A word that is nowhere else, and good for every kind of name."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))


@pytest.fixture(scope="module")
def apart(new_lab: Callable[..., Lab]) -> Lab:
    """Three nodes that nobody added to a cloud yet."""
    build_busybox_image()
    lab = new_lab("apart")
    lab.up(nodes=3, with_podman=True)
    return lab


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key that reads the operator's secrets."""
    path = tmp_path / "identity"
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eva", "-f", path))
    monkeypatch.setenv("SKERRY_IDENTITY", str(path))
    return path


@pytest.fixture
def words(apart: Lab) -> dict[str, str]:
    """A word for each node, with which all is named that is its own."""
    return {node.name: random_word() for node in apart.nodes}


@pytest.fixture
def named(apart: Lab, words: dict[str, str], key: Path, tmp_path: Path) -> LiveCloud:
    """A cloud in which every name that has to do with a node has the node's word."""
    folder = tmp_path / random_word() / "cloud"
    cloud = LiveCloud(folder, apart)
    init = (sys.executable, "-m", "skerry", "init", str(folder), "--lab", apart.name)
    run(Command((*init, "--name", "sea")))
    for node in apart.nodes:
        word = words[node.name]
        cloud.skerry(
            "node", "add", f"node-{word}", f"root@{node.address}", "--vendor", f"vendor-{word}",
            "--zone", f"zone-{word}", "--label", f"place=of-{word}",
        )  # fmt: skip
    cloud.forget_examples()
    return cloud


@pytest.mark.claims("node-learns-nothing", "node-knows-operator")
def test_a_node_has_no_trace_of_the_others(
    apart: Lab, named: LiveCloud, words: dict[str, str], tmp_path: Path
) -> None:
    cloud = named
    for at, (_, word) in enumerate(words.items()):
        cloud.skerry("secret", "set", f"value-{word}", typed=f"hunter-{word}")
        page = httpd(f"page-{word}", image=BUSYBOX_IMAGE, port=8100 + at, text=f"text-{word}")
        cloud.place(f"page-{word}", page, f"nodes: [node-{word}]")
        cloud.place(f"keeper-{word}", CLAIM_AND_SECRET.format(word=word, image=BUSYBOX_IMAGE))
    shared = httpd("shared", image=BUSYBOX_IMAGE, port=8200)
    cloud.place("shared", shared, "replicas: 3, spread: vendor")
    message = f"message-{random_word()}"
    cloud.skerry("plan")
    cloud.skerry("apply", "--yes", "-m", message)
    for verb in ("status", "diff", "history"):
        cloud.skerry(verb)
    cloud.skerry("logs", "shared")
    cloud.skerry("exec", "shared", "--", "true")
    first = next(iter(words.values()))
    cloud.skerry("node", "cordon", f"node-{first}")
    cloud.skerry("node", "uncordon", f"node-{first}")
    cloud.remove(f"page-{first}")
    cloud.skerry("apply", "--yes", "-m", message)

    for node in apart.nodes:
        own = words[node.name]
        assert Search(Marker(own), tmp_path).node_files(node), "the search finds what is there"
        others = [other for other in apart.nodes if other.name != node.name]
        foreign = [words[other.name] for other in others]
        foreign += [other.address for other in others]
        foreign += [host_key(apart, other.name) for other in others]
        # Where the folder is, and the key that reads the secrets, is not a node's matter either.
        foreign += [cloud.folder.parent.name, (tmp_path / "identity.pub").read_text().split()[1]]
        shown = cloud.shell(
            node.name,
            "journalctl --sync; journalctl --no-pager -q -o export; cat /proc/[0-9]*/cmdline "
            "/proc/[0-9]*/environ; podman inspect $(podman ps -aq); podman events --stream=false; "
            "systemctl show '*'; ip neigh; ip route",
            check=False,
        ).stdout
        markers = [Marker(text) for text in foreign]
        known = Search(markers[0], tmp_path, *markers[1:]).node_files(node)
        assert known == [], f"{node.name} knows one of {foreign}"
        for text, marker in zip(foreign, markers, strict=True):
            assert not marker.is_in(shown), f"{node.name} knows {text}"
        # What it must know, so that `skerry history` can say who did what, and when.
        record = "/var/lib/skerry/current/generation.json"
        assert message in cloud.shell(node.name, f"cat {record}").text
        assert (
            f'"who":"{os.environ.get("USER", "root")}'
            in cloud.shell(node.name, f"tr -d ' ' <{record}").text
        )
    for name in list(cloud.places):
        cloud.remove(name)
    cloud.skerry("apply", "--yes", "-m", "empty again")


@pytest.mark.claims("host-key-opens-nothing")
def test_a_nodes_own_keys_open_no_other_node(apart: Lab, named: LiveCloud) -> None:
    private = named.shell(
        "alpha",
        "grep -rlE 'PRIVATE KEY' /etc/ssh /root /home /var/lib/skerry /etc/skerry || true",
    ).text.split()
    assert private and all(path.startswith("/etc/ssh/ssh_host_") for path in private)
    beta = apart.node("beta").address
    words = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    for path in private:
        for user in ("root", "skerry"):
            tried = named.shell("alpha", f"ssh {words} -i {path} {user}@{beta} true", check=False)
            assert tried.status == 255 and "Permission denied" in tried.error_text
    # The same command with a key that is accepted: it is the key that decides.
    lent = apart.ssh_key.read_text()
    named.shell("alpha", f"umask 077; cat >/root/lent <<'EOF'\n{lent}EOF")
    named.shell(
        "alpha", f"ssh {words} -i /root/lent skerry@{beta} true; s=$?; rm /root/lent; exit $s"
    )


@pytest.mark.claims("login-key-is-root", "deploy-user-has-no-password")
def test_the_login_key_is_root_on_every_node(apart: Lab, named: LiveCloud) -> None:
    for node in apart.nodes:
        words = ("ssh", "-F", str(apart.ssh_config), f"skerry@{node.name}", "sudo -n id -u")
        assert run(Command(words)).text == "0"
        entry = named.shell(node.name, "getent shadow skerry").text
        assert entry.split(":")[1] == "*", "an account with a password"
        assert named.shell(node.name, "cat /home/skerry/.ssh/authorized_keys").text.count("\n") == 0


@pytest.mark.claims("folder-opens-nothing")
def test_who_has_the_cloud_folder_alone_comes_in_nowhere(
    apart: Lab, named: LiveCloud, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named.skerry("secret", "set", "stolen", typed="hunter2")
    named.skerry("check")
    stolen = tmp_path / "stolen"
    shutil.copytree(named.folder, stolen)
    # They reach the hosts as you do, and have none of your keys, agents and sockets.
    config = tmp_path / "ssh_config"
    lines = apart.ssh_config.read_text().splitlines()
    kept = [line for line in lines if "identit" not in line.lower()]
    config.write_text("\n".join([*kept, "Host *", "  IdentityAgent none", ""]))
    text = (stolen / "cloud.yaml").read_text()
    before = next(line for line in text.splitlines() if line.startswith("ssh-config:"))
    (stolen / "cloud.yaml").write_text(text.replace(before, f"ssh-config: {config}"))
    thief = LiveCloud(stolen, apart)
    thief.header = (stolen / "cloud.yaml").read_text()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SKERRY_IDENTITY")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    refused = thief.skerry("status", expect=3)
    assert refused.error_text.count("accepts none of your keys") == 3, refused.error_text
    unread = thief.skerry("secret", "get", "stolen", expect=None)
    assert unread.status != 0 and "hunter2" not in unread.text + unread.error_text
    assert "no key here" in unread.error_text
    found = run(Command(("grep", "-rlaE", "PRIVATE KEY|hunter2", str(stolen))), check=False)
    assert found.text == ""


@pytest.mark.claims("ssh-hands-nothing-over")
def test_no_agent_arrives_on_a_node(
    apart: Lab, named: LiveCloud, words: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "ssh_config"
    forwarding = "Host *\n  ForwardAgent yes\n  ForwardX11 yes\n"
    config.write_text(forwarding + apart.ssh_config.read_text())
    agent = run(Command(("ssh-agent", "-s"))).text
    variables = dict(
        part.split("=", 1) for part in agent.replace("\n", "").split(";") if "=" in part
    )
    link = Link(
        node=f"node-{words['alpha']}",
        target=f"skerry@{apart.node('alpha').address}",
        known_hosts=str(named.folder / "known_hosts"),
        ssh_config=str(config),
        multiplex=False,
    )
    ask = "echo agent=$SSH_AUTH_SOCK display=$DISPLAY"
    old = os.environ.get("SSH_AUTH_SOCK")
    os.environ["SSH_AUTH_SOCK"] = variables["SSH_AUTH_SOCK"]
    try:
        plain = ("ssh", "-F", str(config), "-o", "StrictHostKeyChecking=no", "-o")
        shown = run(Command((*plain, "UserKnownHostsFile=/dev/null", link.target, ask))).text
        assert "agent=/" in shown, "this test proves nothing"
        assert run_remote(link, ask).text == "agent= display="
    finally:
        run(Command(("kill", variables["SSH_AGENT_PID"])))
        if old is None:
            del os.environ["SSH_AUTH_SOCK"]
        else:
            os.environ["SSH_AUTH_SOCK"] = old


@pytest.fixture
def guarded(new_lab: Callable[..., Lab], tmp_path: Path) -> Iterator[LiveCloud]:
    """A host to which only a password leads."""
    lab = new_lab("guarded")
    lab.up(nodes=1, with_podman=True, password_only=["alpha"])
    cloud = LiveCloud(tmp_path / "cloud", lab)
    run(Command((sys.executable, "-m", "skerry", "init", str(cloud.folder), "--lab", lab.name)))
    yield cloud
    lab.down()


@pytest.mark.claims("password-not-kept")
def test_the_password_of_a_host_is_on_no_command_line_and_in_no_file(
    guarded: LiveCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    password = guarded.lab.password
    search = Search(Marker(password), tmp_path)
    with search.watching_command_lines() as lines:
        added = guarded.skerry(
            "node", "add", "alpha", "root@alpha", "--ask-password", typed=f"{password}\n"
        )
    assert lines == []
    assert password not in added.text + added.error_text
    search.patterns.rename(tmp_path.parent / search.patterns.name)
    search.patterns = tmp_path.parent / search.patterns.name
    caches = [path for path in cache_folder().iterdir() if path.name != "lab"]
    assert search.files(guarded.folder, tmp_path / "tmp", socket_folder(), *caches) == []
    node = guarded.lab.node("alpha")
    inside = [path for path in search.node_files(node) if path != "/etc/shadow"]
    assert inside == []
    # No connection stays that knows it; that of the deploy user came by key.
    assert [line for line in search.processes() if line.startswith("environ of ssh")] == []
