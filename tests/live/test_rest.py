"""A cloud at rest is answered for before anything is loaded; whatever happens to it is noticed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.fault_harness import EVERYWHERE, link_of, page, pages
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

from skerry.edge.exchange import exchange
from skerry.edge.run import Command, Finished, run
from skerry.edge.turn import begin_turn

IMAGE = "localhost/skerry-at-rest"
# Says at its end whether the command line was loaded.
WATCHED = (
    "import atexit, sys\n"
    "from skerry.__main__ import main\n"
    "atexit.register(lambda: print('loaded', 'click' in sys.modules, file=sys.stderr))\n"
    "main()\n"
)


def typed(cloud: LiveCloud, *words: str) -> tuple[bool, Finished]:
    """`skerry` with these words: whether all of it was loaded, and what it said."""
    argv = (sys.executable, "-c", WATCHED, *words)
    done = run(Command(argv, env=(("NO_COLOR", "1"),), cwd=str(cloud.folder)), check=False)
    return "loaded True" in done.error_text, done


@pytest.fixture
def resting(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """Three nodes with a pod of an image of its own, as often applied as it takes to be known."""
    run(Command.of("podman", "tag", BUSYBOX_IMAGE, IMAGE))
    cloud.place("web", httpd("web", image=IMAGE, port=8081, text="one"), EVERYWHERE)
    cloud.skerry("apply", "--yes")
    cloud.skerry("apply", "--yes")
    yield cloud
    run(Command.of("podman", "untag", IMAGE, IMAGE), check=False)


def test_nothing_is_loaded_where_nothing_is_to_be_changed(resting: LiveCloud) -> None:
    for words in (("apply", "--yes"), ("plan",), ("apply", "-m", "why", "-y")):
        is_loaded, done = typed(resting, *words)
        assert (is_loaded, done.status) == (False, 0), done.text + done.error_text
        assert done.text.startswith("nothing to change on 3 nodes")
    # Whether it is said from memory or not, it is the same.
    assert "nothing to change on 3 nodes" in resting.skerry("apply", "--yes", "-n", "*").text


def test_what_happens_on_a_node_is_noticed(resting: LiveCloud) -> None:
    whole = dict.fromkeys(resting.addresses, "one")
    for command in (
        "systemctl stop skerry-web.0.service",
        "podman rm --force --time 0 skerry-web.0",
        "echo hacked >>/etc/skerry/config/web-page/index.html",
        "rm /etc/containers/systemd/skerry-web.0.container",
    ):
        assert not typed(resting, "apply", "--yes")[0], command
        resting.shell("beta", command)
        is_loaded, done = typed(resting, "apply", "--yes")
        assert is_loaded and done.status == 0, done.text + done.error_text
        wait_until(lambda: pages(resting) == whole, 60, "all to answer")
        # At rest it has to be found once before it is known.
        assert resting.skerry("diff").status == 0
        resting.skerry("apply", "--yes")


def test_what_happens_in_the_folder_is_noticed(resting: LiveCloud) -> None:
    resting.place("web", httpd("web", image=IMAGE, port=8081, text="two"), EVERYWHERE)
    is_loaded, done = typed(resting, "plan")
    assert is_loaded and "3 nodes to change" in done.text
    resting.place("web", httpd("web", image=IMAGE, port=8081, text="one"), EVERYWHERE)
    assert typed(resting, "plan")[1].text == "nothing to change on 3 nodes"


def test_another_image_of_that_name_is_noticed(resting: LiveCloud) -> None:
    assert not typed(resting, "plan")[0]
    # A container that differs from its image: committed, it is another one.
    create = ("podman", "create", "-q", "--label", "another=one", IMAGE, "/bin/true")
    container = run(Command(create)).text.strip()
    made = run(Command.of("podman", "commit", "-q", "--", container, IMAGE)).text.strip()
    try:
        is_loaded, done = typed(resting, "plan")
        assert is_loaded and "3 nodes to change" in done.text
    finally:
        run(Command.of("podman", "rm", "--", container))
        run(Command.of("podman", "tag", BUSYBOX_IMAGE, IMAGE))
        run(Command.of("podman", "rmi", "--force", made), check=False)


def test_another_operator_at_work_is_noticed(resting: LiveCloud) -> None:
    assert not typed(resting, "apply", "--yes")[0]
    turn = begin_turn(cloud="test", who="eva@sea", message="something else")
    link = link_of(resting, "gamma")
    exchange(link, "lock", {"lock": turn.lock_request()})
    is_loaded, done = typed(resting, "apply", "--yes")
    exchange(link, "unlock", {"token": turn.token})
    assert (is_loaded, done.status) == (True, 5), done.text + done.error_text
    assert "eva@sea is at work" in done.error_text


def test_a_node_that_hangs_is_told_of_as_ever(resting: LiveCloud) -> None:
    beta = resting.lab.node("beta")
    beta.freeze()
    try:
        is_loaded, done = typed(resting, "plan")
        assert (is_loaded, done.status) == (True, 3), done.text + done.error_text
        assert "beta  unreachable" in done.text
    finally:
        beta.thaw()
    wait_until(lambda: page(resting, "beta") == "one", 60, "beta to answer")
    is_loaded, done = typed(resting, "plan")
    assert done.text.endswith("nothing to change on 3 nodes")
