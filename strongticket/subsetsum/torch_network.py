r"""The oblivious merging network in torch ops: `network_numpy`'s keys and masks on any device.

One column of every tensor below is one row of the batch, so neighbouring threads of a GPU read
neighbouring words. A half-cleaner is two kernels that write into a second buffer, and nothing is
copied to the host. Integers wrap, on every device that torch has.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LISTS = 14  # lists of 2^p keys that one lane holds at its fullest, counted generously


def lane_bytes(n: int, size: int = 8) -> int:
    """The working memory of one lane with n candidates and keys of `size` bytes."""
    return (_LISTS * size) << (max(n - 1, 0) // 2)


def solve(
    units: Tensor, of: Tensor | None, aims: Tensor, dtype: torch.dtype, memory: int
) -> Tensor:
    """The number of the chosen mask of every row, int64 (m,), -1 where the search broke.

    Args:
        units: int64 (m, n), or (r, n) with the row of each aim in `of` (m,), or (1, n) for all.
        of: int64 (m,) or None.
        aims: int64 (m,), 4 T + tag as `Keys.aim` has it.
        dtype: int32 where 4 (sum of magnitudes) + 16 stays below 2^31, else int64.
        memory: bytes that may be taken at a time; one row is always solved.
    """
    m = len(aims)
    lanes = max(memory // lane_bytes(units.shape[1], dtype.itemsize), 1)
    numbers = torch.empty_like(aims)
    for start in range(0, m, lanes):
        stop = min(start + lanes, m)
        some, which = units, None if of is None else of[start:stop]
        if which is None and len(units) > 1:
            some = units[start:stop]
        elif which is not None and len(units) > stop - start:
            some, which = units[which], None
        items = (4 * some.T).to(dtype).contiguous()
        numbers[start:stop] = _solve_lanes(items, which, aims[start:stop].to(dtype))
    return numbers


def sorted_sums(items: Tensor) -> Tensor:
    """The subset sums of items (k, lanes), sorted in every lane by merging S with S + item."""
    sums = items.new_zeros((1, items.shape[1]))
    for item in items:
        merged, spare = (items.new_empty((2 * len(sums), items.shape[1])) for _ in range(2))
        _join(sums, (sums + item).flip(0), merged)
        sums = _clean(merged, spare)
    return sums


def all_sums(items: Tensor, start: Tensor | None = None) -> Tensor:
    """The subset sums of items (k, lanes) in mask order, (2^k, lanes), each plus start (lanes,)."""
    lanes = max(items.shape[1], 1 if start is None else len(start))
    sums = items.new_empty((1 << len(items), lanes))
    sums[0] = 0 if start is None else start
    for j, item in enumerate(items):
        torch.add(sums[: 1 << j], item, out=sums[1 << j : 2 << j])
    return sums


def _solve_lanes(items: Tensor, of: Tensor | None, aims: Tensor) -> Tensor:
    """The chosen mask numbers of items (n, r) with aims 4 T + tag (lanes,)."""
    n, lanes = len(items), len(aims)
    p = max((n - 1) // 2, 0)
    m = 1 << p
    halves = sorted_sums(torch.cat([items[:p], items[p : 2 * p]], dim=1))
    left, right = halves.chunk(2, dim=1)
    outer_sums = all_sums(items[2 * p :])
    if of is not None:
        left, right, outer_sums = left[:, of], right[:, of], outer_sums[:, of]
    merged, spare = (aims.new_empty((2 * m, lanes)) for _ in range(2))
    lowest = torch.iinfo(aims.dtype).min
    best = torch.zeros_like(aims)
    lower, outer = torch.zeros_like(aims), torch.zeros_like(aims)
    for o, taken in enumerate(outer_sums):
        _join(left, (aims - taken) - right, merged)
        keys = _clean(merged, spare)
        held = spare if keys is merged else merged
        # Two keys of one list differ by an even gap and are no pair. Times 1 - 2^31 an odd gap
        # wraps to itself below the least integer, and an even one stays as it is, not negative.
        gaps = torch.sub(keys[1:], keys[:-1], out=held[1:]).mul_(lowest + 1)
        gap, place = gaps.min(dim=0)  # the first of equal gaps: the least left sum
        better = gap < best
        best = torch.where(better, gap, best)
        lower = torch.where(better, keys.gather(0, place[None])[0], lower)
        outer = torch.where(better, o, outer)
    upper = lower + (best ^ lowest)
    odd = (lower & 1) != 0
    left_sum, top_less_right = torch.where(odd, upper, lower), torch.where(odd, lower, upper)
    taken = outer_sums.expand(-1, lanes).gather(0, outer.to(torch.int64)[None])[0]
    a = first_mask(items[:p], of, left_sum)
    b = first_mask(items[p : 2 * p], of, aims - taken - top_less_right)
    numbers = (outer.to(torch.int64) << (2 * p)) | (b << p) | a
    return torch.where((a < 0) | (b < 0), -1, numbers)


def _join(rising: Tensor, falling: Tensor, out: Tensor) -> None:
    """The first compare-exchange of a bitonic merge: two bitonic halves, the lower one first."""
    half = len(out) // 2
    torch.minimum(rising, falling, out=out[:half])
    torch.maximum(rising, falling, out=out[half:])


def _clean(x: Tensor, spare: Tensor) -> Tensor:
    """Both halves of x, bitonic each, sorted by half-cleaners; in x or in `spare`."""
    stride = len(x) // 4
    while stride:
        shape = (-1, 2, stride, x.shape[1])
        y, z = x.view(shape), spare.view(shape)
        torch.minimum(y[:, 0], y[:, 1], out=z[:, 0])
        torch.maximum(y[:, 0], y[:, 1], out=z[:, 1])
        x, spare = spare, x
        stride //= 2
    return x


def first_mask(items: Tensor, of: Tensor | None, wanted: Tensor) -> Tensor:
    """The least mask of items (k, r) whose sum is wanted (lanes,), -1 where there is none."""
    sums = all_sums(items)
    equal = (sums if of is None else sums[:, of]) == wanted
    place, some = first_true(equal)
    return torch.where(some, place, -1)


def first_true(hits: Tensor) -> tuple[Tensor, Tensor]:
    """The first row of bool (k, lanes) that is true in each lane, and whether there is one."""
    place = hits.view(torch.uint8).argmax(dim=0)  # the first of equal ones, as torch documents
    return place, hits.gather(0, place[None])[0]
