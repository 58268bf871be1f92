"""What the tests of faults of connection and operator share."""

from __future__ import annotations

from collections.abc import Callable

from tests.live.aftermath import Look, check_aftermath, look_at
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE

from skerry.cli.cloud import make_link
from skerry.edge.run import Finished, run
from skerry.edge.ssh import Link, close_connection
from skerry.load.cloud import load_cloud

Seen = Callable[..., None]
EVERYWHERE = 'nodes: ["*"]'
APPLY = "skerry apply --yes"


def serve(cloud: LiveCloud, text: str, placement: str = EVERYWHERE) -> None:
    """Places a web server whose page has this text: another text is a change on each node."""
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081, text=text), placement)


def serve_and_look(cloud: LiveCloud) -> Look:
    """Has the page and a bystander everywhere; then a change of the page waits to be applied."""
    cloud.place("also", httpd("also", image=BUSYBOX_IMAGE, port=8082), EVERYWHERE)
    serve(cloud, "one")
    cloud.skerry("apply", "--yes")
    before = look_at(cloud)
    serve(cloud, "two")
    return before


def page(cloud: LiveCloud, node: str, port: int = 8081) -> str:
    """What the node answers on a port; empty while nothing answers."""
    url = f"http://{cloud.addresses[node]}:{port}/index.html"
    return run(cloud.lab.inside("curl", "-s", "-m", "2", url), check=False).text


def pages(cloud: LiveCloud) -> dict[str, str]:
    """What each node answers."""
    return {node: page(cloud, node) for node in cloud.addresses}


def link_of(cloud: LiveCloud, node: str) -> Link:
    """How `skerry` reaches the node."""
    return make_link(cloud.folder, load_cloud(cloud.folder), node)


def hang_up(cloud: LiveCloud, node: str) -> None:
    """Ends the connection that stands: the next command makes another one."""
    close_connection(link_of(cloud, node))


def refused_on(cloud: LiveCloud, node: str, words: str) -> Finished:
    """An apply that this node refuses with these words; the rest of the fleet is done."""
    partial = cloud.skerry("apply", "--yes", expect=3)
    assert words in partial.text + partial.error_text, partial.text + partial.error_text
    expected = {name: "one" if name == node else "two" for name in cloud.addresses}
    assert pages(cloud) == expected
    return partial


def told(finished: Finished, node: str) -> str:
    """What a person reads of this node in a run of `apply`, and its last line."""
    parts = finished.text.split("\n\n")
    blocks = [part for part in parts if part.startswith((f"{node}\n", f"{node}  "))]
    said = [line for line in finished.error_text.splitlines() if not line.startswith("  ")]
    return "\n".join((*blocks, *said, finished.text.splitlines()[-1]))


def mended(cloud: LiveCloud, before: Look) -> None:
    """The next apply brings the rest along, and nothing else was touched."""
    cloud.skerry("apply", "--yes")
    assert set(pages(cloud).values()) == {"two"}
    check_aftermath(cloud, before, restarted={"web"})
