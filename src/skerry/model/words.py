"""Types of single values that several kinds share: ports, paths, amounts, names."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.quantity import QUANTITY_PATTERN

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
PortName = Annotated[
    str,
    msgspec.Meta(
        # RFC 6335, 5.1: at most 15 characters, at least one letter.
        pattern=r"^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$",
        max_length=15,
        description="a port's number, or its name: at most 15 lower-case letters, digits and '-'",
    ),
]
AbsolutePath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^/[^\x00-\x1f\x7f]*$",
        description="an absolute path, one that begins with '/' (no control characters)",
    ),
]
MountPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^/[^:\x00-\x1f\x7f]*$",
        description="an absolute path, one that begins with '/' (no ':', no control characters)",
    ),
]
RelativePath = Annotated[
    str,
    msgspec.Meta(
        # What Kubernetes asks of `subPath` and of the paths of items: it stays inside.
        pattern=r"^(?!/)(?!(.*/)?\.\.(/|$))[^:\x00-\x1f\x7f]+$",
        description="a relative path without '..' (no ':', no control characters)",
    ),
]
Quantity = (
    Annotated[
        str,
        msgspec.Meta(
            pattern=QUANTITY_PATTERN, description="a quantity such as 64Mi, 1.5Gi, 0.5 or 250m"
        ),
    ]
    | Annotated[int, msgspec.Meta(ge=0)]
    | Annotated[float, msgspec.Meta(ge=0)]
)
IntOrPercent = (
    Annotated[
        str,
        msgspec.Meta(
            pattern=r"^(100|[0-9]{1,2})%$", description="a number, or a percentage such as 25%"
        ),
    ]
    | Annotated[int, msgspec.Meta(ge=0)]
)
EnvName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$",
        description="a variable's name: letters, digits, '-', '_' and '.', no digit first",
    ),
]
ImageName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/:@]*$",
        max_length=512,
        description="an image's name such as localhost/web:1.2",
    ),
]
IpAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9.]{7,15}$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$",
        description="an IP address such as 127.0.0.1 or ::1",
    ),
]
# A user's or group's id, as Linux has them.
Id = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
# Permission bits, written in octal (0644) or decimal (420).
FileMode = Annotated[int, msgspec.Meta(ge=0, le=0o777)]
Seconds = Annotated[int, msgspec.Meta(ge=0)]
# More than any cloud of this kind runs; a slip of some zeros would be placed for hours.
Replicas = Annotated[
    int, msgspec.Meta(ge=0, le=10_000, description="a whole number from 0 to 10000")
]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]

RestartPolicy = Literal["Always", "OnFailure", "Never"]
Protocol = Literal["TCP", "UDP"]
