"""What every verb does to every row in plain NumPy, as `rows_numba` does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
_CHUNK = 1 << 12


def on_grid(values: Floats, scale: float) -> tuple[bool, float]:
    """Whether every value times scale is an integer, and the largest magnitude among values."""
    whole = True
    largest = 0.0
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        with np.errstate(over="ignore"):  # an overflow is infinite, and the caller refuses those
            scaled = part * scale
        whole = whole and bool((np.floor(scaled) == scaled).all())
        largest = max(largest, float(np.abs(part).max(initial=0.0)))
    return whole, largest


def units_of(values: Floats, scale: float, units: Integers) -> None:
    """Fill units = values * scale as int64; the caller knows that they are integers."""
    units[:] = values * scale


def ranges_of(units: Integers, lowest: Integers, highest: Integers) -> None:
    """The least and the greatest subset sum of every row."""
    np.minimum(units, 0).sum(axis=1, out=lowest)
    np.maximum(units, 0).sum(axis=1, out=highest)


def sums_of(candidates: Integers, step: int, mask: NDArray[np.bool_], sums: Integers) -> None:
    """Fill sums[i] = the candidates of row i that mask keeps, added up in int64."""
    np.sum(candidates, axis=1, where=mask, out=sums) if step else np.matmul(
        mask, candidates[0], out=sums
    )


def unpack(numbers: Integers, mask: NDArray[np.bool_]) -> None:
    """Fill mask[i, j] = bit j of numbers[i]."""
    mask[:] = (numbers[:, None] >> np.arange(mask.shape[1])) & 1
