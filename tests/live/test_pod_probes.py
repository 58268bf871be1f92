"""Probes at running containers: what they ask, when, and what their answers lead to."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode, with_stop_signal

from skerry.lab import Lab

# A server whose pages tests take away and bring back; it logs each request to /www/log.
POD = (
    "apiVersion: v1\n"
    + """\
kind: Pod
metadata: {{name: web}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: web
      image: IMAGE
      command: [sh, -c, "{before} echo ok >/www/ok; exec httpd -f -vv -p 8080 -h /www"]
      ports: [{{containerPort: 8080, name: http}}]
{probes}
"""
)
UNIT = "skerry-web.0.service"
RUN = "/run/skerry/skerry-web.0"


def pod(*probes: str, before: str = "") -> str:
    """The pod with these lines under its container."""
    return POD.format(before=before, probes="\n".join(f"      {line}" for line in probes))


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("probes")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("probes"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def is_ready(node: PodNode) -> bool:
    """Whether the file is there that the health gate looks at."""
    return node.shell(f"test -e {RUN}/ready", check=False).status == 0


def remove(node: PodNode, page: str = "ok") -> None:
    """Takes a page away."""
    node.within("skerry-web.0", f"mv /www/{page} /www/no-{page}")


def bring_back(node: PodNode, page: str = "ok") -> None:
    """Brings a page back."""
    node.within("skerry-web.0", f"mv /www/no-{page} /www/{page}")


def restarts(node: PodNode) -> int:
    """How often systemd has started the container again."""
    return int(node.show(UNIT, "NRestarts")[0])


@pytest.mark.honours(
    "Container.readinessProbe",
    "Probe.httpGet",
    "Probe.periodSeconds",
    "HTTPGetAction.path",
    "HTTPGetAction.port",
)
def test_readiness_follows_what_the_server_answers(node: PodNode) -> None:
    probe = "readinessProbe: {httpGet: {path: /ok, port: http}, periodSeconds: 1}"
    node.start(web=pod(probe))
    wait_until(lambda: is_ready(node), 30, "ready")
    remove(node)
    wait_until(lambda: not is_ready(node), 30, "not ready")
    log = node.log(UNIT, "not ready")
    assert "readiness probe failed (3 of 3): HTTP status 404; not ready" in log
    bring_back(node)
    wait_until(lambda: is_ready(node), 30, "ready again")
    node.log(UNIT, "readiness probe passes: ready again")
    # It is only looked at: the container goes on.
    assert restarts(node) == 0


@pytest.mark.honours("Probe.failureThreshold", "Probe.successThreshold")
def test_thresholds_count_looks_in_a_row(node: PodNode) -> None:
    probe = (
        "readinessProbe: {httpGet: {path: /ok, port: 8080}, periodSeconds: 1,"
        " successThreshold: 3, failureThreshold: 2}"
    )
    node.start(web=pod(probe))
    seen: set[str] = set()

    def is_ready_now() -> bool:
        seen.add(node.read(f"{RUN}/readiness").decode().strip())
        return is_ready(node)

    wait_until(is_ready_now, 30, "ready")
    assert node.read(f"{RUN}/readiness").decode().split() == ["passed", "3"]
    assert "passed 1" in seen or "passed 2" in seen
    remove(node)
    wait_until(lambda: not is_ready(node), 30, "not ready")
    assert "readiness probe failed (2 of 2)" in node.log(UNIT, "not ready")


@pytest.mark.honours(
    "Container.livenessProbe", "Probe.exec", "ExecAction.command", "PodSpec.restartPolicy"
)
def test_failing_liveness_has_the_container_restarted(node: PodNode) -> None:
    probe = (
        'livenessProbe: {exec: {command: [sh, -c, "test -e /www/ok || { echo it is gone; exit 4;'
        ' }"]}, periodSeconds: 1, failureThreshold: 2}'
    )
    node.start(web=pod(probe))
    first = node.within("skerry-web.0", "hostname; cat /proc/1/stat").split()[-31]
    remove(node)
    wait_until(lambda: restarts(node) >= 1, 60, "a restart")
    node.wait_active(UNIT, timeout=60)
    wait_until(
        lambda: node.shell("podman exec skerry-web.0 test -e /www/ok", check=False).status == 0,
        30,
        "the page of the new container",
    )
    log = node.log(UNIT, "the container is stopped")
    assert "liveness probe failed (2 of 2): exit status 4: it is gone" in log
    assert node.within("skerry-web.0", "hostname; cat /proc/1/stat").split()[-31] != first


@pytest.mark.honours("Probe.tcpSocket", "TCPSocketAction.port")
def test_tcp_connection_to_a_port(node: PodNode) -> None:
    probe = "readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1, failureThreshold: 2}"
    node.start(web=pod(probe, before="until test -e /tmp/go; do sleep 0.1; done;"))
    # On a busy machine the first look may have run out of its second.
    log = node.log(UNIT, "Connection refused")
    assert re.search(r"readiness probe fails \([12] of 2\): Connection refused", log)
    assert not is_ready(node)
    node.within("skerry-web.0", "touch /tmp/go")
    wait_until(lambda: is_ready(node), 30, "ready")


@pytest.mark.honours("Container.startupProbe", "Probe.initialDelaySeconds")
def test_startup_probe_protects_a_slow_starter_from_liveness(node: PodNode) -> None:
    probes = (
        "startupProbe: {httpGet: {path: /ok, port: 8080}, periodSeconds: 1, failureThreshold: 60,"
        " initialDelaySeconds: 1}",
        "livenessProbe: {httpGet: {path: /ok, port: 8080}, periodSeconds: 1, failureThreshold: 1}",
    )
    tree = node.compile({"web": pod(*probes, before="until test -e /tmp/go; do sleep 0.1; done;")})
    node.put(tree)
    node.shell(f"systemctl --no-block start {UNIT}")
    wait_until(
        lambda: node.shell("podman exec skerry-web.0 true", check=False).status == 0, 30, "it runs"
    )
    # Liveness would have ended it three times over.
    began = float(node.shell("cut -d' ' -f1 /proc/uptime").text)
    wait_until(lambda: float(node.shell("cut -d' ' -f1 /proc/uptime").text) > began + 4, 30, "4 s")
    assert node.show(UNIT, "ActiveState", "SubState") == ["activating", "start-post"]
    assert restarts(node) == 0
    node.within("skerry-web.0", "touch /tmp/go")
    node.wait_active(UNIT, timeout=30)
    assert restarts(node) == 0
    remove(node)
    wait_until(lambda: restarts(node) >= 1, 60, "a restart by the liveness probe")


def test_startup_probe_that_never_passes_ends_the_container(node: PodNode) -> None:
    probe = (
        "startupProbe: {httpGet: {path: /none, port: 8080}, periodSeconds: 1, failureThreshold: 2}"
    )
    node.put(node.compile({"web": pod(probe)}))
    node.shell(f"systemctl --no-block start {UNIT}")
    wait_until(lambda: restarts(node) >= 1, 60, "a restart")
    log = node.log(UNIT, "the container is stopped")
    assert "startup probe failed (2 of 2): HTTP status 404" in log


@pytest.mark.honours("Probe.timeoutSeconds")
def test_slow_answer_is_no_answer(node: PodNode) -> None:
    """An exec that takes 3 s, within 1 s and within 10 s."""
    command = '[sh, -c, "sleep 3; touch /www/ended"]'
    node.start(
        web=pod(
            f"readinessProbe: {{exec: {{command: {command}}}, periodSeconds: 1,"
            " failureThreshold: 1, timeoutSeconds: 1}"
        )
    )
    wait_until(lambda: node.read(f"{RUN}/readiness").startswith(b"failed"), 30, "a failed look")
    # What was too slow does not go on inside.
    assert node.shell("podman exec skerry-web.0 test -e /www/ended", check=False).status != 0
    assert not is_ready(node)
    node.clean()
    node.start(
        web=pod(
            f"readinessProbe: {{exec: {{command: {command}}}, periodSeconds: 1,"
            " failureThreshold: 1, timeoutSeconds: 10}"
        )
    )
    wait_until(lambda: is_ready(node), 40, "ready")


@pytest.mark.honours("Probe.initialDelaySeconds")
def test_first_look_comes_after_the_delay(node: PodNode) -> None:
    probe = "readinessProbe: {httpGet: {port: 8080}, initialDelaySeconds: 6, periodSeconds: 1}"
    node.start(web=pod(probe))
    wait_until(lambda: node.read(f"{RUN}/readiness"), 40, "a look")
    began = int(node.read(f"{RUN}/began"))
    looked = float(
        node.shell(
            f"echo $(( $(stat -c %Y {RUN}/readiness) - $(date +%s) + $(cut -d. -f1 /proc/uptime) ))"
        ).text
    )
    assert looked - began >= 5


@pytest.mark.honours(
    "HTTPGetAction.httpHeaders", "HTTPGetAction.host", "HTTPHeader.name", "HTTPHeader.value"
)
def test_request_has_the_headers(node: PodNode) -> None:
    """A server that writes down what it is asked, at the node's own address: `host`."""
    server = (
        "import http.server as h\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        open('/srv/got', 'a').write(self.requestline + chr(10) + str(self.headers))\n"
        "        self.send_response(204); self.end_headers()\n"
        "h.HTTPServer(('127.0.0.1', 8123), H).serve_forever()\n"
    )
    node.shell("cat >/srv/server.py", input=server.encode())
    node.shell("systemd-run --quiet --unit=asked python3 /srv/server.py")
    try:
        node.start(
            web=pod(
                "readinessProbe:",
                "  periodSeconds: 1",
                "  httpGet:",
                "    host: 127.0.0.1",
                "    port: 8123",
                "    path: /a?x=[1]&y=$HOME",
                "    httpHeaders:",
                '      - {name: X-Pin, value: "it\'s $1 & \\"2\\""}',
                "      - {name: X-Empty, value: ''}",
                "      - {name: Host, value: shop.test}",
            )
        )
        wait_until(lambda: is_ready(node), 30, "ready")
        lines = node.read("/srv/got").decode().splitlines()
        assert lines[0] == "GET /a?x=[1]&y=$HOME HTTP/1.1"
        assert {'X-Pin: it\'s $1 & "2"', "X-Empty: ", "Host: shop.test"} <= set(lines)
    finally:
        node.shell("systemctl stop asked", check=False)


@pytest.mark.honours("HTTPGetAction.scheme")
def test_https_is_spoken_and_not_verified(node: PodNode) -> None:
    node.shell(
        "cd /srv && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 2 "
        "-keyout key.pem -out cert.pem 2>/dev/null || test -e cert.pem",
        check=False,
    )
    server = (
        "import http.server as h, ssl\n"
        "s = h.HTTPServer(('127.0.0.1', 8124), h.SimpleHTTPRequestHandler)\n"
        "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "c.load_cert_chain('/srv/cert.pem', '/srv/key.pem')\n"
        "s.socket = c.wrap_socket(s.socket, server_side=True)\n"
        "s.serve_forever()\n"
    )
    node.shell("cat >/srv/server.py", input=server.encode())
    node.shell("systemd-run --quiet --unit=asked python3 /srv/server.py")
    place = "httpGet: {host: 127.0.0.1, port: 8124, path: /, scheme: %s}"
    try:
        node.start(web=pod(f"readinessProbe: {{periodSeconds: 1, {place % 'HTTPS'}}}"))
        wait_until(lambda: is_ready(node), 30, "ready")
        node.shell(f"systemctl stop {UNIT}")
        node.start(web=pod(f"readinessProbe: {{periodSeconds: 1, {place % 'HTTP'}}}"))
        wait_until(lambda: node.read(f"{RUN}/readiness").startswith(b"failed"), 30, "no TLS")
    finally:
        node.shell("systemctl stop asked", check=False)


@pytest.mark.honours("TCPSocketAction.host")
def test_other_host_is_asked_from_the_node(node: PodNode) -> None:
    """sshd of the node answers; in the pod nothing listens at 22."""
    probe = "readinessProbe: {tcpSocket: {host: 127.0.0.1, port: 22}, periodSeconds: 1}"
    node.start(web=pod(probe))
    wait_until(lambda: is_ready(node), 30, "ready")


@pytest.mark.honours("Probe.terminationGracePeriodSeconds")
def test_probe_has_a_time_to_stop_of_its_own(node: PodNode) -> None:
    """The pod would have 60 s; PID 1 lets SIGTERM pass."""
    probe = (
        "livenessProbe: {exec: {command: [test, -e, /www/ok]}, periodSeconds: 1,"
        " failureThreshold: 1, terminationGracePeriodSeconds: 1}"
    )
    text = pod(probe).replace("PeriodSeconds: 2", "PeriodSeconds: 60")
    node.put(with_stop_signal(node.compile({"web": text}), "TERM"))
    node.shell(f"systemctl start {UNIT}")
    remove(node)
    wait_until(lambda: restarts(node) >= 1, 30, "a restart long before 60 s are over")
    # It need not have its 60 s now. Its process alone is killed, once systemd would not start it
    # again: without conmon Podman takes it for running, and the next container of this name fails.
    node.wait_active(UNIT, timeout=60)
    node.shell(
        f"read -r pid <{RUN}/pid; systemctl --no-block stop {UNIT}; kill -KILL $pid;"
        f" systemctl stop {UNIT}"
    )


def test_looks_cost_little_and_leave_nothing_behind(node: PodNode) -> None:
    probes = (
        "livenessProbe: {httpGet: {path: /ok, port: 8080}, periodSeconds: 1}",
        "readinessProbe: {exec: {command: [test, -e, /www/ok]}, periodSeconds: 1}",
    )
    node.start(web=pod(*probes))
    wait_until(lambda: is_ready(node), 30, "ready")
    said = (
        "journalctl -q -o cat _SYSTEMD_UNIT=skerry-web.0_liveness.service "
        "+ UNIT=skerry-web.0_liveness.service | wc -l"
    )
    before = node.shell(said).text
    count = "systemctl show -P InvocationID skerry-web.0_liveness.service"
    looks = {node.shell(count).text}

    def has_looked() -> bool:
        looks.add(node.shell(count).text)
        return len(looks) > 4

    wait_until(has_looked, 30, "four looks")
    # Looks at what is well are not told.
    assert node.shell(said).text == before
    for kind in ("liveness", "readiness"):
        spent = [
            int(node.shell(f"systemctl start skerry-web.0_{kind}.service; "
                         f"systemctl show -P CPUUsageNSec skerry-web.0_{kind}.service").text)
            for _ in range(5)
        ]  # fmt: skip
        print(f"{kind}: {sorted(spent)[2] / 1e6:.1f} ms")
        assert min(spent) < 60e6
    wait_until(
        lambda: node.shell("ps -eo args | grep '[/]etc/skerry/probe'", check=False).text == "",
        30,
        "no process of a probe",
    )
    assert set(node.show(UNIT, "ActiveState", "NRestarts")) == {"active", "0"}


def test_timers_go_with_the_container_and_come_with_it(node: PodNode) -> None:
    probe = "livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}"
    node.start(web=pod(probe))
    node.wait_active("skerry-web.0_liveness.timer")
    node.shell(f"systemctl stop {UNIT}")
    assert node.show("skerry-web.0_liveness.timer", "ActiveState") == ["inactive"]
    assert node.shell(f"test -e {RUN}", check=False).status != 0
    node.shell(f"systemctl start {UNIT}")
    node.wait_active("skerry-web.0_liveness.timer")
    node.shell("podman kill skerry-web.0")
    # The restart waits for its second: a timer does not have it start at once.
    log = node.log(UNIT, "Scheduled restart job, restart counter")
    assert "restart job immediately" not in log
    node.wait_active(UNIT, "skerry-web.0_liveness.timer")
