"""From a checked batch to `Subsets`: what every verb that chooses masks has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.subsetsum._backend import Backend, backend_of
from strongticket.subsetsum._keys import Batch, Booleans, Floats, Integers, Keys
from strongticket.subsetsum._limits import MOST_NETWORK
from strongticket.subsetsum._stages import recomputed
from strongticket.subsetsum._subsets import Error, Subsets
from strongticket.subsetsum._work import (
    LANES,
    Interrupted,
    Options,
    check_options,
    fingerprint,
    over_runs,
    plan_runs,
    stops,
)

Interval: TypeAlias = tuple[Integers, Integers]
Choose: TypeAlias = Callable[[Backend, Keys, Interval, slice], tuple[Integers, Booleans]]
"""(backend, keys, (low, high), rows of the batch) -> mask numbers, proved."""


def answer(
    call: tuple[object, ...],
    given: Batch,
    epsilon: Integers | Floats | None,
    choose: Choose,
    options: Options,
    *,
    kernel: Callable[[Backend], int] = lambda code: 0,
    empty_first: bool = True,
    hit_proves: bool = False,
) -> Subsets:
    """Choose a mask for every row, in runs over threads, and recompute what it gives.

    Args:
        call: the verb's name and what else decides its answer, to know an interrupted call by.
        given: the batch.
        epsilon: (M,) of the batch's dtype, or None where every subset is as wanted as another.
        choose: the search.
        options: as every verb takes them.
        kernel: bytes that the dearest kernel takes for itself.
        empty_first: whether the empty mask stands before all others of sum 0.
        hit_proves: whether a subset within epsilon, as recomputed, needs no other proof.
    """
    check_options(options)
    code = backend_of(options.get("backend"))
    mask = np.zeros((given.rows, given.n), np.bool_)
    error: Error = np.zeros_like(given.targets)
    found, proved, done = (np.zeros(given.rows, np.bool_) for _ in range(3))

    # Few of the rows that may stop at a hit go on to what is dear at this n.
    size, threads = plan_runs(given.n, kernel(code), options, LANES if hit_proves else 1)
    share = max(-(-given.rows // (4 * threads)), 1024 >> max(given.n - 18, 0), 1)
    size = min(size, -(-share // LANES) * LANES) if given.n <= MOST_NETWORK else size

    def work(start: int, stop: int) -> None:
        keys = given.chunk(start, stop, code)
        low, high = keys.lowest, keys.highest
        if epsilon is not None:
            low, high = given.interval(keys, start, epsilon[start:stop], code)
        numbers, proved[start:stop] = choose(code, keys, (low, high), slice(start, stop))
        sums = recomputed(code, keys, numbers, mask[start:stop])
        if not empty_first:
            zero = np.flatnonzero(sums == 0)
            mask[start + zero] = (numbers[zero, None] >> np.arange(given.n)) & 1
        error[start:stop] = given.errors(keys, start, sums, code)
        found[start:stop] = (low <= sums) & (sums <= high)
        if hit_proves:
            proved[start:stop] |= found[start:stop]
        done[start:stop] = True

    runs = given.runs(size)
    if given.n > MOST_NETWORK:  # a row that is refused must not be met after hours of work
        for start, stop in runs:
            given.chunk(start, stop, code)
    mine = Subsets(mask, error, found, proved)
    stopped = options.get("resume")
    if stopped is not None:
        take_up(stopped, _print(call, given, epsilon), mine, done)
        runs = [(start, stop) for start, stop in runs if not done[start:stop].all()]
    whole = Subsets(
        mask.reshape((*given.shape, given.n)),
        error.reshape(given.shape),
        found.reshape(given.shape),
        proved.reshape(given.shape),
    )
    with stops(lambda: Interrupted(whole, done.reshape(given.shape), _print(call, given, epsilon))):
        over_runs(work, runs, threads, options.get("progress"), given.rows)
    return whole


def _arrays(subsets: Subsets) -> tuple[NDArray[Any], ...]:
    return subsets.mask, subsets.error, subsets.found, subsets.proved


def _print(call: tuple[object, ...], given: Batch, epsilon: Integers | Floats | None) -> str:
    return fingerprint(call, given.candidates, given.factors, given.targets, given.shape, epsilon)


def take_up(stopped: Interrupted, call: str, mine: Subsets, done: Booleans) -> None:
    """Copy what an interrupted call has done."""
    if not isinstance(stopped, Interrupted):
        raise InputError(f"resume must be the Interrupted of an earlier call, got {stopped!r}")
    if not stopped.matches(call):
        raise InputError(
            "resume comes from a call with another verb, other candidates, targets, epsilon or "
            "regime: repeat exactly that call"
        )
    done[:] = stopped.done.reshape(-1)
    for into, earlier in zip(_arrays(mine), _arrays(stopped.subsets), strict=True):
        into[done] = earlier.reshape(into.shape)[done]
