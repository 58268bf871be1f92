"""Whatever a node answers: an answer that can be planned with and shown, or one clear error."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given

from skerry.activate.node import Switch, _failure
from skerry.bootstrap.report import ResetReport, step_of
from skerry.cli import rolling_back
from skerry.cli.flow import lock_words, words_of
from skerry.cli.rolling_back import choose_previous
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.node_facts import facts_to_keep
from skerry.edge.exchange import _Answer, _result
from skerry.edge.ssh import Link
from skerry.errors import NodeAnswerInvalid, NodeError, UsageError
from skerry.observe import census
from skerry.observe.containers import Inspected
from skerry.observe.diff import diff_node
from skerry.observe.executing import Execution, choose_target, compile_remote
from skerry.observe.history import merge_histories
from skerry.observe.journal import (
    JournalQuery,
    compile_journal_command,
    for_all_revisions,
    sources_of_units,
    try_parse_entry,
)
from skerry.observe.pruning import Pruned
from skerry.observe.status import status_of_nodes
from skerry.plan.partition import keep_partition
from skerry.plan.plan import Plan, plan_node
from skerry.plan.roll import plan_roll
from skerry.render import diff, history, logs, nodes, plan, pruned, status
from skerry.render.errors import render_error
from skerry.render.text import Palette, one_line, visible
from skerry_node import wire
from tests.fuzz import answers
from tests.fuzz.counting import cases, count

LINK = Link(node="alpha", target="skerry@host", known_hosts="/x")
OFF = Palette(is_on=False)
DESIRED = cast(wire.Manifest, answers.MANIFEST)
IMAGES = {"a" * 64: ResolvedImage(id="a" * 64, size=50_000_000)}
FORGED = ("error: beta", "\terror: beta")


def check_text(text: str) -> None:
    """A terminal obeys nothing of it, and no line passes for one of ours."""
    assert visible(text) == text
    assert not any(line.startswith(FORGED) for line in text.split("\n"))
    text.encode()


def check_json(text: str) -> None:
    """JSON that any reader takes: without NaN and the like."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    json.loads(text, parse_constant=refuse)
    text.encode()


def check_error(error: NodeError) -> None:
    """It is about the node that was asked, and can be shown."""
    assert error.node == "alpha"
    check_text(render_error(error))
    check_json(render_error(error, as_json=True))


def try_answer(op: str, line: bytes) -> dict[str, Any] | None:
    """The result that passed the gate; None where it was an error."""
    heard: list[dict[str, Any]] = []
    answer = _Answer(LINK, op, heard.append)
    try:
        answer.hear(line + b"\n")
        result = _result(LINK, op, answer.last) if answer.last is not None else None
    except NodeError as error:
        check_error(error)
        return None
    for event in heard:
        check_text(one_line(words_of(event)))
        if event["event"] == "step":
            check_text(one_line(nodes.step_words(step_of(event))))
    return result


def use_observed(found: dict[str, Any]) -> None:
    observed = cast(wire.Observed, found)
    for desired in ({"alpha": DESIRED}, None):
        for by_container in (False, True):
            rows = status_of_nodes(desired, {"alpha": observed}, by_container=by_container)
            check_text(status.render_status(rows, OFF, columns="all"))
            check_text(status.render_status(rows, OFF))
    notes = status.notes_of({"alpha": observed}, None)
    check_text("\n".join(map(one_line, notes)))
    check_json(status.render_status_json(rows, {}, notes))
    wanted = keep_partition(DESIRED, observed, {})
    planned = plan_node(wanted, observed, IMAGES, lambda path: "one\n2\n")
    assert set(planned.missing) <= {one["digest"] for one in wanted["files"].values()}
    whole = Plan(cloud="home", nodes={"alpha": planned})
    whole = plan_roll(whole, {"alpha": wanted}, {"alpha": observed}, {}, None)
    check_text(plan.render_plan(whole, OFF, is_verbose=True))
    check_json(plan.render_plan_json(whole))
    _ = planned.changes(), planned.unit_actions(), planned.undo_actions()
    bare = Inspected(generation=0, units={}, states={})
    findings = diff_node(DESIRED, observed, bare, text_of=lambda path: "one\n")
    check_text(diff.render_findings(findings, OFF))
    check_json(diff.render_diff_json(findings, {}))
    if observed["lock"] is not None:
        check_text(one_line(lock_words(observed["lock"])))
    kept = facts_to_keep(observed["facts"], None)
    lock = Lock(nodes={"alpha": kept})
    assert msgspec.json.decode(msgspec.json.encode(lock), type=Lock) == lock
    use_census(observed)


