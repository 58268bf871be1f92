"""The list of faults has no gaps: each is shown by a test, and what a person sees is recorded."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.docs.faults_page import read_fault_marks, recordings_of, render_faults
from tools.docs.marks import Mark

from tests.faults import FAULTS, GROUPS, IMPOSSIBLE, NOT_YET
from tests.seen import FOLDER, Seen, normalise, recording_name
from tests.unit.sources import python_files, shown

MARKS = read_fault_marks()
SHOWN = {mark.field for mark in MARKS if recordings_of(mark.test)}


def live_tests_with(fixture: str) -> Iterator[tuple[str, str]]:
    """The live tests with this fixture, each with its file."""
    for path in python_files("tests/live"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                names = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
                if fixture in names:
                    yield node.name, shown(path)


def test_every_fault_is_shown_by_a_test_with_a_recording() -> None:
    missing = FAULTS.keys() - SHOWN - IMPOSSIBLE.keys() - NOT_YET
    assert not missing, "mark a test with @pytest.mark.fault(...), and let it take `seen`"


def test_what_is_not_shown_yet_becomes_less() -> None:
    assert not NOT_YET & SHOWN, "these are shown now: take them out of NOT_YET (tests/faults.py)"
    assert FAULTS.keys() >= NOT_YET


def test_what_is_impossible_here_says_why() -> None:
    assert IMPOSSIBLE.keys() <= FAULTS.keys() - SHOWN
    assert all(why.startswith("impossible here because ") for why in IMPOSSIBLE.values())


def test_marks_name_faults() -> None:
    unknown = [f"{mark.file}:{mark.line}: {mark.field}" for mark in MARKS]
    assert not [
        words for words, mark in zip(unknown, MARKS, strict=True) if mark.field not in FAULTS
    ]


def test_faults_are_told_once_and_as_a_sentence() -> None:
    assert len(FAULTS) == sum(map(len, GROUPS.values())), "an id is in two groups"
    for name, text in FAULTS.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), name
        assert text.endswith(".") and "\n" not in text, name


def test_what_is_seen_is_recorded() -> None:
    unrecorded = [
        f"{file}: {test}" for test, file in live_tests_with("seen") if not recordings_of(test)
    ]
    assert not unrecorded, "run these with --record-seen, read what is written, commit it"


def test_recordings_belong_to_one_test_each() -> None:
    names = Counter(test for test, _ in live_tests_with("seen"))
    assert not [name for name, count in names.items() if count > 1], "recordings go by the name"
    used = {path for name in names for path in recordings_of(name)}
    assert not [path.name for path in FOLDER.glob("*") if path not in used], "no test has these"


def test_recordings_hold_nothing_that_differs_from_run_to_run() -> None:
    for path in FOLDER.glob("*.txt"):
        text = path.read_text()
        assert "Traceback" not in text, path.name
        parts = text.rstrip("\n").split("\n\n")
        assert [normalise(part) for part in parts] == parts, path.name


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no answer within 4 s", "no answer within 4 s"),
        ("1 node changed in 6.10 s (load 0.30, observe 0.46)",
         "1 node changed in <seconds> s (load <seconds>, observe <seconds>)"),
        ("done: files 0.02 s · units 0.11 s", "done: files <seconds> s · units <seconds> s"),
        ("back on generation 12", "back on generation <n>"),
        ("generations 1, 2 and 3", "generations <n>"),
        ("takes the lock over in 117 s, or", "takes the lock over in <seconds> s, or"),
        ("since 2026-11-21 14:00:01: web", "since <time>: web"),
        ("since 2026-11-21T14:00:01Z (web)", "since <time> (web)"),
        ("ssh: connect to host 198.18.7.11 port 2201: Connection refused",
         "ssh: connect to host <address> port <port>: Connection refused"),
        ("root@198.18.0.11:22", "root@<address>:<port>"),
        ("the key SHA256:" + "aB3/" * 10 + "xyz; pinned", "the key SHA256:<fingerprint>; pinned"),
        ("in '/tmp/pytest-of-root/pytest-1/cloud0/cloud.yaml': no",
         "in '<folder>': no"),
        ("1 node changed, 2.7 kB sent in 1.2 s", "1 node changed in <seconds> s"),
        ("2026/11/21 14:00:01 socat[33] E connect", "<time> socat[<pid>] E connect"),
        ("skerry-web.0-1f2e3d4c.service failed", "skerry-web.0-<revision>.service failed"),
        ("the lab 'test-4711-broken'", "the lab '<lab>'"),
        ("image sha256:" + "0a" * 32, "image sha256:<digest>"),
        ("skerry-activate-7.service", "skerry-activate-<n>.service"),
        ("/lib/skerry/generations/7/switch.json", "/lib/skerry/generations/<n>/switch.json"),
    ],
)  # fmt: skip
def test_what_differs_from_run_to_run_is_replaced(said: str, kept: str) -> None:
    assert normalise(said) == kept
    assert normalise(kept) == kept


def test_nodes_that_speak_at_the_same_time_are_put_in_order() -> None:
    said = (
        "in 2 waves\n  beta   one\nerror: alpha: no  [x]\n  | detail\n  hint: do\n"
        "  beta   two\n  alpha  three\nthe end\n  beta   four\n"
    )
    assert normalise(said).splitlines() == [
        "in 2 waves", "error: alpha: no  [x]", "  | detail", "  hint: do", "  alpha  three",
        "  beta   one", "  beta   two", "the end", "  beta   four",
    ]  # fmt: skip


def test_a_recording_is_written_and_compared(tmp_path: Path) -> None:
    recording = Seen("test_x[a b]", tmp_path, is_recording=True, words="words")
    recording("error: one in 1.5 s", typed="skerry apply")
    recording("error: two")
    path = tmp_path / "test_x-a-b.txt"
    assert path.read_text() == "$ skerry apply\nerror: one in <seconds> s\n\nerror: two\n"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]

    again = Seen("test_x[a b]", tmp_path, is_recording=False, words="words")
    again("error: one in 2.5 s", typed="skerry apply")
    with pytest.raises(AssertionError, match="-error: two"):
        again.check_whole()
    with pytest.raises(AssertionError, match=r"(?s)`words`:.*-error: two.*\+error: three"):
        again("error: three")


def test_one_part_is_not_taken_for_another(tmp_path: Path) -> None:
    Seen("t", tmp_path, is_recording=True, words="")("error: one and more")
    with pytest.raises(AssertionError, match="not what was recorded"):
        Seen("t", tmp_path, is_recording=False, words="")("error: one")


def test_without_a_recording_the_words_to_type_are_said(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"`pytest it --record-seen` writes t\.txt"):
        Seen("t", tmp_path, is_recording=False, words="pytest it --record-seen")("error: one")


@pytest.mark.parametrize("is_recording", [True, False])
def test_a_traceback_is_nothing_to_record(tmp_path: Path, *, is_recording: bool) -> None:
    one = Seen("t", tmp_path, is_recording=is_recording, words="")
    with pytest.raises(AssertionError, match="saw a traceback"):
        one("Traceback (most recent call last):\n  File ...")
    assert list(tmp_path.iterdir()) == []


def test_the_page_tells_fault_recording_and_test(tmp_path: Path) -> None:
    (tmp_path / "test_a.txt").write_text("$ skerry apply\nerror: no\n")
    (tmp_path / "test_b-1.txt").write_text("error: b1\n")
    marks = [
        Mark("one-fault", "tests/live/test_x.py", 1, "test_a"),
        Mark("two-fault", "tests/live/test_x.py", 1, "test_a"),
        Mark("two-fault", "tests/unit/test_y.py", 1, "test_b"),
    ]
    page = render_faults({"Group": {"one-fault": "One.", "two-fault": "Two."}}, marks, tmp_path)
    assert page.partition("## Group\n")[2].splitlines() == [
        "", "### one-fault", "", "One.", "", "[test_a](../tests/live/test_x.py)", "",
        "    $ skerry apply", "    error: no", "",
        "### two-fault", "", "Two.", "", "[test_a](../tests/live/test_x.py)", "",
        "Seen: as under [one-fault](#one-fault).", "",
        "[test_b](../tests/unit/test_y.py) (unit)", "", "    error: b1",
    ]  # fmt: skip
    assert "2 faults, 2 tests." in page


def test_names_of_recordings_are_names_of_files() -> None:
    assert recording_name("test_x[a/../b-1]") == "test_x-a-..-b-1.txt"
