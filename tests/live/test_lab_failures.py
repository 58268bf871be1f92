"""A node fails in the ways in which rented hosts fail, and only in the way that was asked for."""

from __future__ import annotations

import pytest
from tests.live.lab_harness import (
    can_connect,
    host_key,
    inner_namespace,
    open_to_ssh,
    ssh,
    wait_until,
)

from skerry.edge.run import run
from skerry.errors import LabError
from skerry.lab import Lab, State


@pytest.fixture(scope="session")
def lab(breakable_lab: Lab) -> Lab:
    """Not the one on which the session's cloud stands."""
    return breakable_lab


def test_killed_node_says_no_goodbye(restored_lab: Lab) -> None:
    alpha = restored_lab.node("alpha")
    with open_to_ssh(restored_lab, alpha) as connection:
        alpha.kill()
        assert alpha.state() is State.DOWN
        connection.settimeout(2)
        # An end of file or a reset would be an answer; a vanished host gives none.
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert not can_connect(restored_lab.places.namespace_path, alpha.address)
    assert not alpha.cgroup.exists()


def test_rebooted_node_does_say_goodbye(restored_lab: Lab) -> None:
    """The opposite of the test above: it would not notice if it never could see a close."""
    beta = restored_lab.node("beta")
    boot = ssh(restored_lab, "beta", "cat /proc/sys/kernel/random/boot_id").text
    with open_to_ssh(restored_lab, beta) as connection:
        beta.reboot()
        assert connection.recv(1) == b""
    assert ssh(restored_lab, "beta", "cat /proc/sys/kernel/random/boot_id").text != boot


def test_reboot_from_inside_comes_back(restored_lab: Lab) -> None:
    beta = restored_lab.node("beta")
    init = beta.init_pid()
    ssh(restored_lab, "beta", "systemctl reboot", check=False)
    wait_until(lambda: beta.init_pid() not in (init, None), what="a new boot of beta")
    beta.wait_ready()
    assert ssh(restored_lab, "beta", "hostname").text == "beta"


def test_start_after_kill_keeps_disk_and_key(restored_lab: Lab) -> None:
    alpha = restored_lab.node("alpha")
    key = host_key(restored_lab, "alpha")
    ssh(restored_lab, "alpha", "echo kept > /root/kept")
    alpha.kill()
    assert alpha.start()
    alpha.wait_ready()
    assert not alpha.start(), "it is on already"
    assert ssh(restored_lab, "alpha", "cat /root/kept").text == "kept"
    assert host_key(restored_lab, "alpha") == key


def test_new_node_is_another_machine(restored_lab: Lab) -> None:
    key = host_key(restored_lab, "gamma")
    ssh(restored_lab, "gamma", "echo old > /root/old")
    restored_lab.renew("gamma")
    assert host_key(restored_lab, "gamma") != key
    # Known hosts of the lab follow: no question, no refusal.
    assert ssh(restored_lab, "gamma", "ls /root").text == ""


def test_frozen_node_is_silent_and_goes_on(restored_lab: Lab) -> None:
    gamma = restored_lab.node("gamma")
    boot = gamma.init_pid()
    gamma.freeze()
    assert gamma.state() is State.FROZEN
    # The kernel completes the handshake; no banner comes.
    assert not can_connect(restored_lab.places.namespace_path, gamma.address)
    with pytest.raises(LabError, match="frozen"):
        gamma.reboot()
    gamma.thaw()
    assert gamma.state() is State.RUNNING
    assert can_connect(restored_lab.places.namespace_path, gamma.address)
    assert gamma.init_pid() == boot


def test_frozen_node_can_vanish(restored_lab: Lab) -> None:
    gamma = restored_lab.node("gamma")
    gamma.freeze()
    gamma.kill()
    assert gamma.state() is State.DOWN


def test_cut_node_is_alone_and_its_connections_survive(restored_lab: Lab) -> None:
    alpha, beta, gamma = restored_lab.nodes
    router = restored_lab.places.namespace_path
    with open_to_ssh(restored_lab, alpha) as connection:
        alpha.cut()
        assert alpha.state() is State.CUT
        assert not can_connect(router, alpha.address)
        assert not can_connect(inner_namespace(beta), alpha.address)
        assert not can_connect(inner_namespace(alpha), beta.address)
        assert can_connect(inner_namespace(beta), gamma.address)
        # The node itself sees a network that is up, as when its vendor's fails.
        assert run(alpha.console_command("cat", "/sys/class/net/host0/carrier")).text == "1"
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        alpha.heal()
        connection.settimeout(10)
        connection.sendall(b"not the protocol\r\n")
        assert connection.recv(1), "the same connection works again"
    assert alpha.state() is State.RUNNING
    assert can_connect(inner_namespace(alpha), beta.address)


def test_cut_pair_concerns_only_the_two(restored_lab: Lab) -> None:
    alpha, beta, gamma = restored_lab.nodes
    alpha.cut(beta)
    assert not can_connect(inner_namespace(alpha), beta.address)
    assert not can_connect(inner_namespace(beta), alpha.address)
    assert can_connect(inner_namespace(alpha), gamma.address)
    assert can_connect(inner_namespace(gamma), beta.address)
    assert can_connect(restored_lab.places.namespace_path, alpha.address)
    assert (alpha.cut_from(), beta.cut_from(), gamma.cut_from()) == (["beta"], ["alpha"], [])
    beta.heal(alpha)
    assert can_connect(inner_namespace(alpha), beta.address)
    assert alpha.cut_from() == []


def test_cut_pair_of_one_vendor(restored_lab: Lab) -> None:
    """alpha and delta are on one bridge: nothing between them passes the router."""
    restored_lab.up(nodes=4)
    alpha, delta = restored_lab.node("alpha"), restored_lab.node("delta")
    assert alpha.vendor == delta.vendor
    assert can_connect(inner_namespace(alpha), delta.address)
    alpha.cut(delta)
    assert not can_connect(inner_namespace(alpha), delta.address)
    alpha.heal()
    assert can_connect(inner_namespace(alpha), delta.address)


def test_cut_node_reboots_and_stays_cut(restored_lab: Lab) -> None:
    beta = restored_lab.node("beta")
    beta.cut()
    beta.reboot()
    assert beta.state() is State.CUT
    assert not can_connect(restored_lab.places.namespace_path, beta.address)
    beta.heal()
    assert can_connect(restored_lab.places.namespace_path, beta.address)


def test_node_that_is_down_refuses_clearly(restored_lab: Lab) -> None:
    beta = restored_lab.node("beta")
    beta.kill()
    for act in (beta.freeze, beta.thaw, beta.reboot):
        with pytest.raises(LabError, match="beta is down") as caught:
            act()
        assert caught.value.hint == "skerry lab start beta"
