"""Enumeration with early exit in torch ops: the masks of `enumerate_numba`, many rows in step.

A tile of sums is compared at once for every open row, then the rows that hit are dropped: their
count is all that the host learns. One column of every tensor below is one row of the batch.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb

import torch
from torch import Tensor

from strongticket.subsetsum.torch_keys import Keys
from strongticket.subsetsum.torch_network import all_sums, first_true

_TILES = (6, 9, 12)
_CELL = 20
"""Bytes a sum takes at the fullest, counted generously."""


def first_hit(
    keys: Keys, low: Tensor, high: Tensor, bits: int, dtype: torch.dtype, memory: int
) -> Tensor:
    """The least mask number below 2^bits with low <= sum <= high, int64 (m,), else -1."""
    found = torch.full_like(low, -1)
    alive = (low <= high).nonzero()[:, 0]
    for tile in dict.fromkeys(min(bits, stage) for stage in _TILES):
        for rows in _parts(alive, memory // (_CELL << tile)):
            sums, limit = _tile(keys, rows, tile, low, high, dtype)
            place, some = first_true(sums <= limit)
            found[rows] = torch.where(some, place, -1)
        alive = alive[found[alive] < 0]
    if bits <= _TILES[-1] or len(alive) == 0:
        return found
    tile = _TILES[-1]
    for rows in _parts(alive, memory // (_CELL << tile)):
        _later_tiles(keys, rows, tile, bits, low, high, found, dtype)
    return found


def _later_tiles(
    keys: Keys,
    rows: Tensor,
    tile: int,
    bits: int,
    low: Tensor,
    high: Tensor,
    found: Tensor,
    dtype: torch.dtype,
) -> None:
    sums, limit = _tile(keys, rows, tile, low, high, dtype)
    upper = keys.items(rows, bits)[:, tile:].T.to(dtype)
    for o in range(1, 1 << (bits - tile)):
        chosen = [j for j in range(bits - tile) if (o >> j) & 1]
        place, some = first_true(sums + upper[chosen].sum(dim=0, dtype=dtype) <= limit)
        found[rows] = torch.where(some, place + (o << tile), -1)
        some = some.logical_not_()
        kept = some.nonzero()[:, 0]
        if len(kept) == 0:
            return
        if len(kept) < len(rows):
            rows, sums, limit = rows[kept], sums[:, kept], limit[kept]
            upper = upper if upper.shape[1] == 1 else upper[:, kept]


def _tile(
    keys: Keys, rows: Tensor, bits: int, low: Tensor, high: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Sums (2^bits, rows) and limits (rows,): a sum is within [low, high] where it is <= limit.

    They start at the least integer less low, and wrap: a sum below low comes out above all others.
    """
    lowest = torch.iinfo(dtype).min
    items = keys.items(rows, bits).T.to(dtype).contiguous()
    start = lowest - low[rows].to(dtype)
    limit = (high[rows] - low[rows]).to(dtype) + lowest
    return all_sums(items, start), limit


def least_size(
    keys: Keys,
    low: Tensor,
    high: Tensor,
    most_size: int,
    dtype: torch.dtype,
    memory: int,
) -> Tensor:
    """The least mask number of the least size within [low, high], int64 (m,), else -1."""
    n = keys.n
    found = torch.full_like(low, -1)
    found[(low <= 0) & (high >= 0)] = 0
    alive = ((low <= high) & (found < 0)).nonzero()[:, 0]
    for size in range(1, most_size + 1):
        numbers = _masks(n, min(size, 3))
        table = torch.tensor(numbers, dtype=torch.int64, device=low.device)
        lanes = memory // (_CELL * len(numbers))
        for rows in _parts(alive, lanes):
            _of_size(keys, rows, size, table, low, high, found, dtype)
        alive = alive[found[alive] < 0]
        if len(alive) == 0:
            break
    return found


def _of_size(
    keys: Keys,
    rows: Tensor,
    size: int,
    table: Tensor,
    low: Tensor,
    high: Tensor,
    found: Tensor,
    dtype: torch.dtype,
) -> None:
    """found[rows] = the least mask of `size` within the rows' intervals, -1 as it was else."""
    lowest = torch.iinfo(dtype).min
    items = keys.items(rows).T.to(dtype).contiguous()
    start = lowest - low[rows].to(dtype)
    limit = (high[rows] - low[rows]).to(dtype) + lowest
    sums = items
    for count in range(2, min(size, 3) + 1):
        sums = _grown(sums, items, count)
    best = torch.full_like(rows, -1)
    for top in _tops(len(items), size):
        count = comb(top[-1], 3) if top else len(sums)
        taken = start + items[list(top)].sum(dim=0, dtype=dtype) if top else start
        place, some = first_true(sums[:count] + taken <= limit)
        number = table[place] + sum(1 << j for j in top)
        best = torch.where(some & (best < 0), number, best)
    found[rows] = best


def _grown(sums: Tensor, items: Tensor, size: int) -> Tensor:
    """From all subsets of size - 1 (in mask order) to all subsets of `size` (in mask order)."""
    n, lanes = items.shape
    out = items.new_empty((comb(n, size), lanes))
    for j in range(size - 1, n):
        start, count = comb(j, size), comb(j, size - 1)
        torch.add(sums[:count], items[j], out=out[start : start + count])
    return out


@cache
def _masks(n: int, size: int) -> tuple[int, ...]:
    """The mask numbers of all subsets of `size`, rising."""
    return tuple(sorted(sum(1 << j for j in subset) for subset in combinations(range(n), size)))


def _tops(n: int, size: int) -> list[tuple[int, ...]]:
    """The candidates above the lowest three of a subset of `size`, falling, in mask order."""
    if size <= 3:
        return [()]
    return sorted(combinations(range(n - 1, 2, -1), size - 3))


def _parts(rows: Tensor, lanes: int) -> list[Tensor]:
    return list(torch.split(rows, max(lanes, 1))) if len(rows) else []
