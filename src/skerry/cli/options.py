"""Options that several commands share, with one meaning everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

TIMEOUT = 20.0
"""How long a node may stay silent where nothing else is said, in seconds."""

Function = TypeVar("Function", bound=Callable[..., Any])


def nodes_option(function: Function) -> Function:
    """``-n NODE[,NODE]``, repeatable, with wildcards: the nodes to look at or to touch."""
    return click.option(
        "-n",
        "--node",
        "nodes",
        multiple=True,
        metavar="NODE[,NODE]",
        help="Only these nodes; wildcards are allowed.",
    )(function)


def timeout_option(function: Function) -> Function:
    """``--timeout SECONDS``: how long a node may stay silent before it counts as unreachable."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0.1),
        default=TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        help="How long a node may stay silent before it counts as unreachable.",
    )(function)


def list_options(function: Function) -> Function:
    """``-o`` and ``-H``, for every command that prints a list."""
    function = click.option(
        "-o",
        "--columns",
        metavar="COL,COL|+COL|all",
        help="The columns to show: a list, +COL to add one, or all.",
    )(function)
    return click.option("-H", "--no-header", is_flag=True, help="Leave the header out.")(function)
