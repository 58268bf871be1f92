"""The lab where systemd is PID 1: a lab inside a lab node, which is such a machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.live.lab_harness import ssh

import skerry
from skerry.edge.run import Command, run
from skerry.lab import Lab
from skerry.lab.root import PLAIN

_INSTALL = (
    "apt-get -y -qq install --no-install-recommends systemd-container socat tinyproxy-bin "
    "mmdebstrap btrfs-progs nftables openssl python3-msgspec python3-click >/dev/null"
)
# Overlays: a loop device is not to be had in a container.
_INNER = """
import json, subprocess, sys
sys.path.insert(0, "/opt")
from skerry.lab import Lab
from skerry.lab.overlay import Overlays
lab = Lab.open("inner")
lab.storage = Overlays(lab.places)
seen = {"is_systemd": lab.host.is_systemd, "started": lab.up(nodes=1)}
alpha = lab.node("alpha")
unit = f"skerry-lab-{lab.places.key}.service"
seen["unit"] = subprocess.run(["systemctl", "is-active", unit], capture_output=True).stdout.decode()
seen["cgroup"] = str(alpha.cgroup)
alpha.freeze()
seen["frozen"] = alpha.state()
alpha.thaw()
alpha.reboot()
alpha.kill()
seen["killed"] = alpha.state()
seen["again"] = lab.up()
seen["down"] = lab.down()
shown = ["systemctl", "list-units", "--all", "--no-legend", "skerry*"]
seen["units_left"] = subprocess.run(shown, capture_output=True).stdout.decode()
seen["cgroups_left"] = [str(path) for path in lab.host.cgroups.rglob("skerry*")]
seen["mounts_left"] = open("/proc/mounts").read().count(lab.places.key)
print(json.dumps(seen))
"""


def test_lab_in_a_delegated_unit(lab: Lab, new_lab: Callable[..., Lab]) -> None:
    outer = new_lab("outer")
    outer.up(nodes=1)
    ssh(outer, "alpha", _INSTALL, timeout=120)
    disk = outer.node("alpha").disk
    source = Path(skerry.__file__).parent
    shutil.copytree(source, disk / "opt/skerry", ignore=shutil.ignore_patterns("__pycache__"))
    root = lab.storage.roots(print).ensure(PLAIN)
    roots = disk / "root/.cache/skerry/lab/overlay/roots"
    roots.mkdir(parents=True)
    run(Command.of("cp", "-a", "--reflink=auto", root, roots))
    seen = json.loads(ssh(outer, "alpha", "python3 -", input=_INNER.encode(), timeout=120).text)
    cgroup = seen.pop("cgroup")
    assert cgroup.startswith("/sys/fs/cgroup/system.slice/skerry-lab-inner-")
    assert seen == {
        "is_systemd": True,
        "started": ["alpha"],
        "unit": "active\n",
        "frozen": "frozen",
        "killed": "down",
        "again": ["alpha"],
        "down": True,
        "units_left": "",
        "cgroups_left": [],
        "mounts_left": 0,
    }
