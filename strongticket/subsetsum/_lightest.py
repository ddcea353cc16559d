"""`lightest`: of all subsets within epsilon the one of the least total magnitude."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import NETWORK_BYTES, Backend, backend_of
from strongticket.subsetsum._inputs import Candidates, Products, as_numbers, batch, tolerance
from strongticket.subsetsum._keys import Booleans, Integers, Keys
from strongticket.subsetsum._run import Interval, answer
from strongticket.subsetsum._stages import nearest, recomputed, some_rows
from strongticket.subsetsum._subsets import Error, Subsets
from strongticket.subsetsum._work import Options
from strongticket.subsetsum.torch_door import refuse_tensors

MOST_LIGHTEST = 40
"""The most candidates: a half has 2^20 subsets then."""
_RUN = 4096


def lightest(
    candidates: Candidates,
    targets: ArrayLike,
    epsilon: ArrayLike,
    **options: Unpack[Options],
) -> Subsets:
    r"""Of all subsets with :math:`|t - \sum_j m_j a_j| \le \epsilon` the lightest, for every row.

    .. math:: \min_{m \in \{0,1\}^n} \sum_j m_j |a_j|
        \quad\text{subject to}\quad \Bigl| t - \sum_j m_j a_j \Bigr| \le \epsilon

    In a network whose hidden neurons stand in several copies, an error of the copies is amplified
    by this weight of the selected candidates, not by |t|: the lighter the subsets, the less error
    reaches the output. Of subsets that weigh the same the one of the least mask number (candidate j
    at weight 2^j) is taken.

    Args:
        candidates: as for `best`, n at most 40, where the halves take 84 MB a thread.
        targets: as for `best`.
        epsilon: a number or of the targets' shape, at least 0, of the targets' kind.
        options: see `Options`.

    Returns:
        `Subsets`; where no subset is within epsilon, `found` is false and the row holds the best.
        `weight` gives what each row weighs.

    Raises:
        InputError: as for `within`, or n > 40.
        Interrupted: as for `best`.

    Source: Horowitz and Sahni 1974 for the two halves; a subset that adds up to s > 0 with negative
    parts of N altogether weighs s + 2N, which bounds what a half may hold.
    """
    refuse_tensors("lightest", options, candidates, targets, epsilon)
    given = batch(candidates, targets, MOST_LIGHTEST)
    wide = tolerance(given, epsilon)

    def choose(
        code: Backend, keys: Keys, interval: Interval, rows: slice
    ) -> tuple[Integers, Booleans]:
        numbers = _numbers(code, keys, *interval)
        return numbers, np.ones(numbers.size, np.bool_)

    def kernel(code: Backend) -> int:
        return int(code.module("weights").bytes_of(given.n)) + NETWORK_BYTES

    return answer(("lightest",), given, wide, choose, options, kernel=kernel)


def weight(candidates: Candidates, mask: NDArray[np.bool_]) -> Error:
    r"""What each mask weighs: :math:`\sum_j m_j |a_j|`, computed exactly.

    Args:
        candidates: (M, n), (n,) or (R, n), or `Products`, as for the verb that gave the mask.
        mask: bool (M, n), or (R, K, n).

    Returns:
        (M,) or (R, K): int64 for integers; float64, the exact sum rounded up, for floats.

    Raises:
        InputError: shapes that do not fit, and rows that `best` refuses.
    """
    masks = np.asarray(mask)
    if masks.dtype != np.bool_ or masks.ndim < 2:
        raise InputError(
            f"mask must be bool of shape (M, n) or (R, K, n), got {masks.dtype} {masks.shape}"
        )
    sizes: Candidates
    if isinstance(candidates, Products):
        first = np.abs(as_numbers("Products.first", candidates.first))
        sizes = Products(first, np.abs(as_numbers("Products.second", candidates.second)))
    else:
        sizes = first = np.abs(as_numbers("candidates", candidates))
    whole = first.dtype.kind in "iu"
    given = batch(sizes, np.zeros(masks.shape[:-1], np.int64 if whole else np.float64))
    if masks.shape[-1] != given.n:
        raise InputError(f"mask has {masks.shape[-1]} candidates a row, and there are {given.n}")
    code = backend_of(None)
    flat = masks.reshape(given.rows, given.n)
    total: Error = np.zeros_like(given.targets)
    for start, stop in given.runs(_RUN):
        keys = given.chunk(start, stop, code)
        sums = np.where(flat[start:stop], keys.candidates, 0).sum(axis=1)
        total[start:stop] = given.errors(keys, start, sums, code)
    return total.reshape(given.shape)


def _numbers(code: Backend, keys: Keys, low: Integers, high: Integers) -> Integers:
    n = keys.candidates.shape[1]
    numbers = np.full(len(keys.whole), -1, np.int64)
    rows = np.arange(len(numbers))
    # Where but a few of the 2^n sums can be expected within epsilon, there may be none at all: the
    # nearest sum tells, for less than the search for the lightest.
    doubtful = np.flatnonzero(keys.reach >> max(n - 3, 0) >= np.maximum(high - low, 0))
    best = nearest(code, keys, doubtful)
    sums = recomputed(code, some_rows(keys, doubtful), best)
    missed = (sums < low[doubtful]) | (sums > high[doubtful])
    rows = np.delete(rows, doubtful[missed])
    code.module("weights").least_weight(keys.candidates, keys.step, low, high, rows, numbers)
    numbers[doubtful[missed]] = best[missed]
    rows = rows[numbers[rows] < 0]
    numbers[rows] = nearest(code, keys, rows)
    return numbers
