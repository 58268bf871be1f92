"""Secrets in trees: under names that say nothing, and in no file."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.secrets import KnownSecrets, needed_values
from skerry.compile.tree import Tree
from skerry.errors import CloudInvalid
from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.pod import Pod
from skerry.model.secret import Secret
from skerry.model.secret_text import escape_references, expand_references, parse_references
from skerry.model.secret_value import SecretValue

IMAGE = "localhost/web"
LOCK = Lock(images={IMAGE: ResolvedImage(id="5" * 64, size=1)})
KEY = SecretValue(b"k" * 32)


def secret(name: str = "db", **fields: Any) -> Secret:
    """A Secret of these fields."""
    base = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}}
    return msgspec.convert({**base, **fields}, Secret)


DB = secret(stringData={"password": "$(pw)", "url": "db://u:$(pw)@h"}, data={"raw": "/wA="})


def cloud_of(container: dict[str, Any], *secrets: Secret, **spec: Any) -> Cloud:
    """One pod on one node."""
    main = {"name": "web", "image": IMAGE, **container}
    fields = {"containers": [main], **spec}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": fields}
    workload = Workload(
        name="blog",
        placement=Placement(pod="pods/x.yaml"),
        manifest=msgspec.convert(pod, Pod),
        nodes=("alpha",),
        replicas=None,
    )
    return Cloud(
        name="home",
        nodes={"alpha": Node(ssh="root@alpha")},
        workloads={"blog": workload},
        config_maps={},
        secrets={one.metadata.name: one for one in secrets or (DB,)},
    )


def tree_of(cloud: Cloud, password: str | None = "hunter2", key: SecretValue = KEY) -> Tree:
    """The node's tree, with this value for `pw` or without knowing it."""
    known = None
    if password is not None:
        known = KnownSecrets(cloud.secrets, {"pw": SecretValue(password.encode())}, key)
    return compile_cloud(cloud, LOCK, secrets=known)["alpha"]


