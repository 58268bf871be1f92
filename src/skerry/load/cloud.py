"""The cloud folder to the frozen model, or all of its problems at once."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from skerry.errors import CloudInvalid, Problem, UsageError
from skerry.load.checks.scheduling import check_taints
from skerry.load.claims import check_claim_users, template_claims
from skerry.load.decode import decode
from skerry.load.document import (
    QUOTED,
    MappingNode,
    ScalarNode,
    parse_documents,
    place_of,
    read_text,
)
from skerry.load.folder import CLOUD_FILE
from skerry.load.manifest import Manifests, list_manifest_files, path_fault
from skerry.load.reading import Reading
from skerry.load.references import check_references
from skerry.load.resolve import KnownNodes, resolve_workloads
from skerry.load.secret_references import check_secret_references
from skerry.load.secrets_file import load_secrets_file
from skerry.load.services import check_services
from skerry.model.cloud import Cloud, CloudFile, Node


def find_cloud_folder(start: Path) -> Path:
    """The cloud folder, absolute: `start` itself, or for ``.`` its nearest parent that is one.

    Raises UsageError where there is no ``cloud.yaml``.
    """
    absolute = start.absolute()
    candidates = [absolute, *absolute.parents] if start == Path() else [absolute]
    for folder in candidates:
        if (folder / CLOUD_FILE).exists():
            return folder
    if start == Path():
        raise UsageError(
            f"there is no {CLOUD_FILE} in {absolute} and none in the folders above it",
            hint="skerry init DIR makes a cloud folder; -C DIR names one",
        )
    what = "there is no cloud.yaml in" if absolute.is_dir() else "there is no folder"
    raise UsageError(f"{what} {absolute}", hint=f"skerry init {start} makes a cloud folder there")


def load_cloud(folder: Path) -> Cloud:
    """Reads the whole cloud folder: cloud.yaml, the inventory if any, and all manifests.

    Raises CloudInvalid with every problem of every file, sorted by place.
    """
    problems: list[Problem] = []
    file, known = _read_cloud_file(folder, problems)
    manifests = Manifests(folder, problems)
    for path in list_manifest_files(folder):
        if fault := path_fault(folder, path):
            problems.append(Problem(path, 0, 0, fault))
        else:
            manifests.read(path)
    workloads = {}
    if file is not None:
        workloads = resolve_workloads(file, folder, known, manifests)
    check_references(manifests)
    if file is not None:
        check_services(manifests, workloads.values())
    claims = {**template_claims(workloads.values(), manifests), **manifests.claims}
    problems += check_claim_users(workloads.values(), claims)
    known_problems = len(problems)
    secrets_file = load_secrets_file(folder, problems)
    if len(problems) == known_problems:
        problems += check_secret_references(manifests, secrets_file)
    _raise_if_any(problems)
    assert file is not None
    return Cloud(
        name=file.name,
        nodes=known.nodes,
        workloads=workloads,
        config_maps=manifests.config_maps,
        secrets=manifests.secrets,
        claims=claims,
        services=manifests.services,
        secrets_file=secrets_file,
        ssh_config=_absolute(folder, file.ssh_config),
        files=tuple(sorted(manifests.workloads)),
        inventory=_absolute(folder, file.inventory),
    )


def load_nodes(folder: Path) -> Cloud:
    """The cloud with its nodes only, for commands that manage nodes.

    What `run:` and the manifests say is not looked at, so that a node can be added to a folder
    whose placements already name it. Raises CloudInvalid.
    """
    problems: list[Problem] = []
    file, known = _read_cloud_file(folder, problems, wants_run=False)
    _raise_if_any(problems)
    assert file is not None
    return Cloud(
        name=file.name,
        nodes=known.nodes,
        workloads={},
        config_maps={},
        ssh_config=_absolute(folder, file.ssh_config),
    )


def _raise_if_any(problems: list[Problem]) -> None:
    if problems:
        unique = {str(problem): problem for problem in problems}.values()
        raise CloudInvalid(
            sorted(unique, key=lambda one: (one.file, one.line, one.column, one.message))
        )


def _read_cloud_file(
    folder: Path, problems: list[Problem], *, wants_run: bool = True
) -> tuple[CloudFile | None, KnownNodes]:
    """cloud.yaml, or None where it cannot be read, and the cloud's nodes."""
    file, reading = _decode_cloud_file(folder, problems, wants_run=wants_run)
    if file is None:
        return None, KnownNodes({}, set(), may_be_more=True)
    nodes = {name: _with_paths(folder, node) for name, node in file.nodes.items()}
    for name, node in nodes.items():
        _check_target(name, node, problems)
        problems += check_taints(node)
    before = len(problems)
    if file.inventory is not None:
        _add_inventory(folder, file.inventory, nodes, problems)
    may_be_more = len(problems) > before or bool(reading.broken & {"nodes", "inventory"})
    broken = {way.removeprefix("nodes.") for way in reading.broken if way.startswith("nodes.")}
    return file, KnownNodes(nodes, broken - set(nodes), may_be_more=may_be_more)


