"""A cloud at rest is known again by what its nodes answer, and by nothing less."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry.cache import rest
from skerry.cache.glance import RESTED, Glance
from skerry.cache.inputs import Inputs
from skerry.cache.rest import try_digest_answer
from skerry.cache.sealed import try_make_key
from skerry.cache.store import read_files, read_variables, state_of
from skerry.cli.start import Start
from skerry.compile import node_facts
from skerry.edge.early import Begun
from skerry.edge.exchange import exchange, exchange_command, request_line
from skerry.edge.ssh import Link
from skerry.push.image_cache import Stamp
from skerry_node.wire import dump
from tests.unit.wire_examples import file_entry, manifest, observed, on_disk, unit_entry, unit_state

KEY = b"k" * 32
NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[2]
LINK = Link(node="alpha", target="root@alpha", known_hosts="/nowhere")
REQUEST = request_line("observe", {})
LOCK = {
    "cloud": "home", "who": "eva@home", "why": "apply", "token": "t", "boot": "b",
    "since": 1.0, "expires": 2.0,
}  # fmt: skip
# What may differ between two looks at a node to which nothing is to be done.
PASSING = {
    "facts.time": NOW + 30,
    "facts.uptime": 99.0,
    "facts.memory_available": 7,
    "facts.memory_pods": 7,
    "facts.disk_free": 10_999_999_999,
    "units.w.service.since": NOW,
    "units.w.service.memory": 7,
    "units.w.service.restarts": 7,
    "units.w.service.runs": [{"begun": 1.0}],
    "units.w.service.next": NOW,
    "units.w.service.ended": 8.0,
}


def answer_of(result: Any) -> bytes:
    return dump({"event": "result", "result": result}) + b"\n"


def seen() -> dict[str, Any]:
    """An answer that has something at every place."""
    facts = {
        "hostname": "alpha", "kernel": "6.12.0", "podman_version": "5.4.2", "programs": ["bash"],
        "disk_free": 10_000_000_000, "time": NOW, "uptime": 5.0, "memory_total": 512_000_000,
        "memory_available": 1, "memory_pods": 1, "container_users": True, "address": "192.0.2.7",
    }  # fmt: skip
    wanted = manifest(units={"w.service": unit_entry()}, files={"/etc/w": file_entry()})
    found = observed(
        facts=facts, manifest=wanted, generation=3, next_number=4, missing=["sha256:1"],
        images=["a"], units={"w.service": unit_state(ended=7.0)}, on_disk={"/etc/w": on_disk(b"y")},
        latest=5.0, left=False, secrets=["s"],
    )  # fmt: skip
    loaded: dict[str, Any] = json.loads(dump(found))
    return loaded


def places(value: Any, way: str = "") -> Iterator[str]:
    """The ways to all that is no mapping; names may have dots in them."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from places(one, f"{way}\0{name}" if way else name)
    else:
        yield way


def changed(way: str, new: Any) -> dict[str, Any]:
    """The answer with another value at one place."""
    found = copy.deepcopy(seen())
    *folders, name = way.split("\0")
    place = found
    for folder in folders:
        place = place[folder]
    place[name] = new
    return found


def digest(result: Any, now: float = NOW) -> str | None:
    return try_digest_answer(answer_of(result), KEY, now)


@pytest.mark.parametrize("way", sorted(places(seen())))
def test_all_that_a_plan_goes_by_counts(way: str) -> None:
    words = way.replace("\0", ".")
    before = digest(seen())
    assert before is not None
    other = digest(changed(way, PASSING.get(words, "another")))
    assert (other == before) == (words in PASSING)


@pytest.mark.parametrize("words", sorted(PASSING))
def test_what_passes_is_there(words: str) -> None:
    assert words in {way.replace("\0", ".") for way in places(seen())}


def test_a_unit_that_never_ended_is_not_one_that_has() -> None:
    assert digest(seen()) != digest(changed("units\0w.service\0ended", 0.0))


def test_free_space_counts_as_in_the_lock() -> None:
    assert rest.DISK_STEP == node_facts._DISK_STEP
    assert digest(seen()) != digest(changed("facts\0disk_free", 9_999_999_999))


