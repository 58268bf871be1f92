"""The same on many nodes at once; a slow or dead one delays no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from skerry.errors import NodeError

Answer = TypeVar("Answer")


def fan_out(
    nodes: Iterable[str],
    action: Callable[[str], Answer],
    *,
    on_answer: Callable[[str, Answer | NodeError], None] | None = None,
) -> dict[str, Answer | NodeError]:
    """Calls `action` with each node's name, all in parallel, and returns the answers by name.

    A `NodeError` is an answer. Any other exception is raised once all have answered. `on_answer`
    is called in this thread, in the order in which the answers come.
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
        for name in names:
            # Daemon threads: Ctrl-C ends the process without waiting for a dead node.
            Thread(target=call, args=(name,), daemon=True).start()
    found: dict[str, Answer | NodeError] = {}
    bug: BaseException | None = None
    for _ in names:
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
