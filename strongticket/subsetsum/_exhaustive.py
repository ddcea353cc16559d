"""The oracle: every subset of every row, one row at a time, by another way than the solvers'."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import backend_of, split
from strongticket.subsetsum._inputs import batch
from strongticket.subsetsum._subsets import Subsets

MOST = 16


def exhaustive(candidates: ArrayLike, targets: ArrayLike) -> Subsets:
    """What `best` returns, by trying all 2^n masks in plain NumPy: for n up to 16, as an oracle.

    Args:
        candidates: (M, n), or (n,) shared by all rows; n at most 16.
        targets: (M,).

    Returns:
        `Subsets` with the masks of `best`, ties included.

    Raises:
        InputError: n > 16, or what `best` refuses.
    """
    code = backend_of("numpy")
    given = batch(candidates, targets, code)
    n = given.n
    if n > MOST:
        raise InputError(f"exhaustive tries all 2^n subsets for n up to {MOST}, got n = {n}")
    numbers = np.arange(1 << n)
    every = ((numbers[:, None] >> np.arange(n)) & 1).astype(np.int64)
    chosen = np.zeros((given.rows, n), np.bool_)
    totals = np.zeros(given.rows, np.int64)
    for row in range(given.rows):
        keys = given.chunk(row, row + 1, code)
        a = keys.candidates[0]
        sums = every @ a
        total = _nearest(sums, int(keys.floor[0]), float(keys.fraction[0]))
        chosen[row] = every[_first(every, a, np.flatnonzero(sums == total))]
        totals[row] = total
    return Subsets(chosen, given.errors(0, totals), np.ones(given.rows, np.bool_))


def _nearest(sums: NDArray[np.int64], floor: int, fraction: float) -> int:
    """The sum nearest to floor + fraction, the smaller of two equally near."""
    below, above = sums[sums <= floor], sums[sums > floor]
    if above.size == 0:
        return int(below.max())
    if below.size == 0:
        return int(above.min())
    under, over = int(below.max()), int(above.min())
    # floor - under + fraction <= over - floor - fraction, with all that is whole on one side
    return under if 2 * fraction <= (over - floor) - (floor - under) else over


def _first(every: NDArray[np.int64], a: NDArray[np.int64], tied: NDArray[np.int64]) -> int:
    """The first of the tied mask numbers in the order that `best` documents."""
    if tied[0] == 0:
        return 0
    p = max(split(len(a)), 0)
    left = every[tied, :p] @ a[:p]
    return int(tied[np.lexsort((tied, left, tied >> (2 * p)))[0]])
