"""What a caller gives, checked: arrays become a `Batch`, or an error says what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from strongticket.errors import InputError
from strongticket.subsetsum._keys import Batch, Floats, Integers
from strongticket.subsetsum._limits import FAR, FINEST, MOST
from strongticket.subsetsum._refusals import finite


@dataclass(frozen=True, eq=False)
class Products:
    r"""Candidates that are products of two numbers: :math:`a_{ij} b_{ij}`, multiplied exactly.

    What a two-layer gadget samples: a weight into a hidden neuron times a weight out of it.
    Products of two float64 are rarely float64; these are formed as integers on the product of
    the two factors' grids, which is exact for any factors of up to some 28 bits each.

    Attributes:
        first: (R, n), or (n,) shared by all rows.
        second: (R, n) or (n,); both integers or both floats.
    """

    first: ArrayLike
    second: ArrayLike


Candidates: TypeAlias = ArrayLike | Products
Shape: TypeAlias = tuple[int, ...]


def batch(candidates: Candidates, targets: ArrayLike, most: int = MOST) -> Batch:
    """The checked batch of candidates (M, n), (n,) or (R, n) and targets (M,) or (R, K)."""
    t = as_numbers("targets", targets)
    if isinstance(candidates, Products):
        a = as_numbers("Products.first", candidates.first)
        b = as_numbers("Products.second", candidates.second)
        check_factors(a.shape, b.shape)
        if a.ndim < b.ndim:
            a, b = b, a
    else:
        a, b = as_numbers("candidates", candidates), None
    if a.dtype != t.dtype or (b is not None and b.dtype != a.dtype):
        raise InputError(
            "candidates and targets must both be integers or both be floats, "
            f"got {a.dtype} candidates and {np.asarray(targets).dtype} targets"
        )
    check_shapes(a.shape, t.shape, most)
    finite("targets", t)
    check_targets(t)
    per = (t.shape[1] if t.ndim == 2 else 1) if a.ndim == 2 else 0
    return Batch(a, b, t.reshape(-1), per, t.shape)


def check_shapes(a: Shape, t: Shape, most: int) -> None:
    """Refuse candidates of shape `a` and targets of shape `t` that do not go together."""
    if len(t) not in (1, 2) or (len(t) == 2 and len(a) != 2):
        raise InputError(
            f"targets must have shape (M,), got {t}; or (R, K), K targets for each of the R "
            "rows of candidates"
        )
    if len(a) not in (1, 2) or (len(a) == 2 and a[0] != t[0]):
        raise InputError(
            f"candidates must have shape (M, n) with M = {t[0]} targets, or (n,) to be shared "
            f"by all of them; got {a}"
        )
    if a[-1] > most:
        raise InputError(
            f"at most {most} candidates a row can be searched, got {a[-1]}; "
            "give fewer, or split the target"
        )


def check_factors(a: Shape, b: Shape) -> None:
    """Refuse factors of `Products` whose shapes do not go together."""
    for name, shape in (("first", a), ("second", b)):
        if len(shape) not in (1, 2):
            raise InputError(f"Products.{name} must have shape (M, n) or (n,), got {shape}")
    if a[-1] != b[-1] or (len(a) == len(b) == 2 and a[0] != b[0]):
        raise InputError(f"Products must have factors of one shape, got {a}, {b}")


def tolerance(batch: Batch, epsilon: ArrayLike) -> Integers | Floats:
    """`epsilon`, a scalar or of the targets' shape, as an array (M,) of the batch's dtype."""
    wide = as_numbers("epsilon", epsilon)
    if not batch.exact_integers and wide.dtype == np.int64:
        wide, whole = as_numbers("epsilon", np.asarray(epsilon, np.float64)), wide
        if not (np.abs(wide) < 2.0**63).all() or (wide.astype(np.int64) != whole).any():
            raise InputError(
                "epsilon must be equal to a float64 where candidates and targets are floats, "
                f"got integers up to {whole.max()}"
            )
    if batch.exact_integers and wide.dtype != np.int64:
        raise InputError(
            "epsilon must be an integer where candidates and targets are integers, "
            f"got {np.asarray(epsilon).dtype}"
        )
    if wide.shape not in ((), batch.shape):
        names = "(M,)" if len(batch.shape) == 1 else "(R, K)"
        raise InputError(
            f"epsilon must be a number or have shape {names} = {batch.shape}, got {wide.shape}"
        )
    if not batch.exact_integers:
        finite("epsilon", wide)
    if wide.size and wide.min() < 0:
        raise InputError(f"epsilon must be at least 0, got {wide.min()}")
    if wide.ndim == 0:
        wide = cast("Integers | Floats", np.full(batch.rows, wide))
    return wide.reshape(-1)


def as_numbers(name: str, values: ArrayLike) -> Integers | Floats:
    """`values` as int64 or float64 in C order; InputError, by `name`, where one would change."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} must not be a masked array: give zeros where nothing may be kept")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} must be an array of numbers: {error}") from None
    if array.size == 0 and array.dtype == np.float64 and not isinstance(values, np.ndarray):
        raise InputError(f"{name} must say its dtype where it is empty: give a NumPy array")
    if array.dtype.kind in "iu":
        if array.dtype == np.uint64 and array.size and array.max() > np.uint64(2**63 - 1):
            raise InputError(f"{name} must fit int64, got {array.max()}")
        return np.ascontiguousarray(array, np.int64).reshape(array.shape)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return np.ascontiguousarray(array, np.float64).reshape(array.shape)
    raise InputError(f"{name} must be integers or floats of at most 64 bits, got {array.dtype}")


def check_targets(targets: Integers | Floats) -> None:
    """Refuse finite targets that are too large to measure distances to."""
    largest = int(targets.max(initial=0)), -int(targets.min(initial=0))
    if targets.dtype == np.int64 and max(largest) > FAR:
        raise InputError(
            f"integer targets may reach 2^61 in magnitude, got {targets.min()} to {targets.max()}; "
            "subset sums reach at most 2^60, so nothing beyond is ever near"
        )
    if targets.dtype != np.int64 and max(largest) > 2.0**-FINEST:
        raise InputError(
            "targets may reach 2^1000 in magnitude, so that their distances to sums are floats; "
            f"got {np.abs(targets).max():.6g}; scale candidates and targets down"
        )
