"""The last phase over all nodes: activating them wave by wave, and what becomes of an end early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from skerry.activate.node import CONFIRM_WITHIN, Outcome, Switch, activate_node
from skerry.cli.cloud import OpenCloud
from skerry.cli.flow import Progress, words_of
from skerry.cli.locking import RUN_OUT, unlock_nodes
from skerry.cli.report import Report
from skerry.edge.fan_out import fan_out
from skerry.edge.leases import Leases
from skerry.edge.stop import AGAIN, Stopping, as_interrupted
from skerry.edge.turn import Turn
from skerry.errors import NodeError

OnAnswer = Callable[[str, Outcome | NodeError], None]


def activate_wave(
    opened: OpenCloud,
    turn: Turn,
    switches: Mapping[str, Switch],
    leases: Leases,
    *,
    is_last: bool,
    timeout: float,
    progress: Progress,
    on_answer: OnAnswer,
) -> None:
    """Switches the nodes of one wave, all in parallel; each is confirmed as soon as it is healthy.

    With the last wave each gives its lock back as it is confirmed, without another exchange.
    """

    def activate(name: str) -> Outcome:
        return activate_node(
            opened.link(name, timeout=timeout),
            turn,
            switches[name],
            gives_lock_back=is_last,
            on_event=lambda event: progress(name, words_of(event)),
            begun=leases.ahead,
        )

    def note(name: str, answer: Outcome | NodeError) -> None:
        if is_last and not isinstance(answer, NodeError):
            leases.let_go(name)
        on_answer(name, answer)

    fan_out(switches, activate, on_answer=note)


def roll_and_report(
    opened: OpenCloud,
    turn: Turn,
    switches: Mapping[str, Switch],
    report: Report,
    leases: Leases,
    stop: Stopping,
    *,
    timeout: float,
) -> None:
    """Activates wave by wave and says what happens; a wave with a failure is the last one.

    The locks of all nodes are held until the end. A signal to stop makes the wave that is under
    way the last one: its nodes are waited for. A second one leaves them to undo what is
    unconfirmed, and raises `Interrupted`. No other node is touched.
    """
    waves = [wave for wave in report.plan.roll.waves if set(wave) & switches.keys()]
    wave: Sequence[str] = ()
    try:
        with report.phases.phase("activate"):
            for index, wave in enumerate(waves):
                stop.words = f"{', '.join(wave)} finishing, then it is over; {AGAIN}"
                if stop.is_wanted:
                    wave = ()
                    break
                report.note_wave(wave, index, len(waves))
                activate_wave(
                    opened,
                    turn,
                    {name: switches[name] for name in wave if name in switches},
                    leases,
                    is_last=index == len(waves) - 1,
                    timeout=timeout,
                    progress=report.progress.show,
                    on_answer=report.note_answer,
                )
                if report.failed.keys() & set(wave):
                    break
            wave = ()
    except KeyboardInterrupt as error:
        open_ends = [name for name in wave if name not in {**report.done, **report.failed}]
        _note_untouched(switches, report, besides=open_ends)
        report.print_untouched(is_interrupted=True)
        # A node that is being switched keeps its lock: it mends itself under it.
        kept = set(leases.held).difference(open_ends)
        held = [name for name in report.plan.nodes if name in kept]
        words = [_left_words(open_ends)] if open_ends else ["every node is as it shall be or was"]
        words += [f"the locks of {', '.join(held)} {RUN_OUT}"] if held else []
        raise as_interrupted(error, "; ".join(words)) from None
    except BaseException:
        unlock_nodes(opened, turn, leases, leases.held)
        raise
    unlock_nodes(opened, turn, leases, leases.held)
    _note_untouched(switches, report)


def _left_words(names: Sequence[str]) -> str:
    return (
        f"{', '.join(names)} not confirmed: back on the old generation by itself, at the latest "
        f"{CONFIRM_WITHIN:g} s after the new one is healthy"
    )


def _note_untouched(
    switches: Mapping[str, Switch], report: Report, *, besides: Sequence[str] = ()
) -> None:
    known = {*report.done, *report.failed, *besides}
    report.untouched = [name for name in switches if name not in known]
