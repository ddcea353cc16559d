"""The nearest subset beyond 24 candidates in torch ops: one list sorted, the other looked up.

The keys and the masks are those of `stream_numpy`. Rows come in groups that fit the memory; of a
row's left list only a chunk is held at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from strongticket.subsetsum.torch_network import all_sums, first_true, sorted_sums

_CHUNK = 16
_MOST = (1 << 63) - 1


def row_bytes(n: int) -> int:
    """The working memory of one row of n candidates, counted generously."""
    p = max(n - 1, 0) // 2
    return (5 * 8 << p) + (10 * 8 << min(p, _CHUNK))


def solve(units: Tensor, aims: Tensor, memory: int) -> Tensor:
    """The number of the nearest mask for every row, int64 (m,); as `torch_network.solve`.

    `units` is (m, n) or (1, n).
    """
    numbers = torch.empty_like(aims)
    rows = max(memory // row_bytes(units.shape[1]), 1)
    for start in range(0, len(aims), rows):
        some = units if len(units) == 1 else units[start : start + rows]
        numbers[start : start + rows] = _solve_rows(
            (4 * some.T).contiguous(), aims[start : start + rows]
        )
    return numbers


def _solve_rows(items: Tensor, aims: Tensor) -> Tensor:
    """The nearest masks of items (n, m) or (n, 1) with aims 4 T + tag (m,)."""
    n, m = len(items), len(aims)
    p = (n - 1) // 2
    bits = min(p, _CHUNK)
    right = sorted_sums(items[p : 2 * p]).T.contiguous()
    tile = all_sums(items[:bits]).T
    uppers = all_sums(items[bits:p]).T
    outers = all_sums(items[2 * p :]).T
    best = torch.full_like(aims, _MOST)
    left, outer = torch.zeros_like(aims), torch.zeros_like(aims)
    for o in range(outers.shape[1]):
        top = (aims - outers[:, o])[:, None]
        for u in range(uppers.shape[1]):
            sums = tile + uppers[:, u : u + 1]
            distance = _look(sums, right, top)
            least = distance.amin(dim=1)
            first = torch.where(distance == least[:, None], sums, _MOST).amin(dim=1)
            better = (least < best) | ((least == best) & (outer == o) & (first < left))
            best = torch.where(better, least, best)
            left = torch.where(better, first, left)
            outer = torch.where(better, o, outer)
    top = aims - outers.expand(m, -1).gather(1, outer[:, None])[:, 0]
    # The right sum lies that far from what the left one lacks, on the side where a sum can: keys of
    # sums are multiples of 4, and the distance is odd.
    below = top - left - best
    wanted = torch.where(below & 3 == 0, below, top - left + best)
    low, high = _first_mask(items[:p], left), _first_mask(items[p : 2 * p], wanted)
    return torch.where((low < 0) | (high < 0), -1, (outer << (2 * p)) | (high << p) | low)


def _look(sums: Tensor, right: Tensor, top: Tensor) -> Tensor:
    """The distance of the nearest pair for every left sum, (m, k)."""
    need = top - sums
    last = right.shape[1] - 1
    if len(right) == 1:
        above = torch.searchsorted(right[0], need)
    else:
        above = torch.searchsorted(right, need.contiguous())
    distances = []
    # At an end of the list the neighbour that is missing is taken from inside: a pair like others.
    for place in ((above - 1).clamp_(min=0), above.clamp(max=last)):
        near = right[0][place] if len(right) == 1 else right.gather(1, place)
        distances.append(near.sub_(need).abs_())
    return torch.minimum(*distances)


def _first_mask(items: Tensor, wanted: Tensor) -> Tensor:
    """The least mask of items (k, m) or (k, 1) whose sum is wanted (m,), -1 where there is none."""
    bits = min(len(items), _CHUNK)
    tile, uppers = all_sums(items[:bits]), all_sums(items[bits:])
    found = torch.full_like(wanted, -1)
    for u, taken in enumerate(uppers):
        place, some = first_true(tile == wanted - taken)
        found = torch.where(some & (found < 0), place + (u << bits), found)
    return found
