"""What every verb does to every row, compiled: grid check, integer units, ranges, sums, masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket.subsetsum._jit import jit

Array = Any


@jit
def on_grid(values: Array, scale: float) -> tuple[bool, float]:
    """Whether every value times scale is an integer, and the largest magnitude among values."""
    broken = 0
    largest = 0.0
    for i in range(values.shape[0]):
        row = values[i]
        for k in range(row.size):
            y = row[k] * scale
            broken += 1 if np.floor(y) != y else 0  # NaN is unlike itself
            largest = max(largest, abs(row[k]))
    return broken == 0, largest


@jit
def units_of(values: Array, scale: float, units: Array) -> None:
    """Fill units = values * scale as int64; the caller knows that they are integers."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            units[i, j] = np.int64(values[i, j] * scale)


@jit
def ranges_of(units: Array, lowest: Array, highest: Array) -> None:
    """The least and the greatest subset sum of every row."""
    for i in range(units.shape[0]):
        row = units[i]
        low = np.int64(0)
        high = np.int64(0)
        for k in range(row.size):
            low += min(row[k], 0)
            high += max(row[k], 0)
        lowest[i] = low
        highest[i] = high


@jit
def sums_of(candidates: Array, step: int, mask: Array, sums: Array) -> None:
    """Fill sums[i] = the candidates of row i that mask keeps, added up in int64."""
    n = mask.shape[1]
    for i in range(mask.shape[0]):
        total = np.int64(0)
        for j in range(n):
            total += candidates[i * step, j] * mask[i, j]
        sums[i] = total


@jit
def unpack(numbers: Array, mask: Array) -> None:
    """Fill mask[i, j] = bit j of numbers[i]."""
    for i in range(mask.shape[0]):
        number = numbers[i]
        for j in range(mask.shape[1]):
            mask[i, j] = ((number >> j) & 1) != 0
