"""``skerry schema``: schemas that take what the loader takes and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from skerry.cli.init import starting_files
from skerry.cli.main import run_command_line
from skerry.model.schema import SCHEMAS, json_schema
from tests.unit.test_load_cloud import CLOUD, DEPLOYMENT
from tests.unit.test_load_problems import POD


def accepts(name: str, document: Any) -> bool:
    schema = json.loads(json.dumps(json_schema(name)))
    return bool(jsonschema.Draft202012Validator(schema).is_valid(document))


@pytest.mark.parametrize("name", SCHEMAS)
def test_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "origin" not in json.dumps(schema).lower()
    for definition in schema["$defs"].values():
        assert definition["additionalProperties"] is False
        assert definition["description"]


def test_default_is_cloud(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["schema"])
    assert json.loads(capsys.readouterr().out)["title"] == "Skerry: cloud"


def test_valid_documents() -> None:
    assert accepts("cloud", yaml.safe_load(CLOUD))
    assert accepts("Pod", yaml.safe_load(POD))
    assert accepts("Deployment", yaml.safe_load(DEPLOYMENT))
    files = starting_files("home", lab="demo")
    assert accepts("cloud", yaml.safe_load(files["cloud.yaml"]))
    for document in yaml.safe_load_all(files["pods/hello.yaml"]):
        assert accepts("manifest", document)


def test_invalid_documents() -> None:
    pod = yaml.safe_load(POD)
    assert not accepts("Deployment", pod)
    assert not accepts("Pod", {**pod, "status": {}})
    assert not accepts("Pod", {**pod, "metadata": {"name": "Big"}})
    assert not accepts("cloud", {"name": "x", "nodes": {"a": {"ssh": "a", "port": 0}}})
    assert not accepts("cloud", {"name": "x", "origin": {}})
    assert accepts("cloud", {"name": "x", "x-any": {}})


def test_unknown_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["schema", "Ingress"]) == 2
    assert "'manifest'" in capsys.readouterr().err
