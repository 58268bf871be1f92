"""Which fields of a pod ``fieldRef`` can name, and what is said about the others.

Source: Kubernetes "Downward API", and its validation of ``fieldPath``.
"""

from __future__ import annotations

import re

# What variables can be given; files of a volume can have other ones, as in Kubernetes.
ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels['KEY']",
    "metadata.annotations['KEY']",
    "spec.nodeName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
FILE_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.labels",
    "metadata.annotations",
    "metadata.labels['KEY']",
    "metadata.annotations['KEY']",
)
# Fields that Kubernetes has and that mean nothing here.
REFUSED_FIELDS = {
    "metadata.uid": "a pod has no identity here beyond its name, which is metadata.name",
    "spec.serviceAccountName": "there are no service accounts here",
}
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]", re.DOTALL)


def parse_field_path(path: str) -> tuple[str, str | None]:
    """The field, and the key in brackets or None: ``metadata.labels['a']``."""
    match = _SUBSCRIPT.fullmatch(path)
    return (match[1], match[2]) if match else (path, None)


def field_fault(path: str, *, is_file: bool) -> str:
    """Why a variable, or a file of a volume, cannot be this field; "" where it can."""
    fields = FILE_FIELDS if is_file else ENV_FIELDS
    field, key = parse_field_path(path)
    if path in REFUSED_FIELDS:
        return f"fieldPath {path} is not honoured: {REFUSED_FIELDS[path]}"
    if (field if key is None else f"{field}['KEY']") in fields:
        return "" if key is None or key else f"fieldPath {path} has no key between the quotes"
    what = "a file of a volume" if is_file else "a variable"
    return f"{what} cannot be the field {path!r}: it can be {', '.join(fields)}"
