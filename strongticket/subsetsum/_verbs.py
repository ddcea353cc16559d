"""`best`, `within` and `sparsest`: one chunk of rows at a time, each answer recomputed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.subsetsum._backend import Backend, BackendName, backend_of, over_chunks
from strongticket.subsetsum._inputs import batch, tolerance
from strongticket.subsetsum._keys import Batch, Keys
from strongticket.subsetsum._limits import REACH
from strongticket.subsetsum._subsets import Error, Subsets

Integers = NDArray[np.int64]
Interval: TypeAlias = tuple[Integers, Integers]
Masks = NDArray[np.bool_]
Choose: TypeAlias = Callable[[Backend, Keys, Interval], Integers]
_TRIED = 4


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
        InputError: shapes, dtypes, n > 24, NaN or infinity, or a row whose magnitudes add up to
            more than 2^60 steps of its power-of-two grid: the message has the rounding that fits.

    Source: Horowitz and Sahni 1974, with Batcher's bitonic merge (1968) run across rows.
    """
    code = backend_of(backend)
    return _solve(batch(candidates, targets), None, _nearest, threads, code)


def within(
    candidates: ArrayLike,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    threads: int | None = None,
    backend: BackendName | Backend | None = None,
) -> Subsets:
    r"""Any subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, row by row: the first that hits.

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
    code = backend_of(backend)
    given = batch(candidates, targets)
    return _solve(given, tolerance(given, epsilon), _first, threads, code)


def sparsest(
    candidates: ArrayLike,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    threads: int | None = None,
    backend: BackendName | Backend | None = None,
) -> Subsets:
    r"""The smallest subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, for every row.

    The size is the least possible. Up to four candidates are tried in the order of their mask
    numbers (candidate j at weight 2^j), and the first that hits is taken. A row that needs more is
    given to `best`, and only where that shows that some subset is within epsilon the sizes from
    five on are solved, each by `best` on raised candidates: the nearest of the least size is
    taken. (Rows whose sums span more than some 2^54 grid steps leave no room to raise: there the
    least mask number is taken at every size, by enumeration, in milliseconds a row.)

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
    code = backend_of(backend)
    given = batch(candidates, targets)
    return _solve(given, tolerance(given, epsilon), _smallest, threads, code)


def _nearest(code: Backend, keys: Keys, interval: Interval) -> Integers:
    return code.nearest(keys, np.arange(len(keys.whole)))


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
    numbers = code.smallest(keys, low, high, np.arange(len(low)), min(n, _TRIED))
    missed = np.flatnonzero(numbers < 0)
    if missed.size:
        numbers[missed] = code.nearest(keys, missed)
        mask = np.empty((len(numbers), n), np.bool_)
        sums = _recomputed(code, keys, numbers, mask)
        open_rows = missed[(low[missed] <= sums[missed]) & (sums[missed] <= high[missed])]
        wide = keys.reach[open_rows] > REACH // (2 * n + 1) - 8
        numbers[open_rows[wide]] = code.smallest(keys, low, high, open_rows[wide], n)
        open_rows = open_rows[~wide]
        for size in range(_TRIED + 1, n + 1):
            if open_rows.size == 0:
                break
            chosen = _of_size(code, keys, interval, open_rows, size)
            numbers[open_rows[chosen >= 0]] = chosen[chosen >= 0]
            open_rows = open_rows[chosen < 0]
    return numbers


def _of_size(code: Backend, keys: Keys, interval: Interval, rows: Integers, size: int) -> Integers:
    """The nearest mask of exactly `size` candidates where it is within the interval, else -1.

    Candidates raised by B and the target by size * B: with B beyond twice what any sum can miss
    the target by, every subset of another size is farther away than every one of this size.
    """
    shift = 2 * keys.reach[rows] + 8
    units = keys.candidates[rows * keys.step] + shift[:, None]
    reach = units.sum(axis=1)
    whole, fraction = keys.near
    goal = (whole[rows] + size * shift, fraction[rows], keys.hard[rows])
    raised = Keys(units, 1, keys.exponents, np.zeros_like(reach), reach, *goal)
    numbers = code.nearest(raised, np.arange(rows.size))
    mask = np.empty(units.shape, np.bool_)
    sums = _recomputed(code, raised, numbers, mask) - size * shift
    low, high = interval
    good = (mask.sum(axis=1) == size) & (low[rows] <= sums) & (sums <= high[rows])
    return np.where(good, numbers, -1)


def _recomputed(code: Backend, keys: Keys, numbers: Integers, mask: Masks) -> Integers:
    """Fill mask with the numbers' masks; the sums that the candidates and those masks give.

    The empty mask stands before all others of sum 0.
    """
    if numbers.size and numbers.min() < 0:
        raise AssertionError("a subset-sum kernel gave no mask for a row: a bug of strongticket")
    sums = np.empty(len(numbers), np.int64)
    code.subsets_of(numbers, keys.candidates, keys.step, mask, sums)
    return sums


def _solve(
    given: Batch,
    epsilon: Integers | NDArray[np.float64] | None,
    choose: Choose,
    threads: int | None,
    code: Backend,
) -> Subsets:
    mask = np.empty((given.rows, given.n), np.bool_)
    error: Error = np.empty_like(given.targets)
    found = np.empty(given.rows, np.bool_)

    def work(start: int, stop: int) -> None:
        keys = given.chunk(start, stop, code)
        interval = (keys.lowest, keys.highest)
        if epsilon is not None:
            interval = given.interval(keys, start, epsilon[start:stop], code)
        numbers = choose(code, keys, interval)
        sums = _recomputed(code, keys, numbers, mask[start:stop])
        error[start:stop] = given.errors(keys, start, sums, code)
        found[start:stop] = (interval[0] <= sums) & (sums <= interval[1])

    over_chunks(work, given.rows, threads)
    return Subsets(mask, error, found)
