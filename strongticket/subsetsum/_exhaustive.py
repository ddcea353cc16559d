"""The oracle: every subset of every row in Python's integers, sharing nothing with the solvers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._inputs import batch
from strongticket.subsetsum._refusals import finite
from strongticket.subsetsum._subsets import Subsets

MOST = 16
_INT64 = 1 << 62


def exhaustive(candidates: ArrayLike, targets: ArrayLike) -> Subsets:
    """What `best` returns, by trying all 2^n masks: for n up to 16, as an oracle.

    Each row's own numbers, its target's among them, become integers over one common denominator,
    and all that is compared is integers. So it also takes rows that `best` refuses as too fine.

    Args:
        candidates: (M, n), or (n,) shared by all rows; n at most 16; finite.
        targets: (M,).

    Returns:
        `Subsets` with the masks of `best`, ties included.

    Raises:
        InputError: n > 16, or shapes and dtypes that `best` refuses.
    """
    given = batch(candidates, targets)
    if not given.exact_integers:
        finite("candidates", given.candidates)
    n = given.n
    if n > MOST:
        raise InputError(f"exhaustive tries all 2^n subsets for n up to {MOST}, got n = {n}")
    mask = np.zeros((given.rows, n), np.bool_)
    error = np.zeros_like(given.targets)
    if given.factors is not None or len(given.shape) != 1:
        raise InputError("exhaustive takes candidates (M, n) or (n,) and targets (M,) only")
    for row in range(given.rows):
        values = given.candidates[row] if given.candidates.ndim == 2 else given.candidates
        number, distance = _nearest(values.tolist(), given.targets[row].item())
        mask[row] = (number >> np.arange(n)) & 1
        error[row] = int(distance) if given.exact_integers else _up(distance)
    always = np.ones(given.rows, np.bool_)
    return Subsets(mask, error, always, always)


def _nearest(candidates: list[Any], target: Any) -> tuple[int, Fraction]:
    """The mask number that `best` documents, and its exact distance."""
    exact = [Fraction(value) for value in (*candidates, target)]
    unit = max(value.denominator for value in exact)  # all are powers of two
    *items, goal = (value.numerator * (unit // value.denominator) for value in exact)
    small = sum(map(abs, items)) + abs(goal) < _INT64
    sums = np.zeros(1, np.int64 if small else object)
    for item in items:
        sums = np.concatenate([sums, sums + item])
    distance = np.abs(sums - goal)
    least = distance.min()
    tied = np.flatnonzero(distance == least)
    tied = tied[sums[tied] == sums[tied].min()]  # of two sums equally near, the smaller
    return _first(items, tied), Fraction(int(least), unit)


def _first(items: list[int], tied: NDArray[np.intp]) -> int:
    """The first of the mask numbers of one sum, in the order that `best` documents."""
    if tied[0] == 0:
        return 0
    p = max((len(items) - 1) // 2, 0)

    def rank(number: int) -> tuple[int, int, int]:
        left = sum(item for j, item in enumerate(items[:p]) if (number >> j) & 1)
        return number >> (2 * p), left, number

    return min((int(number) for number in tied), key=rank)


def _up(distance: Fraction) -> float:
    """The least float64 that is at least `distance`."""
    nearest = float(distance)
    return nearest if Fraction(nearest) >= distance else float(np.nextafter(nearest, np.inf))
