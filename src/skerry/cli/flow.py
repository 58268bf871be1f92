"""The flow's phases over all nodes: observe, plan, push. `rolling` has the last, activate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from skerry.activate.node import SILENCE, Switch
from skerry.cli.cloud import OpenCloud
from skerry.cli.options import TIMEOUT
from skerry.cli.start import Start
from skerry.edge.early import Begun, is_connected
from skerry.edge.exchange import Event, begin_exchange, exchange, exchange_command, request_line
from skerry.edge.fan_out import OnLate, fan_out
from skerry.edge.leases import Leases
from skerry.edge.ssh import Link, has_connection
from skerry.edge.stop import Stopping
from skerry.edge.turn import Turn, past_tokens
from skerry.errors import NodeError, NodeLocked, NodeUnreachable
from skerry.observe.clock import clock_notes
from skerry.observe.node import known_digest, observe_args, observe_node
from skerry.plan.plan import NodePlan, Plan, plan_node
from skerry.plan.steps import ReloadSystemd, SendImage
from skerry.push.node import push_node
from skerry_node import wire

Progress = Callable[[str, str], None]


class Phases:
    """How long each phase took, in seconds, in the order in which they ran.

    A phase begins where the one before has ended, the first with the command: together they are
    all the time that a person has waited, but for the answer to a question.
    """

    def __init__(self, start: Start | None) -> None:
        self.seconds: dict[str, float] = {}
        self.started = start.started if start is not None else time.monotonic()
        self._ended = self.started

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Times the block; a phase that runs twice is added up."""
        try:
            yield
        finally:
            now = time.monotonic()
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._ended
            self._ended = now

    def leave_out(self) -> None:
        """What was since the last phase belongs to none: somebody was asked."""
        self._ended = time.monotonic()

    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


def begin_changes(start: Start | None) -> None:
    """Has the node programs start that are to push, while the folder is still being loaded.

    That is on the nodes that a file was edited for, as far as that could be told at a glance and a
    connection stands. Where it is one node, the program that is to activate starts there too.
    """
    if start is None or start.begun is None:
        return
    edited = [words for words in start.begun.waiting() if words[-1] == wire.WILL_OBSERVE]
    changes = [((*words[:-1], wire.WILL_CHANGE), b"") for words in edited if is_connected(words)]
    start.begun.begin(changes)
    if len(changes) == 1:
        start.ahead = Begun()
        start.ahead.begin(changes)


def observe_cloud(
    opened: OpenCloud,
    names: list[str],
    *,
    timeout: float,
    on_late: OnLate[wire.Observed] | None = None,
    will_push: bool = False,
) -> dict[str, wire.Observed | NodeError]:
    """What is true on each node beside its desired tree: one exchange per node, in parallel.

    Where what the nodes say of themselves changes where something runs, those that answered are
    asked again. `on_late` is called when most have answered, see `fan_out`. With `will_push` the
    node program that is to push starts while a node that shall hold something else is looked at.
    """
    from skerry.cli.facts import refresh_facts

    def observe(name: str) -> wire.Observed:
        link, manifest = opened.link(name, timeout=timeout), trees[name].manifest()
        on_sent = None
        # Without a connection, two would be made at the same time.
        if begun is not None and will_push and has_connection(link):
            is_as_before = begun.has(question_words(link, manifest))
            on_sent = None if is_as_before else partial(begin_exchange, link, begun)
        return observe_node(
            link, manifest, wants_text=True, deadline=timeout, begun=begun, on_sent=on_sent
        )

    def observe_left(name: str) -> wire.Observed:
        return observe_node(
            opened.link(name, timeout=timeout),
            trees[name].manifest(),
            wants_text=True,
            inherits=past_tokens(opened.cache),
            deadline=timeout,
        )

    begun = opened.start.begun if opened.start is not None else None
    trees = opened.trees
    observed = fan_out(names, observe, on_late=on_late)
    if refresh_facts(opened, observed):
        trees = opened.trees
        # Whoever is dead has cost his time already.
        alive = [name for name, answer in observed.items() if not isinstance(answer, NodeError)]
        observed |= fan_out(alive, observe)
    # What an earlier run of this folder left is no other operator's: seldom, so asked for apart.
    locked = [
        name
        for name, answer in observed.items()
        if not isinstance(answer, NodeError) and answer["lock"] is not None
    ]
    if locked and past_tokens(opened.cache):
        observed.update(fan_out(locked, observe_left))
    return observed


