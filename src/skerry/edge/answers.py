"""The one gate for what nodes answer: decoded to the types that `wire` declares, with limits.

A node may be broken or hostile. Whatever passes here has the right types at every place, numbers
that can be counted with and shown, and texts and lists of a bounded size; what does not pass is
one error that names the node and the place. What a text says is not looked at: whoever shows it
makes it harmless (`render.text`), and none of it is ever a path on the operator's machine.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import (
    Annotated,
    Any,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from skerry.errors import NodeAnswerInvalid
from skerry_node import wire

# The longest text anywhere, in characters: more than Linux passes to a program as one variable.
TEXT_LIMIT = 128 * 1024
# Names of files (PATH_MAX), units, containers: what stands as a key.
NAME_LIMIT = 4096
# None of them has control characters.
_NAME = r"^[^\x00-\x1f\x7f]*\Z"
# How many entries a list or mapping has at most.
ENTRIES_LIMIT = 100_000
# What JSON numbers hold exactly.
NUMBER_LIMIT = 2**53
# The last second of the year 9999, after which no calendar counts.
MOMENT_LIMIT = 253402300799
_MOMENTS = frozenset({"time", "when", "latest", "since", "expires", "begun", "ended", "next"})
# What may be missing: manifests stay on a node that older versions of Skerry wrote, and whoever
# reads these asks whether they are there. And what a request has to ask for.
_LATER = {
    "Manifest": ("secrets",),
    "UnitEntry": ("secrets", "role", "claims", "completed", "records", "ready", "reloads"),
    "Generation": ("rollback_of",),
    "Observed": ("latest", "left"),
}
_HINT = "the node is broken or hostile: look at it before you trust what it says"


# These two are kept in cloud.lock.
_Address = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F:.]*\Z", max_length=64)]
_Architecture = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]*\Z", max_length=64)]


class Facts(TypedDict, total=False):
    """What a node says of itself; the node program's `read_facts` says what it means."""

    hostname: str
    address: _Address
    os_id: str
    os_version: str
    os_name: str
    kernel: str
    architecture: _Architecture
    cpus: int
    memory_total: int
    memory_available: int
    memory_pods: int
    swap_total: int
    disk_total: int
    disk_free: int
    podman_version: str | None
    systemd_version: str | None
    programs: list[str]
    container_users: bool
    boot_id: str
    uptime: float
    time: float


class _Ping(TypedDict):
    time: float


class _History(TypedDict):
    current: int
    generations: list[wire.Generation]


class _Displaced(TypedDict):
    digest: str
    mode: int
    owner: str


class _OldGeneration(TypedDict):
    generation: wire.Generation
    manifest: wire.Manifest
    displaced: dict[str, _Displaced]


class _Container(TypedDict):
    name: str
    image_id: str
    is_running: bool
    env: list[str]
    published: list[str]
    listening: list[str] | None
    uses_host_network: bool


class _Inspected(TypedDict):
    generation: int
    units: dict[str, wire.UnitEntry]
    states: dict[str, wire.UnitState]
    containers: dict[str, _Container]
    routed: list[str] | None
    error: str


class _Pruned(TypedDict):
    generations: list[int]
    kept: list[int]
    blobs: int
    blob_bytes: int
    images: dict[str, str]
    image_bytes: int
    secrets: list[str]


class _FailedUnit(TypedDict):
    unit: str
    reason: str
    log: list[str]


class _Switched(TypedDict):
    state: str
    failed: list[_FailedUnit]
    error: str
    undo_failed: str
    notes: list[str]


class _Recovered(TypedDict):
    notes: list[str]


class _Removed(TypedDict):
    left: list[str]
    user_removed: bool


class _Event(TypedDict, total=False):
    """Any event; which fields one has, its name says (`_NEEDED`)."""

    event: str
    name: str
    seconds: float
    unit: str
    units: list[str]
    state: str
    why: str
    back: bool
    step: str
    message: str
    hint: str
    detail: str | None
    id: str
    image: str
    bytes: int
    result: msgspec.Raw


