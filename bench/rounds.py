"""Rounds: what is compared is measured in turn, so that a busy moment of the machine hits all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from bench.measure import Run

# A median absolute deviation times this is the standard deviation of what is normal.
_TO_DEVIATION = 1.4826
# Fewer values than this have no deviation worth the name: the farthest one counts.
_FEW = 5


def interleave(
    measures: Mapping[str, Callable[[], Run]],
    *,
    rounds: int,
    on_round: Callable[[int, Mapping[str, Run]], None] | None = None,
) -> dict[str, list[Run]]:
    """Measures each in turn, so many rounds; the runs by name, in the order of the rounds."""
    runs: dict[str, list[Run]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name, measure in measures.items():
            runs[name].append(measure())
        if on_round is not None:
            on_round(number, {name: runs[name][-1] for name in measures})
    return runs


def middle(values: Sequence[float]) -> float:
    """The median: one slow round on a busy machine does not decide."""
    return median(values)


def noise_of(ratios: Sequence[float]) -> float:
    """How far off the median of such ratios may be by chance, as a share of it.

    Three standard errors of the rounds' median, by their median absolute deviation; with few
    rounds, the farthest of them. 0 where there is one round alone: it says nothing of noise.
    """
    if len(ratios) < 2:
        return 0.0
    centre = median(ratios)
    if not centre:
        return 0.0
    away = [abs(ratio - centre) for ratio in ratios]
    if len(ratios) < _FEW:
        return max(away) / centre
    # The median of n values has 1.25 times the standard error of their mean.
    error: float = 1.25 * _TO_DEVIATION * median(away) / len(ratios) ** 0.5
    return 3 * error / centre
