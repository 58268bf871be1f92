"""A secret value shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from typing import Any

import msgspec
import pytest

from skerry.compile.secrets import PodmanSecret
from skerry.compile.tree import Tree
from skerry.model.secret_value import SecretValue

VALUE = SecretValue(b"hunter2")


def test_it_is_revealed_by_name_alone() -> None:
    assert VALUE.reveal() == b"hunter2"
    shown = [repr(VALUE), str(VALUE), f"{VALUE}", f"{VALUE!r:>40}", str([VALUE])]
    shown += [str(dir(VALUE)), repr(getattr(VALUE, "__dict__", "")), repr(VALUE._reveal)]
    assert not [text for text in shown if "hunter2" in text]


@pytest.mark.parametrize(
    "encode",
    [
        msgspec.to_builtins,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        json.dumps,
        pickle.dumps,
        copy.deepcopy,
        bytes,
    ],
)
def test_it_cannot_be_encoded(encode: Any) -> None:
    with pytest.raises(TypeError) as caught:
        encode(VALUE)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_it_is_compared_by_content_and_hashed_without() -> None:
    assert SecretValue(b"hunter2") == VALUE != SecretValue(b"hunter3")
    assert hash(VALUE) == hash(SecretValue(b"hunter3"))
    assert VALUE != b"hunter2"


def test_a_tree_with_secrets_shows_and_encodes_none() -> None:
    secret = PodmanSecret("db/password", VALUE)
    tree = Tree("home", "alpha", {}, {}, {}, {}, {"skerry-db-password-0": secret})
    assert "hunter2" not in repr(tree)
    with pytest.raises(TypeError):
        msgspec.json.encode(tree)
    assert tree.manifest()["secrets"] == {
        "skerry-db-password-0": {"of": "db/password", "immutable": False}
    }
