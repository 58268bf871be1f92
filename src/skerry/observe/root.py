"""Commands on a node as root, by whatever user the node is reached."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def root_command(words: Sequence[str]) -> str:
    """The shell command that runs `words` as root: at once, or through ``sudo -n``."""
    command = shlex.join(words)
    return f'if [ "$(id -u)" = 0 ]; then exec {command}; else exec sudo -n {command}; fi'
