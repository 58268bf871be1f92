"""What an apply or a rollback tells while it acts, and the line that it ends with."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from skerry.activate.node import Outcome
from skerry.cli.flow import Phases
from skerry.cli.main import Settings
from skerry.cli.progress import Progress
from skerry.cli.verdict import render_times
from skerry.edge.stop import Interrupted
from skerry.errors import ExitCode, NodeError
from skerry.plan.plan import Plan
from skerry.render.errors import error_to_builtins, render_error
from skerry.render.plan import plan_to_builtins, render_counts, render_plan
from skerry.render.text import Palette, format_bytes, one_line, plural, wants_colour


class Report:
    """Collects what became of each node; prints text as it comes, or JSON at the end."""

    def __init__(self, settings: Settings, plan: Plan, phases: Phases) -> None:
        self.settings = settings
        self.plan = plan
        self.phases = phases
        self.failed: dict[str, NodeError] = {}
        self.done: dict[str, Outcome] = {}
        self.untouched: list[str] = []
        self.interrupted: Interrupted | None = None
        self.bytes_sent = 0
        self.progress = Progress(list(plan.nodes), is_quiet=settings.json)

    def show_plan(self) -> None:
        """The plan, unless it is all that there will be to say."""
        if self.settings.json or not (self.plan.changed or self.plan.blocked or self.plan.held):
            return
        palette = Palette(is_on=wants_colour())
        print(render_plan(self.plan, palette, is_verbose=self.settings.verbose > 0), flush=True)

    def note_pushed(self, answers: Mapping[str, int | NodeError]) -> None:
        """Counts what was sent; a node that failed is out of the rest."""
        for name, answer in answers.items():
            if isinstance(answer, NodeError):
                self.note_failed(name, answer)
            else:
                self.bytes_sent += answer

    def note_wave(self, names: Sequence[str], index: int, count: int) -> None:
        """A wave begins; said where there are several."""
        if count > 1:
            for name in names:
                self.progress.show(name, f"wave {index + 1} of {count}", "dim")

    def note_answer(self, name: str, answer: Outcome | NodeError) -> None:
        """A node is done or has failed; said at once."""
        if isinstance(answer, NodeError):
            self.note_failed(name, answer)
            return
        self.done[name] = answer
        words = " · ".join(f"{phase} {took:.2f} s" for phase, took in answer.seconds.items())
        self.progress.show(name, f"done: {words}", "green")
        for note in answer.notes:
            self.progress.show(name, note, "yellow")

    def note_failed(self, name: str, error: NodeError) -> None:
        """A node has failed; said at once, with the end of the logs."""
        self.failed[name] = error
        if not self.settings.json:
            print(render_error(error), file=sys.stderr, flush=True)

    def finish(self) -> int:
        """Prints the last line, or all as JSON, and returns the exit code."""
        if self.settings.json:
            print(json.dumps(self.to_builtins(), indent=2))
        else:
            self._print_unreachable()
            self.print_untouched(is_interrupted=self.interrupted is not None)
            print(self.last_line())
        if self.interrupted is not None:
            return self.interrupted.status
        bad = self.failed or self.plan.unreachable or self.plan.blocked or self.plan.held
        return ExitCode.NODE_FAILED if bad else ExitCode.DONE

    def last_line(self) -> str:
        """What changed, on how many nodes, in how long, with the time per phase."""
        if not self.plan.changed:
            words = render_counts(self.plan)
        else:
            words = f"{plural(len(self.done), 'node')} changed"
            if self.failed:
                words += f", {plural(len(self.failed), 'node')} failed ({', '.join(self.failed)})"
            left = [*self.untouched, *self.plan.roll.left]
            if left:
                words += f", {len(left)} untouched ({', '.join(left)})"
            if self.plan.unreachable:
                words += f", {len(self.plan.unreachable)} unreachable"
            if self.bytes_sent:
                words += f", {format_bytes(self.bytes_sent)} sent"
        return render_times(words, self.phases.seconds, self.phases.total())

    def to_builtins(self) -> dict[str, object]:
        """The whole run: plan, what became of each node, seconds per phase."""
        return {
            "plan": plan_to_builtins(self.plan),
            "done": {name: outcome.seconds for name, outcome in self.done.items()},
            "failed": {name: error_to_builtins(error) for name, error in self.failed.items()},
            "untouched": [*self.untouched, *self.plan.roll.left],
            "interrupted": self.interrupted is not None,
            "bytes_sent": self.bytes_sent,
            "seconds": self.phases.seconds,
        }

    def print_untouched(self, *, is_interrupted: bool = False) -> None:
        """Which nodes an early end left as they were, and how to go on or back."""
        done = ",".join(self.done)
        back = f"; `skerry rollback -n {done}` takes back what is done" if done else ""
        names = ", ".join(self.untouched)
        if self.untouched and is_interrupted:
            words = f"interrupted: {names} as before;"
        elif self.untouched:
            words = f"the roll has stopped: {names} as before; mend what failed, then"
        elif self.plan.roll.left and done:
            words = f"canary: {', '.join(self.plan.roll.left)} as before; when {done} is well,"
        else:
            return
        print(f"{words} `skerry apply` goes on{back}", file=sys.stderr)

    def _print_unreachable(self) -> None:
        if self.plan.changed:
            return
        for name, reason in self.plan.unreachable.items():
            words = f"{name}: unreachable: {reason}; `skerry apply` again once it answers"
            print(one_line(words), file=sys.stderr)
