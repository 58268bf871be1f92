"""``docs/commands.md``: every command with its arguments and options, from the click tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

import click
from tools.docs.structs import markdown

from skerry.cli.main import skerry

HEAD = """\
# Commands

    skerry [-C DIR] [--json] [-v] COMMAND ...

`-n NODE[,NODE]` (repeatable, wildcards allowed) and `--timeout SECONDS` mean the same
everywhere; so do `-o COL,COL|+COL|all` and `-H` for lists. Exit codes are in
[errors.md](errors.md); what `--json` prints is described in [plan-json.md](plan-json.md) and the
other `-json` pages.
"""


def render_page() -> str:
    """The page."""
    lines = [HEAD, "## Global options", ""]
    lines += option_lines(skerry)
    for path, command in commands_below(skerry, ()):
        lines += ["", f"## skerry {' '.join(path)}", "", f"    {usage(path, command)}", ""]
        lines += help_lines(command)
        options = option_lines(command)
        lines += ["", *options] if options else []
    return "\n".join(lines) + "\n"


def commands_below(
    group: click.Group, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands, groups before what is in them, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands_below(command, (*path, name))


def usage(path: tuple[str, ...], command: click.Command) -> str:
    """The command's usage in one line."""
    context = click.Context(command, info_name=f"skerry {' '.join(path)}")
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def help_lines(command: click.Command) -> list[str]:
    """The help text, its paragraphs unwrapped as they are in the docstring."""
    text = cleandoc(command.help or "").replace("\f", "")
    return markdown(text.replace("\b\n", "")).splitlines()


def option_lines(command: click.Command) -> list[str]:
    """A table of the options, without ``--help``."""
    rows = []
    context = click.Context(command)
    for parameter in command.get_params(context):
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        if {"--help", "--version"} & set(parameter.opts):
            continue
        record = parameter.get_help_record(context)
        assert record is not None
        names, words = (re.sub(r"\s+", " ", text).replace("|", "\\|") for text in record)
        rows.append(f"| `{names}` | {words} |")
    return ["| option | meaning |", "|---|---|", *rows] if rows else []
