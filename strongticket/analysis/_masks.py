"""Masks of any kind as boolean arrays by parameter name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks._network import DENSE_LIMIT
from strongticket.tickets import Entries, Mask, Ticket

Bits = NDArray[np.bool_]
Kept = Ticket | Mask | Mapping[str, Any]
"""A ticket, a mask, or boolean arrays or tensors by parameter name."""


def arrays(kept: Kept) -> dict[str, Bits]:
    """Name -> boolean array; InputError for anything else, or where nothing is there."""
    source = kept.mask if isinstance(kept, Ticket) else kept
    if not isinstance(source, Mapping) or not source:
        raise InputError(
            f"needed a Ticket, a Mask or a mapping of boolean arrays, got {kept!r:.80}"
        )
    found = {}
    for name, given in source.items():
        if isinstance(given, Entries):
            if given.total > DENSE_LIMIT:
                raise InputError(
                    f"masks of up to {DENSE_LIMIT:,} entries are read at once, {name} has "
                    f"{given.total:,}"
                )
            found[name] = given.dense()
            continue
        bits = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if bits.dtype != np.bool_:
            raise InputError(f"the mask of {name} must be bool, got {bits.dtype}")
        found[name] = bits
    return found


def pair(first: Kept, second: Kept) -> tuple[dict[str, Bits], dict[str, Bits]]:
    """Two masks of the same parameters and shapes, or InputError."""
    one, two = arrays(first), arrays(second)
    if set(one) != set(two):
        raise InputError(
            f"two masks are compared over the same parameters, got {sorted(one)} and {sorted(two)}"
        )
    for name, bits in one.items():
        if bits.shape != two[name].shape:
            raise InputError(
                f"two masks of {name} need one shape, got {bits.shape} and {two[name].shape}"
            )
    return one, two
