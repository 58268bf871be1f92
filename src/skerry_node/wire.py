"""What operator and node say to each other: the one module that both sides share.

One SSH exchange is one request. The operator writes to the node program's standard input one
line of JSON, the request, and then the raw bytes that the request announces in ``streams``, in
that order. The node program answers on standard output with lines of JSON, each an event; the
last is ``result`` or ``error``. Nothing else is ever written to standard output.

sshd takes what a program shall read only a round trip after it has started it. So a request
``observe`` for all that there is (with ``text`` and ``images``) has the digest of its manifest as
a word of the command too: a node whose active manifest has it answers without reading the request.
Where the node program is started before the request is known, the word says what it will be about
(`WILL_OBSERVE`, `WILL_CHANGE`): what takes long for that is begun while the program waits.

    -> {"protocol": 1, "op": "observe", "args": {...}, "streams": [{"name": ..., "size": ...}]}
    <- {"event": "phase", "name": "files", "seconds": 0.01}
    <- {"event": "result", "result": {...}}
    <- {"event": "error", "id": "locked", "message": ..., "hint": ..., "detail": ...}
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict

from skerry_node.basics import LINE_LIMIT as LINE_LIMIT
from skerry_node.basics import LOG_LINES as LOG_LINES
from skerry_node.basics import PROGRAM_MISSING as PROGRAM_MISSING
from skerry_node.basics import PROTOCOL as PROTOCOL
from skerry_node.basics import PYTHON_MISSING as PYTHON_MISSING
from skerry_node.basics import PYTHON_TOO_OLD as PYTHON_TOO_OLD
from skerry_node.basics import STATE_FOLDER as STATE_FOLDER
from skerry_node.basics import UNPACKER_MISSING as UNPACKER_MISSING
from skerry_node.basics import WILL_CHANGE as WILL_CHANGE
from skerry_node.basics import WILL_OBSERVE as WILL_OBSERVE
from skerry_node.basics import digest_of as digest_of
from skerry_node.basics import dump as dump


class Stream(TypedDict):
    """Raw bytes that follow the request: a blob by its digest, an image archive by its id, or a
    secret by the name that Podman shall keep it under.

    `size` is in bytes; -1 means chunks, each an 8-digit hexadecimal length and that many bytes,
    up to a chunk of length 0. `kind` is ``blob``, ``image`` or ``secret``.
    """

    kind: str
    name: str
    size: int


class FileEntry(TypedDict):
    """One file of a tree: its content's digest, permission bits, and ``user:group``."""

    digest: str
    mode: int
    owner: str


class UnitEntry(TypedDict):
    """One unit of a tree, and what the node must know to act on it.

    `files` are the paths whose change means a restart. `volumes` are folders below
    /var/lib/skerry/volumes that live as long as this pod: removed with all that is in them when
    the unit is stopped for good or replaced. `settle` is how long it must stay active to count
    as healthy, `deadline` how long it may take, in seconds;
    `completes` says that ending with success is healthy too. `after` are units of the same tree
    that must be started before it. `ready` is a file that is there as long as the unit is ready,
    or empty: then it is ready when it is active. `secrets` are the names of Podman secrets that
    it uses. `role` is ``container``, ``pod``, ``init`` (ends before the containers start),
    ``sidecar``, ``job``, ``cron`` (of a job, begun by a timer or after another pod of the job: what
    is done to units of a generation never starts it) or ``timer``. `completed` is a file
    that is there once it has ended for good, or empty; `grace` is how long it may take to stop,
    in seconds; `records` is a timer's folder of the runs that it began. The rest is for
    status: `workload`, `replica`, `container`, `image` (reference), `image_id`, `ports`
    (``8080->80/tcp``), `memory_limit` in bytes, `claims` (folders of PersistentVolumeClaims).
    """

    files: List[str]
    volumes: List[str]
    after: List[str]
    settle: float
    deadline: float
    completes: bool
    reloads: bool
    ready: str
    secrets: List[str]
    role: str
    claims: List[str]
    completed: str
    records: str
    grace: float
    workload: str
    replica: int
    container: str
    image: str
    image_id: str
    ports: List[str]
    memory_limit: Optional[int]


class SecretEntry(TypedDict):
    """What a Podman secret is, without its value.

    `of` says it for people: ``db/password`` is a key of a Secret, ``variable blog/web/URL`` one
    of a workload's container. An `immutable` one keeps its value for as long as it is used.
    """

    of: str
    immutable: bool


