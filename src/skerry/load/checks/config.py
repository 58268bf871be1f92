"""ConfigMaps in themselves."""

from __future__ import annotations

from skerry.errors import Problem
from skerry.model.configmap import ConfigMap

# What Kubernetes sets for a ConfigMap's content (its validation, MaxSecretSize).
MAX_CONFIG_MAP_BYTES = 1024 * 1024


def check_config_map(config_map: ConfigMap) -> list[Problem]:
    """The problems of a ConfigMap in itself."""
    problems: list[Problem] = []
    size = sum(len(text.encode()) for text in config_map.data.values())
    for key, text in config_map.binary_data.items():
        place = config_map.origin.of(f"binaryData[{key}]")
        if key in config_map.data:
            problems.append(place.problem(f"the key {key!r} is in `data` too"))
        import base64
        import binascii

        try:
            size += len(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            problems.append(place.problem(f"the value of {key!r} is not base64"))
    if size > MAX_CONFIG_MAP_BYTES:
        problems.append(
            config_map.origin.problem(
                f"ConfigMap {config_map.metadata.name!r} holds {size} bytes: at most "
                f"{MAX_CONFIG_MAP_BYTES} fit"
            )
        )
    return problems
