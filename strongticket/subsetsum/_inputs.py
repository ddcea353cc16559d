"""What a caller gives, checked: arrays become a `Batch`, or an error says what came."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket import exact
from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend
from strongticket.subsetsum._keys import MOST, REACH, Batch, Floats, Integers

_CHUNK = 1 << 14
_SAMPLE = 64
_MOST_TARGET = 1 << 61
_LARGEST = 2.0**1000


def batch(candidates: ArrayLike, targets: ArrayLike, code: Backend) -> Batch:
    """The checked batch of `candidates` (M, n) or (n,) and `targets` (M,)."""
    a, t = _numbers("candidates", candidates), _numbers("targets", targets)
    if a.dtype != t.dtype:
        raise InputError(
            "candidates and targets must both be integers or both be floats, "
            f"got {np.asarray(candidates).dtype} candidates and {np.asarray(targets).dtype} targets"
        )
    if t.ndim != 1:
        raise InputError(f"targets must have shape (M,), got {t.shape}")
    if a.ndim not in (1, 2) or (a.ndim == 2 and len(a) != len(t)):
        raise InputError(
            f"candidates must have shape (M, n) with M = {len(t)} targets, or (n,) to be shared "
            f"by all of them; got {a.shape}"
        )
    if a.shape[-1] > MOST:
        raise InputError(
            f"at most {MOST} candidates a row can be searched, got {a.shape[-1]}; "
            "give fewer, or split the target"
        )
    if a.dtype == np.int64:
        _check_integers(cast(Integers, a), cast(Integers, t))
        return Batch(a, t, 0)
    return _float_batch(cast(Floats, a), cast(Floats, t), code)


def tolerance(batch: Batch, epsilon: ArrayLike) -> Integers | Floats:
    """`epsilon`, a scalar or (M,), as an array (M,) of the batch's dtype."""
    wide = _numbers("epsilon", epsilon)
    if not batch.exact_integers and wide.dtype == np.int64:
        wide = _numbers("epsilon", np.asarray(epsilon, np.float64))  # exact below 2^53
    if batch.exact_integers and wide.dtype != np.int64:
        raise InputError(
            "epsilon must be an integer where candidates and targets are integers, "
            f"got {np.asarray(epsilon).dtype}"
        )
    if wide.ndim > 1 or (wide.ndim == 1 and len(wide) != batch.rows):
        raise InputError(
            f"epsilon must be a number or have shape (M,) = ({batch.rows},), got {wide.shape}"
        )
    if not batch.exact_integers:
        _finite("epsilon", cast(Floats, wide))
        _check_underflow("epsilon", cast(Floats, wide), batch.exponent)
    if wide.size and wide.min() < 0:
        raise InputError(f"epsilon must be at least 0, got {wide.min()}")
    return cast("Integers | Floats", np.broadcast_to(wide, (batch.rows,)))


def _numbers(name: str, values: ArrayLike) -> Integers | Floats:
    array = np.asarray(values)
    if array.size == 0 and array.dtype == np.float64 and not isinstance(values, np.ndarray):
        raise InputError(f"{name} must say its dtype where it is empty: give a NumPy array")
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and array.max() > np.uint64(2**63 - 1):
            raise InputError(f"{name} must fit int64, got {array.max()}")
        return np.ascontiguousarray(array, np.int64).reshape(array.shape)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return np.ascontiguousarray(array, np.float64).reshape(array.shape)
    raise InputError(f"{name} must be integers or floats of at most 64 bits, got {array.dtype}")


def _check_integers(candidates: Integers, targets: Integers) -> None:
    if targets.size and max(int(targets.max()), -int(targets.min())) > _MOST_TARGET:
        raise InputError(
            f"integer targets may reach 2^61 in magnitude, got {targets.min()} to {targets.max()}; "
            "subset sums reach at most 2^60, so nothing beyond is ever near"
        )
    if candidates.size:
        largest = max(int(candidates.max()), -int(candidates.min()))
        _check_reach(candidates, largest, 0)


