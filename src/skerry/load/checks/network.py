"""What a pod shares with its node, its names, and how it finds those of others.

Source: Kubernetes' own validation (its package ``core/validation``: ValidatePodSpec,
validatePodDNSConfig, validateHostUsers).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec

# As many as the C library's resolver reads (resolv.conf(5)), and Kubernetes' limits.
MAX_NAME_SERVERS = 3
MAX_SEARCH_DOMAINS = 32
MAX_SEARCH_LENGTH = 2048
_DOMAIN = re.compile(r"([a-z0-9]([-a-z0-9_.]*[a-z0-9])?)?\.?")
_OPTION_WORD = re.compile(r"[-A-Za-z0-9_.]+")


def check_network(spec: PodSpec) -> Iterator[Problem]:
    """Namespaces that exclude each other, host names, aliases, and the resolver's settings."""
    yield from _check_sharing(spec)
    for alias in spec.host_aliases:
        yield from check_address(alias.origin.of("ip"), alias.ip)
        if not alias.hostnames:
            yield alias.origin.problem(f"hostAliases: no `hostnames` for {alias.ip}")
    yield from _check_dns(spec)


def check_address(place: Origin, text: str) -> Iterator[Problem]:
    """A text that looks like an IP address and is none."""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        yield place.problem(f"{text!r} is not an IP address")


def _check_sharing(spec: PodSpec) -> Iterator[Problem]:
    shared = {
        "hostNetwork": spec.host_network,
        "hostPID": spec.host_pid,
        "hostIPC": spec.host_ipc,
    }
    for field, is_shared in shared.items():
        if is_shared and spec.host_users is False:
            yield spec.origin.of("hostUsers").problem(
                f"a pod with {field} has the user ids of the node",
                hint=f"leave out hostUsers: false, or {field}",
            )
    if spec.host_pid and spec.share_process_namespace:
        yield spec.origin.of("shareProcessNamespace").problem(
            "with hostPID, the containers see the processes of the node",
            hint="leave out shareProcessNamespace, or hostPID",
        )
    if spec.host_network and spec.hostname is not None:
        yield spec.origin.of("hostname").problem(
            "with hostNetwork, the host name is the node's", hint="leave hostname out"
        )


def _check_dns(spec: PodSpec) -> Iterator[Problem]:
    config = spec.dns_config
    if spec.dns_policy == "None" and (config is None or not config.nameservers):
        yield spec.origin.of("dnsPolicy").problem(
            "dnsPolicy None needs a name server: dnsConfig.nameservers"
        )
    if config is None:
        return
    for index, server in enumerate(config.nameservers):
        yield from check_address(config.origin.of(f"nameservers[{index}]"), server)
    if len(config.nameservers) > MAX_NAME_SERVERS:
        yield config.origin.of("nameservers").problem(
            f"{len(config.nameservers)} name servers: at most {MAX_NAME_SERVERS} are asked"
        )
    length = len(" ".join(config.searches))
    if len(config.searches) > MAX_SEARCH_DOMAINS or length > MAX_SEARCH_LENGTH:
        yield config.origin.of("searches").problem(
            f"{len(config.searches)} search domains of {length} characters: at most "
            f"{MAX_SEARCH_DOMAINS} of {MAX_SEARCH_LENGTH} characters are looked at"
        )
    for index, domain in enumerate(config.searches):
        if not domain or not _DOMAIN.fullmatch(domain):
            yield config.origin.of(f"searches[{index}]").problem(f"{domain!r} is not a domain")
    for option in config.options:
        if not _OPTION_WORD.fullmatch(option.name):
            yield option.origin.of("name").problem(
                f"{option.name!r} is not a word such as ndots or edns0"
            )
        if option.value is not None and not _OPTION_WORD.fullmatch(option.value):
            yield option.origin.of("value").problem(
                f"{option.value!r} is not one word", hint="leave `value` out where there is none"
            )