def _decode_cloud_file(
    folder: Path, problems: list[Problem], *, wants_run: bool
) -> tuple[CloudFile | None, Reading]:
    reading = Reading(CLOUD_FILE, problems)
    before = len(problems)
    text = read_text(folder / CLOUD_FILE, CLOUD_FILE, problems)
    roots = parse_documents(text, CLOUD_FILE, problems) if text is not None else []
    if len(problems) > before:
        return None, reading
    if not roots:
        problems.append(Problem(CLOUD_FILE, 1, 1, "is empty: the field `name` must be given"))
        return None, reading
    for root in roots[1:]:
        line, column = place_of(root)
        problems.append(Problem(CLOUD_FILE, line, column, "there is more than one document (---)"))
    if not wants_run and isinstance(roots[0], MappingNode):
        roots[0].value = [pair for pair in roots[0].value if pair[0].value != "run"]
    file = decode(roots[0], CloudFile, reading)
    if file is None and isinstance(roots[0], MappingNode):
        # A bad name of the cloud should not hide what is wrong with its nodes and placements.
        named = [pair for pair in roots[0].value if pair[0].value != "name"]
        marks = roots[0].start_mark, roots[0].end_mark
        named.append((ScalarNode(QUOTED, "name", *marks), ScalarNode(QUOTED, "cloud", *marks)))
        roots[0].value = named
        reading = Reading(CLOUD_FILE, [])
        file = decode(roots[0], CloudFile, reading)
    return file, reading


def _add_inventory(
    folder: Path, inventory: str, nodes: dict[str, Node], problems: list[Problem]
) -> None:
    """Adds the inventory's hosts to `nodes`."""
    from skerry.load.inventory import read_inventory

    path = Path(_absolute(folder, inventory) or inventory)
    for name, node in read_inventory(path, inventory, problems).items():
        if name in nodes:
            first = nodes[name].origin
            problems.append(
                node.origin.problem(
                    f"the node {name!r} is there twice, first at {first.file}:{first.line}"
                )
            )
        else:
            nodes[name] = _with_paths(path.parent, node)


def _check_target(name: str, node: Node, problems: list[Problem]) -> None:
    """Notes ``HOST:PORT``, which ssh would take for a host of that name."""
    host, _, port = node.ssh.rpartition("@")[2].rpartition(":")
    if host and ":" not in host and port.isdecimal():
        problems.append(
            node.origin.of("ssh").problem(
                f"nodes.{name}.ssh: the port is a field of its own",
                hint=f"write ssh: {node.ssh.rpartition(':')[0]} and port: {port}",
            )
        )


def _with_paths(folder: Path, node: Node) -> Node:
    if node.identity_file is None:
        return node
    return msgspec.structs.replace(node, identity_file=_absolute(folder, node.identity_file))


def _absolute(folder: Path, path: str | None) -> str | None:
    """A path of cloud.yaml as an absolute one: ``~`` is the home, others start in the folder."""
    if path is None:
        return None
    # Path.expanduser() raises where there is no such user.
    return os.path.normpath(folder.absolute() / os.path.expanduser(path))  # noqa: PTH111
