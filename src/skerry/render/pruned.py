"""What pruning removes, as text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from skerry.errors import NodeError
from skerry.observe.pruning import Pruned
from skerry.render.text import format_bytes, one_line, plural


def render_pruned(nodes: Mapping[str, Pruned]) -> str:
    """A line per node, and below it the images."""
    lines = []
    for name, pruned in nodes.items():
        lines.append(f"{name}  {_words(pruned)}, {format_bytes(pruned.bytes)}")
        lines += [
            f"  image {one_line(reference) or '(no name)'}  {one_line(image_id[:12])}"
            for image_id, reference in sorted(pruned.images.items(), key=lambda one: one[1])
        ]
    return "\n".join(lines)


def render_pruned_line(nodes: Mapping[str, Pruned], *, is_dry: bool) -> str:
    """The one line at the end."""
    if not nodes:
        return "nothing to remove"
    total = Pruned(
        generations=tuple(number for one in nodes.values() for number in one.generations),
        blobs=sum(one.blobs for one in nodes.values()),
        blob_bytes=sum(one.blob_bytes for one in nodes.values()),
        # The same image on two nodes goes twice.
        images={
            f"{node} {image_id}": name
            for node, one in nodes.items()
            for image_id, name in one.images.items()
        },
        image_bytes=sum(one.image_bytes for one in nodes.values()),
        secrets=tuple(name for one in nodes.values() for name in one.secrets),
    )
    verb = "would go" if is_dry else "removed"
    return f"{verb}: {_words(total)} on {plural(len(nodes), 'node')}, {format_bytes(total.bytes)}"


def pruned_to_builtins(
    planned: Mapping[str, Pruned],
    done: Mapping[str, Pruned],
    failed: Mapping[str, NodeError],
) -> dict[str, object]:
    """The run as plain values; ``docs/prune-json.md`` describes it."""
    return {
        "format": 1,
        "planned": {name: msgspec.to_builtins(one) for name, one in planned.items()},
        "removed": {name: msgspec.to_builtins(one) for name, one in done.items()},
        "failed": {name: error.message for name, error in failed.items()},
    }


def _words(pruned: Pruned) -> str:
    counts = (
        (len(pruned.generations), "generation"),
        (pruned.blobs, "blob"),
        (len(pruned.images), "image"),
        (len(pruned.secrets), "secret"),
    )
    return ", ".join(plural(count, noun) for count, noun in counts if count)
