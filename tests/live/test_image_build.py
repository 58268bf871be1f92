"""Images built by this machine's own Podman, and as a lab node's newer Podman has them then."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import ssh

from skerry.edge.run import Command, Finished, run
from skerry.images.isolation import read_isolation
from skerry.images.podman import try_inspect_id
from skerry.lab import Lab
from skerry.push.images import image_archives, resolve_images

# Names that no person's images have.
PREFIX = f"skerry-test-{os.getpid()}"
APP, LIBRARY, SMALL = f"{PREFIX}-app", f"{PREFIX}-library", f"{PREFIX}-small"


class ImageFolder:
    """A cloud folder with images, and `skerry image` run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: set[str] = set()
        self.write("cloud.yaml", "name: images\n")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """Writes a file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def skerry(self, *words: str, expect: int = 0) -> Finished:
        """`skerry --json image` in the folder."""
        command = (sys.executable, "-m", "skerry", "--json", "image", *words)
        finished = run(Command(command, cwd=str(self.folder)), check=False)
        assert finished.status == expect, f"{finished.text}\n{finished.error_text}"
        return finished

    def build(self, *words: str) -> dict[str, Any]:
        """What `image build` says of each image, by name."""
        built = json.loads(self.skerry("build", *words).stdout)["images"]
        self.ids |= {one["id"] for one in built}
        return {one["name"]: one for one in built}

    def states(self) -> dict[str, str]:
        """The column STATE of `image ls`."""
        listed = json.loads(self.skerry("ls").stdout)["images"]
        return {one["name"]: one["state"] for one in listed}

    def touch_all(self) -> None:
        """Gives every file another time and a mode of another umask."""
        for number, path in enumerate(sorted((self.folder / "images").rglob("*"))):
            os.utime(path, (1_000_000 + number, 1_000_000 + number))
            path.chmod(path.stat().st_mode & ~0o077)


@pytest.fixture
def images(tmp_path: Path) -> Iterator[ImageFolder]:
    build_busybox_image()
    made = ImageFolder(tmp_path / "cloud")
    yield made
    names = [f"localhost/{name}" for name in (APP, SMALL, LIBRARY)]
    for name in [*names, *made.ids]:
        run(Command.of("podman", "image", "rm", "--force", name), check=False)


def write_app(images: ImageFolder) -> None:
    images.write(
        f"images/{APP}/Containerfile",
        f"FROM {BUSYBOX_IMAGE}\nCOPY tool sub /opt/\nRUN /opt/tool > /made\nCMD /opt/tool\n",
    )
    images.write(f"images/{APP}/tool", "#!/bin/sh\necho made by the tool\n", 0o755)
    images.write(f"images/{APP}/sub/note", "a note\n")


@pytest.mark.claims("images-reproducible")
def test_the_same_sources_give_the_same_image(images: ImageFolder) -> None:
    write_app(images)
    first = images.build()[APP]
    images.touch_all()
    second = images.build("--fresh")[APP]
    assert (first["is_new"], second["is_new"]) == (True, True)
    assert first["id"] == second["id"]


def test_what_podman_built_before_does_not_matter(images: ImageFolder) -> None:
    write_app(images)
    first = images.build()[APP]
    # Layers of the same instructions with today's date, as a person's own build leaves them.
    images.write(f"images/{APP}/sub/note", f"a note of {PREFIX}\n")
    context = images.folder / "images" / APP
    plain = Command.of("podman", "build", "--quiet", *read_isolation(), context)
    images.ids.add(run(plain).text)
    second = images.build()[APP]
    images.ids.add(run(plain).text)
    third = images.build("--fresh")[APP]
    assert first["id"] != second["id"]
    assert second["id"] == third["id"]


def test_only_what_changed_is_built(images: ImageFolder) -> None:
    write_app(images)
    assert images.states() == {APP: "not built"}
    first = images.build()[APP]
    images.touch_all()
    again = images.build()[APP]
    assert (again["is_new"], again["id"]) == (False, first["id"])
    assert images.states() == {APP: "ready"}
    images.write(f"images/{APP}/sub/note", "another note\n")
    assert images.states() == {APP: "changed"}
    changed = images.build()[APP]
    assert changed["is_new"] and changed["id"] != first["id"]
    run(Command.of("podman", "tag", BUSYBOX_IMAGE, f"localhost/{APP}"))
    assert images.states() == {APP: "foreign"}
    assert images.build()[APP]["id"] == changed["id"]


def test_a_changed_base_is_passed_on(images: ImageFolder) -> None:
    # The name sorts before its base's.
    images.write(f"images/{LIBRARY}/image.yaml", "base: scratch\nfiles: {/lib/x: x}\n")
    images.write(f"images/{LIBRARY}/x", "one")
    images.write(f"images/{APP}/Containerfile", f"FROM localhost/{LIBRARY}\nLABEL a=b\n")
    first = images.build(APP)
    assert list(first) == [LIBRARY, APP]
    assert not any(one["is_new"] for one in images.build(APP).values())
    images.write(f"images/{LIBRARY}/x", "two")
    second = images.build(APP)
    assert all(second[name]["id"] != first[name]["id"] for name in (APP, LIBRARY))


def test_a_recipe_becomes_files_and_configuration(images: ImageFolder) -> None:
    images.write(f"images/{LIBRARY}/Containerfile", f"FROM {BUSYBOX_IMAGE}\nRUN echo x > /x\n")
    images.write(
        f"images/{SMALL}/image.yaml",
        f"base: {LIBRARY}\n"
        "files: {/opt/a b: one, /srv: pages}\n"
        'run: ["cat /opt/a* > /copied", "echo $((6*7)) \'$HOME\' >> /copied"]\n'
        "entrypoint: [/bin/sh, -c]\ncmd: ['echo \"$A\"']\n"
        "env: {A: 'x \"y\" $PATH \\ z', B: ''}\n"
        "user: '1000:1000'\nworkdir: /srv\nports: [8080]\n",
    )
    images.write(f"images/{SMALL}/one", "from a file\n", 0o600)
    images.write(f"images/{SMALL}/pages/deep/index.html", "page\n")
    images.build(SMALL)
    shown = run(Command.of("podman", "image", "inspect", f"localhost/{SMALL}"))
    inspected = json.loads(shown.stdout)[0]
    config = inspected["Config"]
    assert config["Entrypoint"] == ["/bin/sh", "-c"]
    assert config["Cmd"] == ['echo "$A"']
    assert 'A=x "y" $PATH \\ z' in config["Env"] and "B=" in config["Env"]
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/srv")
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    # Busybox, the library's layer, and one of its own.
    assert len(inspected["RootFS"]["Layers"]) == 3
    place = run(Command.of("podman", "image", "mount", inspected["Id"])).text
    try:
        root = Path(place)
        assert (root / "copied").read_text() == "from a file\n42 $HOME\n"
        assert (root / "opt/a b").stat().st_mode & 0o777 == 0o644
        assert (root / "srv/deep/index.html").read_text() == "page\n"
        assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    finally:
        run(Command.of("podman", "image", "unmount", inspected["Id"]))


def test_a_failing_build_shows_its_words(images: ImageFolder) -> None:
    images.write(
        f"images/{APP}/Containerfile", f"FROM {BUSYBOX_IMAGE}\nRUN echo no luck >&2; exit 3\n"
    )
    failed = images.skerry("build", expect=2)
    assert f"the image {APP} cannot be built" in failed.error_text
    assert "no luck" in failed.error_text
    assert images.states() == {APP: "not built"}


@pytest.mark.claims("images-by-id")
def test_a_node_has_the_same_id(images: ImageFolder, lab: Lab, tmp_path: Path) -> None:
    write_app(images)
    built = images.build()[APP]["id"]
    reference = f"localhost/{APP}"
    resolved = resolve_images([reference], {}, cache=tmp_path / "cache")
    assert resolved[reference].id == built == try_inspect_id(reference)
    busybox = build_busybox_image()
    with image_archives({built: reference, busybox: BUSYBOX_IMAGE}, cache=tmp_path) as archives:
        for image_id, outgoing in archives.items():
            sent = b"".join(outgoing.chunks())
            assert len(sent) == outgoing.size
            ssh(lab, "alpha", "zstd -dc | podman load -q", input=sent)
            ssh(lab, "alpha", f"podman image exists {image_id}")
    shown = ssh(lab, "alpha", f"podman image inspect --format {{{{.Size}}}} {built}").text
    # What the plan reserves on the node is what the image takes there.
    assert abs(int(shown) - resolved[reference].size) < 100_000
    ssh(lab, "alpha", f"podman image rm --force {built}")


def test_debian_packages_without_a_registry(images: ImageFolder) -> None:
    # The packages of examples/queue: what one test installed the other finds in the cache.
    packages = "[gearman-job-server, gearman-tools, tini]"
    images.write(f"images/{APP}/image.yaml", f"base: debian-13\npackages: {packages}\n")
    images.write(f"images/{SMALL}/image.yaml", "base: debian-13\nenv: {A: b}\n")
    built = images.build()
    shown = run(Command.of("podman", "image", "inspect", *(one["id"] for one in built.values())))
    layers = [image["RootFS"]["Layers"] for image in json.loads(shown.stdout)]
    assert layers[0][0] == layers[1][0]
    place = run(Command.of("podman", "image", "mount", built[APP]["id"])).text
    try:
        root = Path(place)
        assert (root / "usr/bin/gearman").exists()
        assert not (root / "etc/resolv.conf").exists()
        assert not list((root / "usr/share/man").glob("man*/*"))
        assert list((root / "usr/share/doc").glob("*/copyright"))
        assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    finally:
        run(Command.of("podman", "image", "unmount", built[APP]["id"]))
