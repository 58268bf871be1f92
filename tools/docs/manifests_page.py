"""``docs/manifests.md``: every field of every file of a cloud folder, from the model."""

from __future__ import annotations

from inspect import cleandoc

import msgspec
from tools.docs.kubernetes_types import structs_below
from tools.docs.structs import docstring, fields_table, markdown

from skerry.load import inventory
from skerry.model.cloud import CloudFile
from skerry.model.image import ImageFile
from skerry.model.kinds import SHARED_KINDS, WORKLOAD_KINDS

ROOTS: tuple[tuple[str, str, type[msgspec.Struct]], ...] = (
    ("cloud.yaml", "Nodes, and what runs where.", CloudFile),
    *((name, "In a file below `pods/`.", kind) for name, kind in WORKLOAD_KINDS.items()),
    *(
        (name, "In any file below `pods/`; pods of every file can use it.", kind)
        for name, kind in SHARED_KINDS.items()
    ),
    ("image.yaml", "In `images/NAME/`; a Containerfile there does instead.", ImageFile),
)
HEAD = """\
# The files of a cloud folder

`cloud.yaml` says which nodes there are and what runs where. The files below `pods/` are plain
Kubernetes manifests, several to a file if you like, with `---` between them; `kubectl` takes
them as they are. `skerry schema` prints the same as JSON Schema for your editor.

A field that is not listed here is an error with its file, line and column: nothing is ignored.
`null` for an optional field means that it is not given. `skerry check` shows all errors at once.
"""
KUBERNETES = """\
## What Kubernetes has and Skerry refuses

Every other kind, field and value of the Kubernetes API is refused with its reason, which differs
from the message for a typing error. [kubernetes.md](kubernetes.md) has them all: each field, and
the test that shows it or the reason why not.
"""
CHECKS = """\
## What is checked beyond single fields

- A placement's `pod` is a file of the folder that holds one workload; with several,
  `FILE#NAME` says which. It cannot lead out of the folder.
- Names in `nodes` are nodes of the cloud, and a wildcard means at least one.
- What a pod refers to exists: ConfigMaps, Secrets and their keys, values of `secrets.yaml`,
  claims, volumes, ports by their names. A ConfigMap's, Secret's, claim's or Service's name is
  given once in the whole folder; names, ports, mount paths and variables once in their list. A
  volume has exactly one source, a probe exactly one action.
- A selector matches the labels of its template. The pods of a Deployment, DaemonSet or
  StatefulSet restart always, those of a Job never or on failure.
- A port of a node is taken once: by two pods that are certain to be on one node, or by more
  replicas of one than there are nodes. So is a path, and the name of a unit.
- A Service of the type NodePort selects at least one pod of the cloud, its port names are ports
  of all of them, and a port of the nodes is that of one Service. One that is not given is
  allocated from 30000 to 32767 and kept in `cloud.lock`.
- A request is not beyond its limit. A security context asks for nothing that has no effect in a
  pod with user ids of its own (`privileged` says with `hostUsers` whose root is meant); the
  image of a container with `runAsNonRoot` has another user than root.
- The memory that pods ask for fits the nodes that they may run on, where that is known.
- Text is text: `8080`, `yes` and `on` without quotes are numbers and truth values in YAML, so a
  field that wants text refuses them and says to quote.
"""


def render_page() -> str:
    """The page."""
    lines = [HEAD]
    seen: set[type] = set()
    for title, words, root in ROOTS:
        lines += [f"## {title}", "", words, ""]
        for kind in structs_below(root):
            if kind in seen:
                continue
            seen.add(kind)
            if kind is not root:
                lines += [f"### {kind.__name__}", ""]
            lines += [docstring(kind), ""]
            table = fields_table(kind)
            lines += [*table, ""] if len(table) > 2 else ["It has no fields.", ""]
    lines += ["## An Ansible inventory", "", _inventory_words(), ""]
    lines += [KUBERNETES, CHECKS.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _inventory_words() -> str:
    """The loader's own description, with `inventory:` named as the field that asks for it."""
    _, _, rules = cleandoc(inventory.__doc__ or "").partition("\n\n")
    head = "`inventory: hosts.ini` in `cloud.yaml` takes nodes from an Ansible inventory."
    return f"{head}\n\n{markdown(rules)}"
