"""A node that is broken on purpose under two pods, of which one must never notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.live.aftermath import Look, check_aftermath, look_at
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

from skerry.edge.run import run

STATE = "/var/lib/skerry"
UNIT_FILE = "/etc/containers/systemd/skerry-web.0.container"
PAGE_FILE = "/etc/skerry/config/web-page/index.html"
PORT = 8081
_ROOMY = "size=50%,nr_inodes=100000"


class BrokenNode:
    """alpha, on which the pod `web` is changed by every apply, and the pod `by` by none."""

    name = "alpha"

    def __init__(self, cloud: LiveCloud) -> None:
        self.cloud = cloud
        self.count = 0
        self.before: Look | None = None

    def shell(self, command: str, *, check: bool = True) -> str:
        """What a command on the node prints, past Skerry."""
        return self.cloud.shell(self.name, command, check=check).text

    def is_true(self, command: str) -> bool:
        """Whether a command on the node ends with success."""
        return self.cloud.shell(self.name, command, check=False).status == 0

    def change(self, text: str = "", replaced: tuple[str, str] = ("", "")) -> None:
        """Another page and another unit file for `web`; `replaced` are words of its manifest."""
        self.count += 1
        self.text = text or f"page {self.count}"
        manifest = httpd("web", image=BUSYBOX_IMAGE, port=PORT, text=self.text)
        env = f'      env: [{{name: COUNT, value: "{self.count}"}}]\n'
        manifest = manifest.replace("      ports:\n", f"{env}      ports:\n")
        assert replaced[0] in manifest
        manifest = manifest.replace(*replaced) if replaced[0] else manifest
        self.cloud.place("web", manifest, f"nodes: [{self.name}]")

    def begin(self) -> None:
        """Both pods run as the folder says, and everything is looked at."""
        self.change()
        by = httpd("by", image=BUSYBOX_IMAGE, port=PORT + 1)
        self.cloud.place("by", by, f"nodes: [{self.name}]")
        self.cloud.skerry("apply", "--yes", "-m", "before")
        self.before = look_at(self.cloud, [self.name])

    def fail(self, *words: str, says: str) -> dict[str, str]:
        """`skerry apply` (or other words) fails and says so; what to call `seen` with."""
        typed = words or ("apply", "--yes")
        failed = self.cloud.skerry(*typed, expect=3)
        told = failed.text + failed.error_text
        assert says in told, told
        assert "Traceback" not in told
        shown = without_waiting(failed.error_text or failed.text, says)
        return {"text": shown, "typed": " ".join(("skerry", *typed))}

    def page(self) -> str:
        """What `web` answers; empty while it does not."""
        url = f"http://{self.cloud.addresses[self.name]}:{PORT}/index.html"
        return run(self.cloud.lab.inside("curl", "-s", "-m", "2", url), check=False).text

    def mend(self, *, restarted: tuple[str, ...] = ("web",)) -> None:
        """The next apply converges, and nothing is left of the fault."""
        assert self.before is not None
        self.cloud.skerry("apply", "--yes", "-m", "after the fault")
        # A pod without a probe counts as running before its server listens.
        wait_until(lambda: self.page() == self.text, 30, f"{self.text!r} to be served")
        check_aftermath(self.cloud, self.before, restarted=restarted)

    @contextmanager
    def small_disk(self, folder: str) -> Iterator[Callable[[str], None]]:
        """A file system of its own below `folder`; yields a function that sets its limits, as
        the words of mount(8): ``size=`` or ``nr_inodes=``, or none."""
        copy = "/root/" + folder.strip("/").replace("/", "-")
        self.shell(
            f"rm -rf {copy} && cp -a {folder} {copy} && "
            f"mount -t tmpfs -o mode=700,{_ROOMY} none {folder} && "
            f"cp -a {copy}/. {folder}/ && rm -rf {copy}"
        )
        try:
            yield lambda limits: self.remount(folder, limits or _ROOMY)
        finally:
            self.remount(folder, _ROOMY)
            self.shell(
                f"cp -a {folder} {copy} && umount {folder} && "
                f"find {folder} -mindepth 1 -delete && cp -a {copy}/. {folder}/ && rm -rf {copy}"
            )

    def remount(self, folder: str, limits: str) -> None:
        """Sets the limits of a small disk."""
        self.shell(f"mount -o remount,{limits} {folder}")

    def leave_free(self, folder: str, pages: int) -> str:
        """The limit that leaves so many pages of 4096 bytes free on a small disk."""
        used = int(self.shell(f"df --output=used -B1 {folder} | tail -1"))
        return f"size={used + pages * 4096}"


def without_waiting(text: str, kept: str = "\n") -> str:
    """What was said without what differs, but for lines with the words `kept`: a unit's own log,
    and how often was waited for what."""
    return "\n".join(
        line
        for line in text.splitlines()
        if kept in line or not (line.startswith("  |     ") or " waiting for " in line)
    )
