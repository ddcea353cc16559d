"""Why a row cannot be put on integer keys, in words, and what to do about it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from strongticket import exact
from strongticket.errors import InputError
from strongticket.subsetsum._limits import FINEST

Numbers = NDArray[np.int64] | NDArray[np.float64]
_CHUNK = 1 << 14


def refused(candidates: Numbers, row: int) -> InputError:
    """The error for row `row` (0 where all rows share candidates) of floats without a grid."""
    finite("candidates", candidates)
    values = candidates.reshape(-1, candidates.shape[-1])[row]
    largest = float(np.abs(values).max())
    if largest > 2.0**-FINEST:
        return InputError(
            "candidates may reach 2^1000 in magnitude, so that their sums and differences are "
            f"floats; {_name(candidates, row)} {largest:.6g}; scale candidates and targets down"
        )
    exponent = exact.grid_exponent(values)
    if exponent is not None and exponent < FINEST:
        return InputError(
            f"grids down to 2^{FINEST} can be used, and {_name(candidates, row)} the grid "
            f"2^{exponent}; scale candidates and targets up by a power of two"
        )
    return beyond(candidates, row)


def beyond(candidates: Numbers, row: int) -> InputError:
    """The error for a row whose magnitudes add up to more steps of its grid than int64 holds."""
    values = candidates.reshape(-1, candidates.shape[-1])[row]
    subject = "the shared candidates" if candidates.ndim == 1 else f"row {row}"
    if values.dtype == np.int64:
        return InputError(
            f"{subject} cannot be put on integer keys: its magnitudes add up to "
            f"{sum(abs(int(v)) for v in values)}, and at most 2^60 can be searched exactly; "
            "divide candidates and targets by a power of two and round them"
        )
    exponent = exact.grid_exponent(values.astype(np.float64)) or 0
    size = math.log2(sum(abs(float(v)) for v in values)) - exponent
    bits = _bits(candidates)
    return InputError(
        f"{subject} cannot be put on integer keys: its magnitudes add up to 2^{size:.1f} steps of "
        f"its grid 2^{exponent}, and at most 2^60 can be searched exactly. Round the candidates: "
        f"candidates = np.round(candidates * 2.0**{bits}) / 2.0**{bits} fits every row and moves "
        f"no sum by more than {candidates.shape[-1]} * 2^{-bits - 1}"
    )


def products_beyond(row: int) -> InputError:
    """The error for a row of products that need more steps of their grid than int64 holds."""
    return InputError(
        f"the products of row {row} cannot be put on integer keys: they add up to more than 2^60 "
        "steps of the product of their factors' grids (or leave 2^-1000 to 2^1000). Round both "
        "factors first: np.round(x * 2.0**24) / 2.0**24 keeps 24 bits of each, and 48 of a product"
    )


def finite(name: str, values: Numbers) -> None:
    """Refuse NaN and infinity, with their place."""
    flat = values.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        if not np.isfinite(part).all():
            where = start + int(np.flatnonzero(~np.isfinite(part))[0])
            place = tuple(int(i) for i in np.unravel_index(where, values.shape))
            raise InputError(f"{name} must be finite, got {flat[where]} at index {place}")


def _bits(candidates: Numbers) -> int:
    """The finest grid 2^-bits on which, once rounded to it, every row fits."""
    rows = candidates.reshape(-1, candidates.shape[-1])
    largest = max(
        float(np.abs(rows[start : start + _CHUNK]).sum(axis=1).max())
        for start in range(0, len(rows), _CHUNK)
    )
    # Rounding adds half a step for each candidate at most: less than the bit that is spared.
    return 59 - math.frexp(largest)[1]


def _name(candidates: Numbers, row: int) -> str:
    return "the shared candidates have" if candidates.ndim == 1 else f"row {row} has"