def use_census(observed: wire.Observed) -> None:
    from skerry.model.cloud import Node

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(census, "observe_node", lambda *args, **kwargs: observed)
        states = census.read_nodes({"alpha": LINK}, deadline=1)
    listed = {"alpha": Node(ssh="alpha")}
    check_text(nodes.render_nodes(listed, states, OFF, columns="all"))
    check_json(nodes.render_nodes_json(listed, states))


def use_inspected(found: dict[str, Any]) -> None:
    inspected = msgspec.convert(found, Inspected)
    observed = cast(wire.Observed, {**answers.RESULTS["observe"], "units": inspected.states})
    desired = cast(wire.Manifest, {**DESIRED, "units": inspected.units})
    findings = diff_node(desired, observed, inspected, environment_of=lambda unit: {"A": "\x1b"})
    check_text(diff.render_findings(findings, OFF))
    check_json(diff.render_diff_json(findings, {}))
    sources = sources_of_units("alpha", inspected.units)
    for source in sources.values():
        check_text(one_line(source.label))
    words = compile_journal_command(sorted(sources), JournalQuery(), after="s=1")
    assert not any("\0" in word or "\n" in word for word in words)
    try:
        target = choose_target({"alpha": inspected}, "blog", None)
    except UsageError as error:
        check_text(render_error(error))
    else:
        remote = compile_remote(target, Execution(words=("id",)), "t")
        assert "\0" not in remote
        assert "\n" not in remote


def use_history(found: dict[str, Any]) -> None:
    rows = merge_histories({"alpha": found["generations"], "beta": found["generations"]})
    check_text(history.render_history(rows, OFF, columns="all", is_verbose=True))
    check_json(history.render_history_json(rows, {}))
    choose_previous({"alpha": found["generations"]})


def use_generation(found: dict[str, Any]) -> None:
    desired = cast(wire.Manifest, {**found["manifest"], "node": "alpha"})
    observed = cast(wire.Observed, answers.RESULTS["observe"])
    planned = plan_node(desired, observed, {}, lambda path: None)
    assert planned.node == "alpha"
    whole = Plan(cloud="home", nodes={"alpha": planned})
    check_text(plan.render_plan(whole, OFF, is_verbose=True))
    check_json(plan.render_plan_json(whole))


def use_pruned(found: dict[str, Any]) -> None:
    one = {"alpha": msgspec.convert(found, Pruned)}
    check_text(pruned.render_pruned(one))
    check_text(pruned.render_pruned_line(one, is_dry=True))
    check_json(json.dumps(pruned.pruned_to_builtins(one, one, {})))


def use_switched(found: dict[str, Any]) -> None:
    switch = Switch(
        base=2, number=3, manifest=DESIRED, actions=[], undo=[], daemon_reload=True, changes=[]
    )
    check_error(_failure(LINK, switch, found))


def use_facts(found: dict[str, Any]) -> None:
    check_text(nodes.render_facts(found))
    check_json(json.dumps(found))
    _ = facts_to_keep(found, None)


def use_removed(found: dict[str, Any]) -> None:
    report = ResetReport(steps=(), left=tuple(found["left"]), is_check=False, is_shut=True)
    check_text(nodes.render_reset("alpha", report, seconds=1))


