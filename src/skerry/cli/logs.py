"""``skerry logs``: what the replicas print, of all nodes, in the order of time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode, NodeError, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.observe.journal import JournalQuery, Line
    from skerry.observe.log_streams import NodeLog

DEFAULT_LINES = 100
DEFAULT_LINES_FOLLOWING = 10


@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--since", metavar="TIME", help="Not before: 10m, 2h30m, today, 08:30, a date, ...")
@click.option("--until", metavar="TIME", help="Not after; forms as --since.")
@click.option("-g", "--grep", "pattern", metavar="PATTERN", help="Only messages that match (PCRE).")
@click.option("-c", "--container", help="Only this container of the pods.")
@click.option(
    "--lines",
    type=click.IntRange(min=0),
    metavar="N",
    help="The last N lines of all replicas together "
    f"[default: {DEFAULT_LINES}, with -f {DEFAULT_LINES_FOLLOWING}; with --since, --until or -g: "
    "all].",
)
@nodes_option
@timeout_option
@click.pass_obj
def logs(
    settings: Settings,
    workloads: tuple[str, ...],
    since: str | None,
    until: str | None,
    pattern: str | None,
    container: str | None,
    lines: int | None,
    nodes: tuple[str, ...],
    timeout: float,
    *,
    follow: bool,
) -> int:
    """Show the logs of the workloads (names or wildcards; all without), merged by time.

    The nodes' own journals are read; what a workload printed before its last change is there
    too. A pattern in lower case matches either case. Lines of systemd about a unit are dimmed.
    With --json, one JSON object per line.

    Exit codes: 0; 3 some node could not be read; 130 with -f after Ctrl-C.
    """
    import time

    from skerry.cli.observing import exit_code, open_nodes, show_failed
    from skerry.observe.journal import JournalQuery
    from skerry.observe.log_streams import read_merged
    from skerry.observe.moments import parse_moment

    if follow and until is not None:
        raise UsageError("-f goes on with what comes: it cannot end --until a time")
    now = time.time()
    if lines is None and not (since or until or pattern):
        lines = DEFAULT_LINES_FOLLOWING if follow else DEFAULT_LINES
    query = JournalQuery(
        since=parse_moment(since, now) if since else None,
        until=parse_moment(until, now) if until else None,
        lines=lines,
        pattern=pattern,
    )
    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)
    found, failed = _find_logs(opened, names, workloads, container, timeout=timeout)
    show_failed(failed)
    show = _printer(found, as_json=settings.json)
    if follow:
        return _follow(found, query, show, timeout=timeout)
    broken: dict[str, NodeError] = {}
    for line in read_merged(found, query, broken, silence=_silence(query, timeout)):
        show(line)
    show_failed(broken)
    return exit_code({**failed, **broken})


def _find_logs(
    opened: OpenCloud,
    names: list[str],
    workloads: tuple[str, ...],
    container: str | None,
    *,
    timeout: float,
) -> tuple[list[NodeLog], dict[str, NodeError]]:
    """Which units speak on which node: by the nodes' own records. Unreachable nodes come second.

    Raises `UsageError` where the workloads or the container are nowhere.
    """
    from skerry.cli.observing import split_answers
    from skerry.edge.fan_out import fan_out
    from skerry.observe.containers import inspect_node
    from skerry.observe.filters import select_workloads
    from skerry.observe.journal import sources_of_units
    from skerry.observe.log_streams import NodeLog

    links = {name: opened.link(name, timeout=timeout) for name in names}
    answers, failed = split_answers(
        fan_out(
            names,
            lambda name: inspect_node(links[name], wants_containers=False, deadline=timeout),
        )
    )
    if not answers:
        return [], failed
    known = {entry["workload"] for answer in answers.values() for entry in answer.units.values()}
    chosen = select_workloads(workloads, known)
    found = []
    for name, answer in answers.items():
        sources = {
            unit: source
            for unit, source in sources_of_units(name, answer.units).items()
            if source.workload in chosen and container in (None, answer.units[unit]["container"])
        }
        if sources:
            found.append(NodeLog(link=links[name], sources=sources))
    if chosen and not found:
        raise UsageError(f"no container {container!r} in {', '.join(sorted(chosen))}")
    return found, failed


def _silence(query: JournalQuery, timeout: float) -> float:
    """How long a node may print nothing: a search through a large journal takes its time."""
    return timeout if query.pattern is None else 10 * timeout


def _printer(found: list[NodeLog], *, as_json: bool) -> Callable[[Line], None]:
    from skerry.render.logs import LogRenderer, render_line_json
    from skerry.render.text import Palette, wants_colour

    if as_json:
        return lambda line: print(render_line_json(line), flush=True)
    width = max((len(source.label) for log in found for source in log.sources.values()), default=0)
    renderer = LogRenderer(Palette(is_on=wants_colour()), width=width)
    return lambda line: print(renderer.render_line(line), flush=True)


def _follow(
    found: list[NodeLog],
    query: JournalQuery,
    show: Callable[[Line], None],
    *,
    timeout: float,
) -> int:
    """First what there is, then what comes from behind it, until Ctrl-C."""
    import msgspec

    from skerry.observe.following import Follower, Notice
    from skerry.observe.log_streams import read_merged
    from skerry.render.text import one_line

    follower: Follower | None = None
    try:
        # One line at least is read, though not shown: its place is where the rest goes on.
        asked = msgspec.structs.replace(
            query, lines=None if query.lines is None else max(1, query.lines)
        )
        cursors: dict[str, str] = {}
        silence = _silence(asked, timeout)
        for line in read_merged(found, asked, {}, cursors=cursors, silence=silence):
            if query.lines != 0:
                show(line)
        follower = Follower(found, query, cursors, timeout=timeout)
        for came in follower:
            if isinstance(came, Notice):
                words = one_line(f"{came.node}: {came.words}")
                print(words, file=sys.stderr, flush=True)
            else:
                show(came)
        return ExitCode.NODE_FAILED
    except KeyboardInterrupt:
        return 130
    finally:
        if follower is not None:
            follower.stop()
