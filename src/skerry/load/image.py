"""The folder ``images/`` to the model: what each image is made of."""

from __future__ import annotations

import re
from pathlib import Path

from skerry.errors import CloudInvalid, Problem
from skerry.load.decode import decode
from skerry.load.document import parse_documents, place_of, read_text
from skerry.load.manifest import path_fault
from skerry.load.reading import Reading
from skerry.model.image import DEBIAN, IMAGE_NAME_PATTERN, SCRATCH, ImageFile, ImageSource

FOLDER = "images"
CONTAINERFILE = "Containerfile"
IMAGE_FILE = "image.yaml"


def load_images(folder: Path) -> dict[str, ImageSource]:
    """The images of a cloud folder by name, sorted.

    Raises CloudInvalid with the problems of all of them.
    """
    problems: list[Problem] = []
    sources: dict[str, ImageSource] = {}
    root = folder / FOLDER
    found = sorted(root.iterdir()) if root.is_dir() else []
    for path in found:
        if path.is_dir() and not path.name.startswith("."):
            source = _load_one(folder, path, problems)
            if source is not None:
                sources[path.name] = source
    names = {path.name for path in found if path.is_dir()}
    for source in sources.values():
        if source.file is not None:
            _check_base(source.file, source.name, names, problems)
            _check_files(source, source.file, problems)
    if problems:
        raise CloudInvalid(sorted(problems, key=lambda one: (one.file, one.line, one.column)))
    return sources


def _load_one(folder: Path, path: Path, problems: list[Problem]) -> ImageSource | None:
    shown = f"{FOLDER}/{path.name}"
    absolute = str(path.absolute())
    if not re.fullmatch(IMAGE_NAME_PATTERN, path.name) or path.name in (DEBIAN, SCRATCH):
        what = "means something else" if path.name in (DEBIAN, SCRATCH) else "cannot name an image"
        hint = "use lower-case letters and digits, with '.', '_' or '-' between them"
        problems.append(Problem(shown, 0, 0, f"the folder's name {what}", hint=hint))
        return None
    if fault := path_fault(folder, shown):
        problems.append(Problem(shown, 0, 0, fault))
        return None
    has_recipe, has_containerfile = (path / IMAGE_FILE).exists(), (path / CONTAINERFILE).exists()
    if has_recipe == has_containerfile:
        fault = f"has both {CONTAINERFILE} and {IMAGE_FILE}" if has_recipe else "says no recipe"
        hint = f"one of {CONTAINERFILE} and {IMAGE_FILE} says how the image is made"
        problems.append(Problem(shown, 0, 0, fault, hint=hint))
        return None
    if has_containerfile:
        return ImageSource(name=path.name, folder=absolute)
    file = _decode_file(path / IMAGE_FILE, f"{shown}/{IMAGE_FILE}", problems)
    return ImageSource(name=path.name, folder=absolute, file=file) if file is not None else None


def _decode_file(path: Path, shown: str, problems: list[Problem]) -> ImageFile | None:
    before = len(problems)
    text = read_text(path, shown, problems)
    roots = parse_documents(text, shown, problems) if text is not None else []
    if len(problems) > before:
        return None
    if not roots:
        problems.append(Problem(shown, 1, 1, "is empty: the field `base` must be given"))
        return None
    for root in roots[1:]:
        line, column = place_of(root)
        problems.append(Problem(shown, line, column, "there is more than one document (---)"))
    return decode(roots[0], ImageFile, Reading(shown, problems))


def _check_base(file: ImageFile, name: str, names: set[str], problems: list[Problem]) -> None:
    origin = file.origin
    if file.base not in (DEBIAN, SCRATCH):
        if file.base == name:
            problems.append(origin.of("base").problem("base: an image cannot be its own base"))
        elif file.base not in names:
            from difflib import get_close_matches

            near = get_close_matches(file.base, [DEBIAN, SCRATCH, *sorted(names - {name})], 1)
            problems.append(
                origin.of("base").problem(
                    f"base: there is no image {file.base!r} in {FOLDER}/",
                    hint=f"did you mean {near[0]!r}?" if near else f"{DEBIAN} or {SCRATCH}?",
                )
            )
    if file.packages and file.base != DEBIAN:
        problems.append(
            origin.of("packages").problem(
                f"packages: Debian packages need `base: {DEBIAN}`",
                hint="install them in the base image, or copy files",
            )
        )
    if file.run and file.base == SCRATCH:
        problems.append(
            origin.of("run").problem("run: an image from scratch has no shell that could run it")
        )


def _check_files(source: ImageSource, file: ImageFile, problems: list[Problem]) -> None:
    shown = f"{FOLDER}/{source.name}"
    for target, name in file.files.items():
        if fault := _file_fault(Path(source.folder), name):
            problems.append(
                file.origin.of(f"files[{target}]").problem(
                    f"files.{target}: {name!r} {fault}",
                    hint=f"paths are relative to {shown}",
                )
            )


def _file_fault(folder: Path, name: str) -> str:
    """Why `name` is nothing that can be copied out of the image's folder, or ""."""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            return "leads out of the image's folder"
        return "" if path.exists() else "is not there"
    except (OSError, ValueError):
        return "is not a path"
