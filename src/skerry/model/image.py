"""``images/NAME/image.yaml``: an image of Debian packages, files and commands."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.origin import Located
from skerry.model.words import AbsolutePath, EnvName, Port

DEBIAN = "debian-13"
SCRATCH = "scratch"

# A name becomes a folder of images/ and the image localhost/NAME.
IMAGE_NAME_PATTERN = r"^[a-z0-9]+([._-][a-z0-9]+)*$"

ImageBase = Annotated[
    str,
    msgspec.Meta(
        pattern=IMAGE_NAME_PATTERN,
        description="debian-13, scratch, or the name of another image of the cloud folder",
    ),
]
# Debian Policy 5.6.7.
PackageName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][-a-z0-9+.]+$",
        description="the name of a Debian package: lower-case letters, digits, '-', '+' and '.'",
    ),
]
# What a Containerfile can hold on one line.
LineText = Annotated[
    str,
    msgspec.Meta(pattern=r"^[^\x00\r\n]*$", description="text on one line"),
]
UserName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_.]*(:[A-Za-z0-9_][-A-Za-z0-9_.]*)?$",
        description="a user, or USER:GROUP, by name or number",
    ),
]


PathPattern = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^/[^\x00\r\n]*$",
        description="an absolute path; `*` is any name, and `/**` at the end all that is below",
    ),
]
Preset = Literal["certs", "gconv", "locale", "names", "users", "zones"]
SignalName = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Z][A-Z0-9]{1,9}$", description="a signal without SIG: HUP, USR1"),
]
StepSeconds = Annotated[
    float, msgspec.Meta(ge=0.1, le=3600, description="seconds, from 0.1 to 3600")
]


class SlimRequest(Located, frozen=True, kw_only=True, rename="kebab"):
    """An HTTP request to the workload; an answer of 400 and more is a failure."""

    port: Port
    path: AbsolutePath = "/"
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, LineText] = {}
    body: str = ""
    tls: bool = False


class SlimTalk(Located, frozen=True, kw_only=True, rename="kebab"):
    """A connection to the workload: what is sent, and words that must be in the answer."""

    port: Port
    send: str = ""
    expect: str = ""


class SlimExercise(Located, frozen=True, kw_only=True, rename="kebab"):
    """What the workload does while it is watched, and again with what is left of the image.

    Where it is asked anything, or given a signal, the image's command is started first (or
    `start`), and stopped at the end by the signal `stop`; it is up when all ports are listened on,
    those of `ready` too. `commands` are run beside it; alone, the image's command is one of them
    unless there are others. Each must end with 0. `within` is how long a step may take, in seconds.
    """

    name: LineText = ""
    start: tuple[str, ...] = ()
    ready: tuple[Port, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    http: tuple[SlimRequest, ...] = ()
    tcp: tuple[SlimTalk, ...] = ()
    signals: tuple[SignalName, ...] = ()
    stop: SignalName = "TERM"
    within: StepSeconds = 30.0


class SlimFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """That the image holds only what its exercises touch: several are united.

    `presets` are what no trace shows (users and names, where nothing is said); `keep` stays and
    `drop` goes whatever was touched.
    """

    exercises: tuple[SlimExercise, ...] = ()
    presets: tuple[Preset, ...] = ("users", "names")
    keep: tuple[PathPattern, ...] = ()
    drop: tuple[PathPattern, ...] = ()


class ImageFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """How an image is made: a base, what is added to it, and what a container of it runs.

    `files` are copied to their path in the image (a file, or a folder with all it holds; paths
    are relative to the image's own folder), owned by root, run by the shell where `run` says so,
    in that order. The rest is the image's configuration as OCI has it.
    """

    base: ImageBase
    packages: tuple[PackageName, ...] = ()
    files: dict[AbsolutePath, str] = {}
    run: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[EnvName, LineText] = {}
    user: UserName | None = None
    workdir: AbsolutePath | None = None
    ports: tuple[Port, ...] = ()
    slim: SlimFile | None = None


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the cloud folder: ``images/NAME`` with a Containerfile, or with `file`.

    `folder` is absolute.
    """

    name: str
    folder: str
    file: ImageFile | None = None

    @property
    def reference(self) -> str:
        """The image's name in the operator's store, without its tag."""
        return f"localhost/{self.name}"
