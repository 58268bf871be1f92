"""``python -m bench``: measures, prints a table, writes ``bench/results.json``.

    python -m bench                       all sections, on a lab
    python -m bench --only fleet,smoke    those alone; the other results stay as they are
    python -m bench --record              the ratios become the floors (bench/floors.json)

Ends with status 1 when a goal is missed, or a ratio is worse than its floor by more than noise.
Environment: ``SKERRY_BENCH_ROUNDS`` (default 3), ``SKERRY_BENCH_QUICK=1`` (one round),
``SKERRY_BENCH_KEEP=1`` (the lab and the folder stay).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.figures import Figure, render_table, write_results
from bench.floors import FLOORS, find_falls, read_floors, write_floors
from bench.lab import NODES
from bench.measure import RunFailed
from bench.sections import SECTIONS
from bench.stage import PODS, Stage

RESULTS = Path(__file__).with_name("results.json")


def main(words: list[str] | None = None) -> int:
    """Runs the bench and returns the exit status."""
    chosen = parse_words(words)
    rounds = int(os.environ.get("SKERRY_BENCH_ROUNDS", "3"))
    if _is_set("SKERRY_BENCH_QUICK"):
        rounds = 1
    figures: list[Figure] = []
    try:
        with Stage(rounds=rounds, keep=_is_set("SKERRY_BENCH_KEEP")) as stage:
            for name in chosen.only:
                figures += SECTIONS[name](stage)
    except RunFailed as failure:
        print(f"\nthe bench could not be run to its end: {failure}", file=sys.stderr)
        return 1
    write_results(RESULTS, figures, keeps=len(chosen.only) < len(SECTIONS))
    print(f"\n{render_table(figures)}\n")
    print(f"medians of {rounds} interleaved rounds · {NODES} nodes, {PODS} pods each · {RESULTS}")
    if chosen.record:
        print(f"{len(write_floors(figures))} floors in {FLOORS}")
    return 0 if is_good(figures) else 1


def parse_words(words: list[str] | None) -> argparse.Namespace:
    """The command line: `only` are the names of sections, all without the option."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "--only",
        type=_parse_sections,
        default=list(SECTIONS),
        metavar="SECTION,...",
        help=f"of {', '.join(SECTIONS)}",
    )
    parser.add_argument("--record", action="store_true", help="write the ratios as floors")
    return parser.parse_args(words)


def is_good(figures: list[Figure]) -> bool:
    """Whether goals are met and floors are kept; says which are not."""
    missed = [figure.name.strip() for figure in figures if not figure.ok]
    if missed:
        print(f"goals missed: {', '.join(missed)}", file=sys.stderr)
    falls = find_falls(figures, read_floors())
    for fall in falls:
        print(f"fallen: {fall}", file=sys.stderr)
    return not (missed or falls)


def _parse_sections(text: str) -> list[str]:
    wanted = text.split(",")
    strange = [name for name in wanted if name not in SECTIONS]
    if strange:
        raise argparse.ArgumentTypeError(
            f"no section {', '.join(strange)}; there are {', '.join(SECTIONS)}"
        )
    return [name for name in SECTIONS if name in wanted]


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


if __name__ == "__main__":
    sys.exit(main())
