"""Packages of Debian are taken only with a signature of Debian's."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.edge.run import Command, run


@pytest.mark.claims("packages-signed")
def test_a_mirror_without_a_known_signature_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.gpg").touch()
    # The rest as for images and the lab, but that no key of Debian's is known.
    words = ("mmdebstrap", "--simulate", "--variant=custom", f"--keyring={tmp_path}/empty.gpg")
    no_keys = f'--aptopt=Dir::Etc::TrustedParts "{tmp_path}/none"'
    ended = run(Command((*words, no_keys, "trixie", "/dev/null")), check=False, timeout=300)
    assert ended.status != 0
    assert "is not signed" in ended.error_text, ended.error_text
