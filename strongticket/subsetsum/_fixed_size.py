"""`fixed_size`: the nearest subset of exactly so many candidates, for every row."""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from strongticket.errors import InputError
from strongticket.subsetsum._backend import NETWORK_BYTES, Backend
from strongticket.subsetsum._inputs import Candidates, batch
from strongticket.subsetsum._keys import Batch, Booleans, Integers, Keys
from strongticket.subsetsum._limits import MOST_NETWORK, MOST_STREAM, REACH
from strongticket.subsetsum._run import Interval, answer
from strongticket.subsetsum._stages import nearest
from strongticket.subsetsum._subsets import Subsets
from strongticket.subsetsum._work import Options, fingerprint
from strongticket.subsetsum.torch_door import asks_torch, on_tensors

_LISTS = 3  # the left one, the right one, and room to merge
_DEARER, _START = 3, 128
"""A sum in a list by size takes three times a sum of `best`, and a row as long as 128 of them."""


def fixed_size(
    candidates: Candidates, targets: ArrayLike, size: ArrayLike, **options: Unpack[Options]
) -> Subsets:
    r"""The subset of exactly `size` candidates nearest to the target: the exact optimum.

    .. math:: \min_{m \in \{0,1\}^n,\ \sum_j m_j = k} \Bigl| t - \sum_j m_j a_j \Bigr|

    Ties: of two sums equally near the smaller; of the subsets with that sum the first by (number
    of the mask on the candidates from 2p on, how many of the first p candidates it keeps, their
    sum, number of the mask), p = (n - 1) // 2, where a mask's number has candidate j at weight 2^j.

    Args:
        candidates: as for `best`. Up to 50 of them at any size, up to 62 at small sizes and at
            sizes near n: three lists of :math:`\sum_j \binom{p}{j}` int64 must fit into `memory`,
            j from size - (n - p) to size. That is 13 MB at n = 40, 403 MB at n = 50.
        targets: as for `best`.
        size: k, an integer or integers of the targets' shape, from 0 to n.
        options: see `Options`.

    Returns:
        `Subsets`; `found` and `proved` are true everywhere.

    Raises:
        InputError: as for `best`, a size that is no integer from 0 to n, or lists beyond `memory`.
        Interrupted: as for `best`.

    Source: Horowitz and Sahni 1974, on lists kept apart by size. Subsets of a fixed size are what
    Natale, Ferré, Giambartolomei, Giroire and Mallmann-Trenn 2024 (Theorem 2) count.
    """
    if asks_torch(options, candidates, targets, size):
        return on_tensors("fixed_size", candidates, targets, size, **options)
    given = batch(candidates, targets)
    sizes = _sizes(size, given)

    def choose(
        code: Backend, keys: Keys, interval: Interval, rows: slice
    ) -> tuple[Integers, Booleans]:
        every = np.arange(len(keys.whole))
        return nearest_of_size(code, keys, every, sizes[rows]), np.ones(every.size, np.bool_)

    def kernel(code: Backend) -> int:
        held = [code.module("sizes").lists_of(given.n, int(k)) for k in np.unique(sizes)]
        needed = max([_LISTS * 8 * count for count in held], default=0)
        if MOST_NETWORK < given.n <= MOST_STREAM:
            needed = max(needed, int(code.module("stream").bytes_of(given.n)))
        return needed + NETWORK_BYTES

    call = ("fixed_size", fingerprint(sizes))
    return answer(call, given, None, choose, options, kernel=kernel, empty_first=False)


def nearest_of_size(code: Backend, keys: Keys, rows: Integers, sizes: Integers) -> Integers:
    """The number of the nearest mask of sizes[i] candidates for row rows[i].

    Both ways order ties alike. `best` on raised candidates is faster a sum, but takes all subsets;
    lists by size hold those of one size only: far fewer where the size is small or close to n.
    """
    n = keys.candidates.shape[1]
    kernel = code.module("sizes")
    half = 1 << max(n - 1, 0) // 2
    worth = np.array([_DEARER * kernel.lists_of(n, k) + _START > half for k in range(n + 1)])
    by_raising = worth[sizes] & (keys.reach[rows] <= REACH // (2 * n + 1) - 8)
    by_raising &= n <= MOST_STREAM
    numbers = np.zeros(len(keys.whole), np.int64)
    mine = rows[by_raising]
    if mine.size:
        numbers[mine] = _by_raising(code, keys, mine, sizes[by_raising])
    others = ~by_raising
    if others.any():
        wanted = np.zeros(len(keys.whole), np.int64)
        wanted[rows] = sizes
        order = np.argsort(sizes[others], kind="stable")  # shared candidates are listed once a size
        aim, tag = keys.tagged
        goal = (aim, tag, wanted, rows[others][order])
        kernel.of_size(keys.candidates, keys.step, *goal, numbers)
    return numbers[rows]


def _by_raising(code: Backend, keys: Keys, rows: Integers, sizes: Integers) -> Integers:
    """The same by `best`: candidates raised by B and the target by size * B.

    With B beyond twice what any sum can miss the target by, every subset of another size is farther
    away than every one of this size.
    """
    shift = 2 * keys.reach[rows] + 8
    units = keys.candidates[rows * keys.step] + shift[:, None]
    reach = units.sum(axis=1)
    whole, fraction = keys.near
    goal = (whole[rows] + sizes * shift, fraction[rows], keys.hard[rows])
    raised = Keys(units, 1, keys.exponents, np.zeros_like(reach), reach, *goal)
    return nearest(code, raised, np.arange(rows.size))


def _sizes(size: ArrayLike, given: Batch) -> Integers:
    """`size` as int64 (M,), each from 0 to n."""
    array = np.asarray(size)
    if array.dtype.kind not in "iu":
        raise InputError(f"size must be an integer or integers, got {array.dtype}")
    if array.shape not in ((), given.shape):
        raise InputError(
            f"size must be an integer or have the targets' shape {given.shape}, got {array.shape}"
        )
    flat = array.reshape(-1)
    wrong = np.flatnonzero((flat < 0) | (flat > given.n))
    if wrong.size:
        where = "every row" if array.ndim == 0 else f"row {wrong[0]}"
        raise InputError(
            f"size must be from 0 to n = {given.n}, the number of candidates; {where} asks for "
            f"{flat[wrong[0]]}"
        )
    return np.broadcast_to(flat, given.rows).astype(np.int64)
