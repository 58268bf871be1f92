"""Which image a reference means: Podman's answer, kept until its store changes, else the lock."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

import pytest
import zstandard

from skerry.compile.lock import ResolvedImage
from skerry.errors import CommandFailed, CommandMissing, ImageFailed
from skerry.push.images import image_archives, resolve_images

# The edge of the program: a Podman whose store is a JSON file, and that notes its calls.
PODMAN = """\
#!/usr/bin/python3
import json, sys
root = {root!r}
words = sys.argv[1:]
open(root + "/calls", "a").write(" ".join(words) + "\\n")
store = json.load(open(root + "/store/overlay-images/images.json"))
if store == "broken":
    sys.exit("cannot open the store")
if words[0] == "info":
    print(root + "/store")
elif words[:2] == ["image", "inspect"]:
    names = words[words.index("--") + 1:]
    found = [store[name] for name in names if name in store]
    print(json.dumps(found))
    sys.exit(0 if len(found) == len(names) else 125)
elif words[:2] == ["image", "exists"]:
    sys.exit(0 if words[2] in store else 1)
elif words[0] == "save":
    if words[-1] not in [image["Id"] for image in store.values()]:
        sys.exit(words[-1] + ": image not known")
    sys.stdout.write("archive of " + words[-1] + "\\n" + "x" * 3000000)
"""
WEB, DATABASE = "a" * 64, "b" * 64


class Store:
    """A Podman on the PATH with images by reference."""

    def __init__(self, root: Path) -> None:
        self.root = root
        program = root / "bin/podman"
        program.parent.mkdir()
        program.write_text(PODMAN.format(root=str(root)))
        program.chmod(0o755)
        (root / "store/overlay-images").mkdir(parents=True)
        self.write({"localhost/web": WEB})

    def write(self, images: dict[str, str]) -> None:
        """Changes the store as Podman does: the file is replaced."""
        shown = {
            name: {"Id": image_id, "Size": 1000, "Architecture": "amd64", "User": "web"}
            for name, image_id in images.items()
        }
        self.write_text(json.dumps(shown))

    def write_text(self, text: str) -> None:
        """Replaces the store's file."""
        path = self.root / "store/overlay-images/images.json"
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    def calls(self) -> list[str]:
        """The calls since the last question."""
        path = self.root / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return calls


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    root = tmp_path / "podman"
    root.mkdir()
    made = Store(root)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    return made


def resolved(image_id: str, size: int = 1000) -> ResolvedImage:
    return ResolvedImage(id=image_id, size=size, user="web")


def test_the_second_question_starts_no_podman(store: Store, tmp_path: Path) -> None:
    expected = {"localhost/web": resolved(WEB)}
    assert resolve_images(["localhost/web"], {}, cache=tmp_path / "c") == expected
    assert store.calls()
    assert resolve_images(["localhost/web"], {}, cache=tmp_path / "c") == expected
    assert store.calls() == []


def test_a_changed_store_is_asked_again(store: Store, tmp_path: Path) -> None:
    resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
    store.write({"localhost/web": DATABASE})
    found = resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
    assert found == {"localhost/web": resolved(DATABASE)}


def test_a_new_reference_is_asked_for(store: Store, tmp_path: Path) -> None:
    store.write({"localhost/web": WEB, "localhost/db": DATABASE})
    resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
    found = resolve_images(["localhost/web", "localhost/db"], {}, cache=tmp_path / "c")
    assert found == {"localhost/db": resolved(DATABASE), "localhost/web": resolved(WEB)}


def test_what_short_names_mean_may_change_too(store: Store, tmp_path: Path) -> None:
    resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
    store.calls()
    settings = tmp_path / ".config/containers/registries.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("")
    resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
    assert store.calls()


def test_a_missing_image_is_taken_from_the_lock_without_asking_twice(
    store: Store, tmp_path: Path
) -> None:
    locked = {"localhost/db": resolved(DATABASE, 7), "localhost/unused": resolved(WEB)}
    wanted = ["localhost/db", "localhost/web", "localhost/none"]
    expected = {"localhost/db": resolved(DATABASE, 7), "localhost/web": resolved(WEB)}
    assert resolve_images(wanted, locked, cache=tmp_path / "c") == expected
    store.calls()
    assert resolve_images(wanted, locked, cache=tmp_path / "c") == expected
    assert store.calls() == []


def test_the_own_store_comes_before_the_lock(store: Store, tmp_path: Path) -> None:
    found = resolve_images(
        ["localhost/web"], {"localhost/web": resolved(DATABASE)}, cache=tmp_path / "c"
    )
    assert found["localhost/web"].id == WEB


def test_without_podman_the_lock_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    locked = {"localhost/web": resolved(WEB)}
    assert resolve_images(["localhost/web"], locked, cache=tmp_path / "c") == locked
    with pytest.raises(CommandMissing, match="'podman' is not installed"):
        resolve_images(["localhost/web", "localhost/db"], locked, cache=tmp_path / "c")
    assert resolve_images([], {}, cache=tmp_path / "c") == {}


def test_a_broken_store_is_not_an_empty_one(store: Store, tmp_path: Path) -> None:
    store.write_text('"broken"')
    with pytest.raises(CommandFailed, match="exit status 1: podman info"):
        resolve_images(["localhost/web"], {}, cache=tmp_path / "c")


def test_images_of_another_machine_are_asked_for_each_time(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_HOST", "ssh://elsewhere")
    for _ in range(2):
        resolve_images(["localhost/web"], {}, cache=tmp_path / "c")
        assert store.calls()


def test_a_bad_or_unwritable_cache_costs_time_only(store: Store, tmp_path: Path) -> None:
    cache = tmp_path / "c"
    cache.mkdir()
    (cache / "images.json").write_text("{]")
    assert resolve_images(["localhost/web"], {}, cache=cache) == {"localhost/web": resolved(WEB)}
    (tmp_path / "file").write_text("")
    found = resolve_images(["localhost/web"], {}, cache=tmp_path / "file/cache")
    assert found == {"localhost/web": resolved(WEB)}


def test_archives_are_whole_for_every_reader(store: Store, tmp_path: Path) -> None:
    read: list[bytes] = []
    with image_archives({WEB: "localhost/web"}, cache=tmp_path / "c") as archives:
        outgoing = archives[WEB]
        assert (outgoing.kind, outgoing.name) == ("image", WEB)
        readers = [Thread(target=lambda: read.append(b"".join(outgoing.chunks()))) for _ in "ab"]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        # Nothing with a name: a killed run leaves nothing behind.
        assert list((tmp_path / "c").iterdir()) == []
    assert len(read) == 2
    assert all(len(each) == outgoing.size for each in read)
    unpacked = zstandard.ZstdDecompressor().stream_reader(read[0]).read()
    assert unpacked == f"archive of {WEB}\n".encode() + b"x" * 3000000
    assert len([call for call in store.calls() if call.startswith("save")]) == 1


def test_an_image_that_cannot_be_saved_stops_before_any_node(store: Store, tmp_path: Path) -> None:
    with (
        pytest.raises(ImageFailed) as caught,
        image_archives({WEB: "localhost/web", DATABASE: "localhost/db"}, cache=tmp_path / "c"),
    ):
        pytest.fail("must not be reached")
    assert caught.value.message == f"Podman cannot save the image localhost/db ({'b' * 12})"
    assert caught.value.detail == f"{DATABASE}: image not known"
    assert "skerry image build" in caught.value.hint


def test_no_image_needs_no_podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with image_archives({}, cache=tmp_path / "c") as archives:
        assert archives == {}
    assert not (tmp_path / "c").exists()