@pytest.mark.parametrize("seconds", [-3600.0, -61.0, 61.0, 1e9])
def test_clocks_that_disagree_are_worth_a_look(seconds: float) -> None:
    assert digest(seen(), NOW + seconds) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\n", b"[]", b'{"event":"error"}', b'{"event":"result"}', b"{" * 100_000,
        b"[" * 100_000, b"\xff", b'{"event":"result","result":{"facts":{"time":"now"}}}',
        b'{"event":"result","result":{"facts":[],"units":{}}}', b"9" * 10_000,
        answer_of({"facts": {"time": NOW}}), answer_of({**seen(), "units": []}),
        answer_of({**seen(), "units": {"w": 3}}),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_for_others_to_judge(answer: bytes) -> None:
    assert try_digest_answer(answer, KEY, NOW) is None


# Answers what the file ANSWER of its folder says, once it is there.
SSH = f"""#!{sys.executable} -S
import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(here + "/starts", "a") as file:
    file.write("x")
sys.stdin.buffer.readline()
while not os.path.exists(here + "/answer"):
    time.sleep(0.01)
sys.stdout.buffer.write(open(here + "/answer", "rb").read())
"""


class Resting:
    """A cloud folder that is at rest, and an `ssh` that says what `answer` is set to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cloud"
        self.bin = folder / "bin"
        self.folder.mkdir()
        self.bin.mkdir()
        (self.folder / "cloud.yaml").write_text("name: home\n")
        (self.bin / "ssh").write_text(SSH)
        (self.bin / "ssh").chmod(0o755)

    def say(self, answer: bytes) -> None:
        """What the node answers from now on."""
        (self.bin / "new").write_bytes(answer)
        (self.bin / "new").rename(self.bin / "answer")

    @property
    def starts(self) -> int:
        """How often ssh was started."""
        return len((self.bin / "starts").read_text())

    def rest(self, store: list[object] | None = None) -> None:
        """As after an apply that had nothing to change."""
        words = exchange_command(LINK).argv
        Glance(str(self.folder)).keep_questions(Inputs(), [(words, REQUEST)])
        self.say(answer_of(self.now()))
        glance = Glance(str(self.folder))
        assert glance.questions()
        said = answer_of(self.now())
        glance.keep_rest([said], time.time(), store=store, words="nothing to change on 1 node")
        assert (self.folder / ".skerry" / RESTED).exists()

    @staticmethod
    def now(**different: Any) -> dict[str, Any]:
        """The node's answer now."""
        result = seen()
        result["facts"]["time"] = time.time()
        return {**result, **different}

    def start(self, *words: str) -> tuple[Start, int | None]:
        """A command in the folder, as far as it comes without being loaded."""
        start = Start(["-C", str(self.folder), *words])
        return start, start.try_answer()


@pytest.fixture
def resting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resting:
    found = Resting(tmp_path)
    monkeypatch.setenv("PATH", f"{found.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert try_make_key() is not None
    return found


def test_a_cloud_at_rest_is_said_to_be(
    resting: Resting, capsys: pytest.CaptureFixture[str]
) -> None:
    resting.rest()
    start, status = resting.start("apply", "--yes")
    start.end()
    assert status == 0
    said = re.sub(r"\d\.\d\d", "#", capsys.readouterr().out)
    assert said == "nothing to change on 1 node in # s (load #, observe #, plan #)\n"
    start, status = resting.start("plan")
    start.end()
    assert (status, capsys.readouterr().out) == (0, "nothing to change on 1 node\n")
    # Programs get the plan in JSON, which is not kept.
    start, status = resting.start("--json", "plan")
    start.end()
    assert status is None


@pytest.mark.parametrize(
    "different",
    [
        {"lock": LOCK},
        {"unfinished": 4}, {"left": True}, {"units": {}}, {"generation": 2}, {"images": []},
    ],
)  # fmt: skip
def test_another_answer_is_looked_at_and_not_asked_for_again(
    resting: Resting, different: dict[str, Any]
) -> None:
    resting.rest()
    resting.say(answer_of(resting.now(**different)))
    start, status = resting.start("apply")
    assert status is None and start.begun is not None
    # ssh was started once; what it said goes through the gate for answers like any other.
    (resting.bin / "answer").unlink()
    found = exchange(LINK, "observe", {}, begun=start.begun)
    assert {name: found[name] for name in different} == different
    assert resting.starts == 1
    start.end()


def test_a_silent_node_delays_for_a_moment_only(resting: Resting) -> None:
    resting.rest()
    (resting.bin / "answer").unlink()
    begun = time.monotonic()
    start, status = resting.start("apply")
    assert status is None
    assert time.monotonic() - begun < 30
    # It is listened to further, not asked again.
    assert start.begun is not None
    resting.say(answer_of({"time": 7.0}))
    assert exchange(LINK, "ping", {}, begun=_as_ping(start.begun)) == {"time": 7.0}
    assert resting.starts == 1
    start.end()


def _as_ping(begun: Begun) -> Begun:
    """The request that was sent, whatever it was, as that of a ping."""
    for early in begun._waiting.values():
        early.sent = b""
    return begun


def test_two_of_three_do_not_wait_for_the_third(resting: Resting, tmp_path: Path) -> None:
    begun = Begun()
    quick = answer_of(seen())
    begun.begin(
        [
            (("sh", "-c", "read line; cat " + str(resting.bin / "answer")), b"one\n"),
            (("sh", "-c", "read line; cat <" + str(resting.bin / "answer")), b"two\n"),
            (("sh", "-c", "read line; exec sleep 60"), b"three\n"),
        ]
    )
    resting.say(quick)
    started = time.monotonic()
    assert begun.overhear(late=0.1, within=50.0) is None
    assert time.monotonic() - started < 40
    begun.stop()


@pytest.mark.parametrize(
    "said", [b"", b"hello\n", b'{"event":"waiting"}\n' + answer_of({}), answer_of({}) * 2]
)
def test_what_is_not_just_the_answer_is_for_the_careful(resting: Resting, said: bytes) -> None:
    resting.say(said)
    begun = Begun()
    begun.begin([(exchange_command(LINK).argv, REQUEST)])
    assert begun.overhear(late=9.0, within=9.0) is None
    begun.stop()


def test_an_endless_answer_is_not_collected(resting: Resting) -> None:
    begun = Begun()
    begun.begin([(("sh", "-c", "exec cat /dev/zero"), b"x\n")])
    assert begun.overhear(late=60.0, within=60.0) is None
    assert len(begun.heard()[0]) < 8 << 20
    begun.stop()


def test_a_folder_that_has_changed_is_not_at_rest(resting: Resting) -> None:
    resting.rest()
    glance = Glance(str(resting.folder))
    glance.questions()
    assert glance.try_rest() is not None
    for name in ("pods/w.yaml", "cloud.lock", "secrets.yaml"):
        path = resting.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
        glance = Glance(str(resting.folder))
        glance.questions()
        assert glance.try_rest() is None, name
        path.unlink()
    # Without having asked what was asked then, nothing is known.
    assert Glance(str(resting.folder)).try_rest() is None


def test_a_folder_that_changes_meanwhile_is_not_remembered(resting: Resting) -> None:
    resting.rest()
    (resting.folder / ".skerry" / RESTED).unlink()
    glance = Glance(str(resting.folder))
    glance.questions()
    (resting.folder / "cloud.yaml").write_text("name: other\n")
    glance.keep_rest([answer_of(resting.now())], time.time(), store=None, words="nothing")
    assert not (resting.folder / ".skerry" / RESTED).exists()


def test_another_image_in_the_store_is_noticed(resting: Resting, tmp_path: Path) -> None:
    images = tmp_path / "store/overlay-images/images.json"
    images.parent.mkdir(parents=True)
    images.write_text("[]")
    resting.rest(state_of(str(tmp_path / "store")))

    def known() -> bool:
        glance = Glance(str(resting.folder))
        glance.questions()
        return glance.try_rest() is not None

    assert known()
    images.write_text("[{}]")
    assert not known()


def test_images_on_another_machine_are_not_known(
    resting: Resting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resting.rest(state_of(str(tmp_path / "store")))
    monkeypatch.setenv("CONTAINER_HOST", "ssh://elsewhere")
    glance = Glance(str(resting.folder))
    glance.questions()
    assert glance.try_rest() is None


def test_a_record_that_is_not_ours_is_none(resting: Resting) -> None:
    resting.rest()
    path = resting.folder / ".skerry" / RESTED
    path.write_bytes(path.read_bytes().replace(b"nothing", b"goodbye"))
    glance = Glance(str(resting.folder))
    glance.questions()
    assert glance.try_rest() is None


def test_both_records_of_an_image_store_are_the_same(tmp_path: Path) -> None:
    """What the image cache found is compared, the next time, with what is read at first glance."""
    images = tmp_path / "overlay-images/images.json"
    images.parent.mkdir()
    images.write_text("[]")
    stamp = Stamp(str(tmp_path), os.getuid(), read_variables(), read_files(str(tmp_path)))
    assert stamp.to_state() == state_of(str(tmp_path))
    assert str(images) in stamp.files
