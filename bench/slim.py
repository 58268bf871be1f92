"""How small images become: beside the image they were made of, and the closure of its packages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.live.test_image_slim_cases import CASES, Case, fetch_wheels, size_of

from bench.figures import Figure
from bench.lab import skerry
from bench.measure import measure
from bench.stage import Stage, say
from skerry.edge.run import Command, run
from skerry.images.slim.slimming import open_source

# What the tool that Skerry's minifier follows came to, in MB.
GOALS = {"bash": 7.5, "gearmand": 24.6}
BASH = Case(
    recipe="""\
base: debian-13
packages: [bash]
slim:
  exercises:
    - commands:
        - [bash, -c, "cd /etc; for i in 1 2; do echo $i; done; echo x | while read y; do :; done"]
""",
    most=7.5,
)
# deb-control(5): alternatives are separated by bars, versions are in brackets.
_NAME = re.compile(r"\s*([a-z0-9][-a-z0-9+.]+)")


def bench_slim(stage: Stage) -> list[Figure]:
    """Sizes in MB, unpacked; each image works as its exercise says, or it is not there."""
    folder = stage.work / "slim"
    folder.mkdir()
    (folder / "cloud.yaml").write_text("name: slim\n")
    figures = []
    for word, case in {"bash": BASH, **CASES}.items():
        name = f"skerry-bench-{word}"
        write_case(folder / "images" / name, case)
        try:
            measure(skerry("image", "build", name, folder=folder))
            whole, slim = (size_of(f"localhost/{name}:{tag}") for tag in ("whole", "latest"))
            closure = closure_of(f"localhost/{name}:whole", packages_of(case.recipe))
        finally:
            shutil.rmtree(folder / "images" / name)
            forget(name)
        say(f"{word}: {whole / 1e6:.0f} MB, packages {closure / 1e6:.0f}, slim {slim / 1e6:.1f}")
        figures.append(
            Figure(
                name=f"{word}, slim",
                unit="MB",
                ours=slim / 1e6,
                peers={"image": whole / 1e6, "packages": closure / 1e6},
            )
        )
        if word in GOALS:
            figures.append(
                Figure(name=f"  {word}, in all", unit="MB", ours=slim / 1e6, goal=GOALS[word])
            )
    return figures


def write_case(folder: Path, case: Case) -> None:
    """The image's folder."""
    for path, text in {**case.files, "image.yaml": case.recipe}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    if "wheels" in case.recipe:
        fetch_wheels(folder / "wheels")


def packages_of(recipe: str) -> list[str]:
    """The Debian packages that a recipe names."""
    found = re.search(r"^packages: \[(.*)\]$", recipe, re.MULTILINE)
    return [word.strip() for word in found[1].split(",")] if found else []


def closure_of(reference: str, names: list[str]) -> int:
    """What packages and all that they depend on take when they are installed, in bytes."""
    with open_source(reference) as source:
        status = (source.folder / "var/lib/dpkg/status").read_text(errors="replace")
    return sum_closure(status, names)


def sum_closure(status: str, names: list[str]) -> int:
    """The same, by the text of dpkg's status file (deb-control(5): ``Installed-Size`` in KiB)."""
    sizes: dict[str, int] = {}
    needs: dict[str, list[str]] = {}
    provided: dict[str, str] = {}
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line[:40])
        name = fields.get("Package", "")
        sizes[name] = 1024 * int(fields.get("Installed-Size", "0"))
        words = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}"
        needs[name] = [found[1] for one in words.split(",") if (found := _NAME.match(one))]
        for one in fields.get("Provides", "").split(","):
            if found := _NAME.match(one):
                provided.setdefault(found[1], name)
    waiting, closure = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        real = name if name in sizes else provided.get(name, "")
        if real and real not in closure:
            closure.add(real)
            waiting += needs[real]
    return sum(sizes[name] for name in closure)


def forget(name: str) -> None:
    """Removes the images that were made."""
    tags = [f"localhost/{name}:{tag}" for tag in ("whole", "latest")]
    run(Command.of("podman", "image", "rm", "--ignore", "--force", *tags))
