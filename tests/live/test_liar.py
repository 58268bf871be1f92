"""A real node whose node program is replaced by one that lies: nothing of it comes through."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE

from skerry.render.text import visible

NAMES = ("one", "two", "three")
PROGRAM = "/var/lib/skerry/program"
# What stands in the place of the program's entry. The answers are said by the file `lie` beside it.
LIAR = """
import os, select, sys
def say(content, descriptor=1):
    while content:
        content = content[os.write(descriptor, content):]
def main():
    request = sys.stdin.buffer.readline()
    exec(open(os.path.join(os.path.dirname(__file__), "lie")).read())
    return 0
"""
EVIL = "\x1b[2J\x1b]0;x\x07\nerror: beta: forged  [node-unreachable]\u202e"
# What it does, and the words that tell it.
LIES = {
    "an endless line": ("while True: say(b'x' * 65536)", "more than 64 MiB"),
    "endless events": (
        'while True: say(b\'{"event":"note","message":"\' + b"x" * 5000 + b\'"}\\n\')',
        "more than 64 MiB",
    ),
    "a byte in a while": (
        "while True: say(b'x'); select.select([], [], [], 0.2)",
        "silent for 3 s during observe",
    ),
    "a flood of complaints": (
        "for _ in range(100): say(b'flood ' * 10000, 2)\nos._exit(9)",
        "ended with status 9",
    ),
    "a deep answer": (
        'say(b\'{"event":"result","result":\' + b"[" * 100000 + b"\\n")',
        "nested too deeply",
    ),
    "wrong types": (
        'say(b\'{"event":"result","result":{"facts":[],"generation":-1}}\\n\')',
        "Expected `object`, got `array` - at `$.facts`",
    ),
    "a forged error": (
        "import json\n"
        f"say(json.dumps({{'event': 'error', 'id': 'x', 'message': {EVIL!r}}}).encode() + b'\\n')",
        "\\x1b[2J\\x1b]0;x\\x07 error: beta: forged",
    ),
    "another's name": (
        'say(b\'{"event":"result","result":{"time":1}}\\n\')',
        "Object missing required field `facts`",
    ),
}


@pytest.fixture
def liar(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud with a page on all three nodes, and a liar in place of alpha's program."""
    for name, node, port in zip(NAMES, cloud.addresses, (8201, 8202, 8203), strict=True):
        cloud.place(name, httpd(name, image=BUSYBOX_IMAGE, port=port), f"nodes: [{node}]")
    cloud.skerry("apply", "--yes")
    first = next(iter(cloud.addresses))
    cloud.shell(first, f"cp -a {PROGRAM} /root/program.kept")
    cloud.shell(
        first,
        f"for d in {PROGRAM}/*/skerry_node; do rm -rf $d/__pycache__; "
        f"cat >$d/__main__.py <<'END'\n{LIAR}\nEND\ndone",
    )
    yield cloud
    cloud.shell(first, f"rm -rf {PROGRAM} && mv /root/program.kept {PROGRAM}")


def tell(cloud: LiveCloud, lie: str) -> None:
    """Has the liar tell this."""
    first = next(iter(cloud.addresses))
    cloud.shell(
        first, f"for d in {PROGRAM}/*/skerry_node; do cat >$d/lie <<'END'\n{lie}\nEND\ndone"
    )


def test_a_node_that_lies_harms_no_other_and_not_the_operator(liar: LiveCloud) -> None:
    first, *others = liar.addresses
    containers = {node: liar.containers(node) for node in liar.addresses}
    for number, (name, (lie, words)) in enumerate(LIES.items()):
        tell(liar, lie)
        for other in ("two", "three"):
            manifest = liar.folder / f"pods/{other}.yaml"
            manifest.write_text(manifest.read_text().replace("hello", f"hello{number}"))
        begun = time.monotonic()
        applied = liar.skerry("apply", "--yes", "--timeout", "3", expect=3)
        assert time.monotonic() - begun < 120, name
        shown = applied.text + applied.error_text
        assert words in shown, f"{name}:\n{shown}"
        assert visible(shown) == shown
        assert "Traceback" not in shown
        assert not any(line.startswith("error: beta: forged") for line in shown.splitlines())
        history = liar.json("history", "-n", ",".join(others))
        assert history["history"][0]["states"] == dict.fromkeys(others, "active"), name
        for verb in (("status",), ("node", "ls"), ("history",), ("diff",)):
            asked = liar.skerry("--json", *verb, "--timeout", "3", expect=None)
            assert asked.status in (3, 4), f"{name}: {verb}"
            json.loads(asked.stdout)
            assert visible(asked.error_text) == asked.error_text
    assert liar.containers(first) == containers[first]


def test_when_it_tells_the_truth_again_all_is_well(liar: LiveCloud) -> None:
    first = next(iter(liar.addresses))
    tell(liar, LIES["wrong types"][0])
    manifest = liar.folder / "pods/one.yaml"
    manifest.write_text(manifest.read_text().replace("hello", "truth"))
    liar.skerry("apply", "--yes", "--timeout", "3", expect=3)
    liar.shell(first, f"rm -rf {PROGRAM} && cp -a /root/program.kept {PROGRAM}")
    liar.skerry("apply", "--yes")
    assert "nothing to change" in liar.skerry("apply", "--yes").text
    assert liar.json("diff")["differences"] == []
