"""Fields that may say only what is true here anyway."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.pod import PodSpec


def check_defaults(spec: PodSpec) -> Iterator[Problem]:
    """Problems of what many charts and generated manifests turn off, where it is turned on."""
    asked = {
        "automountServiceAccountToken": spec.automount_service_account_token,
        "enableServiceLinks": spec.enable_service_links,
    }
    for field, value in asked.items():
        if value:
            from skerry.load.unknown import try_refusal_of_value

            refusal = try_refusal_of_value("PodSpec", field, "true")
            assert refusal is not None
            yield spec.origin.of(field).problem(
                f"{field}: true is refused: {refusal.reason}", hint=refusal.hint
            )