# What the operator uses of an op's result; of all others it uses nothing.
_RESULTS: dict[str, type] = {
    "activate": _Switched,
    "facts": Facts,
    "generation": _OldGeneration,
    "history": _History,
    "inspect": _Inspected,
    "observe": wire.Observed,
    "ping": _Ping,
    "prune": _Pruned,
    "recover": _Recovered,
    "rejoin": _Switched,
    "reset": _Removed,
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "error": ("id", "message"),
    "note": ("message",),
    "phase": ("name", "seconds"),
    "progress": (),
    "result": ("result",),
    "secret": ("name",),
    "step": ("step", "state"),
    "unit": ("unit", "state"),
    "waiting": ("units",),
}
_learning = Lock()


def parse_event(node: str, op: str, line: bytes) -> dict[str, Any]:
    """One line of a node's answer to `op`; that of a result is still undecoded.

    Raises `NodeAnswerInvalid`.
    """
    event = _parse(node, op, line, _Event)
    kind = event.get("event", "")
    needed = _NEEDED.get(kind)
    if needed is None:
        raise invalid_answer(node, op, "there is no such event")
    for field in needed:
        if event.get(field) is None:
            raise invalid_answer(node, op, f"the event `{kind}` has no `{field}`")
    return event


def parse_result(node: str, op: str, result: msgspec.Raw) -> dict[str, Any]:
    """The result of `op`, with the fields that the operator uses. Raises `NodeAnswerInvalid`."""
    return _parse(node, op, result, _RESULTS.get(op, dict[str, msgspec.Raw]))


def invalid_answer(
    node: str, op: str, why: str, *, detail: str = "", hint: str = _HINT
) -> NodeAnswerInvalid:
    """The error for an answer that the node program does not give."""
    return NodeAnswerInvalid(
        node, f"the answer to `{op}` is none of the node program's: {why}", hint=hint, detail=detail
    )


def _parse(node: str, op: str, content: bytes | msgspec.Raw, kind: Any) -> dict[str, Any]:
    with _learning:
        # Two threads that are the first to learn a type at the same time crash the interpreter.
        decoder = _decoder(kind)
    try:
        try:
            return dict(decoder.decode(content))
        except UnicodeDecodeError:
            # A name on the node's disk may be no text at all: it is shown as far as it is.
            text = bytes(content).decode("utf-8", "replace")
            return dict(decoder.decode(text.encode()))
    except (msgspec.DecodeError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise invalid_answer(node, op, why) from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_bounded(kind))


def _bounded(kind: Any, field: str = "") -> Any:
    """The type with limits at every place. Raises TypeError for a type that has none here."""
    if kind is str:
        return Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]
    if kind in (int, float):
        most = MOMENT_LIMIT if field in _MOMENTS else NUMBER_LIMIT
        return Annotated[kind, msgspec.Meta(ge=0, le=most)]
    if kind in (bool, type(None), msgspec.Raw):
        return kind
    if is_typeddict(kind):
        return _bounded_fields(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return kind
    if origin is list:
        return Annotated[list[_bounded(arguments[0])], msgspec.Meta(max_length=ENTRIES_LIMIT)]  # type: ignore[misc]
    if origin is dict:
        key = Annotated[str, msgspec.Meta(max_length=NAME_LIMIT, pattern=_NAME)]
        inner = dict[key, _bounded(arguments[1])]  # type: ignore[valid-type, misc]
        return Annotated[inner, msgspec.Meta(max_length=ENTRIES_LIMIT)]
    if type(None) in arguments:
        (plain,) = (one for one in arguments if one is not type(None))
        return Union[_bounded(plain, field), None]  # noqa: UP007
    raise TypeError(f"an answer has no limits for {kind}")


@cache
def _bounded_fields(kind: Any) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    if kind is wire.Observed:
        hints["facts"] = Facts
    fields, later = {}, _LATER.get(kind.__name__, ())
    for name, hint in hints.items():
        bounded = _bounded(hint, name)
        is_needed = name in kind.__required_keys__ and name not in later
        fields[name] = bounded if is_needed else NotRequired[bounded]
    return TypedDict(kind.__name__, fields)  # type: ignore[operator]
