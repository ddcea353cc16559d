"""`best`, `within` and `sparsest`: one chunk of rows at a time, each answer recomputed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.subsetsum._backend import Backend, BackendName, backend_of, over_chunks, split
from strongticket.subsetsum._inputs import batch, tolerance
from strongticket.subsetsum._keys import Batch, Keys
from strongticket.subsetsum._subsets import Subsets

Integers = NDArray[np.int64]
Interval: TypeAlias = tuple[Integers, Integers]
Choose: TypeAlias = Callable[[Backend, Keys, Interval], Integers]
_SMALL = 4


def best(
    candidates: ArrayLike,
    targets: ArrayLike,
    *,
    threads: int | None = None,
    backend: BackendName | Backend | None = None,
) -> Subsets:
    r"""The subset whose sum is nearest to the target, for every row: the exact optimum.

    .. math:: \min_{m \in \{0,1\}^n} \Bigl| t - \sum_j m_j a_j \Bigr|

    Ties: of two sums equally near the smaller; of the subsets with that sum the empty one, else
    the first by (number of the mask on the candidates from 2p on, sum of the first p candidates,
    number of the mask), p = (n - 1) // 2, where a mask's number has candidate j at weight 2^j.

    Args:
        candidates: (M, n), or (n,) shared by all rows; n at most 24.
        targets: (M,); both int64 or both float64 (narrower types are widened exactly).
        threads: how many threads; None is one a CPU. The answer does not depend on it.
        backend: "numba", "numpy", or None: numba where it can be imported.

    Returns:
        `Subsets`; `found` is true everywhere.

    Raises:
        InputError: shapes, dtypes, n > 24, NaN or infinity, or candidates whose magnitudes add up
            to more than 2^60 steps of their common power-of-two grid.

    Source: Horowitz and Sahni 1974, with Batcher's bitonic merge (1968) run across rows.
    """
    return _solve(batch(candidates, targets), None, _nearest, threads, backend)


def within(
    candidates: ArrayLike,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    threads: int | None = None,
    backend: BackendName | Backend | None = None,
) -> Subsets:
    r"""Any subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, for every row: the first that hits.

    Masks are tried by number (candidate j at weight 2^j), the first 2^b of them, b = min(n,
    n // 2 + 3); a row that none of them hits gets the subset of `best`, so that no row costs much
    more than `best` does.

    Args:
        candidates: as for `best`.
        targets: as for `best`.
        epsilon: a number or (M,), at least 0, of the targets' kind.
        threads: as for `best`.
        backend: as for `best`.

    Returns:
        `Subsets`; where no subset is within epsilon, `found` is false and the row holds the best.

    Raises:
        InputError: as for `best`, or a negative, infinite or NaN epsilon.
    """
    given = batch(candidates, targets)
    return _solve(given, tolerance(given, epsilon), _first, threads, backend)


def sparsest(
    candidates: ArrayLike,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    threads: int | None = None,
    backend: BackendName | Backend | None = None,
) -> Subsets:
    r"""The smallest subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, for every row.

    The size is the least possible. Ties: the least mask number (candidate j at weight 2^j).
    Up to four candidates are tried at once; a row that needs more is first given to `best`, and
    larger subsets are enumerated only where that shows that one is within epsilon.

    Args:
        candidates: as for `best`.
        targets: as for `best`.
        epsilon: a number or (M,), at least 0, of the targets' kind.
        threads: as for `best`.
        backend: as for `best`.

    Returns:
        `Subsets`; where no subset is within epsilon, `found` is false and the row holds the best.

    Raises:
        InputError: as for `within`.
    """
    given = batch(candidates, targets)
    return _solve(given, tolerance(given, epsilon), _smallest, threads, backend)


def _nearest(code: Backend, keys: Keys, interval: Interval) -> Integers:
    return code.nearest(keys, np.arange(len(keys.floor)))


def _first(code: Backend, keys: Keys, interval: Interval) -> Integers:
    n = keys.candidates.shape[1]
    numbers = code.hits(keys, *interval, min(n, n // 2 + 3))
    missed = np.flatnonzero(numbers < 0)
    if missed.size:
        numbers[missed] = code.nearest(keys, missed)
    return numbers


def _smallest(code: Backend, keys: Keys, interval: Interval) -> Integers:
    n = keys.candidates.shape[1]
    low, high = interval
    numbers = code.smallest(keys, low, high, np.arange(len(low)), min(n, _SMALL))
    missed = np.flatnonzero(numbers < 0)
    if missed.size:
        numbers[missed] = code.nearest(keys, missed)
        sums = _recomputed(code, keys, numbers)[1]
        larger = missed[(low[missed] <= sums[missed]) & (sums[missed] <= high[missed])]
        if larger.size:
            numbers[larger] = code.smallest(keys, low, high, larger, n)
    return numbers


def _recomputed(code: Backend, keys: Keys, numbers: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """The masks of the numbers, and the sums that the candidates and those masks give."""
    mask = np.zeros((len(numbers), keys.candidates.shape[1]), np.bool_)
    sums = np.zeros(len(numbers), np.int64)
    code.unpack(numbers, mask)
    code.sums_of(keys.candidates, keys.step, mask, sums)
    return mask, sums


def _solve(
    given: Batch,
    epsilon: Integers | NDArray[np.float64] | None,
    choose: Choose,
    threads: int | None,
    backend: BackendName | Backend | None,
) -> Subsets:
    code = backend_of(backend)
    mask = np.zeros((given.rows, given.n), np.bool_)
    error = np.zeros(given.rows, given.targets.dtype)
    found = np.ones(given.rows, np.bool_)

    def work(start: int, stop: int) -> None:
        keys = given.chunk(start, stop)
        interval = (keys.lowest, keys.highest)
        if epsilon is not None:
            interval = given.interval(keys, start, epsilon[start:stop])
        numbers = choose(code, keys, interval)
        part, sums = _recomputed(code, keys, numbers)
        part[sums == 0] = False  # the empty subset before all others of sum 0
        mask[start:stop] = part
        error[start:stop] = given.errors(start, sums)
        found[start:stop] = (interval[0] <= sums) & (sums <= interval[1])

    over_chunks(work, given.rows, threads)
    return Subsets(mask, error, found)
