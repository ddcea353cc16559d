"""From a checked batch of tensors to `Subsets`: what `_run` does, block by block on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from strongticket.errors import InputError
from strongticket.subsetsum import torch_network, torch_stream
from strongticket.subsetsum._keys import Booleans, _by_rationals
from strongticket.subsetsum._limits import FINEST, MOST_NETWORK, NARROW, REACH, REFUSED
from strongticket.subsetsum._refusals import beyond, products_beyond, refused
from strongticket.subsetsum._subsets import Subsets
from strongticket.subsetsum._work import (
    BUDGET,
    Interrupted,
    Options,
    check_options,
    fingerprint,
    over_runs,
    stops,
)
from strongticket.subsetsum.torch_inputs import Given
from strongticket.subsetsum.torch_keys import Keys, spread
from strongticket.subsetsum.torch_rows import (
    aims_of,
    errors_of,
    intervals_of,
    ranges_of,
    subsets_of,
    units_of,
)
from strongticket.subsetsum.torch_subsets import TensorSubsets

Interval: TypeAlias = tuple[Tensor, Tensor]
Choose: TypeAlias = Callable[[Keys, Interval, slice, int], tuple[Tensor, Tensor]]
"""(keys, (low, high), rows of the batch, bytes) -> mask numbers, proved."""
_CACHED = 1 << 22
"""On a CPU, a kernel's tensors stay in the cache, and a block's too."""
_BLOCK_CPU, _BLOCK_CUDA = 1 << 13, 1 << 20


def answer(
    call: tuple[object, ...],
    given: Given,
    epsilon: Tensor | None,
    choose: Choose,
    options: Options,
    *,
    empty_first: bool = True,
    hit_proves: bool = False,
) -> Subsets:
    """Choose a mask for every row, block by block, and recompute what it gives.

    Arguments as `_run.answer` has them; `choose` is given the bytes that its kernels may take.
    """
    check_options(options)
    if options.get("backend") not in (None, "torch"):
        raise InputError(
            f"tensors are solved by backend 'torch' (or None), got {options.get('backend')!r}; for "
            "another one give NumPy arrays"
        )
    m, device = len(given.targets), given.targets.device
    size, memory = _plan(given, options)
    mask = torch.zeros((m, given.n), dtype=torch.bool, device=device)
    error = torch.zeros(m, dtype=given.dtype, device=device)
    found, proved = (torch.zeros(m, dtype=torch.bool, device=device) for _ in range(2))
    done = np.zeros(m, np.bool_)
    mine = (mask, error, found, proved)

    def work(start: int, stop: int) -> None:
        block = slice(start, stop)
        wide = None if epsilon is None else epsilon[block]
        keys, targets, low, high = _block(given, start, stop, wide)
        numbers, proved[block] = choose(keys, (low, high), block, memory)
        mask[block], sums = subsets_of(numbers, keys.items())
        if not empty_first:
            bits = torch.arange(given.n, device=device)
            mask[block] |= (sums == 0)[:, None] & ((numbers[:, None] >> bits) & 1).to(torch.bool)
        if given.integers:
            error[block] = (targets - sums).abs()
        else:
            error[block] = errors_of(targets, keys.exponents, sums)
        found[block] = (low <= sums) & (sums <= high)
        if hit_proves:
            proved[block] |= found[block]
        if bool((numbers < 0).any()):
            raise AssertionError("a subset-sum kernel gave no mask: a bug of strongticket")
        done[block] = True

    runs = [(start, min(start + size, m)) for start in range(0, m, size)]
    if given.n > MOST_NETWORK:  # a row that is refused must not be met after hours of work
        for start, stop in runs:
            _block(given, start, stop, None)
    stopped = options.get("resume")
    if stopped is not None:
        take_up(stopped, _print(call, given, epsilon), mine, done)
        runs = [(start, stop) for start, stop in runs if not done[start:stop].all()]

    def whole() -> Subsets:
        shaped = (
            mask.reshape((*given.shape, given.n)),
            *(x.reshape(given.shape) for x in mine[1:]),
        )
        subsets = TensorSubsets(*shaped)
        return subsets.numpy() if given.numpy else subsets

    with torch.no_grad(), stops(lambda: _interrupted(whole(), done, call, given, epsilon)):
        over_runs(work, runs, 1, options.get("progress"), m)
    return whole()


def _plan(given: Given, options: Options) -> tuple[int, int]:
    """(rows a block, bytes for its kernels)."""
    memory = options.get("memory", BUDGET)
    n, cuda = given.n, given.targets.is_cuda
    a_row = 64 * n + 512
    kernel = (
        torch_network.lane_bytes(n) if n <= MOST_NETWORK else torch_stream.row_bytes(min(n, 50))
    )
    if kernel + a_row > memory:
        raise InputError(
            f"memory is {memory} bytes, and one row of {n} candidates needs {kernel + a_row}; "
            "give more, or fewer candidates"
        )
    room = max(memory // 2, kernel)
    rows = min((memory - room) // a_row, _BLOCK_CUDA if cuda else _BLOCK_CPU)
    return max(rows, 1), room if cuda else max(min(room, _CACHED), kernel)


def _block(
    given: Given, start: int, stop: int, epsilon: Tensor | None
) -> tuple[Keys, Tensor, Tensor, Tensor]:
    """Rows start .. stop - 1 as integers, their wide targets and intervals; one wait."""
    m, per, device = stop - start, given.per, given.targets.device
    first, last, of = 0, 1, None
    if per:
        first, last = start // per, (stop - 1) // per + 1
        if per > 1 and last - first > 1:
            of = torch.arange(start, stop, device=device) // per - first
    units, exponents, lost = _units(given, first, last)
    lowest, highest, over = ranges_of(units)
    fits = highest - lowest <= NARROW
    lowest, highest = (spread(edge, of, m) for edge in (lowest, highest))
    exponents = exponents if of is None else exponents[of]
    targets = given.targets[start:stop].to(given.dtype)
    hard = torch.zeros(m, dtype=torch.bool, device=device)
    if given.integers:
        whole, fraction = targets, torch.zeros(m, dtype=torch.float64, device=device)
    else:
        whole, fraction, hard = aims_of(targets, exponents)
    low, high = lowest, highest
    if epsilon is not None:
        if given.integers:
            wide = epsilon.clamp(max=1 << 62)
            low, high = whole - wide, whole + wide
        else:
            low, high, more = intervals_of(epsilon, exponents, whole, fraction)
            hard = hard | more
    marks = torch.stack([lost.any(), over.any(), hard.any(), fits.all()]).tolist()
    if marks[0] or marks[1]:
        row = first + int((lost if marks[0] else over).to(torch.uint8).argmax())
        raise _refusal(given, row, off_grid=marks[0])
    if epsilon is not None:
        if marks[2]:
            _settle(hard, targets, epsilon, exponents.expand(m), low, high)
        low = low.clamp(min=lowest, max=highest + 1)
        high = high.clamp(min=lowest - 1, max=highest)
    keys = Keys(units, of, exponents, lowest, highest, whole, fraction, bool(marks[3]))
    return keys, targets, low, high


def _units(given: Given, first: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows first .. last - 1 as integers, their grids' exponents, and which cannot be had."""
    units, exponents = _on_grid(given, given.candidates, first, last)
    lost = exponents == REFUSED
    if given.factors is None:
        return units, exponents, lost
    others, more = _on_grid(given, given.factors, first, last)
    lost = lost | (more == REFUSED)
    if given.n == 0:
        return units, exponents, lost
    exponents = exponents + more
    a, b = (x.to(torch.float64).abs().amax(dim=1) for x in (units, others))
    size = a * b  # what is rounded here is far below the factor of 8 to an overflow
    lost = lost | (size > REACH)
    if not given.integers:
        top = exponents + torch.frexp(size)[1]
        lost = lost | (exponents < FINEST) | (top > -FINEST)
    return units * others, exponents, lost


