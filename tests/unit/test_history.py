"""History: the nodes' generations as one; and what pruning says."""

from __future__ import annotations

import json
from typing import Any, cast

from skerry.errors import NodeUnreachable
from skerry.observe.history import merge_histories
from skerry.observe.pruning import Pruned
from skerry.render.history import render_history, render_history_json
from skerry.render.pruned import render_pruned, render_pruned_line
from skerry.render.text import Palette
from skerry_node import wire

PLAIN = Palette(is_on=False)


def generation(number: int, **different: Any) -> wire.Generation:
    """One generation, active, made by an apply with the message `one`."""
    usual = {
        "number": number,
        "who": "me@here",
        "when": 1000.0,
        "message": "one",
        "changes": ["add /a (new)"],
        "state": "active",
        "rollback_of": None,
    }
    return cast(wire.Generation, {**usual, **different})


def test_one_apply_on_several_nodes_is_one_row() -> None:
    rows = merge_histories(
        {
            "alpha": [generation(3, when=2000.0, message="two"), generation(2, state="previous")],
            "beta": [generation(1, changes=["add /b (new)", "add /a (new)"])],
        }
    )
    assert [row.message for row in rows] == ["two", "one"]
    assert rows[1].numbers == {"alpha": 2, "beta": 1}
    assert rows[1].states == {"alpha": "previous", "beta": "active"}
    assert rows[1].changes == ("add /a (new)", "add /b (new)")


def test_equal_turns_on_one_node_stay_apart() -> None:
    rows = merge_histories({"alpha": [generation(2), generation(1)]})
    assert [row.numbers for row in rows] == [{"alpha": 2}, {"alpha": 1}]


def test_the_table() -> None:
    rows = merge_histories(
        {
            "alpha": [generation(3, state="failed"), generation(2, when=500.0, message="zero")],
            "beta": [generation(3, changes=["add /b (new)"])],
            "gamma": [generation(2)],
        }
    )
    shown = render_history(
        rows, PLAIN, columns="generation,nodes,state,message,changes", has_header=False
    )
    assert shown.splitlines() == [
        "2 gamma; 3 alpha,beta  alpha,beta,gamma  active beta,gamma; failed alpha  one   "
        "add /a (new) (+1)",
        "2                      alpha             active                           zero  "
        "add /a (new)",
    ]
    verbose = render_history(rows, PLAIN, columns="message", is_verbose=True)
    assert verbose.splitlines() == [
        "MESSAGE",
        "one",
        "    add /a (new)",
        "    add /b (new)",
        "zero",
        "    add /a (new)",
    ]


def test_a_rollback_says_so() -> None:
    (row,) = merge_histories({"alpha": [generation(4, rollback_of=2, message="oh no")]})
    shown = render_history([row], PLAIN, columns="message,rollback-of", has_header=False)
    assert shown == "oh no (rollback)  2"


def test_json() -> None:
    rows = merge_histories({"alpha": [generation(1)]})
    shown = json.loads(render_history_json(rows, {"beta": NodeUnreachable("beta", "no route")}))
    assert shown["history"][0]["numbers"] == {"alpha": 1}
    assert shown["unreachable"] == {"beta": "no route"}


def test_pruning_in_words() -> None:
    going = {
        "alpha": Pruned(
            generations=(1, 2),
            blobs=1,
            blob_bytes=200_000,
            images={"a" * 64: "localhost/old"},
            image_bytes=4_000_000,
        ),
        "beta": Pruned(generations=(1,), blobs=2, blob_bytes=10),
    }
    assert render_pruned(going).splitlines() == [
        "alpha  2 generations, 1 blob, 1 image, 4.2 MB",
        "  image localhost/old  aaaaaaaaaaaa",
        "beta  1 generation, 2 blobs, 10 B",
    ]
    assert render_pruned_line(going, is_dry=True) == (
        "would go: 3 generations, 3 blobs, 1 image on 2 nodes, 4.2 MB"
    )
    assert render_pruned_line({}, is_dry=False) == "nothing to remove"
    assert Pruned().is_empty


def test_nobody_knows_when_a_damaged_record_was_made() -> None:
    lost = generation(2, when=0.0, who="", message="", state="failed", changes=[])
    shown = render_history(
        merge_histories({"alpha": [lost]}), PLAIN, columns="generation,when,state", has_header=False
    )
    assert shown.split() == ["2", "-", "failed"]
