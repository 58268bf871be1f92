"""Names and labels, as every Kubernetes object has them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from skerry.model.origin import Located

DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

LABEL_NAME_PATTERN = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

# The `description` of a constraint is what a person reads when a value breaks it ("must be ...").

# RFC 1123 label: what Kubernetes asks of a pod's, container's and port's name.
DnsLabel = Annotated[
    str,
    msgspec.Meta(
        pattern=DNS_LABEL_PATTERN,
        max_length=63,
        description="a name of lower-case letters, digits and '-' (at most 63 characters)",
    ),
]
# RFC 1123 subdomain: what Kubernetes asks of a ConfigMap's name.
DnsSubdomain = Annotated[
    str,
    msgspec.Meta(
        pattern=DNS_SUBDOMAIN_PATTERN,
        max_length=253,
        description="a name of lower-case letters, digits, '-' and '.' (at most 253 characters)",
    ),
]
# Labels as Kubernetes has them ("Labels and Selectors"): a key may have a domain before a slash.
LabelKey = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^([a-z0-9][-a-z0-9.]{{0,251}}[a-z0-9]/)?{LABEL_NAME_PATTERN}$",
        description="a label's key: letters, digits, '-', '_' and '.' (at most 63 characters), "
        "with or without a domain and a slash before it",
    ),
]
LabelValue = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({LABEL_NAME_PATTERN})?$",
        description="a label's value: letters, digits, '-', '_' and '.' (at most 63 characters)",
    ),
]


class Metadata(Located, frozen=True, kw_only=True):
    """An object's name, labels and annotations."""

    name: DnsSubdomain
    labels: dict[LabelKey, LabelValue] = {}
    annotations: dict[LabelKey, str] = {}
    namespace: str = "default"


class TemplateMetadata(Located, frozen=True, kw_only=True):
    """The metadata of a pod template: the owner gives the name."""

    name: DnsSubdomain | None = None
    labels: dict[LabelKey, LabelValue] = {}
    annotations: dict[LabelKey, str] = {}
