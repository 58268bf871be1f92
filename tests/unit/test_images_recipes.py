"""Recipes of images: what is refused and how, what builds on what, what Podman gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.errors import CloudInvalid, ImageFailed, UsageError
from skerry.images.build import plan_order
from skerry.images.containerfile import parse_bases, parse_local_name, render_containerfile
from skerry.images.isolation import isolation_options
from skerry.load.image import load_images
from skerry.model.image import ImageFile, ImageSource


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(CloudInvalid) as caught:
        load_images(folder)
    return [str(problem) for problem in caught.value.problems]


def test_images_are_read_with_all_fields(tmp_path: Path) -> None:
    text = """\
base: debian-13
packages: [nginx-light, libstdc++6]
files: {/etc/nginx/nginx.conf: nginx.conf, /srv/www: pages}
run: ["adduser --system web"]
entrypoint: [nginx]
cmd: [-g, "daemon off;"]
env: {LANG: C.UTF-8}
user: www-data:www-data
workdir: /srv
ports: [8080, 8443]
"""
    write(tmp_path, {"web/image.yaml": text, "web/nginx.conf": "", "web/pages/index.html": ""})
    write(tmp_path, {"tool/Containerfile": "FROM scratch\n"})
    found = load_images(tmp_path)
    assert list(found) == ["tool", "web"]
    assert found["tool"].file is None
    file = found["web"].file
    assert file is not None
    assert file.packages == ("nginx-light", "libstdc++6")
    assert file.files == {"/etc/nginx/nginx.conf": "nginx.conf", "/srv/www": "pages"}
    assert (file.user, file.ports) == ("www-data:www-data", (8080, 8443))
    assert found["web"].reference == "localhost/web"


@pytest.mark.parametrize(("words", "wanted"), [("120", 120.0), ("0.5", 0.5), ("3600", 3600.0)])
def test_seconds_of_an_exercise(tmp_path: Path, words: str, wanted: float) -> None:
    text = f"base: scratch\ncmd: [/a]\nslim: {{exercises: [{{within: {words}}}]}}\n"
    file = load_images(write(tmp_path, {"a/image.yaml": text}))["a"].file
    assert file is not None and file.slim is not None
    assert file.slim.exercises[0].within == wanted


def test_what_is_wrong_with_an_exercise_is_said(tmp_path: Path) -> None:
    text = "base: scratch\nslim: {presets: [all], keep: [x], exercises: [{within: 0, stop: 9}]}\n"
    found = "\n".join(problems(write(tmp_path, {"a/image.yaml": text})))
    for words in (
        "seconds, from 0.1 to 3600",
        "slim.presets[0]",
        "slim.keep[0]",
        "exercises[0].stop",
    ):
        assert words in found


def test_a_folder_without_images_has_none(tmp_path: Path) -> None:
    assert load_images(tmp_path) == {}


def test_all_problems_are_told_with_their_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a/image.yaml": "base: debain-13\npackages: [Nginx]\nfile: {}\n",
            "b/image.yaml": "base: a\npackages: [nginx]\n",
            "c/image.yaml": "base: scratch\nrun: [ls]\nfiles:\n  /x: ../b/image.yaml\n  /y: none\n",
            "d/image.yaml": "packages: []\n",
            "e/note": "",
            "f/image.yaml": "base: scratch\n",
            "f/Containerfile": "FROM scratch\n",
            "Bad Name/Containerfile": "FROM scratch\n",
            "debian-13/Containerfile": "FROM scratch\n",
            "g/image.yaml": "base: g\nenv: {A: \"1\\n2\"}\n",
        },
    )  # fmt: skip
    name_hint = "(use lower-case letters and digits, with '.', '_' or '-' between them)"
    recipe_hint = "(one of Containerfile and image.yaml says how the image is made)"
    assert problems(tmp_path) == [
        f"images/Bad Name: the folder's name cannot name an image {name_hint}",
        "images/a/image.yaml:1:7: base: there is no image 'debain-13' in images/ "
        "(did you mean 'debian-13'?)",
        "images/a/image.yaml:2:12: packages[0]: must be the name of a Debian package: "
        "lower-case letters, digits, '-', '+' and '.', not \"Nginx\"",
        "images/a/image.yaml:3:1: no field `file` here (did you mean `files`?)",
        "images/b/image.yaml:2:11: packages: Debian packages need `base: debian-13` "
        "(install them in the base image, or copy files)",
        "images/c/image.yaml:2:6: run: an image from scratch has no shell that could run it",
        "images/c/image.yaml:4:7: files./x: '../b/image.yaml' leads out of the image's folder "
        "(paths are relative to images/c)",
        "images/c/image.yaml:5:7: files./y: 'none' is not there (paths are relative to images/c)",
        "images/d/image.yaml:1:1: the field `base` must be given",
        f"images/debian-13: the folder's name means something else {name_hint}",
        f"images/e: says no recipe {recipe_hint}",
        f"images/f: has both Containerfile and image.yaml {recipe_hint}",
        "images/g/image.yaml:1:7: base: an image cannot be its own base",
        'images/g/image.yaml:2:10: env.A: must be text on one line, not "1\\n2"',
    ]


@pytest.mark.parametrize(
    ("text", "bases"),
    [
        ("FROM localhost/base\n", ["localhost/base"]),
        ("# FROM x\n  from --platform=linux/amd64 a:1 AS build\nFROM build\n", ["a:1"]),
        ("FROM scratch\nCOPY --from=localhost/tools /a /b\n", ["localhost/tools"]),
        ("FROM a AS one\nFROM b\nCOPY --chown=1 --from=one /a /b\nADD --from=0 a b\n", list("ab")),
        ("ARG V=1\nFROM base:$V\n", []),
        ("FROM \\\n  a\nFROM a\n", ["a"]),
        ("FROM a\nRUN echo \\\n  FROM b\n", ["a"]),
    ],
)  # fmt: skip
def test_bases_of_a_containerfile(text: str, bases: list[str]) -> None:
    assert parse_bases(text) == bases


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("localhost/web", "web"),
        ("localhost/web:latest", "web"),
        ("localhost/web:1", None),
        ("web", None),
        ("example.org/localhost/web", None),
    ],
)
def test_names_of_the_folder(reference: str, name: str | None) -> None:
    assert parse_local_name(reference) == name


def test_a_recipe_becomes_a_containerfile() -> None:
    file = ImageFile(
        base="debian-13",
        run=('echo "a b" && ls', "line one\nline two"),
        env={"A": 'quote " dollar $HOME back\\slash'},
        workdir="/srv/$x",
        user="web",
        ports=(80,),
        entrypoint=("a", 'b "c"'),
        cmd=("d",),
    )
    rendered = render_containerfile(file, "localhost/base", [("file-0", "/a b$c"), ("f/", "/d/")])
    assert rendered == (
        "FROM localhost/base\n"
        'COPY ["file-0", "/a b\\\\$c"]\n'
        'COPY ["f/", "/d/"]\n'
        'RUN ["/bin/sh", "-ec", "echo \\"a b\\" && ls"]\n'
        'RUN ["/bin/sh", "-ec", "line one\\nline two"]\n'
        'ENV A="quote \\" dollar \\$HOME back\\\\slash"\n'
        "EXPOSE 80\n"
        "WORKDIR /srv/\\$x\n"
        "USER web\n"
        'ENTRYPOINT ["a", "b \\"c\\""]\n'
        'CMD ["d"]\n'
    )


def sources(tmp_path: Path, **bases: str) -> dict[str, ImageSource]:
    return {
        name: ImageSource(name=name, folder=str(tmp_path), file=ImageFile(base=base))
        for name, base in sorted(bases.items())
    }


def test_bases_come_first_and_only_what_is_needed(tmp_path: Path) -> None:
    known = sources(tmp_path, app="lib", lib="os", os="debian-13", other="scratch")
    assert plan_order(known, ["app"]) == ["os", "lib", "app"]
    order = plan_order(known, [])
    assert sorted(order) == ["app", "lib", "os", "other"]
    assert order.index("os") < order.index("lib") < order.index("app")
    assert plan_order({}, []) == []


def test_a_containerfile_orders_too(tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM localhost/zebra:latest\n")
    known = sources(tmp_path, zebra="scratch")
    known["app"] = ImageSource(name="app", folder=str(tmp_path))
    assert plan_order(known, []) == ["zebra", "app"]


def test_wrong_orders_are_told(tmp_path: Path) -> None:
    known = sources(tmp_path, a="b", b="c", c="a", web="scratch")
    with pytest.raises(ImageFailed, match=r"based on each other: \w -> \w -> \w -> \w"):
        plan_order(known, [])
    with pytest.raises(UsageError, match="no image 'wep'") as caught:
        plan_order(known, ["wep"])
    assert caught.value.hint == "did you mean 'web'?"


ALL, WITHOUT_RESOURCE = "CapEff:\t000001ffffffffff\n", "Name:\tx\nCapEff:\t000001fffeffffff\n"


@pytest.mark.parametrize(
    ("status", "user", "chosen", "options"),
    [
        (ALL, 0, None, ()),
        (WITHOUT_RESOURCE, 0, None, ("--isolation", "chroot")),
        (WITHOUT_RESOURCE, 0, "oci", ()),
        (WITHOUT_RESOURCE, 1000, None, ()),
        ("", 0, None, ()),
    ],
)
def test_isolation(status: str, user: int, chosen: str | None, options: tuple[str, ...]) -> None:
    assert isolation_options(status, user=user, chosen=chosen) == options
