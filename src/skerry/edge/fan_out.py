"""The same on many nodes at once; a slow or dead one delays no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias, TypeVar

from skerry.edge.window import allow_files
from skerry.errors import NodeError

Answer = TypeVar("Answer")
OnLate: TypeAlias = Callable[[Mapping[str, Answer | NodeError], Sequence[str]], None]
"""What is called with the answers that there are, and with the names of the nodes without one."""
# When at least half of the nodes have answered and then nobody has for so many seconds, the
# others are late.
LATE_AFTER = 0.5


def fan_out(
    nodes: Iterable[str],
    action: Callable[[str], Answer],
    *,
    on_answer: Callable[[str, Answer | NodeError], None] | None = None,
    on_late: OnLate[Answer] | None = None,
) -> dict[str, Answer | NodeError]:
    """Calls `action` with each node's name, all in parallel, and returns the answers by name.

    A `NodeError` is an answer. Any other exception is raised once all have answered. `on_answer`
    is called in this thread, in the order in which the answers come; `on_late` too, at most once,
    when most nodes have answered and the others take their time: they may be dead.
    """
    names = list(nodes)
    answers: SimpleQueue[tuple[str, Answer | NodeError | None, BaseException | None]] = (
        SimpleQueue()
    )

    def call(name: str) -> None:
        try:
            answers.put((name, action(name), None))
        except NodeError as error:
            answers.put((name, error, None))
        except BaseException as error:
            answers.put((name, None, error))

    if len(names) == 1:
        call(names[0])
    else:
        allow_files(len(names))
        for name in names:
            # Daemon threads: Ctrl-C ends the process without waiting for a dead node.
            Thread(target=call, args=(name,), daemon=True).start()
    found: dict[str, Answer | NodeError] = {}
    bug: BaseException | None = None
    for count in range(len(names)):
        if on_late is not None and 2 * count >= len(names):
            try:
                name, answer, error = answers.get(timeout=LATE_AFTER)
            except Empty:
                known = {name: found[name] for name in names if name in found}
                on_late(known, [name for name in names if name not in found])
                on_late = None
                name, answer, error = answers.get()
        else:
            name, answer, error = answers.get()
        if error is not None:
            bug = bug or error
            continue
        assert answer is not None
        found[name] = answer
        if on_answer is not None:
            on_answer(name, answer)
    if bug is not None:
        raise bug
    return {name: found[name] for name in names}
