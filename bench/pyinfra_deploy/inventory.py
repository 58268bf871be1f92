"""The hosts for pyinfra: the same values as for Ansible, out of ``hosts.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOSTS: dict[str, dict[str, Any]] = json.loads(Path("hosts.json").read_text())

nodes = [
    (
        host["address"],
        {
            "ssh_user": "root",
            "ssh_config_file": "ssh_config",
            "ssh_strict_host_key_checking": "yes",
            **host,
        },
    )
    for host in HOSTS.values()
]
