"""`vector`: the subset of vectors whose sum is nearest to a target vector."""

from __future__ import annotations

from typing import Unpack, cast

import numpy as np
from numpy.typing import ArrayLike

from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend, backend_of
from strongticket.subsetsum._inputs import tolerance
from strongticket.subsetsum._keys import Batch, Floats, Integers, Keys
from strongticket.subsetsum._run import take_up
from strongticket.subsetsum._subsets import Error, Subsets
from strongticket.subsetsum._vectors import Vectors, goals, keys_of, radii, vectors
from strongticket.subsetsum._work import (
    Interrupted,
    Options,
    check_options,
    fingerprint,
    over_runs,
    plan_runs,
    stops,
)
from strongticket.subsetsum.torch_door import refuse_tensors

WORK = 1 << 28
"""The work a row may take unless told otherwise: a tenth of a second to some seconds."""
_MOST_HALF = 20
_LISTS = 1 << 22  # numbers in one list of half sums


def vector(
    candidates: ArrayLike,
    targets: ArrayLike,
    epsilon: ArrayLike | None = None,
    *,
    work: int = WORK,
    **options: Unpack[Options],
) -> Subsets:
    r"""The subset of vectors whose sum is nearest to the target vector in the largest coordinate.

    .. math:: \min_{m \in \{0,1\}^n} \max_{c \le d} \Bigl| t_c - \sum_j m_j a_{jc} \Bigr|

    What keeping or dropping a whole neuron or filter needs: its outgoing weights are one vector.
    Meet in the middle: about 2^(n/2) sums, and the pairs of half sums that lie near each other in
    three coordinates, some 2^(n - 3n/d) of them for d > 3. A row that would take more than `work`
    stops there with the nearest subset that it met, and `proved` false. So does one of more than
    2p candidates, p = 20 (the most with d 2^p <= 2^22), where the last n - 2p are chosen in the
    order of their mask numbers, one pass over 2^(2p) subsets each; there, given an epsilon, the
    first pass that has a subset within it is the last.

    Ties, where `proved`: the least mask number, candidate j at weight 2^j.

    Args:
        candidates: (M, n, d), or (n, d) shared by all rows; n at most 62, d at least 1.
        targets: (M, d); both integers or both floats (narrower types are widened exactly).
        epsilon: None, or a number or (M,), at least 0, of the targets' kind.
        work: what a row may take: 1 for every pair of half sums that is compared, 16 for every
            left half sum. 2^28 takes a tenth of a second to some seconds a row.
        options: see `Options`.

    Returns:
        `Subsets` with mask (M, n) and error (M,), the largest coordinate's. `found` says whether
        the row's subset is within epsilon (true everywhere without one); `proved` that none is
        nearer. Neither: a better one may exist.

    Raises:
        InputError: shapes, dtypes, NaN or infinity, a row that one power-of-two grid does not hold
            with at most 2^60 steps of magnitudes in every coordinate, or a target beyond 2^61.
        Interrupted: the call was stopped; it has what is done.

    Source: Horowitz and Sahni 1974 for the halves. That n = O(d^3 log^2(1/epsilon)) Gaussian
    vectors suffice: Becchetti et al. 2022, arXiv 2207.13944.
    """
    refuse_tensors("vector", options, candidates, targets, epsilon)
    check_options(options)
    if not isinstance(work, int) or isinstance(work, bool) or work < 1:
        raise InputError(f"work must be an integer of at least 1, got {work!r}")
    given = vectors(candidates, targets)
    rows, n, d = len(given.targets), given.n, given.d
    flat = Batch(
        given.candidates.reshape(len(given.candidates), n * d),
        None,
        given.targets[:, 0],
        1,
        (rows,),
    )
    wide: Integers | Floats | None = None if epsilon is None else tolerance(flat, epsilon)
    most = min(work, 1 << 62)
    code = backend_of(options.get("backend"))
    mask, error = np.zeros((rows, n), np.bool_), cast(Error, np.zeros(rows, given.targets.dtype))
    found, proved, done = (np.zeros(rows, np.bool_) for _ in range(3))
    answer = Subsets(mask, error, found, proved)

    def chunk(start: int, stop: int) -> None:
        keys, units = keys_of(given, start, stop, code)
        own = None if wide is None else _repeat(wide[start:stop], d)
        _solve(given, keys, units, own, start, most, code, answer)
        done[start:stop] = True

    half = _half(n, d)
    kernel = (8 << half) * (8 * d + 16)
    a_run = max(1, min(1024, (1 << 18) >> half))
    size, threads = plan_runs(min(n, 24), kernel + a_run * n * d * 64, options)
    size = max(1, min(size, a_run, -(-rows // (4 * threads))))
    runs = [(start, min(start + size, rows)) for start in range(0, rows, size)]
    call = fingerprint("vector", given.candidates, given.targets, wide, most)
    stopped = options.get("resume")
    if stopped is not None:
        take_up(stopped, call, answer, done)
        runs = [(start, stop) for start, stop in runs if not done[start:stop].all()]
    with stops(lambda: Interrupted(answer, done, call)):
        over_runs(chunk, runs, threads, options.get("progress"), rows)
    return answer


def _half(n: int, d: int) -> int:
    """How many candidates the longer half has."""
    return min((n + 1) // 2, _MOST_HALF, (_LISTS // d).bit_length() - 1)


def _solve(
    given: Vectors,
    keys: Keys,
    units: Integers,
    epsilon: Integers | Floats | None,
    start: int,
    work: int,
    code: Backend,
    answer: Subsets,
) -> None:
    """Search the rows from `start` on, recompute what their masks give, and fill it in."""
    n, d = given.n, given.d
    rows = len(keys.whole) // d
    part = slice(start, start + rows)
    flat = Batch(np.zeros((1, n)), None, given.targets.reshape(-1), 1, (len(given.targets) * d,))
    low, high = (edge.reshape(rows, d) for edge in (keys.lowest, keys.highest))
    if epsilon is not None:
        low, high = (
            edge.reshape(rows, d) for edge in flat.interval(keys, start * d, epsilon, code)
        )
    numbers, proved = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
    if n:
        q = _half(n, d)
        halves = np.array([min(n // 2, q), min(n - n // 2, q)])
        # The coordinates that spread most come first: they keep the fewest pairs.
        spread = np.sqrt((units.astype(np.float64) ** 2).sum(axis=2)) / 2
        order = np.argsort(-spread, axis=1, kind="stable")
        own = np.ascontiguousarray(np.take_along_axis(units, order[:, :, None], axis=1))
        order = np.broadcast_to(order, (rows, d))
        sorted_low, sorted_high = (np.take_along_axis(edge, order, axis=1) for edge in (low, high))
        whole, least, most = (
            np.take_along_axis(each.reshape(rows, d), order, axis=1)
            for each in (keys.whole, keys.lowest, keys.highest)
        )
        fraction = np.take_along_axis(keys.fraction.reshape(rows, d), order, axis=1)
        spread = np.take_along_axis(np.broadcast_to(spread, (rows, d)), order, axis=1)
        first = radii(spread, whole, least, most, int(halves.sum()), work)
        code.module("vector").search(
            own,
            int(not given.shared),
            goals(whole, fraction),
            first,
            sorted_low,
            sorted_high,
            epsilon is not None,
            np.arange(rows),
            halves,
            work,
            numbers,
            proved,
        )
    else:
        proved[:] = True
    mask = answer.mask[part]
    mask[:] = (numbers[:, None] >> np.arange(n)) & 1
    sums = np.matmul(units, mask[:, :, None].astype(np.int64))[:, :, 0]
    errors = flat.errors(keys, start * d, np.ascontiguousarray(sums).reshape(-1), code)
    answer.error[part] = errors.reshape(rows, d).max(axis=1)
    answer.found[part] = ((low <= sums) & (sums <= high)).all(axis=1)
    answer.proved[part] = proved


def _repeat(values: Integers | Floats, d: int) -> Integers | Floats:
    """Every row's number once for each of its coordinates."""
    return cast("Integers | Floats", np.repeat(values, d))
