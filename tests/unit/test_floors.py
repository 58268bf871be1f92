"""The floors' arithmetic: what has fallen, and what noise explains."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.__main__ import is_good, parse_words
from bench.figures import Figure, in_multiples, versus_peer
from bench.floors import BETWEEN_RUNS, FLOORS, Floor, find_falls, read_floors, write_floors
from bench.sections import SECTIONS

LESS = Floor(ratio=4.0, noise=0.02, better="less")
MORE = Floor(ratio=80.0, noise=0.02, better="more")


def multiple(ratio: float, *, spread: float = 0.0) -> Figure:
    """A figure of five rounds around a ratio."""
    rounds = [ratio * (1 + spread * step) for step in (-2, -1, 0, 1, 2)]
    return in_multiples("check", "python", rounds, [1.0] * 5)


def times_better(ratio: float) -> Figure:
    """A figure that is so many times better than a peer, in each of three rounds."""
    return versus_peer("apply", "ansible", [1.0] * 3, [ratio] * 3)


@pytest.mark.parametrize(
    ("figure", "floor", "falls"),
    [
        (multiple(4.0), LESS, False),
        (multiple(4.4), LESS, False),
        (multiple(4.6), LESS, True),
        (multiple(2.0), LESS, False),
        # What varies that much from round to round has not fallen for certain.
        (multiple(4.6, spread=0.05), LESS, False),
        (multiple(6.0, spread=0.05), LESS, True),
        (times_better(80.0), MORE, False),
        (times_better(72.0), MORE, False),
        (times_better(70.0), MORE, True),
        (times_better(200.0), MORE, False),
    ],
)
def test_falls(figure: Figure, floor: Floor, falls: bool) -> None:  # noqa: FBT001
    assert bool(find_falls([figure], {figure.key: floor})) is falls


def test_a_fall_says_by_how_much() -> None:
    (fall,) = find_falls([multiple(6.0)], {"check / python": LESS})
    assert str(fall) == (
        f"check / python: 6.00x, its floor is 4.00x: 50% worse, and noise explains "
        f"{BETWEEN_RUNS + 0.02:.0%}"
    )


def test_what_has_no_floor_does_not_fall() -> None:
    assert find_falls([multiple(6.0), Figure(name="x", unit="s", ours=1.0)], {"apply": MORE}) == []


def test_recording_keeps_the_floors_of_others(tmp_path: Path) -> None:
    path = tmp_path / "floors.json"
    write_floors([multiple(4.0, spread=0.01)], path)
    single = in_multiples("one round", "python", [1.0], [1.0])
    plain = Figure(name="plain", unit="s", ours=1.0)
    write_floors([times_better(90.0), single, plain], path)
    floors = read_floors(path)
    assert list(floors) == ["apply / ansible", "check / python"]
    assert floors["apply / ansible"] == Floor(ratio=90.0, noise=0.0, better="more")
    assert floors["check / python"].better == "less"
    assert 0 < floors["check / python"].noise < 0.05
    assert read_floors(tmp_path / "none") == {}


def test_the_run_says_what_fell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.__main__.read_floors", lambda: {"check / python": LESS})
    missed = Figure(name="  slow lab", unit="s", ours=11.0, goal=10.0)
    assert not is_good([multiple(6.0), missed])
    words = capsys.readouterr().err
    assert "goals missed: slow lab\n" in words
    assert "fallen: check / python: 6.00x" in words
    assert is_good([multiple(4.0)])


def test_sections_are_chosen_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_words([]).only == list(SECTIONS)
    # In the order of the table, whatever the order of the words.
    assert parse_words(["--only", "smoke,fleet"]).only == ["fleet", "smoke"]
    with pytest.raises(SystemExit):
        parse_words(["--only", "fleat"])
    assert "no section fleat; there are " in capsys.readouterr().err


def test_the_recorded_floors_can_be_read() -> None:
    floors = read_floors(FLOORS)
    assert all(floor.ratio > 0 and floor.noise >= 0 for floor in floors.values())
    assert {floor.better for floor in floors.values()} <= {"more", "less"}
