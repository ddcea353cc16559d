"""What every verb does to every row, compiled: integer units, ranges, targets, masks, errors.

`rows_numpy` does the same in arrays; `tests/subsetsum` holds the two to identical numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket.subsetsum._jit import jit
from strongticket.subsetsum._limits import FAR, FINEST, REACH, REFUSED, TINY

Array = Any
_POWERS = np.ldexp(1.0, np.arange(FINEST, 1 - FINEST))
_ONE = -FINEST  # where 2^0 stands in it
_MAGNITUDE = (1 << 63) - 1  # a float's bits but the sign: they order as magnitudes do
_LARGEST = (1023 + 1000) << 52  # the bits of 2^1000
_SAFE = 1 << 58  # 24 magnitudes below it cannot overflow a sum


@jit
def units_of(values: Array, bits: Array, units: Array, exponents: Array) -> None:
    """Fill units[i] = values[i] / 2^exponents[i], the greatest exponent that makes integers.

    `bits` are the values' own bits as int64. exponents[i] is REFUSED where no grid from 2^-1000 on
    holds the row in 62 bits, or where a value is beyond 2^1000, infinite or NaN.
    """
    for i in range(values.shape[0]):
        row, pattern, unit = values[i], bits[i], units[i]
        most: Any = np.int64(0)
        for k in range(row.size):
            most = max(most, pattern[k] & _MAGNITUDE)
        if most > _LARGEST:
            exponents[i] = REFUSED
            continue
        # The finest grid on which the greatest magnitude stays below 2^62.
        room = np.int64(min(1084 - (most >> 52), _ONE))
        up, down = _POWERS[_ONE + room], _POWERS[_ONE - room]
        every = np.int64(0)
        broken = 0
        for k in range(row.size):
            u = np.int64(row[k] * up)
            unit[k] = u
            every |= u
            broken += 1 if np.float64(u) * down != row[k] else 0
        if broken:
            exponents[i] = REFUSED
            continue
        shift = np.int64(0)
        if every == 0:
            shift = room
        else:
            width = np.int64(32)
            while width:
                if every & ((np.int64(1) << width) - 1) == 0:
                    every >>= width
                    shift += width
                width >>= 1
            for k in range(row.size):
                unit[k] >>= shift
        exponents[i] = shift - room


@jit
def ranges_of(units: Array, lowest: Array, highest: Array) -> int:
    """Fill the least and the greatest sum of every row; the first row beyond REACH, or -1."""
    beyond = -1
    for i in range(units.shape[0]):
        row = units[i]
        low = np.int64(0)
        high = np.int64(0)
        every = np.int64(0)
        for k in range(row.size):
            every |= max(row[k], ~row[k])
            low += min(row[k], 0)
            high += max(row[k], 0)
        lowest[i] = low
        highest[i] = high
        over = 1 if high - low > REACH else 0
        if every >= _SAFE:  # the sums may have overflowed: add up with care
            total = np.int64(0)
            over = 0
            for k in range(row.size):
                if max(row[k], ~row[k]) > REACH:
                    over = 1
                    break
                total += abs(row[k])
                if total > REACH:
                    over = 1
                    break
        if over == 1 and beyond < 0:
            beyond = i
    return beyond


@jit
def aims_of(
    targets: Array, exponents: Array, step: int, whole: Array, fraction: Array, hard: Array
) -> None:
    """Fill whole + fraction = target / 2^exponent, the fraction in [-1/2, 1/2].

    hard[i] says that this is not exact: a target beyond 2^61 is cut, and one below the smallest
    float only keeps its sign.
    """
    for i in range(targets.size):
        e = exponents[i * step]
        scaled = targets[i] * _POWERS[_ONE - e]
        hard[i] = False
        if abs(scaled) >= FAR:
            whole[i] = FAR if scaled > 0 else -FAR
            fraction[i] = 0.0
            hard[i] = True
        elif e > 0 and scaled * _POWERS[_ONE + e] != targets[i]:
            whole[i] = 0
            fraction[i] = TINY if targets[i] > 0 else -TINY
            hard[i] = True
        else:
            near = np.rint(scaled)
            whole[i] = np.int64(near)
            fraction[i] = scaled - near


@jit
def intervals_of(
    epsilon: Array,
    exponents: Array,
    step: int,
    whole: Array,
    fraction: Array,
    low: Array,
    high: Array,
    hard: Array,
) -> None:
    """Fill low and high: the integers within epsilon / 2^exponent of whole + fraction.

    hard[i] is set where the tolerance, in grid units, is below the smallest float.
    """
    for i in range(epsilon.size):
        e = exponents[i * step]
        scaled = epsilon[i] * _POWERS[_ONE - e]
        if scaled >= 2.0 * FAR:
            scaled = 2.0 * FAR
        elif e > 0 and scaled * _POWERS[_ONE + e] != epsilon[i]:
            hard[i] = True
        wide = np.floor(scaled)
        f, g = fraction[i], scaled - wide
        width = np.int64(wide)
        least = whole[i] - width
        most = whole[i] + width
        # floor(g + f) and ceil(f - g) from exact comparisons; g + |f| reaches 1 exactly where the
        # rounded sum does and its rounding error (Knuth's) takes nothing back.
        total = g + abs(f)
        shadow = total - g
        rest = (g - (total - shadow)) + (abs(f) - shadow)
        over = total > 1.0 or (total == 1.0 and rest >= 0.0)
        if f > 0.0:
            least += 1 if f > g else 0
            most += 1 if over else 0
        else:
            least -= 1 if over else 0
            most -= 1 if -f > g else 0
        low[i] = least
        high[i] = most


@jit
def subsets_of(numbers: Array, candidates: Array, step: int, mask: Array, sums: Array) -> None:
    """Fill mask[i, j] = bit j of numbers[i], and sums[i] = the candidates that it keeps.

    Where they sum to 0 the mask is the empty one instead.
    """
    n = mask.shape[1]
    for i in range(numbers.size):
        number = numbers[i]
        row, out = candidates[i * step], mask[i]
        total = np.int64(0)
        for j in range(n):
            bit = (number >> j) & 1
            out[j] = bit != 0
            total += row[j] & -bit
        sums[i] = total
        if total == 0:
            out[:] = False


@jit
def errors_of(targets: Array, exponents: Array, step: int, sums: Array, errors: Array) -> None:
    """Fill errors[i] = |target - sum * 2^exponent|, rounded up: `exact.distance_up`, by rows."""
    for i in range(targets.size):
        unit = _POWERS[_ONE + exponents[i * step]]
        high = np.float64(sums[i])
        low = np.float64(sums[i] - np.int64(high)) * unit
        high *= unit
        a, b = _two_sum(targets[i], -high)
        c, d = _two_sum(b, -low)
        top, rest = _two_sum(a, c)
        rest, crumb = _two_sum(rest, d)
        top, rest = _two_sum(top, rest)
        if top < 0.0 or (top == 0.0 and rest < 0.0):
            top, rest, crumb = -top, -rest, -crumb
        if rest > 0.0 or (rest == 0.0 and crumb > 0.0):
            top = np.nextafter(top, np.inf)
        errors[i] = top


@jit
def _two_sum(a: float, b: float) -> tuple[float, float]:
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)
