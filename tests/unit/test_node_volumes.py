"""The node program and the folders that live as long as their pod."""

from __future__ import annotations

from pathlib import Path

from skerry_node.host import Host
from skerry_node.units import remove_volumes


def test_only_folders_of_volumes_are_removed(tmp_path: Path) -> None:
    volumes = tmp_path / "var/lib/skerry/volumes"
    for folder in (volumes / "gone/deep", volumes / "kept", tmp_path / "etc/x"):
        folder.mkdir(parents=True)
    (volumes / "gone/link").symlink_to(tmp_path / "etc")
    prefix = "/var/lib/skerry/volumes"
    names = [f"{prefix}/gone", "/etc/x", f"{prefix}/../../../../etc/x", f"{prefix}/never-made"]
    assert remove_volumes(Host(str(tmp_path)), names) is None
    assert [path.name for path in volumes.iterdir()] == ["kept"]
    assert (tmp_path / "etc/x").is_dir()
