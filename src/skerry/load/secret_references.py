"""What Secrets refer to in secrets.yaml, and what pods refer to of Secrets."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.manifest import Manifests
from skerry.load.secrets_file import NAME
from skerry.load.unknown import nearest
from skerry.model.cloud import pod_of
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.secret import Secret
from skerry.model.secret_text import parse_references
from skerry.model.secrets_file import SecretsFile
from skerry.model.volume import KeyToPath


def check_secret_references(manifests: Manifests, file: SecretsFile | None) -> Iterator[Problem]:
    """Each name that is not in secrets.yaml, each Secret and key of one that is not there."""
    for secret in manifests.secrets.values():
        yield from _check_names(secret, file)
    for manifest in (one for several in manifests.workloads.values() for one in several):
        for name, key, origin, field in _uses(pod_of(manifest)[1]):
            yield from _check_use(manifests, name, key, origin, field)


def _check_names(secret: Secret, file: SecretsFile | None) -> Iterator[Problem]:
    for key, text in secret.string_data.items():
        for name in parse_references(text)[0]:
            if file is not None and name in file.secrets:
                continue
            near = nearest(name, file.secrets) if file is not None else None
            there = f"there is no secret {name!r} in {NAME}"
            if file is None:
                there = f"there is no {NAME}, where $({name}) would be"
            yield secret.origin.of(f"stringData[{key}]").problem(
                f"the value of {key!r}: {there}",
                hint=f"did you mean $({near})?"
                if near
                else f"`skerry secret set {name}`; write $$( for the characters $(",
            )


def _check_use(
    manifests: Manifests, name: str, key: str, origin: Origin, field: str
) -> Iterator[Problem]:
    secret = manifests.secrets.get(name)
    if secret is None:
        if not manifests.is_broken("Secret", name):
            near = nearest(name, manifests.secrets)
            yield origin.of(field).problem(
                f"there is no Secret {name!r} in the cloud folder",
                hint=f"did you mean {near!r}?" if near else "optional: true would leave it out",
            )
        return
    keys = {*secret.data, *secret.string_data}
    if key and key not in keys:
        near = nearest(key, keys)
        yield origin.of("key").problem(
            f"Secret {name!r} has no key {key!r}", hint=f"did you mean {near!r}?" if near else ""
        )


def _uses(spec: PodSpec) -> Iterator[tuple[str, str, Origin, str]]:
    """What must be there: the Secret, the key or "", the place, and the field of the name."""
    for volume in spec.volumes:
        if (source := volume.secret) is not None and not source.optional:
            yield source.secret_name, "", source.origin, "secretName"
            yield from _item_uses(source.secret_name, source.items, "secretName")
        if volume.projected is not None:
            for several in volume.projected.sources:
                if (one := several.secret) is not None and not one.optional:
                    yield one.name, "", one.origin, "name"
                    yield from _item_uses(one.name, one.items, "name")
    for container in spec.all_containers:
        for variable in container.env:
            selector = variable.value_from.secret_key_ref if variable.value_from else None
            if selector is not None and not selector.optional:
                yield selector.name, selector.key, selector.origin, "name"
        for all_keys in container.env_from:
            if (ref := all_keys.secret_ref) is not None and not ref.optional:
                yield ref.name, "", ref.origin, "name"


def _item_uses(
    name: str, items: tuple[KeyToPath, ...], field: str
) -> Iterator[tuple[str, str, Origin, str]]:
    for item in items:
        yield name, item.key, item.origin, field
