"""``skerry lab``: a multi-node test cloud on this machine."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import list_options

if TYPE_CHECKING:
    from skerry.lab import Lab, Node
    from skerry.render.table import Row


class Session:
    """One command on one lab: opens it, and says at the end what was done and how long it took."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.begun = time.monotonic()

    def open(self) -> Lab:
        """The lab that ``--name`` says; what it tells on its way goes to standard error."""
        from skerry.lab import Lab

        return Lab.open(self.name, say=lambda line: click.echo(f"  {line}", err=True))

    def finish(self, words: str, **facts: object) -> None:
        """The last line: what was done, and the seconds; with ``--json``, the facts instead."""
        seconds = time.monotonic() - self.begun
        if self.settings.json:
            print(json.dumps({**facts, "done": words, "seconds": round(seconds, 3)}, indent=2))
        else:
            print(f"{words} in {seconds:.1f} s")


@click.group()
@click.option("--name", metavar="LAB", default="default", show_default=True, help="Which lab.")
@click.pass_context
def lab(context: click.Context, name: str) -> None:
    """A multi-node test cloud on this machine.

    A lab is a few Debian 13 machines (systemd, sshd, python3; nothing of Skerry) with three
    "vendors", a subnet each, and a router between. They can vanish, freeze and be cut off as
    rented ones do. The network of this machine is untouched: `ssh -F "$(skerry lab ssh-config)"
    alpha` reaches them. Needs root. `down` leaves nothing behind.
    """
    context.obj = Session(context.obj, name)


@lab.command()
@click.option(
    "--nodes",
    type=click.IntRange(1, 200),
    help="At least so many nodes (3 at first; later, as many as there are).",
)
@click.option(
    "--with-podman",
    is_flag=True,
    help="New nodes have what `skerry node add` would install, so that it is quick.",
)
@click.option(
    "--memory",
    type=click.IntRange(min=128),
    metavar="MB",
    help="New nodes report so much memory. It is a number that plans go by and no limit.",
)
@click.option(
    "--password-only",
    multiple=True,
    metavar="NODE",
    help="This new node takes the root password and no key, as from an activation e-mail. "
    "Repeatable.",
)
@click.pass_obj
def up(
    session: Session,
    nodes: int | None,
    memory: int | None,
    password_only: tuple[str, ...],
    *,
    with_podman: bool,
) -> None:
    """Make the lab, or what is missing of it; return when all nodes answer SSH.

    On a lab that is up, this starts the nodes that are down and adds those that `--nodes` asks
    for. The first time ever it builds the Debian root, which takes about a minute.
    """
    from skerry.render.text import plural

    opened = session.open()
    started = opened.up(
        nodes=nodes,
        with_podman=with_podman,
        password_only=password_only,
        memory=memory * 1000 * 1000 if memory is not None else None,
    )
    found = opened.nodes
    if not session.settings.json:
        _print_nodes(found)
        print(f"root password, as from an activation e-mail: {opened.password}")
        print(f"reach a node: ssh -F {opened.ssh_config} {found[0].name}")
    already = len(found) - len(started)
    words = f"lab {opened.name!r} is up: {plural(len(started), 'node')} started"
    if already:
        words += f", {already} already on"
    session.finish(
        words,
        name=opened.name,
        started=started,
        ssh_config=str(opened.ssh_config),
        password=opened.password,
        nodes=[_to_builtins(node) for node in found],
    )


@lab.command()
@list_options
@click.pass_obj
def ls(session: Session, columns: str | None, *, no_header: bool) -> None:
    """List the nodes and what is true of them now.

    States: running; frozen; cut (off from all); down. Columns: node, vendor, address, state,
    since, cut-from (which single nodes it cannot reach), image, access.
    """
    found = session.open().nodes
    if session.settings.json:
        print(json.dumps([_to_builtins(node) for node in found], indent=2))
        return
    _print_nodes(found, columns, has_header=not no_header)
    seconds = time.monotonic() - session.begun
    running = sum(node.state() == "running" for node in found)
    print(f"{running} of {len(found)} nodes running, seen in {seconds:.1f} s", file=sys.stderr)


@lab.command()
@click.argument("node")
@click.pass_obj
def shell(session: Session, node: str) -> None:
    """Open a root shell in NODE, as on the vendor's web console: no SSH, no network needed."""
    from skerry.edge.run import replace

    replace(session.open().node(node).console_command("bash", "-l"))


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_inside(session: Session, command: tuple[str, ...]) -> None:
    """Run COMMAND in the lab's network, on this machine's files.

    For example `skerry lab exec -- curl http://198.18.1.10/`. Its exit status is passed on.
    """
    from skerry.edge.run import replace

    replace(session.open().inside(*command))


