"""The lock of a node: who holds it, what makes it stale, who may take it over."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.journal import try_hold_switch, write_journal
from skerry_node.lock import (
    LEASE,
    RENEW_AFTER,
    give_lock_back,
    hold_lock,
    run_lock,
    run_renew,
    run_unlock,
    show_lock,
    take_lock,
)
from tests.unit.node_machine import TOKEN, Events, lock_request

OTHER = "o" * 32


class Clock(Host):
    """A host whose clock and boot are the test's."""

    now = 1000.0
    boot = "first"

    def uptime(self) -> float:
        return self.now

    def boot_id(self) -> str:
        return self.boot


@pytest.fixture
def host(tmp_path: Path) -> Clock:
    """A host in a temporary folder."""
    return Clock(str(tmp_path))


def take(host: Host, who: str = "eva@laptop", token: str = TOKEN) -> dict[str, Any]:
    """Takes the lock as somebody."""
    taken = take_lock(host, lock_request(who, token), Events())
    assert taken.pop("taker")
    return taken


def test_second_operator_is_told_who_since_when_and_why(host: Clock) -> None:
    assert take(host) == {"recovered": None, "notes": []}
    with pytest.raises(NodeFault) as found:
        take(host, "ben@desk", OTHER)
    assert found.value.id == "locked"
    assert "eva@laptop since 20" in found.value.message
    assert "(apply)" in found.value.message
    assert "in 120 s, or now after `skerry node unlock`" in found.value.hint


def test_the_same_run_may_take_it_again(host: Clock) -> None:
    take(host)
    host.now += 50
    take(host)
    lock = show_lock(host)
    assert lock is not None
    assert lock["who"] == "eva@laptop"
    assert hold_lock(host, TOKEN)["expires_at"] == host.now + LEASE


def test_lock_without_a_word_from_its_holder_is_taken_over(host: Clock) -> None:
    take(host)
    host.now += LEASE - 1
    with pytest.raises(NodeFault):
        take(host, "ben@desk", OTHER)
    assert show_lock(host) is not None
    host.now += 2
    assert show_lock(host) is None
    (note,) = take(host, "ben@desk", OTHER)["notes"]
    assert "took over a stale lock of eva@laptop" in note
    with pytest.raises(NodeFault, match="it was lost to ben@desk") as found:
        hold_lock(host, TOKEN)
    assert found.value.id == "lock-lost"


def test_lock_of_an_earlier_boot_is_stale(host: Clock) -> None:
    take(host)
    host.boot = "second"
    assert show_lock(host) is None
    assert take(host, "ben@desk", OTHER)["notes"]


def test_lock_survives_a_reboot_for_its_holder(host: Clock) -> None:
    take(host)
    host.boot, host.now = "second", 5.0
    hold_lock(host, TOKEN)
    with pytest.raises(NodeFault, match="locked by eva"):
        take(host, "ben@desk", OTHER)


def test_lock_of_a_running_switch_is_never_stale(host: Clock) -> None:
    take(host)
    write_journal(host, {"number": 1, "base": 0, "phase": "switching", "boot": "first"})
    running = try_hold_switch(host)
    assert running is not None
    host.now += 10 * LEASE
    with pytest.raises(NodeFault, match="locked by eva"):
        take(host, "ben@desk", OTHER)
    running.close()


def test_exchanges_renew_it_but_do_not_write_each_time(host: Clock) -> None:
    take(host)
    path = Path(host.state_path("lock"))
    first = path.stat().st_ino
    host.now += RENEW_AFTER - 1
    hold_lock(host, TOKEN)
    assert path.stat().st_ino == first
    host.now += 2
    hold_lock(host, TOKEN)
    assert json.loads(path.read_text())["expires_at"] == host.now + LEASE


def test_renewing_goes_on_holding_it_and_tells_who_lost_it(host: Clock) -> None:
    take(host)
    host.now += LEASE - 1
    run_renew({"token": TOKEN}, None, Events(), host)
    host.now += LEASE - 1
    assert show_lock(host) is not None
    with pytest.raises(NodeFault) as found:
        run_renew({"token": OTHER}, None, Events(), host)
    assert found.value.id == "lock-lost"


def test_only_the_holder_gives_it_back(host: Clock) -> None:
    take(host)
    assert not give_lock_back(host, OTHER)
    assert show_lock(host) is not None
    assert give_lock_back(host, TOKEN)
    assert not give_lock_back(host, TOKEN)
    assert show_lock(host) is None


def test_ops(host: Clock) -> None:
    run_lock({"lock": lock_request()}, None, Events(), host)
    assert run_unlock({"token": OTHER}, None, Events(), host) == {"released": False}
    assert run_unlock({"force": True}, None, Events(), host) == {"released": True}


def test_nobody_is_shown_the_token(host: Clock) -> None:
    take(host)
    lock = show_lock(host)
    assert lock is not None
    assert lock["token"] == ""
    assert TOKEN not in json.dumps(lock)
    assert stat.S_IMODE(Path(host.state_path("lock")).stat().st_mode) == 0o600


@pytest.mark.parametrize("token", ["", "short", None])
def test_token_that_could_be_guessed_is_refused(host: Clock, token: Any) -> None:
    with pytest.raises(NodeFault, match="16 characters"):
        take_lock(host, lock_request(token=token), Events())
