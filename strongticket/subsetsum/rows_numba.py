"""What every verb does to every row, compiled: integer units, ranges, targets, masks, errors.

`rows_numpy` does the same in arrays; `tests/subsetsum` holds the two to identical numbers. Arrays
are read by unsigned indices and not by slices, for the reason that `enumerate_numba` gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit
from strongticket.subsetsum._limits import FAR, FINEST, REACH, REFUSED, TINY

Array = Any
_POWERS = np.ldexp(1.0, np.arange(FINEST, 1 - FINEST))
_ONE = -FINEST  # where 2^0 stands in it
_MAGNITUDE = (1 << 63) - 1  # a float's bits but the sign: they order as magnitudes do
_LARGEST = (1023 + 1000) << 52  # the bits of 2^1000
_SAFE = 1 << 57  # 62 magnitudes below it cannot overflow a sum
_COARSE = 900  # 2^62 steps of such a grid are below 2^1000
_WHOLE = 2.0**62
U = np.uint64


@jit
def units_of(values: Array, bits: Array, units: Array, exponents: Array) -> None:
    """Fill units[i] = values[i] / 2^exponents[i], the greatest exponent that makes integers.

    `bits` are the values' own bits as int64. exponents[i] is REFUSED where no grid from 2^-1000 on
    holds the row in 62 bits, or where a value is beyond 2^1000, infinite or NaN.
    """
    n = values.shape[1]
    guess = np.int64(0)
    for i in range(values.shape[0]):
        # Most rows lie on the grid of the row before them, and an odd unit says that it is theirs.
        up, down = _POWERS[U(_ONE - guess)], _POWERS[U(_ONE + guess)]
        every = np.int64(0)
        broken = np.int64(guess > _COARSE)
        for k in range(n):
            v = values[U(i), U(k)]
            scaled = v * up
            u = np.int64(scaled if abs(scaled) < _WHOLE else 0.0)
            units[U(i), U(k)] = u
            every |= u
            broken |= np.int64(np.float64(u) * down != v)
        if broken != 0 or every & 1 == 0:
            guess = _own_grid(values, bits, units, i)
        exponents[U(i)] = guess
        if guess == REFUSED:
            guess = np.int64(0)


@jit
def _own_grid(values: Array, bits: Array, units: Array, i: int) -> Any:
    """The exponent of row i, without a guess."""
    n = values.shape[1]
    most: Any = np.int64(0)
    for k in range(n):
        most = max(most, bits[U(i), U(k)] & _MAGNITUDE)
    if most > _LARGEST:
        return np.int64(REFUSED)
    # The finest grid on which the greatest magnitude stays below 2^62.
    room = np.int64(min(1084 - (most >> 52), _ONE))
    up, down = _POWERS[U(_ONE + room)], _POWERS[U(_ONE - room)]
    every = np.int64(0)
    broken = np.int64(0)
    for k in range(n):
        u = np.int64(values[U(i), U(k)] * up)
        units[U(i), U(k)] = u
        every |= u
        broken |= np.int64(np.float64(u) * down != values[U(i), U(k)])
    if broken:
        return np.int64(REFUSED)
    if every == 0:
        return np.int64(0)
    shift = np.int64(0)
    width = np.int64(32)
    while width:
        if every & ((np.int64(1) << width) - 1) == 0:
            every >>= width
            shift += width
        width >>= 1
    for k in range(n):
        units[U(i), U(k)] >>= shift
    return shift - room


@jit
def ranges_of(units: Array, lowest: Array, highest: Array) -> int:
    """Fill the least and the greatest sum of every row; the first row beyond REACH, or -1."""
    n = units.shape[1]
    beyond = -1
    for i in range(units.shape[0]):
        low: Any = np.int64(0)
        high: Any = np.int64(0)
        every = np.int64(0)
        for k in range(n):
            u = units[U(i), U(k)]
            every |= max(u, ~u)
            low += min(u, 0)
            high += max(u, 0)
        lowest[U(i)] = low
        highest[U(i)] = high
        over = 1 if high - low > REACH else 0
        if every >= _SAFE:  # the sums may have overflowed: add up with care
            total = np.int64(0)
            over = 0
            for k in range(n):
                size = max(units[U(i), U(k)], ~units[U(i), U(k)])
                if size > REACH:
                    over = 1
                    break
                total += abs(units[U(i), U(k)])
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
        e = exponents[U(i * step)]
        scaled = targets[U(i)] * _POWERS[U(_ONE - e)]
        hard[U(i)] = False
        if abs(scaled) >= FAR:
            whole[U(i)] = FAR if scaled > 0 else -FAR
            fraction[U(i)] = 0.0
            hard[U(i)] = True
        elif e > 0 and scaled * _POWERS[U(_ONE + e)] != targets[U(i)]:
            whole[U(i)] = 0
            fraction[U(i)] = TINY if targets[U(i)] > 0 else -TINY
            hard[U(i)] = True
        else:
            near = np.rint(scaled)
            whole[U(i)] = np.int64(near)
            fraction[U(i)] = scaled - near


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
        e = exponents[U(i * step)]
        scaled = epsilon[U(i)] * _POWERS[U(_ONE - e)]
        if scaled >= 2.0 * FAR:
            scaled = 2.0 * FAR
        elif e > 0 and scaled * _POWERS[U(_ONE + e)] != epsilon[U(i)]:
            hard[U(i)] = True
        wide = np.floor(scaled)
        f, g = fraction[U(i)], scaled - wide
        width = np.int64(wide)
        least = whole[U(i)] - width
        most = whole[U(i)] + width
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
        low[U(i)] = least
        high[U(i)] = most


@jit
def subsets_of(numbers: Array, candidates: Array, step: int, mask: Array, sums: Array) -> None:
    """Fill mask[i, j] = bit j of numbers[i], and sums[i] = the candidates that it keeps.

    Where they sum to 0 the mask is the empty one instead.
    """
    n = mask.shape[1]
    for i in range(numbers.size):
        number = numbers[U(i)]
        total = np.int64(0)
        for j in range(n):
            bit = (number >> j) & 1
            mask[U(i), U(j)] = bit != 0
            total += candidates[U(i * step), U(j)] & -bit
        sums[U(i)] = total
        if total == 0:
            for j in range(n):
                mask[U(i), U(j)] = False


@jit
def errors_of(targets: Array, exponents: Array, step: int, sums: Array, errors: Array) -> None:
    """Fill errors[i] = |target - sum * 2^exponent|, rounded up: `exact.distance_up`, by rows."""
    up = errors.view(np.int64)  # a float's bits and 1 are those of the next float up
    for i in range(targets.size):
        unit = _POWERS[U(_ONE + exponents[U(i * step)])]
        high = np.float64(sums[U(i)])
        low = np.float64(sums[U(i)] - np.int64(high)) * unit
        high *= unit
        a, b = _two_sum(targets[U(i)], -high)
        c, d = _two_sum(b, -low)
        top, rest = _two_sum(a, c)
        rest, crumb = _two_sum(rest, d)
        top, rest = _two_sum(top, rest)
        sign = -1.0 if (top < 0.0) | ((top == 0.0) & (rest < 0.0)) else 1.0
        errors[U(i)] = abs(top)
        up[U(i)] += np.int64((rest * sign > 0.0) | ((rest == 0.0) & (crumb * sign > 0.0)))


@jit
def _two_sum(a: float, b: float) -> tuple[float, float]:
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)