USES: dict[str, Callable[[dict[str, Any]], None]] = {
    "activate": use_switched,
    "facts": use_facts,
    "generation": use_generation,
    "history": use_history,
    "inspect": use_inspected,
    "lock": lambda found: None,
    "observe": use_observed,
    "ping": lambda found: None,
    "prune": use_pruned,
    "reset": use_removed,
}


@pytest.mark.parametrize("op", sorted(USES))
def test_right_answers_pass(op: str) -> None:
    """The others would pass if all was refused."""
    line = answers.line({"event": "result", "result": answers.RESULTS[op]})
    found = try_answer(op, line)
    assert found is not None
    USES[op](found)
    if op != "lock":
        assert found == answers.RESULTS[op]


@cases("answers", 2500)
@given(answers.results())
def test_results(given_one: tuple[str, bytes]) -> None:
    count("answers")
    op, line = given_one
    begun = time.process_time()
    found = try_answer(op, line)
    if found is not None:
        USES[op](found)
    assert time.process_time() - begun < 5


@cases("answers", 800)
@given(answers.events())
def test_events(line: bytes) -> None:
    count("answers")
    try_answer("activate", line)


@cases("answers", 700)
@given(answers.broken_bytes())
def test_broken_bytes(line: bytes) -> None:
    count("answers")
    for op in ("observe", "history"):
        found = try_answer(op, line)
        if found is not None:
            USES[op](found)


@cases("journal lines", 700)
@given(answers.journal_lines())
def test_journal_lines(line: bytes) -> None:
    count("journal lines")
    units = cast("dict[str, wire.UnitEntry]", answers.MANIFEST["units"])
    sources = for_all_revisions(sources_of_units("alpha", units))
    found = try_parse_entry(line, sources)
    if found is None:
        return
    shown = logs.LogRenderer(OFF).render_line(found)
    assert visible(shown) == shown
    assert all("blog/alpha" in one for one in shown.split("\n")), "a line without its source"
    check_json(logs.render_line_json(found))
    words = compile_journal_command(["u"], JournalQuery(), after=found.cursor)
    assert all("\0" not in word and len(word) < 1000 for word in words)


def test_an_answer_about_another_node_is_never_done_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name in its manifest a node could have had a rollback act on another one."""
    lying = {**answers.RESULTS["generation"], "manifest": {**answers.MANIFEST, "node": "beta"}}
    found = try_answer("generation", answers.line({"event": "result", "result": lying}))
    observed = cast(wire.Observed, answers.RESULTS["observe"])
    monkeypatch.setattr(rolling_back, "exchange", lambda *args, **kwargs: found)
    monkeypatch.setattr(rolling_back, "observe_node", lambda *args, **kwargs: observed)
    opened = cast(Any, SimpleNamespace(link=lambda name, timeout: LINK, cache=tmp_path))
    older = rolling_back.read_older_generations(opened, ["alpha"], 2, timeout=1)["alpha"]
    assert isinstance(older, rolling_back.Older)
    assert older.desired["node"] == "alpha"


def test_texts_of_any_length_do_not_take_for_ever() -> None:
    many = {
        "text": "a\n" * 32_000,
        "kind": "file",
        "digest": "",
        "mode": 0,
        "owner": "",
        "owned": True,
    }
    observed = {**answers.RESULTS["observe"], "on_disk": {answers.FILE: many}}
    begun = time.process_time()
    use_observed(observed)
    assert time.process_time() - begun < 10


def test_too_much_of_everything_is_refused() -> None:
    observed = {**answers.RESULTS["observe"], "missing": ["x"] * 100_001}
    assert try_answer("observe", answers.line({"event": "result", "result": observed})) is None
    observed = {**answers.RESULTS["observe"], "missing": ["x" * 200_000]}
    with pytest.raises(NodeAnswerInvalid, match=r"Expected `str` of length <= 131072"):
        answer = _Answer(LINK, "observe", None)
        answer.hear(answers.line({"event": "result", "result": observed}) + b"\n")
        assert answer.last is not None
        _result(LINK, "observe", answer.last)