@lab.command()
@click.argument("node")
@click.pass_obj
def kill(session: Session, node: str) -> None:
    """Make NODE vanish: no shutdown, and no goodbye on its open connections."""
    found = session.open().node(node)
    was_down = found.state() == "down"
    found.kill()
    words = f"{node} was down already; looked" if was_down else f"{node} vanished"
    session.finish(words, **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.pass_obj
def start(session: Session, node: str) -> None:
    """Switch NODE on after `kill` or a shutdown; its disk is as it was."""
    found = session.open().node(node)
    if found.start():
        found.wait_ready()
        session.finish(f"{node} was switched on and answers SSH", **_to_builtins(found))
    else:
        session.finish(f"{node} was on already ({found.state()}); looked", **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.pass_obj
def reboot(session: Session, node: str) -> None:
    """Reboot NODE in an orderly way and wait until it answers SSH again."""
    found = session.open().node(node)
    found.reboot()
    session.finish(f"{node} rebooted and answers SSH", **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.pass_obj
def new(session: Session, node: str) -> None:
    """Put an empty machine in the place of NODE: new disk, new host key, same address."""
    found = session.open().renew(node)
    session.finish(f"{node} is another machine now, empty, and answers SSH", **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.pass_obj
def freeze(session: Session, node: str) -> None:
    """Stop all processes of NODE where they are; its kernel still answers ping."""
    found = session.open().node(node)
    found.freeze()
    session.finish(f"{node} is frozen", **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.pass_obj
def thaw(session: Session, node: str) -> None:
    """Let the processes of NODE go on after `freeze`."""
    found = session.open().node(node)
    found.thaw()
    session.finish(f"{node} goes on", **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.argument("other", required=False, metavar="[NODE]")
@click.pass_obj
def cut(session: Session, node: str, other: str | None) -> None:
    """Cut NODE off from everything, or only the two nodes from each other."""
    opened = session.open()
    found, peer = opened.node(node), opened.node(other) if other else None
    found.cut(peer)
    words = f"{node} and {other} are cut off from each other" if other else f"{node} is cut off"
    session.finish(words, **_to_builtins(found))


@lab.command()
@click.argument("node")
@click.argument("other", required=False, metavar="[NODE]")
@click.pass_obj
def heal(session: Session, node: str, other: str | None) -> None:
    """Undo `cut`: all cuts of NODE, or only the one between the two nodes."""
    opened = session.open()
    found, peer = opened.node(node), opened.node(other) if other else None
    found.heal(peer)
    words = f"{node} and {other} reach each other again" if other else f"{node} is reachable again"
    session.finish(words, **_to_builtins(found))


@lab.command()
@click.pass_obj
def down(session: Session) -> None:
    """Remove the lab with all its nodes and their disks, in whatever state it is."""
    was_there = session.open().down()
    if was_there:
        session.finish(f"lab {session.name!r} was removed", removed=True)
    else:
        session.finish(f"there was no lab {session.name!r}; looked", removed=False)


@lab.command("ssh-config")
@click.pass_obj
def ssh_config(session: Session) -> None:
    """Print the path of the ssh_config for `ssh -F`."""
    opened = session.open()
    assert opened.record
    print(opened.ssh_config)


@lab.command()
@click.pass_obj
def password(session: Session) -> None:
    """Print the nodes' root password, as it would be in the vendor's activation e-mail."""
    print(session.open().password)


def _to_builtins(node: Node) -> dict[str, object]:
    return {
        "node": node.name,
        "vendor": node.vendor,
        "address": node.address,
        "state": str(node.state()),
        "since": node.since().isoformat(timespec="milliseconds"),
        "cut_from": node.cut_from(),
        "image": node.record.image,
        "access": node.record.access,
    }


def _print_nodes(nodes: list[Node], columns: str | None = None, *, has_header: bool = True) -> None:
    from skerry.render.table import Column, choose_columns, render_table
    from skerry.render.text import Palette, wants_colour

    known = [Column(name) for name in ("node", "vendor", "address", "state", "since")]
    known += [Column(name, is_default=False) for name in ("cut-from", "image", "access")]
    chosen = choose_columns(known, columns)
    palette = Palette(is_on=wants_colour())
    print(render_table(chosen, [_row(node) for node in nodes], palette, has_header=has_header))


def _row(node: Node) -> Row:
    from skerry.render.table import Cell

    state = str(node.state())
    return {
        "node": node.name,
        "vendor": node.vendor,
        "address": node.address,
        "state": Cell(state, ("green" if state == "running" else "yellow",)),
        "since": node.since().strftime("%Y-%m-%d %H:%M:%S"),
        "cut-from": ",".join(node.cut_from()),
        "image": node.record.image,
        "access": node.record.access,
    }
