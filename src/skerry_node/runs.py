"""What is left of the runs of a cron job, and when the next one is."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

    from skerry_node.host import Host
    from skerry_node.units import Properties
    from skerry_node.wire import Run


def read_runs(host: Host, folder: str) -> List[Run]:
    """The records in a folder, the last run first.

    A record is named after when the run began, and its place (``1790000000.0``, and
    ``1790000000.0.1`` for another run of that second); in it is ``ENDED RESULT STATUS``. One that
    cannot be read is left out.
    """
    found: List[Run] = []
    try:
        names = os.listdir(host.path(folder))
    except OSError:
        return []
    for name in names:
        try:
            with open(host.path(os.path.join(folder, name))) as file:
                ended, result, status = file.read().split()
            run: Run = {
                "begun": float(name.partition(".")[0]),
                "ended": float(ended),
                "result": result,
                "status": int(status),
            }
        except (OSError, ValueError):
            continue
        found.append(run)
    return sorted(found, key=lambda run: (run["begun"], run["ended"]), reverse=True)


def next_elapse(properties: Properties) -> float:
    """When a timer elapses next, in seconds since 1970; 0 where it does not, or is no timer.

    systemctl prints it as local time with the zone's short name, which names many zones.
    """
    words = properties.get("NextElapseUSecRealtime", "").split()
    try:
        return time.mktime(time.strptime(" ".join(words[1:3]), "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return 0.0
