"""What a person writes for pyinfra to keep the same files and services in place.

The files are those that Skerry put there, byte by byte, so that nothing is to be changed.
"""

from __future__ import annotations

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files, server, systemd

for image in host.data.images:
    answer = host.get_fact(Command, f"podman image exists {image} && echo yes || echo no")
    if answer != "yes":
        server.shell(
            name=f"The image {image} is missing", commands=[f"podman image exists {image}"]
        )

for folder in host.data.folders:
    files.directory(name=f"Folder {folder}", path=folder, mode="755")

changes = [
    files.put(
        name=f"File {item['dest']}",
        src=item["src"],
        dest=item["dest"],
        user=item["owner"],
        group=item["group"],
        mode=item["mode"],
    )
    for item in [*host.data.configs, *host.data.quadlets]
]


def is_changed() -> bool:
    """Whether a file was put in place in this run."""
    return any(change.did_change() for change in changes)


systemd.daemon_reload(name="Read the units again", _if=is_changed)

for service in host.data.services:
    systemd.service(name=f"Service {service} runs", service=service, running=True)
