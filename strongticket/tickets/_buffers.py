"""The buffers of a ticket: private arrays that nobody can change any more."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

DTYPES = frozenset(
    {"bool", "float16", "float32", "float64", "complex64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def owned(buffers: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """A read-only mapping to read-only copies; InputError for a dtype that no file can hold."""
    found = {}
    for name, given in buffers.items():
        array = np.array(given)
        if array.dtype.name not in DTYPES or not array.dtype.isnative:
            raise InputError(
                f"the buffer {name!r} must be an array of {', '.join(sorted(DTYPES))} in this "
                f"machine's byte order, got {array.dtype!r}"
            )
        array.setflags(write=False)
        found[name] = array
    return MappingProxyType(found)
