"""The cloud that is measured: pods of one small web server each, on every node."""

from __future__ import annotations

from pathlib import Path

FIRST_PORT = 8001

POD = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  index.html: |
    <!doctype html>
    <title>{name}</title>
    <h1>{greeting} from {name}</h1>
---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{app: {name}, tier: web}}
spec:
  containers:
    - name: web
      image: {image}
      # The first process of a container ignores SIGTERM unless it says what to do with it.
      command: [/bin/sh, -c]
      args: ["trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"]
      env:
        - {{name: GREETING, value: {greeting}}}
        - {{name: TZ, value: UTC}}
      ports:
        - {{containerPort: 8080, hostPort: {port}}}
      volumeMounts:
        - {{name: pages, mountPath: /www, readOnly: true}}
      resources:
        limits: {{memory: 32Mi}}
  volumes:
    - name: pages
      configMap: {{name: {name}}}
"""


def place_pods(cloud_yaml: str, *, pods: int) -> str:
    """``cloud.yaml`` as ``skerry init`` and ``skerry node add`` left it, with every pod placed on
    every node."""
    places = "".join(
        f'  {name}: {{pod: pods/{name}.yaml, nodes: ["*"]}}\n' for name in pod_names(pods)
    )
    return cloud_yaml.replace("\nrun: {}\n", f"\nrun:\n{places}")


def pod_names(pods: int) -> list[str]:
    """The pods' names: web-01, web-02, ..."""
    return [f"web-{number:02}" for number in range(1, pods + 1)]


def pod_yaml(name: str, *, image: str, greeting: str = "hello") -> str:
    """One pod with its ConfigMap: mounted files, variables, a port of the node, a limit."""
    port = FIRST_PORT + int(name.rpartition("-")[2]) - 1
    return POD.format(name=name, image=image, greeting=greeting, port=port)


def write_pods(folder: Path, *, pods: int, image: str) -> None:
    """Writes all manifests of the cloud folder."""
    (folder / "pods").mkdir(parents=True, exist_ok=True)
    for name in pod_names(pods):
        (folder / "pods" / f"{name}.yaml").write_text(pod_yaml(name, image=image))