def _on_grid(given: Given, values: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    rows = (values[first:last] if values.ndim == 2 else values[None, :]).to(given.dtype)
    if given.integers:
        return rows, torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    return units_of(rows)


def _refusal(given: Given, row: int, *, off_grid: bool) -> InputError:
    """The error for a row that cannot be put on integer keys, in the words of `_refusals`."""
    arrays = [
        x.to(given.dtype).cpu().numpy() for x in (given.candidates, given.factors) if x is not None
    ]
    if off_grid and not given.integers:
        for values in arrays:
            part = torch.from_numpy(values if values.ndim == 1 else values[row])[None]
            if int(units_of(part)[1]) == REFUSED:
                return refused(values, row if values.ndim == 2 else 0)
    if given.factors is not None:
        return products_beyond(row)
    return beyond(arrays[0], row * (arrays[0].ndim - 1))


def _settle(
    hard: Tensor, targets: Tensor, epsilon: Tensor, exponents: Tensor, low: Tensor, high: Tensor
) -> None:
    """Intervals of the rows that floats cannot hold, one by one on the host."""
    for i in hard.nonzero()[:, 0].tolist():
        numbers = float(targets[i]), float(epsilon[i]), int(exponents[i])
        low[i], high[i] = _by_rationals(*numbers)


def _interrupted(
    subsets: Subsets,
    done: Booleans,
    call: tuple[object, ...],
    given: Given,
    epsilon: Tensor | None,
) -> Interrupted:
    return Interrupted(subsets, done.reshape(given.shape), _print(call, given, epsilon))


def _print(call: tuple[object, ...], given: Given, epsilon: Tensor | None) -> str:
    """What an interrupted call is known by; the one time that the batch is copied to the host."""
    parts: list[Any] = [given.candidates, given.factors, given.targets, epsilon]
    host = [None if x is None else x.to(given.dtype).cpu().numpy() for x in parts]
    return fingerprint(call, "tensors", given.shape, *host)


def take_up(stopped: Interrupted, call: str, mine: tuple[Tensor, ...], done: Booleans) -> None:
    """Copy what an interrupted call has done."""
    if not isinstance(stopped, Interrupted):
        raise InputError(f"resume must be the Interrupted of an earlier call, got {stopped!r}")
    if not stopped.matches(call):
        raise InputError(
            "resume comes from a call with another verb, other candidates, targets, epsilon or "
            "regime: repeat exactly that call"
        )
    done[:] = stopped.done.reshape(-1)
    earlier = stopped.subsets
    fields = (earlier.mask, earlier.error, earlier.found, earlier.proved)
    for into, values in zip(mine, fields, strict=True):
        into.copy_(torch.as_tensor(values).reshape(into.shape))
