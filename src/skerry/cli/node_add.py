"""``skerry node add``: from a root password or key to a node."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from skerry.cli.main import Settings
from skerry.errors import UsageError

if TYPE_CHECKING:
    from skerry.bootstrap.add import Request
    from skerry.bootstrap.entry import Entry
    from skerry.edge.ssh import Link
    from skerry.model.cloud import Cloud, Node

PASSWORD_VARIABLE = "SKERRY_PASSWORD"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The command line of ``node add``."""

    name: str
    target: str | None
    port: int | None
    identity: str | None
    public_key: Path | None
    vendor: str | None
    zone: str | None
    labels: tuple[str, ...]
    ask_password: bool
    harden: bool
    check: bool
    host_key: str | None
    replace_host_key: bool


@click.command("add")
@click.argument("name")
@click.argument("target", metavar="[USER@]HOST", required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="The port of its sshd.")
@click.option("--identity", metavar="FILE", help="The private key that ssh uses for this node.")
@click.option(
    "--public-key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The key to install (default: the one that your ssh uses).",
)
@click.option("--vendor", help="Who rents it to you: a label to spread replicas by.")
@click.option("--zone", help="Where it is.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Any other label.")
@click.option(
    "--ask-password",
    is_flag=True,
    help="Log in with a password: asked for on a terminal, else a line of standard input; "
    f"or ${PASSWORD_VARIABLE}.",
)
@click.option("--harden", is_flag=True, help="Turn password login off, once a login by key works.")
@click.option("--check", is_flag=True, help="Say what would be done; change nothing anywhere.")
@click.option("--host-key", metavar="SHA256:...", help="The fingerprint that the host must show.")
@click.option(
    "--replace-host-key",
    is_flag=True,
    help="Pin the key that the host shows now: it was reinstalled, or is another host.",
)
@click.pass_obj
def add(settings: Settings, /, **given: Any) -> None:
    """Make a host into a node of the cloud, over SSH, from a root password or key.

    The host's key is pinned in the cloud folder. The host gets Podman and what it needs, the
    user `skerry` with your public key and a file in sudoers.d, id ranges for containers, a
    persistent journal with a limit, and swap where memory is short. A second run changes
    nothing. [USER@]HOST may be left out for a node that is in cloud.yaml.

    Exit codes: 0 done; 2 the options or the folder are wrong; 3 the host cannot be reached or
    made into a node.
    """
    from skerry.bootstrap.add import add_node
    from skerry.bootstrap.entry import change_entry, edit_entry
    from skerry.cli.facts import write_node_facts
    from skerry.cli.progress import Progress
    from skerry.load.cloud import find_cloud_folder, load_nodes
    from skerry.render.nodes import render_report, report_to_builtins, step_styles, step_words

    begun = time.monotonic()
    options = Options(**given)
    folder = find_cloud_folder(settings.folder)
    cloud = load_nodes(folder)
    known = cloud.nodes.get(options.name)
    entry = wanted_entry(options, known)
    # Before the host is touched: what cannot be written down later is found out now.
    text = (folder / "cloud.yaml").read_text()
    has_edit = edit_entry(text, options.name, known, entry) != text
    request = make_request(folder, cloud, options, entry)
    progress = Progress([options.name], is_quiet=settings.json)
    report = add_node(
        request,
        on_step=lambda step: progress.show(options.name, step_words(step), *step_styles(step)),
        on_words=lambda words: (
            progress.show(options.name, words, "dim") if settings.verbose else None
        ),
    )
    if not options.check:
        has_edit = change_entry(folder, lambda text: edit_entry(text, options.name, known, entry))
    if report.facts is not None:
        write_node_facts(folder, options.name, report.facts)
    if settings.json:
        print(json.dumps({**report_to_builtins(report), "edits_cloud_yaml": has_edit}, indent=2))
        return
    words = entry_words(known, entry, has_edit=has_edit, is_check=options.check)
    print(render_report(report, entry=words, seconds=time.monotonic() - begun))


