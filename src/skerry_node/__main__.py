"""The node program's entry: one request, its events, one result. See `wire` for the format."""

from __future__ import annotations

import os
import sys
from errno import ENOMEM

from skerry_node.basics import (
    LINE_LIMIT,
    PROGRAM_MISSING,
    PROTOCOL,
    WILL_CHANGE,
    WILL_OBSERVE,
    dump,
)
from skerry_node.fault import NodeFault, fault_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Callable, Dict, Optional, Tuple

# op -> module and function, which takes (args, streams, emit) and returns the result. By name,
# so that a request imports what it needs and nothing else.
OPS = {
    "activate": ("activate", "run_activate"),
    "bootstrap": ("bootstrap", "run_bootstrap"),
    "confirm": ("activate", "run_confirm"),
    "facts": ("facts", "run_facts"),
    "generation": ("history", "run_generation"),
    "harden": ("bootstrap", "run_harden"),
    "history": ("history", "run_history"),
    "inspect": ("inspect", "run_inspect"),
    "lock": ("lock", "run_lock"),
    "observe": ("observe", "run_observe"),
    "ping": ("facts", "run_ping"),
    "prune": ("prune", "run_prune"),
    "push": ("push", "run_push"),
    "recover": ("activate", "run_recover"),
    "rejoin": ("activate", "run_rejoin"),
    "renew": ("lock", "run_renew"),
    "reset": ("reset", "run_reset"),
    "unlock": ("lock", "run_unlock"),
}


def main() -> int:
    """Answers the request on standard input; the exit status, 0 for a result and 1 for an error.

    Called with a digest, or a word on what is to come: see `wire`.
    """
    os.umask(0o077)
    os.chdir("/")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    sink = Sink(1)
    event = answer(sys.stdin.buffer, sink.emit, *sys.argv[2:3])
    sink.emit(event)
    return 0 if event["event"] == "result" else 1


class Sink:
    """Writes events. Nobody listening any more is no reason for an op to end half way."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_open = True

    def emit(self, event: Dict[str, Any]) -> None:
        """Writes one event as one line."""
        rest = memoryview(dump(event) + b"\n")
        while rest and self.is_open:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BrokenPipeError:
                self.is_open = False


def answer(
    source: BinaryIO, emit: Callable[[Dict[str, Any]], None], word: str = ""
) -> Dict[str, Any]:
    """Runs the op that the request names; the last event. For `word` see `wire`."""
    try:
        result, begun = begin(word, emit) if word and os.geteuid() == 0 else (None, None)
        return {"event": "result", "result": result or run_request(source, emit, begun)}
    except NodeFault as fault:
        return fault.event()
    except (OSError, MemoryError) as error:
        if not isinstance(error, OSError):
            error = OSError(ENOMEM, "out of memory")
        fault_there = fault_of(error)
        return fault_there.event() if fault_there is not None else bug()
    except Exception:
        return bug()


def begin(
    word: str, emit: Callable[[Dict[str, Any]], None]
) -> Tuple[Any, Optional[Callable[..., Any]]]:
    """What can be done before the request is read: the answer that needs none, or None; and the op
    `observe` where that has begun."""
    if word == WILL_OBSERVE:
        return None, import_named("observe", "begin_observing")()
    if word == WILL_CHANGE:
        for op in ("push", "activate"):
            import_named(*OPS[op])
        return None, None
    return import_named("observe", "try_observe_known")(word, emit), None


def run_request(
    source: BinaryIO,
    emit: Callable[[Dict[str, Any]], None],
    observe: Optional[Callable[..., Any]] = None,
) -> Any:
    """Reads the request line and runs its op, `observe` where that has begun. Raises NodeFault for
    what is no request."""
    from skerry_node.quick_json import loads
    from skerry_node.streams import Streams

    try:
        request = loads(source.readline(LINE_LIMIT))
        protocol, op = request["protocol"], request["op"]
        args, described = request["args"], request["streams"]
    except (ValueError, KeyError, TypeError):
        raise NodeFault("bad-request", "the request is malformed") from None
    if protocol != PROTOCOL or op not in OPS:
        raise NodeFault("bad-request", "there is no op %r in protocol %s" % (op, protocol))
    if os.geteuid() != 0:
        raise NodeFault("not-root", "the node program does not run as root")
    run = observe if op == "observe" and observe is not None else import_named(*OPS[op])
    return run(args, Streams(source, described), emit)


def import_named(module: str, function: str) -> Callable[..., Any]:
    """A function of a module of this program.

    Ends the program where its own files are damaged: the operator sends them again then.
    """
    try:
        found = __import__("skerry_node." + module, fromlist=[function])
        return getattr(found, function)  # type: ignore[no-any-return]
    except Exception:
        raise SystemExit(PROGRAM_MISSING) from None


def bug() -> Dict[str, Any]:
    """The event for an error that is our fault, with its traceback."""
    import traceback

    return NodeFault(
        "bug", "the node program has a bug", detail=traceback.format_exc()[-8000:]
    ).event()


if __name__ == "__main__":
    sys.exit(main())
