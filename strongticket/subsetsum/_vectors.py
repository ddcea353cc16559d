"""Rows of vectors: checked, one grid a row, their targets as integers that compare exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend
from strongticket.subsetsum._inputs import as_numbers, check_targets
from strongticket.subsetsum._keys import Floats, Integers, Keys
from strongticket.subsetsum._limits import MOST, REFUSED
from strongticket.subsetsum._refusals import finite, refused

_HITS = 8.0  # subsets expected within the first radius


@dataclass(frozen=True, eq=False)
class Vectors:
    """Checked candidates (M, n, d) or (1, n, d), and targets (M, d), of one dtype."""

    candidates: NDArray[Any]
    targets: NDArray[Any]
    shared: bool

    @property
    def n(self) -> int:
        """Candidates a row."""
        return int(self.candidates.shape[1])

    @property
    def d(self) -> int:
        """Coordinates of a vector."""
        return int(self.candidates.shape[2])


def vectors(candidates: ArrayLike, targets: ArrayLike) -> Vectors:
    """The checked candidates (M, n, d) or (n, d), and targets (M, d)."""
    a, t = as_numbers("candidates", candidates), as_numbers("targets", targets)
    if a.dtype != t.dtype:
        raise InputError(
            "candidates and targets must both be integers or both be floats, "
            f"got {a.dtype} candidates and {t.dtype} targets"
        )
    if t.ndim != 2 or t.shape[1] < 1:
        raise InputError(f"targets must have shape (M, d) with d at least 1, got {t.shape}")
    if a.ndim not in (2, 3) or a.shape[-1] != t.shape[1] or (a.ndim == 3 and len(a) != len(t)):
        raise InputError(
            f"candidates must have shape (M, n, d) = ({len(t)}, n, {t.shape[1]}) for targets "
            f"{t.shape}, or (n, d) to be shared by all of them; got {a.shape}"
        )
    if a.shape[-2] > MOST:
        raise InputError(
            f"at most {MOST} candidates a row can be searched, got {a.shape[-2]}; give fewer"
        )
    finite("candidates", a)
    finite("targets", t)
    check_targets(t)
    return Vectors(a[None] if a.ndim == 2 else a, t, a.ndim == 2)


def keys_of(given: Vectors, start: int, stop: int, code: Backend) -> tuple[Keys, Integers]:
    """The rows' coordinates, one after the other, as rows of `Keys`; and units (m, d, n)."""
    rows = given.candidates if given.shared else given.candidates[start:stop]
    m, n, d = rows.shape
    values = np.ascontiguousarray(rows.transpose(0, 2, 1)).reshape(m, d * n)
    exponents = np.zeros(m, np.int64)
    units = cast(Integers, values)
    if values.dtype != np.int64:
        units = np.empty(values.shape, np.int64)
        code.units_of(values, values.view(np.int64), units, exponents)
        lost = np.flatnonzero(exponents == REFUSED)
        if lost.size:
            every = given.candidates.reshape(len(given.candidates), n * d)
            raise refused(every[0] if given.shared else every, int(lost[0]) + start * (m > 1))
    units = units.reshape(m * d, n)
    lowest, highest = np.empty(m * d, np.int64), np.empty(m * d, np.int64)
    over = code.ranges_of(units, lowest, highest)
    if over >= 0:
        row = "the shared candidates" if given.shared else f"row {start + over // d}"
        raise InputError(
            f"{row}, coordinate {over % d}: magnitudes that add up to more than 2^60 steps of the "
            f"row's grid 2^{exponents[over // d]} cannot be searched exactly; round the row to "
            "a coarser grid, candidates = np.round(candidates * 2.0**k) / 2.0**k with a smaller k"
        )
    targets = given.targets[start:stop]
    exponents = np.repeat(exponents, d)
    if given.shared:
        exponents, lowest, highest = (
            np.tile(each, len(targets)) for each in (exponents, lowest, highest)
        )
    goal = np.ascontiguousarray(targets).reshape(-1)
    whole, fraction = cast(Integers, goal), np.zeros(goal.size)
    hard = np.zeros(goal.size, np.bool_)
    if goal.dtype != np.int64:
        whole = np.empty(goal.size, np.int64)
        code.aims_of(goal, exponents, 1, whole, fraction, hard)
    if hard.any():
        at = int(hard.argmax())
        raise InputError(
            f"targets may reach 2^61 steps of their row's grid and must not vanish beside it; row "
            f"{start + at // d} has the grid 2^{exponents[at]} and {goal[at]} at coordinate "
            f"{at % d}: round the candidates to a coarser grid, or set the target to 0"
        )
    keys = Keys(units, 1, exponents, lowest, highest, whole, fraction, hard)
    return keys, units.reshape(m, d, n)


def goals(whole: Integers, fraction: Floats) -> Integers:
    """The targets as the kernel compares with them exactly: see `vector_numba.search`.

    A distance is an integer and one of the row's 2d numbers f and -f, brought into (-1/2, 1/2], so
    that it orders as (integer, rank of that number) does.
    """
    below = fraction == -0.5
    above = np.where(below, 0.5, fraction)
    parts = np.concatenate([above, np.where(above == 0.5, 0.5, -above)], axis=1)
    in_order = np.sort(parts, axis=1)
    rank = np.zeros(parts.shape, np.int64)
    rank[:, 1:] = (in_order[:, 1:] != in_order[:, :-1]).cumsum(axis=1)
    ranks = np.empty_like(rank)
    np.put_along_axis(ranks, np.argsort(parts, axis=1, kind="stable"), rank, axis=1)
    up, down = np.split(ranks, 2, axis=1)
    return np.stack([whole - below, above < 0, above == 0.5, up, down], axis=1).astype(np.int64)


def radii(
    spread: Floats, whole: Integers, least: Integers, most: Integers, n: int, work: int
) -> Integers:
    """Where to begin: some _HITS subsets are expected there, if sums are normally distributed.

    A guess that decides nothing but the time: it is widened until it has been enough. Where
    comparing all pairs that are near in the first three coordinates would be more than `work`,
    the _HITS are expected among so many of them.
    """
    d = spread.shape[1]
    used = spread > 0
    scale = np.where(used, spread, 1.0)
    near = np.clip(whole, least, most)
    away = (near - (least + most) / 2) / scale
    volume = np.where(used, np.log(scale) + np.log(2 * np.pi) / 2 + np.minimum(away**2, 16) / 2, 0)

    def of(first: int, tries: float) -> Floats:
        count = np.maximum(used[:, first:].sum(axis=1), 1)
        side = (np.log(_HITS) - tries + volume[:, first:].sum(axis=1)) / count
        guess: Floats = np.exp(np.minimum(side, 42.0)) / 2
        return np.where(used[:, first:].any(axis=1), guess, 0.0)

    radius = of(0, n * np.log(2))
    if d > 3:
        radius = np.maximum(radius, of(3, np.log(float(work))))
    beyond = np.abs(whole - near).max(axis=1)
    total: Integers = beyond + np.minimum(radius, 2.0**60).astype(np.int64) + 1
    return total
