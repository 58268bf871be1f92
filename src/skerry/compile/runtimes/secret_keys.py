"""Keys of Secrets that variables and volumes refer to."""

from __future__ import annotations

from skerry.compile.runtimes.sources import Sources
from skerry.compile.runtimes.values import SecretKey
from skerry.compile.secrets import secret_keys
from skerry.errors import Problem
from skerry.model.origin import Origin


def read_secret_keys(
    name: str, sources: Sources, origin: Origin, problems: list[Problem], *, is_optional: bool
) -> dict[str, SecretKey]:
    """All keys of a Secret; none of an optional one that is not there."""
    secret = sources.secrets.secrets.get(name)
    if secret is None:
        if not is_optional:
            problems.append(
                origin.problem(
                    f"there is no Secret {name!r} in the cloud folder",
                    hint="optional: true leaves it out",
                )
            )
        return {}
    return {key: SecretKey(name, key) for key in secret_keys(secret)}
