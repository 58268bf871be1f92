"""What the observing verbs share: a cloud that opens even where the folder has errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TypeVar

from skerry.cli.cloud import OpenCloud, open_cloud
from skerry.cli.main import Settings
from skerry.errors import CloudInvalid, ExitCode, NodeError
from skerry_node import wire

Answer = TypeVar("Answer")


def open_nodes(settings: Settings) -> OpenCloud:
    """The cloud with its nodes alone: for verbs that ask the nodes what runs there.

    Placements and manifests are not read, so a folder in which they are wrong will do.
    Raises `CloudInvalid` where the nodes themselves are wrong.
    """
    from skerry.compile.lock import Lock
    from skerry.load.cloud import find_cloud_folder, load_nodes

    folder = find_cloud_folder(settings.folder)
    return OpenCloud(folder, load_nodes(folder), Lock())


def open_to_observe(settings: Settings) -> tuple[OpenCloud, CloudInvalid | None]:
    """The whole cloud; or, with the error, its nodes alone where the rest is invalid.

    What runs can be looked at while the folder is being written. Raises `CloudInvalid` where the
    nodes themselves are wrong.
    """
    try:
        opened = open_cloud(settings, wants_images=True)
        # Whoever looks needs no key: of units only the names are compared.
        opened.forget_secrets()
        _ = opened.trees
        return opened, None
    except CloudInvalid as error:
        return open_nodes(settings), error


def desired_manifests(
    opened: OpenCloud, names: Iterable[str], invalid: CloudInvalid | None
) -> dict[str, wire.Manifest] | None:
    """The desired manifest of each node; None where the folder is invalid."""
    if invalid is not None:
        return None
    return {name: opened.trees[name].manifest() for name in names}


def split_answers(
    answers: Mapping[str, Answer | NodeError],
) -> tuple[dict[str, Answer], dict[str, NodeError]]:
    """The nodes that answered, and those that did not."""
    good: dict[str, Answer] = {}
    bad: dict[str, NodeError] = {}
    for name, answer in answers.items():
        if isinstance(answer, NodeError):
            bad[name] = answer
        else:
            good[name] = answer
    return good, bad


def show_failed(failed: Mapping[str, NodeError]) -> None:
    """Each failed node with its reason, on standard error."""
    from skerry.render.errors import render_error

    for error in failed.values():
        print(render_error(error), file=sys.stderr)


def exit_code(failed: Mapping[str, NodeError]) -> ExitCode:
    """3 where some node failed, else 0."""
    return ExitCode.NODE_FAILED if failed else ExitCode.DONE