def variable(name: str, key: str) -> dict[str, Any]:
    """A variable out of the Secret `db`."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "db", "key": key}}}


def text_of(tree: Tree) -> str:
    """All files of a tree."""
    return "\n".join(file.content.decode() for file in tree.files.values())


def problems_of(cloud: Cloud, password: str | None = "hunter2") -> list[str]:
    """What is wrong with it."""
    with pytest.raises(CloudInvalid) as caught:
        tree_of(cloud, password)
    return [f"{one.message} ({one.hint})" for one in caught.value.problems]


ENV = {"env": [variable("PW", "password"), {"name": "DSN", "value": "u:$(PW)@$$(x)"}]}


def test_variables_are_names_in_the_unit_and_values_in_the_tree() -> None:
    tree = tree_of(cloud_of(ENV))
    assert "hunter2" not in text_of(tree) + repr(tree) + str(tree.manifest())
    values = {one.of: one.value.reveal() for one in tree.secrets.values() if one.value}
    assert values == {"db/password": b"hunter2", "variable blog/web/DSN": b"u:hunter2@$(x)"}
    for name in tree.secrets:
        assert f"--secret={name},type=env,target=" in text_of(tree)
    assert "Environment=" not in text_of(tree)
    (unit,) = [one for one in tree.units.values() if one.container]
    assert unit.secrets == tuple(sorted(tree.secrets))


def test_all_keys_with_a_prefix_and_what_is_optional() -> None:
    refs = [
        {"prefix": "DB_", "secretRef": {"name": "db"}},
        {"secretRef": {"name": "none", "optional": True}},
    ]
    only = secret(stringData={"a": "$(pw)", "b": "two"})
    tree = tree_of(cloud_of({"envFrom": refs}, only))
    assert "target=DB_a" in text_of(tree)
    assert "target=DB_b" in text_of(tree)
    assert len(tree.secrets) == 2


def test_a_name_changes_with_the_value_and_the_key_and_nothing_else() -> None:
    cloud = cloud_of(ENV)
    first, again = tree_of(cloud), tree_of(cloud_of(ENV))
    assert list(first.secrets) == list(again.secrets)
    assert set(first.secrets).isdisjoint(tree_of(cloud, "other").secrets)
    assert set(first.secrets).isdisjoint(tree_of(cloud, key=SecretValue(b"K" * 32)).secrets)
    # Equal values have different names: that two are equal is nobody's business either.
    same = secret(stringData={"a": "$(pw)", "b": "$(pw)"})
    names = tree_of(cloud_of({"envFrom": [{"secretRef": {"name": "db"}}]}, same)).secrets
    assert len({name[-16:] for name in names}) == 2


def test_names_are_such_as_old_podmans_take() -> None:
    long = secret(name="a" * 100, stringData={"_k." + "b" * 100: "x"})
    tree = tree_of(cloud_of({"envFrom": [{"secretRef": {"name": "a" * 100}}]}, long))
    (name,) = tree.secrets
    assert len(name) <= 64
    assert name[0].isalnum()
    assert name[-1].isalnum()


def test_without_values_the_same_is_checked() -> None:
    tree = tree_of(cloud_of(ENV), None)
    assert [one.value for one in tree.secrets.values()] == [None, None]
    assert all(name.endswith("-" + "0" * 16) for name in tree.secrets)


@pytest.mark.parametrize("password", ["hunter2", None])
@pytest.mark.parametrize("field", ["command", "args"])
def test_a_secret_on_a_command_line_is_refused(field: str, password: str | None) -> None:
    (problem,) = problems_of(cloud_of({**ENV, field: ["run", "-p", "x$(DSN)"]}), password)
    assert problem == (
        f"{field}[2] has $(DSN) in it, which is secret (db/password): a command line is in the "
        "unit's file and in the node's process list (let a shell in the container read the "
        "variable: [sh, -c, 'exec PROGRAM \"$DSN\"'], or mount the Secret as a file)"
    )
    assert tree_of(cloud_of({**ENV, field: ["run", "$$(DSN)", "$DSN"]}), password)


def test_what_no_variable_can_hold_is_refused_without_showing_it() -> None:
    binary = problems_of(cloud_of({"env": [variable("RAW", "raw")]}))
    assert binary == [
        "variable 'RAW': the secret has a zero byte in it, which no variable can hold (mount the "
        "Secret as a file)",
        "variable 'RAW': the secret is not UTF-8 text, and a container's variables are (mount the "
        "Secret as a file)",
    ]
    (long,) = problems_of(cloud_of({"env": [variable("PW", "password")]}), "x" * 200_000)
    assert long.startswith("variable 'PW': the secret is 200000 bytes long")


def test_files_are_mounted_where_the_volume_is() -> None:
    mounts = {
        "volumeMounts": [
            {"name": "s", "mountPath": "/run/db"},
            {"name": "s", "mountPath": "/etc/pw", "subPath": "sub/pw"},
        ]
    }
    items = [{"key": "password", "path": "sub/pw", "mode": 0o400}, {"key": "url", "path": "url"}]
    volume = {"name": "s", "secret": {"secretName": "db", "items": items, "defaultMode": 0o440}}
    tree = tree_of(cloud_of(mounts, volumes=[volume]))
    lines = [line for line in text_of(tree).splitlines() if "type=mount" in line]
    words = sorted(line.partition(",type=mount,")[2] for line in lines)
    assert words == [
        "target=/etc/pw,mode=0400,uid=0,gid=0",
        "target=/run/db/sub/pw,mode=0400,uid=0,gid=0",
        "target=/run/db/url,mode=0440,uid=0,gid=0",
    ]
    assert {one.of for one in tree.secrets.values()} == {"db/password", "db/url"}


def test_only_what_workloads_use_is_needed() -> None:
    other = secret(name="mail", stringData={"password": "$(unused)"})
    assert needed_values(cloud_of(ENV, DB, other)) == ["pw"]
    assert needed_values(cloud_of({}, DB, other)) == []


def test_references_in_texts() -> None:
    def value_of(name: str) -> bytes:
        return {"a": b"$(b)", "b": b"\xff"}[name]

    assert expand_references("x$(a)$(b)$$(a) $a $$ 5$", value_of) == b"x$(b)\xff$(a) $a $$ 5$"
    assert parse_references("$(a)$$(b)$(c)$(a)$(") == (["a", "c"], False)
    for text in ("$(a)", "$$(a)", "plain", "$", "$$$(x)"):
        assert expand_references(escape_references(text), value_of) == text.encode()