def question_to(opened: OpenCloud, name: str) -> tuple[tuple[str, ...], bytes]:
    """What `observe_cloud` asks a node: the words of the ssh command, and the request."""
    manifest = opened.trees[name].manifest()
    words = question_words(opened.link(name, timeout=TIMEOUT), manifest)
    return words, request_line("observe", observe_args(manifest, wants_text=True))


def question_words(link: Link, manifest: wire.Manifest) -> tuple[str, ...]:
    """The ssh command that asks a node beside this manifest."""
    return exchange_command(link, known_digest(manifest)).argv


def latest_moments(observed: Mapping[str, wire.Observed | NodeError]) -> list[float]:
    """When the newest generation of each node was made, by the clock of who made it."""
    seen = [answer for answer in observed.values() if not isinstance(answer, NodeError)]
    return [answer.get("latest", 0.0) for answer in seen]


def refuse_locked(observed: Mapping[str, wire.Observed | NodeError]) -> None:
    """Raises `NodeLocked` where another operator is at work: what was seen is half of a change."""
    for name, answer in observed.items():
        if not isinstance(answer, NodeError) and answer["lock"] is not None:
            raise NodeLocked(
                name, lock_words(answer["lock"]), hint=_lock_hint(answer["lock"], answer["facts"])
            )


def mend_interrupted(
    opened: OpenCloud,
    turn: Turn,
    observed: dict[str, wire.Observed | NodeError],
    *,
    timeout: float,
) -> dict[str, list[str]]:
    """Has each node with an interrupted change finish or undo it, and looks at it again.

    Replaces those nodes' answers in `observed`, because a plan made from the middle of a change
    would be wrong; returns what the nodes say of it, by name.
    """
    names = [
        name
        for name, answer in observed.items()
        if not isinstance(answer, NodeError)
        and (answer["unfinished"] is not None or answer.get("left"))
    ]
    notes: dict[str, list[str]] = {}

    def mend(name: str) -> wire.Observed:
        link = opened.link(name, timeout=timeout)
        done = exchange(link, "recover", {"lock": turn.lock_request()}, deadline=SILENCE)
        notes[name] = [str(note) for note in done.get("notes", ())]
        desired = opened.trees[name].manifest()
        return observe_node(link, desired, wants_text=True, deadline=timeout)

    observed.update(fan_out(names, mend))
    return notes


def lock_words(lock: wire.LockEntry) -> str:
    """Who holds a lock, since when, and why."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lock["since"]))
    return f"{lock['who']} is at work here since {since}: {lock['why']}"


def _lock_hint(lock: wire.LockEntry, facts: Mapping[str, Any]) -> str:
    """When one may go on. Both times are by the node's own clock."""
    left = max(1, round(lock["expires"] - float(facts["time"])))
    return (
        f"try again when that is done; if {lock['who']} has gone, the next apply goes on by itself "
        f"in {left} s, or now after `skerry node unlock`"
    )


def plan_cloud(opened: OpenCloud, observed: Mapping[str, wire.Observed | NodeError]) -> Plan:
    """The plan for all nodes that answered."""
    from skerry.cli.desired import desired_manifests, known_texts

    images = opened.images_by_id()
    desired = desired_manifests(opened, observed)
    plans: dict[str, NodePlan] = {}
    unreachable: dict[str, str] = {}
    for name, answer in observed.items():
        if isinstance(answer, NodeUnreachable):
            unreachable[name] = answer.message
        elif isinstance(answer, NodeError):
            plans[name] = blocked_node(name, answer)
        elif answer["lock"] is not None:
            plans[name] = blocked_node(name, NodeLocked(name, lock_words(answer["lock"])))
        else:
            tree = opened.trees[name]
            texts = known_texts(tree, desired[name])
            planned = plan_node(desired[name], answer, images, texts.get, tree.needs.values())
            plans[name] = with_notes(planned, clock_notes(answer["facts"], time.time()))
    from skerry.cli.leaving import add_moves

    plan = Plan(cloud=opened.cloud.name, nodes=plans, unreachable=unreachable)
    plan = add_moves(plan, opened, observed)
    from skerry.compile.rolling.cramped import find_cramped

    cramped = find_cramped(opened.cloud, opened.lock, opened.placements) if plan.changed else {}
    return order_plan(opened, plan, desired, observed, cramped)


