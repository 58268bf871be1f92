"""The Kubernetes API's fields: honoured and seen by a live test, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tools.docs import kubernetes_types
from tools.docs.kubernetes_types import (
    field_rows,
    model_fields,
    model_structs,
    types_behind_refusals,
    unknown_marks,
)
from tools.docs.marks import Mark, read_marks

from skerry.load.refusals import FIELDS, VALUES, refused_fields, refused_kinds
from skerry.load.unknown import (
    HONOURED_KINDS,
    KUBERNETES_TYPES,
    explain_kind,
    kubernetes_names,
    refusal_of_field,
)

ROWS = field_rows()


def test_every_honoured_field_has_a_live_test() -> None:
    untested = [row.name for row in ROWS if row.is_untested]
    assert not untested, (
        "no live test shows these: mark one with @pytest.mark.honours(...), "
        "or take the field out of the model and give the reason in load/refusals.py"
    )


def test_marks_name_honoured_fields() -> None:
    assert unknown_marks() == []


def test_every_refused_field_has_a_reason() -> None:
    bare = [row.name for row in ROWS if not row.is_honoured and row.refusal is None]
    assert not bare, "not in the model: give the reason in load/refusals.py"


def test_every_type_of_the_api_is_told() -> None:
    names = set(kubernetes_names()["types"])
    assert set(model_fields()) | set(types_behind_refusals()) == names


def test_reasons_are_of_fields_that_are_refused() -> None:
    types, ours = kubernetes_names()["types"], model_fields()
    for name in refused_fields():
        owner, _, field = name.partition(".")
        api_owner = KUBERNETES_TYPES.get(owner, owner)
        assert field in types[api_owner], f"{name}: Kubernetes has no such field"
        if api_owner == owner:
            assert field not in ours[owner], f"{name} is in the model"
    listed = [name for names in FIELDS for name in names.split()]
    assert len(listed) == len(set(listed)), "a field has two reasons"
    for name, _ in VALUES:
        owner, _, field = name.partition(".")
        assert field in ours[owner], f"{name} is not in the model"


@pytest.mark.parametrize(("name", "value"), VALUES, ids=" ".join)
def test_refused_values_are_not_among_those_that_the_model_takes(name: str, value: str) -> None:
    owner, _, field = name.partition(".")
    for struct in model_structs()[owner]:
        for one in msgspec.structs.fields(struct):
            if one.encode_name == field and value != "true":
                taken = json.dumps(msgspec.json.schema(one.type))
                assert "enum" in taken and f'"{value}"' not in taken


def test_refused_kinds_are_kinds() -> None:
    for kind in refused_kinds():
        assert kind in kubernetes_names()["kinds"]
        assert kind not in HONOURED_KINDS
        assert "is refused: " in explain_kind(kind)[0]


def test_reasons_are_sentences_that_can_be_read_after_a_colon() -> None:
    for refusal in [*FIELDS.values(), *VALUES.values(), *refused_kinds().values()]:
        for words in refusal:
            assert not words.endswith("."), words
            assert "|" not in words, "it stands in a table"


def test_a_template_has_its_own_reason() -> None:
    assert "what makes it" in refusal_of_field("TemplateMetadata", "namespace").reason
    assert "API server" in refusal_of_field("TemplateMetadata", "uid").reason


def test_marks_are_read_without_running(tmp_path: Path) -> None:
    folder = tmp_path / "tests/live"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(
        "@pytest.mark.honours('Probe.exec',\n    'Probe.httpGet')\ndef test_a(): ...\n"
        "@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.honours('A.b'))])\n"
        "def test_b(x): ...\n"
    )
    assert read_marks(folder) == [
        Mark("Probe.exec", "tests/live/test_x.py", 1, "test_a"),
        Mark("Probe.httpGet", "tests/live/test_x.py", 2, "test_a"),
        Mark("A.b", "tests/live/test_x.py", 4, "test_b"),
    ]
    (folder / "test_x.py").write_text("@pytest.mark.honours(*NAMES)\ndef test_a(): ...\n")
    with pytest.raises(ValueError, match=r"test_x\.py:1: write the fields"):
        read_marks(folder)


def test_wrong_marks_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = [Mark(name, "f", 1, "t") for name in ("Pod.spec", "Pod.specs", "Volume.nfs")]
    monkeypatch.setattr(kubernetes_types, "read_marks", lambda: marks)
    assert unknown_marks() == [
        "f:1: Pod.specs: Kubernetes has no such field (TYPE.FIELD, as its API says it)",
        "f:1: Volume.nfs: the model has no such field: it is refused, not honoured",
    ]


def test_a_field_without_a_mark_is_untested() -> None:
    rows = {row.name: row for row in field_rows([Mark("PodSpec.hostname", "f", 1, "t")])}
    assert rows["PodSpec.containers"].is_untested
    assert not rows["PodSpec.hostname"].is_untested
    assert not rows["Pod.kind"].is_untested, "a test of the kind shows it"
    assert rows["Deployment.kind"].is_untested
    assert not rows["PodSpec.priority"].is_untested, "it is refused"
    probe = {row.name: row for row in field_rows([Mark("Capabilities.add", "f", 1, "t")])}
    assert not probe["SecurityContext.capabilities"].is_untested, "nothing else leads there"
    assert probe["Container.securityContext"].is_untested, "no field of its own is shown"
    assert probe["Container.livenessProbe"].is_untested, "three fields lead to Probe"
