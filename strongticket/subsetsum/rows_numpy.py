"""What every verb does to every row in plain NumPy, as `rows_numba` does it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strongticket import exact
from strongticket.subsetsum._limits import FAR, FINEST, REACH, REFUSED, TINY

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
_SAFE = 1 << 57  # 62 magnitudes below it cannot overflow a sum


def units_of(values: Floats, bits: Integers, units: Integers, exponents: Integers) -> None:
    """Fill units[i] = values[i] / 2^exponents[i], the greatest exponent that makes integers.

    Arguments as `rows_numba.units_of` has them.
    """
    largest = np.abs(values).max(axis=1, initial=0.0)
    good = largest <= 2.0**-FINEST  # NaN is not
    part = values[good]
    room = np.minimum(62 - np.frexp(largest[good])[1], -FINEST)[:, None]
    found = np.ldexp(part, room).astype(np.int64)
    whole = (np.ldexp(found.astype(np.float64), -room) == part).all(axis=1)
    every = np.bitwise_or.reduce(found, axis=1)
    lowest = np.frexp((every & -every).astype(np.float64))[1].astype(np.int64) - 1
    shift = np.where(every == 0, room[:, 0], lowest)
    units[good] = found >> np.maximum(lowest, 0)[:, None]
    exponents[:] = REFUSED
    exponents[good] = np.where(whole, shift - room[:, 0], REFUSED)


def ranges_of(units: Integers, lowest: Integers, highest: Integers) -> int:
    """Fill the least and the greatest sum of every row; the first row beyond REACH, or -1."""
    np.minimum(units, 0).sum(axis=1, out=lowest)
    np.maximum(units, 0).sum(axis=1, out=highest)
    over = highest - lowest > REACH
    unsafe = np.maximum(units, ~units).max(axis=1, initial=0) >= _SAFE
    for i in np.flatnonzero(unsafe):  # the sums may have overflowed: add up Python's integers
        over[i] = sum(abs(int(unit)) for unit in units[i]) > REACH
    return int(over.argmax()) if over.any() else -1


def aims_of(
    targets: Floats,
    exponents: Integers,
    step: int,
    whole: Integers,
    fraction: Floats,
    hard: Booleans,
) -> None:
    """Fill whole + fraction = target / 2^exponent, as `rows_numba.aims_of` does."""
    scaled = _scaled(targets, exponents)
    far = np.abs(scaled) >= FAR
    lost = ~far & (np.ldexp(scaled, exponents) != targets)
    near = np.clip(np.rint(scaled), -float(FAR), float(FAR))
    whole[:] = near
    fraction[:] = np.where(far, 0.0, np.where(lost, np.copysign(TINY, targets), scaled - near))
    hard[:] = far | lost


def intervals_of(
    epsilon: Floats,
    exponents: Integers,
    step: int,
    whole: Integers,
    fraction: Floats,
    low: Integers,
    high: Integers,
    hard: Booleans,
) -> None:
    """Fill low and high: the integers within epsilon, as `rows_numba.intervals_of` does."""
    scaled = _scaled(epsilon, exponents)
    cut = scaled >= 2.0 * FAR
    hard |= ~cut & (np.ldexp(scaled, exponents) != epsilon)
    scaled[cut] = 2.0 * FAR
    wide = np.floor(scaled)
    f, g = fraction, scaled - wide
    total, rest = exact.two_sum(g, np.abs(f))
    over = (total > 1) | ((total == 1) & (rest >= 0))
    low[:] = whole - wide.astype(np.int64) + (f > g) - ((f <= 0) & over)
    high[:] = whole + wide.astype(np.int64) - (-f > g) + ((f > 0) & over)


def subsets_of(
    numbers: Integers, candidates: Integers, step: int, mask: Booleans, sums: Integers
) -> None:
    """Fill the masks of the numbers and their sums, as `rows_numba.subsets_of` does."""
    mask[:] = (numbers[:, None] >> np.arange(mask.shape[1])) & 1
    if step:
        np.sum(candidates, axis=1, where=mask, out=sums)
    else:
        np.matmul(mask, candidates[0], out=sums)
    mask[sums == 0] = False


def errors_of(
    targets: Floats, exponents: Integers, step: int, sums: Integers, errors: Floats
) -> None:
    """Fill errors[i] = |target - sum * 2^exponent|, rounded up."""
    high, low = exact.split_integers(sums)
    errors[:] = exact.distance_up(targets, np.ldexp(high, exponents), np.ldexp(low, exponents))


def _scaled(values: Floats, exponents: Integers) -> Floats:
    """Values in grid units; infinite where that is beyond float64, which callers cut off."""
    with np.errstate(over="ignore"):
        scaled: Floats = np.ldexp(values, -exponents)
    return scaled