def with_notes(plan: NodePlan, notes: Sequence[str]) -> NodePlan:
    """The node's plan with more that is worth knowing."""
    return msgspec.structs.replace(plan, notes=(*plan.notes, *notes)) if notes else plan


def order_plan(
    opened: OpenCloud,
    plan: Plan,
    desired: Mapping[str, wire.Manifest],
    observed: Mapping[str, wire.Observed | NodeError],
    cramped: Mapping[str, Mapping[str, str]] | None = None,
) -> Plan:
    """The plan with its roll: which nodes follow which, and what follows what on each."""
    if not plan.changed:
        return plan
    from skerry.compile.rolling.strategy import compile_strategies
    from skerry.plan.roll import count_replicas, plan_roll

    seen = {name: one for name, one in observed.items() if not isinstance(one, NodeError)}
    strategies = compile_strategies(opened.cloud, count_replicas(desired.values()))
    return plan_roll(plan, desired, seen, strategies, cramped)


def blocked_node(name: str, error: NodeError) -> NodePlan:
    """The plan of a node that answered with an error: nothing, and why."""
    # Where a line begins is ours to say: a message of a node's own is one line.
    lines = (" ".join(error.message.split("\n")), " ".join(error.hint.split("\n")), error.detail)
    words = "\n".join(filter(None, lines))
    return NodePlan(node=name, base=0, number=0, blockers=(words,))


def push_cloud(
    opened: OpenCloud,
    turn: Turn,
    plan: Plan,
    leases: Leases,
    stop: Stopping,
    *,
    timeout: float,
    progress: Progress,
) -> dict[str, int | NodeError]:
    """Takes the locks of all nodes to be changed and sends what they miss.

    A node that has all is held by `leases` while others are being sent theirs. When a signal to
    stop comes, nothing more is sent.

    Returns the bytes sent per node. Raises what `take_locks` raises: nothing has been switched
    then.
    """
    from skerry.cli.locking import take_locks
    from skerry.push.images import image_archives

    # Those that are activated as soon as all have what they need.
    first = plan.roll.waves[0] if plan.roll.waves else ()
    by_name = {node.node: node for node in plan.changed}
    wanted = {
        step.image_id: step.reference
        for node in plan.changed
        for step in node.steps
        if isinstance(step, SendImage)
    }

    begun = opened.start.begun if opened.start is not None else None
    with image_archives(wanted, cache=opened.folder / ".skerry") as archives:

        def push(name: str) -> int:
            link = opened.link(name, timeout=timeout)
            return push_node(
                link,
                turn,
                by_name[name],
                opened.trees[name],
                archives,
                deadline=max(timeout, 120.0) if wanted else timeout,
                stop=stop,
                on_event=lambda event: progress(name, words_of(event)),
                begun=begun,
                on_sent=partial(begin_exchange, link, leases.ahead) if name in first else None,
            )

        try:
            return take_locks(opened, turn, leases, stop, by_name, push)
        finally:
            if begun is not None:
                # Started for nodes on which nothing is to be changed after all.
                begun.stop()


def switch_to(manifest: wire.Manifest, node: NodePlan, *, rollback_of: int | None = None) -> Switch:
    """What the plan's node is switched to; `rollback_of` is the generation brought back."""
    return Switch(
        base=node.base,
        number=node.number,
        manifest=manifest,
        rollback_of=rollback_of,
        actions=node.unit_actions(),
        undo=node.undo_actions(),
        daemon_reload=any(isinstance(step, ReloadSystemd) for step in node.steps),
        changes=node.changes(),
    )


def words_of(event: Event) -> str:
    """An event of the node program in a few words; empty where it is not worth showing.

    The times of the phases are in a node's last line; only what takes long has a line before.
    """
    if event["event"] == "phase" and str(event.get("name")).startswith("image "):
        return f"{event['name']} sent in {float(event.get('seconds', 0.0)):.1f} s"
    if event["event"] == "unit":
        back = " again, as it was before" if event.get("back") else ""
        return f"{event.get('unit')} {event.get('state')}{back}"
    if event["event"] == "waiting":
        return f"waiting for {', '.join(map(str, event.get('units', ())))}"
    if event["event"] == "note":
        return str(event.get("message", ""))
    return ""
