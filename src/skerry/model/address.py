"""Addresses of a node on which a port is taken."""

from __future__ import annotations


def has_overlap(one: str, other: str) -> bool:
    """Whether two addresses cannot both have the same port; the empty one is all addresses.

    A socket at ``::`` takes IPv4 too (ipv6(7), IPV6_V6ONLY).
    """
    if one == other:
        return True
    return any(
        wide in ("", "::") or (wide == "0.0.0.0" and ":" not in narrow)
        for wide, narrow in ((one, other), (other, one))
    )
