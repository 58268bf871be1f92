"""A tiny image for tests: Debian's static busybox from scratch; no network, no build container."""

from __future__ import annotations

import tempfile
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.images.archive import Entry, write_archive, write_layer
from skerry.images.podman import try_inspect_id

BUSYBOX_IMAGE = "localhost/skerry-busybox"

_APPLETS = (
    "sh", "ash", "cat", "chmod", "cp", "cut", "date", "dd", "df", "echo", "env", "false", "free",
    "grep", "head", "hostname", "httpd", "id", "ip", "kill", "ln", "ls", "mkdir", "mount", "mv",
    "nc", "ps", "printf", "pwd", "readlink", "rm", "sed", "sleep", "sort", "stat", "tail", "tee",
    "test", "[", "touch", "tr", "true", "uname", "wc", "wget", "whoami", "xargs", "yes",
)  # fmt: skip


def build_busybox_image(reference: str = BUSYBOX_IMAGE, *, variant: str = "") -> str:
    """Makes sure that `reference` is in this machine's store and returns its id.

    It holds /bin/busybox with links for the common applets, /tmp, /www, and users root and
    nobody; its command is `sh`. Another `variant` gives an image with another id, for tests in
    which an image changes.
    """
    config = {
        "Cmd": ["/bin/sh"],
        "Env": ["PATH=/bin"],
        # As PID 1 busybox ignores SIGTERM, and every stop would take all of its time.
        "StopSignal": "SIGKILL",
        "Labels": {"skerry.test": variant} if variant else {},
    }
    with tempfile.TemporaryDirectory(prefix="skerry-busybox-") as name:
        folder = Path(name)
        write_layer(folder / "layer.tar", _entries())
        image_id = write_archive(
            folder / "image.tar", [folder / "layer.tar"], f"{reference}:latest", config=config
        )
        if try_inspect_id(reference) != image_id:
            run(Command.of("podman", "load", "--quiet", "--input", folder / "image.tar"))
    return image_id


def _entries() -> dict[str, Entry]:
    binary = Path("/bin/busybox").read_bytes()
    folders = ("dev", "etc", "proc", "root", "run", "sys", "var", "www")
    entries = {f"{name}/": Entry(mode=0o755) for name in ("bin", *folders)}
    entries |= {f"bin/{name}": Entry(mode=0o777, link="busybox") for name in _APPLETS}
    users = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    return entries | {
        "tmp/": Entry(mode=0o1777),
        "bin/busybox": Entry(binary, 0o755),
        "etc/passwd": Entry(users),
        "etc/group": Entry(b"root:x:0:\nnogroup:x:65534:\n"),
    }
