"""plan and apply ask the nodes before they have loaded themselves: the same answers, asked once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE

# Notes each start, and becomes the real one.
SSH = '#!/bin/sh\necho "$PPID" >>"$SKERRY_TEST_STARTS"\nexec {real} "$@"\n'


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that gets a line for each start of ssh."""
    real = shutil.which("ssh")
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(SSH.format(real=real))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SKERRY_TEST_STARTS", str(tmp_path / "starts"))
    return tmp_path / "starts"


def count(starts: Path) -> int:
    """How often ssh was started since this was last asked."""
    number = len(starts.read_text().splitlines()) if starts.exists() else 0
    starts.unlink(missing_ok=True)
    return number


def without_time(text: str) -> str:
    """The last line of an apply without its seconds."""
    return text.partition(" in ")[0]


def test_what_is_remembered_asks_each_node_once(cloud: LiveCloud, starts: Path) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes")
    asked = cloud.folder / ".skerry/asked.json"
    nodes = len(cloud.addresses)
    # Whatever the first ones had to think through, these have it all.
    cloud.skerry("plan")
    before, text = asked.read_bytes(), cloud.skerry("plan").text
    count(starts)
    assert cloud.skerry("plan").text == text == "nothing to change on 3 nodes"
    assert count(starts) == nodes
    again = cloud.skerry("apply", "--yes").text
    assert without_time(again) == text
    assert count(starts) == nodes
    assert asked.read_bytes() == before
    # Without what is remembered it is the same.
    asked.unlink()
    assert cloud.skerry("plan").text == text
    assert count(starts) == nodes
    assert asked.read_bytes() == before


def test_an_edited_folder_is_asked_about_as_it_is_now(cloud: LiveCloud, starts: Path) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes")
    for _ in range(2):
        cloud.skerry("plan")
    count(starts)
    path = next((cloud.folder / "pods").glob("web.yaml"))
    path.write_text(path.read_text().replace("hello", "goodbye"))
    planned = cloud.skerry("plan").text.replace(" ", "")
    assert "-hello" in planned and "+goodbye" in planned
    path.write_text(path.read_text().replace("goodbye", "hello"))
    assert cloud.skerry("plan").text == "nothing to change on 3 nodes"


def test_a_folder_that_became_invalid_is_told_as_ever(cloud: LiveCloud, starts: Path) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.skerry("plan")
    path = next((cloud.folder / "pods").glob("web.yaml"))
    good = path.read_text()
    path.write_text(good + "notAField: true\n")
    failed = cloud.skerry("plan", expect=2)
    asked = cloud.folder / ".skerry/asked.json"
    asked.unlink()
    anew = cloud.skerry("plan", expect=2)
    path.write_text(good)
    assert failed.error_text == anew.error_text
    assert "notAField" in failed.error_text
