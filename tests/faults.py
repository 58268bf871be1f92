"""What is broken on purpose: every fault that Skerry is shown to bear, by the tests' own marks.

A test that shows a fault has the mark ``@pytest.mark.fault("ID", ...)``; what a person sees of it
is recorded by the fixture `seen` (``tests/seen.py``). ``docs/faults.md`` is written from both, and
``tests/unit/test_faults.py`` demands that no fault of this list is without a test.
"""

from __future__ import annotations

# Heading -> id -> what is broken, as one sentence.
GROUPS: dict[str, dict[str, str]] = {
    "The connection": {
        "ssh-cut-at-every-step": "The SSH connection is cut at every step of an apply in turn.",
        "partition-before": "Half of the fleet cannot be reached when an apply begins.",
        "partition-during-roll": "Half of the fleet is cut off in the middle of a roll.",
        "frozen-before": "A node hangs: its connections stay open and nothing answers.",
        "frozen-during": "A node hangs in the middle of an apply.",
        "frozen-while-looking": "A node hangs while status, logs and exec ask it.",
        "ssh-master-hangs": "The multiplexing ssh of this machine hangs.",
        "ssh-master-dead": "The multiplexing ssh was killed and left its socket behind.",
        "host-key-changed": "A host shows another key than the one that is pinned.",
        "key-refused": "A node accepts the operator's key no longer.",
        "sudo-password": "sudo on a node asks for a password.",
        "python-missing": "A node has no python3 any more.",
        "python-too-old": "A node's python3 is older than 3.9.",
    },
    "The operator": {
        "ctrl-c-before-changes": "Ctrl-C while a plan is made, or nodes are being looked at.",
        "ctrl-c-in-push": "Ctrl-C while contents are sent, and locks are held.",
        "ctrl-c-in-activation": "Ctrl-C while nodes are being switched.",
        "ctrl-c-in-roll": "Ctrl-C between two waves of a roll.",
        "ctrl-c-twice": "Ctrl-C a second time, while the first one gives back.",
        "terminated": "The command gets SIGTERM in the middle of an apply.",
        "terminal-closed": "The terminal is closed in the middle of an apply.",
        "operator-dies": "The operator's machine dies mid-apply, and another one finishes.",
        "two-operators": "Two operators apply at the very same moment.",
        "operator-disk-full": "The operator's disk is full while a file is written there.",
        "corrupt-cloud-lock": "cloud.lock is garbage.",
        "corrupt-operator-cache": "The caches on the operator's machine are garbage.",
        "known-hosts-unreadable": "known_hosts of the cloud folder cannot be read, or is garbage.",
        "ssh-config-error": "The ssh_config has an error.",
    },
    "The node": {
        "node-killed-at-every-step": "A node loses power at every step of an apply in turn.",
        "operator-killed-at-every-step": "The command is killed at every step in turn.",
        "disk-full-at-every-write": "The node's disk is full at every write of an apply in turn.",
        "read-only-root": "The node's root file system is read-only.",
        "clock-ahead": "A clock is a year ahead.",
        "clock-behind": "A clock is a year behind.",
        "foreign-file": "A file that is not Skerry's lies where one of Skerry's shall be.",
        "file-edited": "Files of Skerry's were edited by hand.",
        "file-deleted": "Files of Skerry's were deleted by hand.",
        "file-immutable": "Files of Skerry's were made immutable by hand.",
        "corrupt-manifest": "The manifest of the active generation is damaged.",
        "corrupt-blob": "A blob on the node is damaged.",
        "corrupt-journal": "The journal of an interrupted switch is damaged.",
        "corrupt-lock": "The node's lock file is damaged.",
        "corrupt-node-cache": "What the node program keeps in /run is damaged.",
    },
    "The workload": {
        "unit-fails": "A unit fails at its start.",
        "unit-flaps": "A unit starts, falls over, and starts again.",
        "unit-never-healthy": "A unit runs and never becomes healthy.",
        "unit-never-stops": "A unit takes long to stop.",
        "probe-takes-its-time": "A probe takes the whole time that it has.",
        "podman-storage-damaged": "Podman's storage on the node is damaged.",
    },
}
FAULTS: dict[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}

# Faults that no test shows yet. A test demands that what is shown is taken out of here, and at
# the end of the work that nothing is left.
NOT_YET: frozenset[str] = frozenset()
# Faults that cannot be made here, and why not: "impossible here because ...".
IMPOSSIBLE: dict[str, str] = {}
