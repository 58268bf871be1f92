"""Kubernetes quantities: memory in bytes, CPU in thousandths of a core.

Source: Kubernetes API conventions, "resource.Quantity": a decimal number with a suffix out of
n, u, m, (none), k, M, G, T, P, E (powers of 1000) or Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024).
"""

from __future__ import annotations

import re
from decimal import Decimal

# The digits are bounded so that no quantity costs memory to compute.
_NUMBER = r"(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})"
QUANTITY_PATTERN = rf"^{_NUMBER}([eE][-+]?[0-9]{{1,2}}|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"

_FACTORS = {
    "n": Decimal("0.000000001"),
    "u": Decimal("0.000001"),
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_PARTS = re.compile(rf"^({_NUMBER}(?:[eE][-+]?[0-9]{{1,3}})?)([a-zA-Z]*)$")


def parse_memory(quantity: str | int | float) -> int:
    """The bytes that a memory quantity means, rounded up. Raises ValueError on a malformed one."""
    value = parse_amount(quantity)
    return int(value.to_integral_value(rounding="ROUND_CEILING"))


def parse_cpu(quantity: str | int | float) -> int:
    """The thousandths of a core that a CPU quantity means, rounded up.

    Raises ValueError on a malformed one.
    """
    value = parse_amount(quantity) * 1000
    return int(value.to_integral_value(rounding="ROUND_CEILING"))


def parse_amount(quantity: str | int | float) -> Decimal:
    """The number that a quantity means. Raises ValueError on a malformed one."""
    match = _PARTS.match(str(quantity))
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{quantity!r} is not a quantity such as 64Mi, 0.5 or 250m")
    return Decimal(match[1]) * _FACTORS[match[2]]