def _float_batch(candidates: Floats, targets: Floats, code: Backend) -> Batch:
    _finite("targets", targets)
    exponent, largest = _grid(candidates, code)
    if max(largest, float(np.abs(targets).max(initial=0.0))) > _LARGEST:
        raise InputError(
            "candidates and targets may reach 2^1000 in magnitude, so that their differences are "
            f"floats; got {largest:.6g} and {np.abs(targets).max(initial=0.0):.6g}; scale them"
        )
    _check_reach(candidates, largest, exponent)
    _check_underflow("targets", targets, exponent)
    return Batch(candidates, targets, exponent)


def _grid(candidates: Floats, code: Backend) -> tuple[int, float]:
    """The exponent of the common grid, and the largest magnitude."""
    rows = candidates[None, :] if candidates.ndim == 1 else candidates
    _finite("candidates", candidates[:_SAMPLE])
    guess = exact.grid_exponent(rows[:_SAMPLE])
    if guess is not None and abs(guess) < 1000:
        # One pass proves that the first rows' grid is everyone's, or sends us to the slow way.
        whole, largest = code.on_grid(rows, 2.0**-guess)
        if whole and largest <= _LARGEST:
            return guess, largest
    _finite("candidates", candidates)
    exponent = exact.grid_exponent(candidates)
    if exponent is None:
        return 0, 0.0
    if exponent < -1000:
        raise InputError(
            f"candidates need the grid 2^{exponent}, and grids down to 2^-1000 can be used; "
            "scale candidates and targets up by a power of two"
        )
    return exponent, max(float(candidates.max()), -float(candidates.min()))


def _check_reach(candidates: Integers | Floats, largest: float, exponent: int) -> None:
    """Refuse rows whose sums, in grid units, are beyond int64 keys."""
    n = candidates.shape[-1]
    with np.errstate(over="ignore"):
        if np.ldexp(float(largest), -exponent) * n <= REACH:
            return
    rows = candidates.reshape(-1, n)
    for start in range(0, len(rows), _CHUNK):
        with np.errstate(over="ignore"):  # what overflows is refused below
            units = np.ldexp(rows[start : start + _CHUNK].astype(np.float64), -exponent)
            reach = np.abs(units).sum(axis=1)
        # Rounding in the sum is below 2^-40 of it; refuse within that of the limit as well.
        bad = np.flatnonzero(~(reach < REACH * (1 - 2.0**-40)))
        if bad.size:
            row = start + int(bad[0])
            where = f"row {row}" if candidates.ndim == 2 else "the shared candidates"
            raise InputError(
                f"{where} cannot be put on integer keys: its candidates' magnitudes add up to "
                f"{reach[bad[0]]:.6g} steps of the common grid 2^{exponent}, and at most 2^60 are "
                "exact; round them to a coarser grid (float32 values of like size are fine)"
            )


def _check_underflow(name: str, values: Floats, exponent: int) -> None:
    """Refuse values that dividing by a grid above 1 would push below the smallest float."""
    if exponent > 0:
        lost = np.flatnonzero(np.ldexp(np.ldexp(values, -exponent), exponent) != values)
        if lost.size:
            raise InputError(
                f"{name} holds {values.reshape(-1)[lost[0]]!r}, too small beside candidates that "
                f"are multiples of 2^{exponent}; round it to 0 or scale everything down"
            )


def _finite(name: str, values: NDArray[np.float64]) -> None:
    flat = values.reshape(-1)
    for start in range(0, flat.size, _CHUNK * MOST):
        part = flat[start : start + _CHUNK * MOST]
        if not np.isfinite(part).all():
            where = start + int(np.flatnonzero(~np.isfinite(part))[0])
            place = tuple(int(i) for i in np.unravel_index(where, values.shape))
            raise InputError(f"{name} must be finite, got {flat[where]} at index {place}")
