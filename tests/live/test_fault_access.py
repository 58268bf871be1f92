"""A node that lets the operator in no longer, or not as root, or has no Python to work with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.fault_harness import (
    APPLY,
    Seen,
    hang_up,
    mended,
    refused_on,
    serve_and_look,
    told,
)

from skerry.edge.run import run

PYTHONS = "/usr/bin/python3 /usr/bin/python3.[0-9]*"
# It is this machine's Python, that says it is another: there is no real one of that age to be had
# in the lab's distribution. What is shown is that the first lines of the node program, the only
# ones that an old Python gets to see, find out and say so.
OLD = """\
#!/root/pythons/python3 -IS
import sys
sys.version_info = (3, 6, 8, "final", 0)
words = sys.argv[1:]
code = words[words.index("-c") + 1]
sys.argv = ["-c", *words[words.index("-c") + 2:]]
exec(code)
"""


def console(cloud: LiveCloud, node: str, script: str) -> str:
    """What a shell command prints on the node's console: no SSH, no Python."""
    return run(cloud.lab.node(node).console_command("sh", "-ec", script)).text


@pytest.fixture
def pythonless(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud; beta's Python lies in another folder when the test says so, and comes back."""
    yield cloud
    back = "test ! -d /root/pythons || { rm -f /usr/bin/python3; mv /root/pythons/* /usr/bin/; "
    console(cloud, "beta", back + "rmdir /root/pythons; }")


def take_python(cloud: LiveCloud) -> None:
    """Takes beta's Python away."""
    console(cloud, "beta", f"mkdir /root/pythons; mv {PYTHONS} /root/pythons/")


@pytest.mark.fault("python-missing")
def test_a_node_whose_python_is_gone(pythonless: LiveCloud, seen: Seen) -> None:
    cloud, before = pythonless, serve_and_look(pythonless)
    take_python(cloud)
    partial = refused_on(cloud, "beta", "there is no python3 on the node")
    seen(told(partial, "beta"), typed=APPLY)
    console(cloud, "beta", "mv /root/pythons/* /usr/bin/; rmdir /root/pythons")
    mended(cloud, before)


@pytest.mark.fault("python-too-old")
def test_a_node_whose_python_is_too_old(pythonless: LiveCloud, seen: Seen) -> None:
    cloud, before = pythonless, serve_and_look(pythonless)
    take_python(cloud)
    cloud.ssh("beta", f"cat > /usr/bin/python3 <<'END'\n{OLD}END\nchmod 755 /usr/bin/python3")
    assert "(3, 6" in cloud.ssh("beta", "python3 -I -c 'import sys; print(sys.version_info)'").text
    seen(told(refused_on(cloud, "beta", "older than 3.9"), "beta"), typed=APPLY)
    console(cloud, "beta", "rm /usr/bin/python3; mv /root/pythons/* /usr/bin/; rmdir /root/pythons")
    mended(cloud, before)


@pytest.mark.fault("sudo-password")
def test_a_node_whose_sudo_asks_for_a_password(cloud: LiveCloud, seen: Seen) -> None:
    before = serve_and_look(cloud)
    console(cloud, "beta", "mv /etc/sudoers.d/skerry /root/sudoers")
    try:
        partial = refused_on(cloud, "beta", "sudo on the node asks for a password")
        seen(told(partial, "beta"), typed=APPLY)
    finally:
        console(cloud, "beta", "test -e /etc/sudoers.d/skerry || mv /root/sudoers "
                "/etc/sudoers.d/skerry")  # fmt: skip
    mended(cloud, before)


@pytest.mark.fault("sudo-password")
def test_what_is_said_of_a_lost_sudo_helps(cloud: LiveCloud) -> None:
    before = serve_and_look(cloud)
    console(cloud, "beta", "rm /etc/sudoers.d/skerry")
    hang_up(cloud, "beta")
    partial = refused_on(cloud, "beta", "sudo on the node asks for a password")
    follow_hint(cloud, told(partial, "beta"), "beta")
    mended(cloud, before)


@pytest.mark.fault("key-refused")
def test_a_node_that_lost_the_operators_key(cloud: LiveCloud, seen: Seen) -> None:
    before = serve_and_look(cloud)
    console(cloud, "beta", "mv /home/skerry/.ssh/authorized_keys /root/")
    hang_up(cloud, "beta")
    partial = refused_on(cloud, "beta", "accepts none of your keys")
    seen(told(partial, "beta"), typed=APPLY)
    follow_hint(cloud, told(partial, "beta"), "beta")
    console(cloud, "beta", "rm /root/authorized_keys")
    mended(cloud, before)


@pytest.mark.fault("host-key-changed")
def test_a_node_that_shows_another_host_key(cloud: LiveCloud, seen: Seen) -> None:
    before = serve_and_look(cloud)
    # For the operator a reinstalled host and somebody in the middle are the same.
    new = "rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
    console(cloud, "beta", f"{new}; systemctl restart ssh")
    hang_up(cloud, "beta")
    partial = refused_on(cloud, "beta", "somebody may be listening")
    seen(told(partial, "beta"), typed=APPLY)
    follow_hint(cloud, told(partial, "beta"), "beta")
    mended(cloud, before)


def follow_hint(cloud: LiveCloud, words: str, node: str) -> None:
    """Types the command of `skerry node add` that was said."""
    begin = words.index("`skerry node add ")
    typed = words[begin + len("`skerry ") :].split("`")[0].split()
    # The lab's root lets its key in: there is nobody to type a password.
    typed = [word for word in typed if word != "--ask-password"]
    assert typed[2:4] == [node, f"root@{cloud.addresses[node]}"], words
    cloud.skerry(*typed)
