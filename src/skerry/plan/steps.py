"""The steps of a plan: small values that describe themselves and say how they are undone."""

from __future__ import annotations

from typing import Literal

import msgspec

from skerry.plan.unit_actions import UnitAction


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="step"):
    """One thing that will happen on one node. `workloads` are the names it happens for."""

    workloads: tuple[str, ...] = ()

    def describe(self) -> str:
        """The step in a few words, for people."""
        raise NotImplementedError

    def describe_undo(self) -> str:
        """How a failed activation takes the step back, in a few words."""
        raise NotImplementedError


class SendImage(Step, frozen=True, kw_only=True, tag="send-image"):
    """An image goes to the node; `size` is its size unpacked, in bytes."""

    image_id: str
    reference: str
    size: int

    def describe(self) -> str:
        return f"send image {self.reference} ({self.image_id[:12]}, {self.size / 1e6:.1f} MB)"

    def describe_undo(self) -> str:
        return "the image stays until `skerry prune`"


class WriteFile(Step, frozen=True, kw_only=True, tag="write-file"):
    """A file is made or replaced; `old` and `new` are its texts where it is text.

    A unit's file that is new with its revision takes the place of another one: `old` is that
    one's text, with its name as it will be.
    `why` tells a file that somebody changed on the node from one that changed in the folder.
    """

    path: str
    kind: Literal["add", "change", "restore"]
    why: str
    old: str | None = None
    new: str | None = None

    def describe(self) -> str:
        return f"{self.kind} {self.path} ({self.why})"

    def describe_undo(self) -> str:
        return f"remove {self.path}" if self.kind == "add" else f"the old {self.path} comes back"


class RemoveFile(Step, frozen=True, kw_only=True, tag="remove-file"):
    """A file that the active generation owns and the new one does not."""

    path: str
    old: str | None = None

    def describe(self) -> str:
        return f"remove {self.path}"

    def describe_undo(self) -> str:
        return f"{self.path} comes back"


class SendSecret(Step, frozen=True, kw_only=True, tag="send-secret"):
    """A secret goes into the node's Podman store. `of` says which, and `name` is its name there,
    which has a hash of the value in it, and not the value."""

    of: str
    name: str
    why: str

    def describe(self) -> str:
        return f"secret {self.of} ({self.why})"

    def describe_undo(self) -> str:
        return f"the new value of secret {self.of} is removed"


class RemoveSecret(Step, frozen=True, kw_only=True, tag="remove-secret"):
    """A secret leaves the node's Podman store once the new generation is confirmed."""

    of: str
    name: str
    why: str

    def describe(self) -> str:
        return f"remove secret {self.of} ({self.why})"

    def describe_undo(self) -> str:
        return f"secret {self.of} is still there"


class ReloadSystemd(Step, frozen=True, kw_only=True, tag="daemon-reload"):
    """systemd reads its units again, because one of them changed."""

    def describe(self) -> str:
        return "daemon-reload"

    def describe_undo(self) -> str:
        return "daemon-reload"


class ActOnUnit(Step, frozen=True, kw_only=True, tag="unit"):
    """A unit is started, stopped, restarted or reloaded.

    Those of one `stage` are begun together, and the next stage when all of these are healthy.
    """

    unit: str
    action: UnitAction
    undo: UnitAction
    why: str
    stage: int = 0

    def describe(self) -> str:
        return f"{self.action.value} {self.unit} ({self.why})"

    def describe_undo(self) -> str:
        if self.undo is UnitAction.NONE:
            return f"{self.unit} stays as it is"
        return f"{self.undo.value} {self.unit}"


class RecordGeneration(Step, frozen=True, kw_only=True, tag="record"):
    """Only the manifest differs: no file and no unit is touched."""

    def describe(self) -> str:
        return "record the new generation (no file or unit changes)"

    def describe_undo(self) -> str:
        return "the old generation stays active"


AnyStep = (
    SendImage
    | SendSecret
    | WriteFile
    | RemoveFile
    | RemoveSecret
    | ReloadSystemd
    | ActOnUnit
    | RecordGeneration
)
