"""The examples are valid as they lie here, and those that the demo repeats are the same."""

from __future__ import annotations

from filecmp import dircmp
from pathlib import Path
from shutil import copytree

import pytest

from skerry.load.cloud import load_cloud
from skerry.load.image import load_images
from tests.unit.sources import ROOT

EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())


# What a person sets in an example before it is applied: `skerry secret set`.
SECRETS = {"ledger": "redis-password"}
SECRETS_FILE = """\
recipients: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA]
key: &value |
  -----BEGIN AGE ENCRYPTED FILE-----
  YWdlLWVuY3J5cHRpb24ub3JnL3Yx
  -----END AGE ENCRYPTED FILE-----
secrets:
  NAME: {value: *value}
"""


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid_and_complete(folder: Path, tmp_path: Path) -> None:
    copy = copytree(folder, tmp_path / folder.name)
    if folder.name in SECRETS:
        text = SECRETS_FILE.replace("NAME", SECRETS[folder.name])
        (copy / "secrets.yaml").write_text(text)
    cloud = load_cloud(copy)
    assert cloud.name == folder.name
    readme = (folder / "README.md").read_text()
    assert SECRETS.get(folder.name, "") in readme
    used = {
        container.image
        for workload in cloud.workloads.values()
        for container in workload.spec.containers
    }
    built = {source.reference for source in load_images(folder).values()}
    # What an example does not build, its reader is told to pull.
    assert built <= used
    assert all(reference in readme for reference in used - built)


def test_there_are_the_examples_that_documents_name() -> None:
    assert [folder.name for folder in EXAMPLES] == [
        "demo",
        "fleet",
        "hello",
        "kubernetes-docs",
        "ledger",
        "queue",
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("demo/images/hello", "hello/images/hello"),
        ("demo/images/queue", "queue/images/queue"),
        ("fleet/images/web", "hello/images/hello"),
    ],
)
def test_repeated_images_are_the_same(ours: str, theirs: str) -> None:
    compared = dircmp(ROOT / "examples" / ours, ROOT / "examples" / theirs)
    assert not (compared.left_only or compared.right_only or compared.diff_files)