class Manifest(TypedDict):
    """The whole desired tree of a node. `images` maps an image id to its reference, `secrets`
    the names of Podman secrets to what they are."""

    format: int
    cloud: str
    node: str
    files: Dict[str, FileEntry]
    units: Dict[str, UnitEntry]
    images: Dict[str, str]
    secrets: Dict[str, SecretEntry]


class UnitAction(TypedDict):
    """One thing to do to one unit: `verb` is start, stop, restart or reload.

    The actions of a `stage` are begun together, stops first, and those of the next one when all
    of these are healthy. An action that undoes another has its stage; going back begins with
    the last.
    """

    verb: str
    unit: str
    stage: int


class Generation(TypedDict):
    """One generation in a node's history.

    `when` is seconds since 1970 by the operator's clock; `state` is ``active``, ``previous``,
    ``failed`` (rolled back), ``unconfirmed`` (rolled back because nobody confirmed it), or
    ``pending`` (its switch has not ended); `rollback_of` is the number that this one brought
    back, if any; `changes` are lines of text.
    """

    number: int
    who: str
    when: float
    message: str
    changes: List[str]
    state: str
    rollback_of: Optional[int]


class LockEntry(TypedDict):
    """Who is at work on a node: `who` (``user@host``), `why`, `since` (seconds since 1970).

    `token` is known to the holder alone and shown to nobody. `expires` is when the lock becomes
    stale unless an exchange renews it (by the node's clock, as `time` in its facts). `boot` is
    the node's boot id: a lock of an earlier boot is stale. A stale lock is not shown.
    """

    cloud: str
    who: str
    why: str
    since: float
    token: str
    expires: float
    boot: str


class Run(TypedDict):
    """A run of a cron job: when it began and ended (seconds since 1970), and how it ended."""

    begun: float
    ended: float
    result: str
    status: int


class UnitState(TypedDict):
    """What systemd says of a unit.

    `active`, `sub`, `result`, `load`, `enabled` as ``systemctl show`` names them; `restarts`
    since it was last started by hand; `since` the time it became active (seconds since 1970, 0
    if it is not); `ended` the time it last stopped being active in this boot (0 if it never
    did); `memory` in bytes or None where there is no memory controller; `exit_status` of the
    main process. `queued` says that its start waits for other units; `ready` that its entry's
    file of that name is there, or needs none; `completed` that it ended with success for good.
    `runs` are those that a timer began and that have ended, as far as their records are kept,
    the last one first; `next` is when it elapses next (seconds since 1970, 0 if it does not).
    """

    load: str
    active: str
    sub: str
    result: str
    enabled: str
    restarts: int
    since: float
    ended: float
    memory: Optional[int]
    exit_status: int
    queued: bool
    ready: bool
    completed: bool
    runs: List[Run]
    next: float


class OnDisk(TypedDict):
    """A file as it is on the node where that differs from the current generation or the request.

    `kind` is ``file``, ``link``, ``folder``, ``other`` or ``absent``; `digest` is empty where
    there is no regular file; `text` holds its content where that is small text,
    for a diff; `owned` says whether the current generation owns the path.
    """

    kind: str
    digest: str
    mode: int
    owner: str
    text: Optional[str]
    owned: bool


class Observed(TypedDict):
    """What is true on a node: the answer to ``observe``.

    `generation` is the active one's number, 0 if there is none, and `manifest` its manifest.
    `next_number` is the number that a new generation gets. `on_disk` has the paths of the
    current or the desired manifest whose file differs from the one or the other. `missing` are
    digests of the desired manifest that the node has no blob of. `images` are the ids of all
    images in Podman's store, `secrets` the names of Skerry's secrets there. `latest` is the
    `when` of the newest generation, whatever became of it (0 if there is none): that of the next
    one shall be later. `unfinished` is the number of a generation whose switch was interrupted,
    if any. `left` says that a run that the request names as over left its lock there.
    """

    facts: Dict[str, Any]
    generation: int
    next_number: int
    manifest: Optional[Manifest]
    on_disk: Dict[str, OnDisk]
    missing: List[str]
    units: Dict[str, UnitState]
    images: List[str]
    secrets: List[str]
    latest: float
    lock: Optional[LockEntry]
    left: bool
    unfinished: Optional[int]
