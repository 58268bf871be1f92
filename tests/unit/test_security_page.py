"""docs/security.md claims nothing that no test shows; and files, tables and names in /tmp agree."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tools.docs.marks import Mark
from tools.docs.security_page import (
    SOURCE,
    TABLES,
    bare_claims,
    claims_of,
    read_claim_marks,
    render_claims,
)

from skerry.observe.executing import Execution, Target, compile_remote
from tests.file_modes import ON_OUR_SIDE, ON_THE_NODE, Written
from tests.live.written_files import Entry, faults_of, written_since
from tests.unit.sources import ROOT, python_files, shown

TEXT = SOURCE.read_text()
MARKS = read_claim_marks()


def test_every_claim_has_a_test() -> None:
    shown_by_tests = {mark.field for mark in MARKS}
    missing = [name for name in claims_of(TEXT) if name not in shown_by_tests]
    assert not missing, "mark a test with @pytest.mark.claims(...), or do not claim it"


def test_every_mark_is_of_a_claim() -> None:
    made = set(claims_of(TEXT))
    unknown = [f"{mark.file}:{mark.line}: {mark.field}" for mark in MARKS if mark.field not in made]
    assert not unknown, "tools/docs/security.md does not claim these"


def test_every_item_of_a_list_is_a_claim_and_each_is_made_once() -> None:
    assert bare_claims(TEXT) == []
    assert bare_claims("- a [[b-c]]\n- d\n  e\n- f [[g]]\n") == ["- d\n  e"]
    names = claims_of(TEXT)
    assert len(names) == len(set(names))


def test_tests_and_tables_are_filled_in() -> None:
    marks = [Mark("a-b", "tests/live/test_x.py", 1, "test_one_thing")]
    assert render_claims("- Yes. [[a-b]]\n", marks) == (
        "- Yes. ([one thing](../tests/live/test_x.py))\n"
    )
    assert set(re.findall(r"\[\[(table:[a-z-]+)\]\]", TEXT)) == set(TABLES)


def test_a_file_that_is_not_as_the_table_says_is_seen() -> None:
    table = [Written("/a/*", "600", ""), Written("/b/**", "644", "", umask=True)]
    here = "root:root"
    fine = {"/a/x": Entry("f", "600", here, "1"), "/b/y/z": Entry("f", "600", here, "1")}
    assert faults_of(fine, table, umask=0o077) == []
    assert faults_of(fine, table) == ["/b/y/z: 600 root:root, not 644 root:root"]
    assert faults_of({"/a/x/y": fine["/a/x"], **fine}, table, umask=0o077) == [
        "/a/x/y: f 600 root:root: not in the table"
    ]
    assert faults_of({"/b/y": fine["/b/y/z"]}, table, umask=0o077) == [
        "/a/*: in the table, and nowhere else"
    ]
    before = {"/a": Entry("d", "755", here, "1"), "/f": Entry("f", "644", here, "1")}
    after = {"/a": Entry("d", "755", here, "2"), "/f": Entry("f", "644", here, "2")}
    assert list(written_since(before, after)) == ["/f"]
    assert list(written_since(before, {"/a": Entry("d", "700", here, "2")})) == ["/a"]


def test_nothing_of_the_tables_is_writable_by_others_but_volumes() -> None:
    # Volumes lie below a folder that nobody else comes through.
    free = {"/var/lib/skerry/volumes/*", "/var/lib/skerry/claims/*", "/var/lib/skerry/current"}
    found = {row.path for row in (*ON_THE_NODE, *ON_OUR_SIDE) if int(row.mode, 8) & 0o022}
    assert found == free


@pytest.mark.claims("temporary-files")
def test_nothing_lies_at_a_name_in_tmp_that_can_be_known_before() -> None:
    # Each with why it is safe: a folder that is refused unless it is ours alone; a random name
    # that is made only if nothing is there; the folder /tmp itself, which an image shall have.
    safe = {
        "src/skerry/edge/paths.py",
        "src/skerry/observe/executing.py",
        "src/skerry/images/slim/presets.py",
    }
    files = [path for path in python_files("src", "tools") if "/lab/" not in str(path)]
    files += [path for path in (ROOT / "tools").iterdir() if path.is_file() and not path.suffix]
    found = {shown(path) for path in files if re.search(r"/tmp\b[/'\"]", path.read_text())}
    assert found == safe


@pytest.mark.claims("temporary-files")
@pytest.mark.parametrize("plant", ["link", "file"])
def test_a_link_at_the_name_of_a_mark_is_not_followed(tmp_path: Path, plant: str) -> None:
    token = f"test-{os.getpid()}-{plant}"
    mark, victim = Path(f"/tmp/.skerry-exec-{token}"), tmp_path / "victim"
    victim.write_text("theirs")
    target = Target(node="a", workload="w", replica=0, container="c", unit="u.service")
    remote = compile_remote(target, Execution(words=("true",)), token)
    (tmp_path / "bin").mkdir()
    for name in ("podman", "sudo"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\nexit 255\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    try:
        if plant == "link":
            mark.symlink_to(victim)
        else:
            mark.write_text("theirs")
        ended = subprocess.run(("sh", "-c", remote), env=environment, check=False)
        assert ended.returncode == 255
        assert victim.read_text() == "theirs"
        assert mark.read_text() == "theirs"
        mark.unlink()
        subprocess.run(("sh", "-c", remote), env=environment, check=False)
        assert mark.read_text() == "" and mark.stat().st_mode & 0o777 == 0o600
    finally:
        mark.unlink(missing_ok=True)


@pytest.mark.claims("packages-signed")
def test_nothing_turns_the_signatures_of_packages_off() -> None:
    words = re.compile(
        r"trusted=yes|Trusted:\s*yes|[Uu]nauthenticated|AllowInsecure|Verify-Peer|nogpgcheck|"
        r"gpgcheck=0|no-check-gpg|--force-yes|--insecure|tls-verify=false|--allow-downgrade"
    )
    files = [*python_files("src", "tools", "bench"), ROOT / "Makefile"]
    files += [path for path in (ROOT / "tools").iterdir() if path.is_file() and not path.suffix]
    assert [shown(path) for path in files if words.search(path.read_text())] == []