def entry_words(known: Node | None, entry: Entry, *, has_edit: bool, is_check: bool) -> str:
    """What became of the node's entry, in words; empty where nothing did."""
    from skerry.bootstrap.entry import is_in_cloud_file

    if has_edit:
        return "cloud.yaml would be written" if is_check else "cloud.yaml is written"
    if known is not None and not is_in_cloud_file(known) and known.ssh != entry.target:
        place = f"{known.origin.file}:{known.origin.line}"
        return f"set the user to {entry.target.partition('@')[0]} in {place}"
    return ""


def wanted_entry(options: Options, known: Node | None) -> Entry:
    """What cloud.yaml shall say of the node. Raises UsageError."""
    from skerry.bootstrap.add import DEPLOY_USER
    from skerry.bootstrap.entry import Entry, parse_labels

    if options.target is None and known is None:
        raise UsageError(
            f"{options.name} is not in cloud.yaml yet: where is it?",
            hint=f"skerry node add {options.name} [USER@]HOST",
        )
    host = (options.target or known.ssh if known else options.target or "").rpartition("@")[2]
    if known is not None and options.target is not None and not options.replace_host_key:
        old = known.ssh.rpartition("@")[2]
        if old != host:
            raise UsageError(
                f"{options.name} is at {old} in {known.origin.file or 'cloud.yaml'}, not at {host}",
                hint="choose another name, or --replace-host-key if it moved there",
            )
    return Entry(
        target=f"{DEPLOY_USER}@{host}",
        port=options.port,
        identity_file=_as_written(options.identity),
        vendor=options.vendor,
        zone=options.zone,
        labels=parse_labels(options.labels),
    )


def make_request(folder: Path, cloud: Cloud, options: Options, entry: Entry) -> Request:
    """What `add_node` is asked for: the ways in, and the operator's key. Raises UsageError."""
    from skerry.bootstrap.add import Request
    from skerry.bootstrap.host_keys import check_fingerprint
    from skerry.bootstrap.operator_keys import find_public_keys
    from skerry.cli.cloud import KNOWN_HOSTS
    from skerry.edge.ssh import Link, pinned_fingerprints

    known = cloud.nodes.get(options.name)
    expected = check_fingerprint(options.host_key) if options.host_key else None
    given = options.target or (known.ssh if known is not None else "")
    password = read_password(given, wants=options.ask_password)
    deploy = Link(
        node=options.name,
        target=entry.target,
        known_hosts=str(folder / KNOWN_HOSTS),
        port=options.port or (known.port if known else None),
        identity_file=_expanded(options.identity) or (known.identity_file if known else None),
        ssh_config=cloud.ssh_config,
    )
    first = msgspec.structs.replace(deploy, target=given, password=password)
    doors: tuple[Link, ...] = (first,)
    # A node that was added before has the deploy user: no root is needed a second time.
    if pinned_fingerprints(deploy) and not options.replace_host_key and given != entry.target:
        doors = (deploy, first)
    return Request(
        node=options.name,
        doors=doors,
        deploy=deploy,
        known_hosts=deploy.known_hosts,
        keys=tuple(find_public_keys(deploy, options.public_key)),
        expected=expected,
        replaces_host_key=options.replace_host_key,
        is_check=options.check,
        hardens=options.harden,
    )


def read_password(target: str, *, wants: bool) -> str | None:
    """The password from the environment, a terminal or standard input; None if none is wanted."""
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not wants:
        return None
    if sys.stdin.isatty():
        password: str = click.prompt(f"password of {target}", hide_input=True, err=True)
        return password
    line = sys.stdin.readline()
    if not line.strip("\r\n"):
        raise UsageError("no password came on standard input", hint=f"or set {PASSWORD_VARIABLE}")
    return line.rstrip("\r\n")


def _as_written(path: str | None) -> str | None:
    """A path of the command line as cloud.yaml takes it: from the home folder, or absolute."""
    return path if path is None or path.startswith("~") else str(Path(path).absolute())


def _expanded(path: str | None) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None
