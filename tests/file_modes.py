"""Every file and folder that Skerry writes: where, with which mode, whose. docs/security.md shows
it, and a live test compares it with what an apply leaves behind.

``*`` in a path is any part of one name, ``**`` any number of names.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Written(NamedTuple):
    """What is written at a path; `mode` is octal, `owner` is USER:GROUP on a node.

    On the operator's machine the owner is always the operator. `umask` says that the operator's
    umask takes from the mode: of what is meant for git, nothing more is decided by us than that
    nobody else may write to it.
    """

    path: str
    mode: str
    what: str
    owner: str = "root:root"
    umask: bool = False

    def matches(self, path: str) -> bool:
        """Whether a path is one of these."""
        return re.fullmatch(self.pattern, path) is not None

    @property
    def pattern(self) -> str:
        """The path as a regular expression."""
        parts = re.split(r"(\*\*|\*)", self.path)
        words = {"**": ".+", "*": "[^/]*"}
        return "".join(words.get(part, re.escape(part)) for part in parts)


_SKERRY = "skerry:skerry"
_STATE = "/var/lib/skerry"
_CRON, _JOB = f"{_STATE}/volumes/skerry-*.cron", f"{_STATE}/volumes/skerry-*.job"

# The first row that fits a path counts.
ON_THE_NODE: tuple[Written, ...] = (
    Written("/etc/sudoers.d/skerry", "440", "the deploy user may become root"),
    Written("/home/skerry", "700", "the deploy user's home", _SKERRY),
    Written("/home/skerry/.ssh", "700", "", _SKERRY),
    Written("/home/skerry/.ssh/authorized_keys", "600", "your public key", _SKERRY),
    Written("/etc/subuid", "644", "a line for the pods' user namespaces"),
    Written("/etc/subgid", "644", "the same"),
    Written("/etc/systemd/journald.conf.d", "755", ""),
    Written("/etc/systemd/journald.conf.d/50-skerry.conf", "644", "the journal's size"),
    Written(
        "/etc/containers/systemd/skerry-*.container",
        "644",
        "a container: image, command, variables that are no secrets",
    ),
    Written("/etc/containers/systemd/skerry-*.pod", "644", "a pod of several"),
    Written("/etc/systemd/system/skerry-*.service", "644", "looks, cron jobs"),
    Written("/etc/systemd/system/skerry-*.timer", "644", "when they are due"),
    Written("/etc/systemd/system/skerry-*.service.d", "755", ""),
    Written("/etc/systemd/system/skerry-*.service.d/job.conf", "644", "what is a job's"),
    Written("/etc/systemd/system/timers.target.d", "755", ""),
    Written("/etc/systemd/system/timers.target.d/skerry-*.conf", "644", "cron jobs at boot"),
    Written("/etc/skerry", "755", ""),
    Written("/etc/skerry/config", "755", ""),
    Written("/etc/skerry/config/*", "755", ""),
    Written("/etc/skerry/config/*/*", "644", "a ConfigMap's key"),
    Written("/etc/skerry/pods", "755", ""),
    Written("/etc/skerry/pods/*", "755", ""),
    Written(
        "/etc/skerry/pods/*/one/below/page",
        "644",
        "a file that one pod has, with the mode that its volume says",
    ),
    Written("/etc/skerry/pods/**", "755", ""),
    Written("/etc/skerry/jobs", "755", ""),
    Written("/etc/skerry/jobs/*.conf", "644", "what the script must know of a job"),
    Written("/etc/skerry/jobs/job.sh", "644", "the script"),
    Written("/etc/skerry/probe", "644", "the program of the looks"),
    Written("/etc/skerry/probes", "755", ""),
    Written("/etc/skerry/probes/*", "600", "how is looked; headers may be passwords"),
    Written("/run/skerry", "700", "what can be known again; 755 from a boot to the first command"),
    Written("/run/skerry/addresses", "755", ""),
    Written("/run/skerry/addresses/*", "644", "a pod's address"),
    Written("/run/skerry/resolv", "755", ""),
    Written("/run/skerry/resolv/*.conf", "644", "a pod's resolv.conf"),
    Written("/run/skerry/podman.*", "644", "settings for Podman"),
    Written("/run/skerry/*.json", "600", "answers of Podman"),
    Written("/run/skerry/version-*", "600", "versions of programs"),
    Written("/run/skerry/switch-*.jsonl", "600", "events of a switch"),
    Written("/run/skerry/skerry-*", "700", "what looks have seen of a container"),
    Written("/run/skerry/skerry-*/spec", "600", ""),
    Written("/run/skerry/skerry-*/pid", "700", "Podman's"),
    Written("/run/skerry/skerry-*/*", "644", ""),
    Written(_STATE, "700", "all state: nobody else comes to what is below"),
    Written(f"{_STATE}/current", "777", "a link"),
    Written(f"{_STATE}/bootstrap.json", "600", "what `node add` made"),
    Written(f"{_STATE}/images.json", "600", "images that were sent"),
    Written(f"{_STATE}/guard", "600", "a lock"),
    Written(f"{_STATE}/switching", "600", "a lock"),
    Written(f"{_STATE}/reserve", "600", "room that a full disk leaves for going back"),
    Written(f"{_STATE}/blobs", "700", ""),
    Written(f"{_STATE}/blobs/sha256", "700", ""),
    Written(f"{_STATE}/blobs/sha256/*", "600", "contents of files"),
    Written(f"{_STATE}/generations", "700", ""),
    Written(f"{_STATE}/generations/*", "700", ""),
    Written(f"{_STATE}/generations/*/*.json", "600", "manifest, who and when"),
    Written(f"{_STATE}/program", "755", ""),
    Written(f"{_STATE}/program/*", "755", ""),
    Written(f"{_STATE}/program/*/skerry_node", "755", ""),
    Written(f"{_STATE}/program/*/skerry_node/__pycache__", "755", ""),
    Written(f"{_STATE}/program/*/skerry_node/*.py", "644", "the node program"),
    Written(f"{_STATE}/claims", "755", ""),
    Written(f"{_STATE}/claims/*", "777", "a claim: what a pod makes of it"),
    Written(f"{_STATE}/completed", "755", ""),
    Written(f"{_STATE}/completed/*", "644", "how a pod ended"),
    Written(f"{_STATE}/volumes", "755", ""),
    Written(_CRON, "755", ""),
    Written(f"{_CRON}/lock", "644", ""),
    Written(f"{_CRON}/runs", "755", ""),
    Written(f"{_CRON}/runs/*", "644", "how a job ended"),
    Written(f"{_CRON}/*", "755", ""),
    Written(f"{_CRON}/*/*", "644", "where a job is"),
    Written(_JOB, "755", ""),
    Written(f"{_JOB}/lock", "644", ""),
    Written(f"{_JOB}/0", "755", ""),
    Written(f"{_JOB}/0/*", "644", "where a job is"),
    Written(f"{_STATE}/volumes/*", "777", "an emptyDir: what a pod makes of it"),
)
ON_OUR_SIDE: tuple[Written, ...] = (
    Written("cloud", "755", "the cloud folder", umask=True),
    Written("cloud/cloud.yaml", "644", "nodes, and what runs where", umask=True),
    Written("cloud/pods", "755", "", umask=True),
    Written("cloud/.gitignore", "644", "", umask=True),
    Written("cloud/cloud.lock", "644", "allocations", umask=True),
    Written("cloud/known_hosts", "644", "pinned host keys"),
    Written("cloud/secrets.yaml", "644", "values, encrypted with age", umask=True),
    Written("cloud/.skerry", "700", "a cache"),
    Written("cloud/.skerry/.gitignore", "644", "git leaves it alone", umask=True),
    Written("cloud/.skerry/images.json", "644", "what Podman said of images", umask=True),
    Written("cloud/.skerry/asked.json", "600", "what the nodes are asked first, sealed"),
    Written("cloud/.skerry/rested.json", "600", "what the nodes answered at rest, digests, sealed"),
    Written("cloud/.skerry/checked.json", "600", "what `check` found, sealed"),
    Written("cloud/.skerry/turns", "600", "locks that a run which was cut off held"),
    Written("$XDG_CACHE_HOME/skerry", "700", "caches that are no cloud's"),
    Written("$XDG_CACHE_HOME/skerry/key", "600", "the key of the seals"),
    Written("$XDG_RUNTIME_DIR/skerry-*", "700", "sockets of ssh; without the variable, in /tmp"),
    Written("$XDG_RUNTIME_DIR/skerry-*/*", "600", "a connection that stays for two minutes"),
)
