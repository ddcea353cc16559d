"""`best`, `within` and `sparsest`: what they choose, and by which regimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike

from strongticket.subsetsum import regimes
from strongticket.subsetsum._backend import NETWORK_BYTES, Backend
from strongticket.subsetsum._fixed_size import nearest_of_size
from strongticket.subsetsum._inputs import Candidates, batch, tolerance
from strongticket.subsetsum._keys import Booleans, Integers, Keys
from strongticket.subsetsum._limits import MOST, MOST_NETWORK, MOST_STREAM
from strongticket.subsetsum._run import Interval, answer
from strongticket.subsetsum._stages import Search, nearest, recomputed, some_rows
from strongticket.subsetsum._subsets import Subsets
from strongticket.subsetsum._work import Options
from strongticket.subsetsum.regimes import BySize, FourLists, Regime, Stream, UntilHit
from strongticket.subsetsum.torch_door import asks_torch, on_tensors

Plan: TypeAlias = tuple[Regime, ...]
_TRIED = 4
_MOST_SIZES = 40


def best(
    candidates: Candidates,
    targets: ArrayLike,
    *,
    regime: Regime | Plan | None = None,
    **options: Unpack[Options],
) -> Subsets:
    r"""The subset whose sum is nearest to the target, for every row: the exact optimum.

    .. math:: \min_{m \in \{0,1\}^n} \Bigl| t - \sum_j m_j a_j \Bigr|

    Ties: of two sums equally near the smaller; of the subsets with that sum the empty one, else
    the first by (number of the mask on the candidates from 2p on, sum of the first p candidates,
    number of the mask), p = (n - 1) // 2, where a mask's number has candidate j at weight 2^j.

    Args:
        candidates: (M, n), or (n,) shared by all rows, or (R, n) for targets (R, K); or
            `Products`. n at most 50.
        targets: (M,), or (R, K): K targets for each row of candidates. Candidates and targets are
            both integers or both floats (narrower types are widened exactly).
        regime: overrides `regimes.plan`; with one that does not search every subset, the answer
            is the nearest that was met and `proved` is false.
        options: see `Options`.

    Returns:
        `Subsets`; `found` is true everywhere.

    Raises:
        InputError: shapes, dtypes, n > 50, NaN or infinity, or a row whose magnitudes add up to
            more than 2^60 steps of its power-of-two grid: the message has the rounding that fits.
        Interrupted: the call was stopped; it has what is done.

    Source: Horowitz and Sahni 1974, with Batcher's bitonic merge (1968) run across rows.
    """
    if asks_torch(options, candidates, targets):
        return on_tensors("best", candidates, targets, regime=regime, **options)
    given = batch(candidates, targets, MOST_STREAM if regime is None else MOST)
    asked = regimes.checked(regime, given.n)
    if asked is None:

        def choose(
            code: Backend, keys: Keys, interval: Interval, rows: slice
        ) -> tuple[Integers, Booleans]:
            every = np.arange(len(keys.whole))
            return nearest(code, keys, every), np.ones(every.size, np.bool_)

    else:

        def choose(
            code: Backend, keys: Keys, interval: Interval, rows: slice
        ) -> tuple[Integers, Booleans]:
            nothing = np.ones_like(keys.whole)
            search = Search(code, keys, nothing, nothing - 1)
            search.proved = np.zeros(len(keys.whole), np.bool_)
            search.run(asked)
            search.close()
            return search.numbers, search.proved

    plan = asked or regimes.plan("best", given.n)
    return answer(("best", asked), given, None, choose, options, kernel=_bytes(given.n, plan))


def within(
    candidates: Candidates,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    regime: Regime | Plan | None = None,
    **options: Unpack[Options],
) -> Subsets:
    r"""Any subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, row by row: the first that hits.

    Which one depends on the regimes that `regimes.plan` chooses from n and from how small epsilon
    is. Where it is coarse, masks are tried by number, and a hit among the first of them is the
    least mask number (candidate j at weight 2^j); else, and beyond those, it is a hit of four
    lists, or the nearest subset of the first candidates that hold one or of all.

    Args:
        candidates: as for `best`, n at most 62.
        targets: as for `best`.
        epsilon: a number or of the targets' shape, at least 0, of the targets' kind.
        regime: overrides `regimes.plan`: one regime or a tuple, tried in turn on what is open.
        options: see `Options`.

    Returns:
        `Subsets`; where no subset is within epsilon, `found` is false and the row holds the best.
        Beyond 50 candidates (or with a regime that does not search every subset) a row may be
        neither found nor `proved`: its subset is the nearest that was met.

    Raises:
        InputError: as for `best`, or a negative, infinite or NaN epsilon.
        Interrupted: as for `best`.
    """
    if asks_torch(options, candidates, targets, epsilon):
        return on_tensors("within", candidates, targets, epsilon, regime=regime, **options)
    given = batch(candidates, targets)
    asked = regimes.checked(regime, given.n)

    def choose(
        code: Backend, keys: Keys, interval: Interval, rows: slice
    ) -> tuple[Integers, Booleans]:
        search = Search(code, keys, *interval)
        if asked is not None:
            search.run(asked)
        else:
            for plan, open_rows in _by_plan(given.n, _bits(keys, *interval)):
                search.rows = open_rows
                search.run(plan)
                search.close()
        search.close()
        return search.numbers, search.proved

    wide = tolerance(given, epsilon)
    call, kernel = ("within", asked), _bytes(given.n, asked or regimes.stages(given.n))
    return answer(call, given, wide, choose, options, kernel=kernel, hit_proves=True)


def sparsest(
    candidates: Candidates,
    targets: ArrayLike,
    epsilon: ArrayLike,
    *,
    regime: BySize | None = None,
    **options: Unpack[Options],
) -> Subsets:
    r"""The smallest subset with :math:`|t - \sum_j m_j a_j| \le \epsilon`, for every row.

    The size is the least possible. Up to four candidates are tried in the order of their mask
    numbers (candidate j at weight 2^j), and the first that hits is taken. A row that needs more is
    given to `best`, and only where that shows that some subset is within epsilon the sizes from
    five on are solved, each as `fixed_size` does: the nearest of the least size is taken.

    Args:
        candidates: as for `best`, n at most 40.
        targets: as for `best`.
        epsilon: a number or of the targets' shape, at least 0, of the targets' kind.
        regime: ``BySize(most)`` ends the search at that size. A row that needs more is not
            `proved`, whether or not the subset that it holds happens to be within epsilon.
        options: see `Options`.

    Returns:
        `Subsets`; where no subset is within epsilon, `found` is false and the row holds the best.

    Raises:
        InputError: as for `within`.
        Interrupted: as for `best`.
    """
    if asks_torch(options, candidates, targets, epsilon):
        return on_tensors("sparsest", candidates, targets, epsilon, regime=regime, **options)
    given = batch(candidates, targets, _MOST_SIZES if regime is None else MOST)
    asked = regimes.checked(regime, given.n, only=BySize)

    def choose(
        code: Backend, keys: Keys, interval: Interval, rows: slice
    ) -> tuple[Integers, Booleans]:
        if asked is None:
            return _smallest(code, keys, interval), np.ones(len(keys.whole), np.bool_)
        search = Search(code, keys, *interval)
        search.run(asked)
        tried = search.numbers >= 0
        search.close()
        # The extreme sum may be within epsilon as well: a subset, but perhaps not the smallest.
        sums = recomputed(code, keys, search.numbers)
        within = (interval[0] <= sums) & (sums <= interval[1])
        return search.numbers, np.where(within, tried, search.proved)

    wide = tolerance(given, epsilon)
    plan = asked or regimes.plan("best", given.n)
    call, kernel = ("sparsest", asked), _bytes(given.n, plan)
    return answer(call, given, wide, choose, options, kernel=kernel, hit_proves=asked is None)


def _smallest(code: Backend, keys: Keys, interval: Interval) -> Integers:
    n = keys.candidates.shape[1]
    low, high = interval
    numbers = code.smallest(keys, low, high, np.arange(len(low)), min(n, _TRIED))
    missed = np.flatnonzero(numbers < 0)
    if missed.size:
        numbers[missed] = nearest(code, keys, missed)
        sums = recomputed(code, keys, numbers)
        open_rows = missed[(low[missed] <= sums[missed]) & (sums[missed] <= high[missed])]
        for size in range(_TRIED + 1, n + 1):
            if open_rows.size == 0:
                break
            chosen = _of_size(code, keys, interval, open_rows, size)
            numbers[open_rows[chosen >= 0]] = chosen[chosen >= 0]
            open_rows = open_rows[chosen < 0]
    return numbers


def _of_size(code: Backend, keys: Keys, interval: Interval, rows: Integers, size: int) -> Integers:
    """The nearest mask of exactly `size` candidates where it is within the interval, else -1."""
    numbers = nearest_of_size(code, keys, rows, np.full(rows.size, size))
    # A sum of 0 would have been met at size 0, so no mask is cleared here.
    sums = recomputed(code, some_rows(keys, rows), numbers)
    low, high = interval
    numbers[(sums < low[rows]) | (sums > high[rows])] = -1
    return numbers


def _bits(keys: Keys, low: Integers, high: Integers) -> Integers:
    """How often, in powers of two, the interval of allowed sums fits into the row's span."""
    width = np.maximum(high - low, 0) + 1
    bits: Integers = np.frexp((keys.reach // width).astype(np.float64))[1].astype(np.int64)
    return bits


def _by_plan(n: int, bits: Integers) -> Iterator[tuple[Plan, Integers]]:
    """The plans that rows of so many bits call for, each with its rows."""
    plans: dict[Plan, list[int]] = {}
    for count in np.flatnonzero(np.bincount(bits, minlength=64)):
        plans.setdefault(regimes.plan("within", n, int(count)), []).append(int(count))
    if len(plans) == 1:
        yield next(iter(plans)), np.arange(len(bits))
        return
    for plan, counts in plans.items():
        chosen = np.zeros(64, np.bool_)
        chosen[counts] = True
        yield plan, np.flatnonzero(chosen[bits])


def _bytes(n: int, plan: Plan) -> Callable[[Backend], int]:
    """What the plan's dearest kernel takes for itself, by backend."""

    def of(code: Backend) -> int:
        most = 0
        for stage in plan:
            if isinstance(stage, FourLists):
                most = max(most, int(code.module("fourlists").bytes_of(stage.use)))
            elif isinstance(stage, Stream | UntilHit):
                count = min(getattr(stage, "prefix", None) or n, n, MOST_STREAM)
                if count > MOST_NETWORK:
                    most = max(most, int(code.module("stream").bytes_of(count)))
        return max(most, NETWORK_BYTES)

    return of
