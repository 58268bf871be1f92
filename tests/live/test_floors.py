"""No ratio is worse than its floor by more than noise. The CPU of processes, in turn with that of a
yardstick, says so on a busy machine too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import pytest
from bench.floors import find_falls, read_floors
from bench.smoke import ROUNDS, Pair, measure_pairs, open_pairs

from skerry.edge.run import Command


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Pair]]:
    """What is measured."""
    folder = tmp_path_factory.mktemp("smoke")
    with open_pairs(folder, f"test-{os.getpid()}-floors") as found:
        yield found


def fallen(pairs: list[Pair]) -> list[str]:
    """Which pairs are below their floors; only what is so twice is."""
    figures = measure_pairs(pairs)
    for figure in figures:
        print(f"{figure.key}: {figure.ratio:.2f}x, noise {figure.noise:.1%}")
    falls = {fall.figure for fall in find_falls(figures, read_floors())}
    again = [pair for pair, figure in zip(pairs, figures, strict=True) if figure.key in falls]
    return [
        str(fall) for fall in find_falls(measure_pairs(again, rounds=2 * ROUNDS), read_floors())
    ]


def slower(command: Command, share: float) -> Command:
    """The command, that takes so much more CPU."""
    burn = (
        "import os, sys, time\n"
        "pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)\n"
        "_, status, spent = os.wait4(pid, 0)\n"
        "more = float(sys.argv[1]) * (spent.ru_utime + spent.ru_stime)\n"
        # What this Python took to start is part of it.
        "while time.process_time() < more: pass\n"
        "os._exit(os.waitstatus_to_exitcode(status))\n"
    )
    return msgspec.structs.replace(
        command, argv=("python3", "-S", "-c", burn, str(share), *command.argv)
    )


def test_every_pair_has_its_floor(pairs: list[Pair]) -> None:
    keys = {f"{pair.name} / {pair.yardstick}" for pair in pairs}
    assert keys <= read_floors().keys()


def test_no_ratio_has_fallen(pairs: list[Pair]) -> None:
    falls = fallen(pairs)
    assert not falls, (
        "\n".join(falls) + "\nif that is as it must be: python -m bench --only smoke --record"
    )


@pytest.mark.parametrize("number", [0, 3])
def test_a_ratio_that_falls_is_seen(pairs: list[Pair], number: int) -> None:
    """As much CPU again, as heavier imports would take: more than the noise of a busy machine."""
    pair = pairs[number]
    planted = msgspec.structs.replace(pair, ours=slower(pair.ours, 1))
    assert len(fallen([planted])) == 1
