"""The nearest subset sum for many targets of one row of candidates, in plain NumPy.

The same sorted sums, lookups and masks as `shared_numba`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[Any]  # int32 or int64
Integers = NDArray[np.int64]
MOST = 20
"""At most 2^20 sums are sorted: 24 MB with the room to merge them."""
RANKED = 64
"""A sum that more masks have is left to the caller."""


def worth(n: int, targets: int) -> bool:
    """Whether so many targets of one row of n candidates are faster here than in the network."""
    return n >= 16 and targets >= 64


def sorted_count(n: int, targets: int) -> int:
    """q: how many candidates have their sums sorted for so many targets."""
    return min(max((n + max(targets, 1).bit_length()) // 2, 1), n, MOST)


def solve_shared(
    candidates: Integers,
    targets: Integers,
    tags: Integers,
    rows: Integers,
    p: int,
    zero: Keys,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of the nearest subset's mask, as `network_numpy.solve` has it.

    Where the sum is 0 the number is 0; where more than RANKED masks have the sum it is -1, and the
    row is the caller's.

    Args:
        candidates: (1, n) int64, n at least 1, with magnitudes that add up to 2^60 at most.
        targets: (m,) int64, the T of `_keys.Keys.tagged`.
        tags: (m,) int64, its tags.
        rows: which of the targets.
        p: what `best` documents, (n - 1) // 2.
        zero: an empty array of the keys' dtype.
        numbers: (m,) int64, filled.
    """
    items = candidates[0]
    q = sorted_count(items.size, rows.size)
    sums = _all_sums(items[:q])
    masks = sums.argsort()
    keys = sums[masks]
    tops = _all_sums(items[q:])
    part = rows[np.argsort(targets[rows])]  # near targets look in near places
    top, place, unique = _nearest(keys, tops, targets[part], tags[part])
    found = (top << q) | masks[place]
    total = tops[top] + keys[place]
    found[total == 0] = 0
    for i in np.flatnonzero(~unique & (total != 0)):
        found[i] = _first_of(items, keys, masks, tops, total[i], p, q)
    numbers[part] = found


def _all_sums(items: Integers) -> Integers:
    """The subset sums of items in mask order."""
    sums = np.zeros(1, np.int64)
    for item in items:
        sums = np.concatenate([sums, sums + item])
    return sums


def _nearest(
    keys: Integers, tops: Integers, aim: Integers, tag: Integers
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Every target's nearest sum tops[top] + keys[place]; whether one mask alone has it."""
    best = np.full(aim.size, np.iinfo(np.int64).max)
    top, place = np.zeros(aim.size, np.int64), np.zeros(aim.size, np.int64)
    unique = np.ones(aim.size, np.bool_)
    padded = np.concatenate([keys[:1], keys, keys[-1:]])
    for c, taken in enumerate(tops):
        left = aim - taken
        at = keys.searchsorted(left)  # keys[at] is padded[at + 1]
        above = np.abs(4 * (left - padded[at + 1]) + tag)
        below = np.abs(4 * (left - padded[at]) + tag)
        away = np.minimum(above, below)
        unique &= away != best
        nearer = np.flatnonzero(away < best)
        best[nearer], top[nearer], unique[nearer] = away[nearer], c, True
        place[nearer] = (at - (below < above))[nearer]
    place = place.clip(0, keys.size - 1)
    step = np.diff(keys) == 0
    twin = np.concatenate([[False], step]) | np.concatenate([step, [False]])
    return top, place, unique & ~twin[place]


def _first_of(
    items: Integers, keys: Integers, masks: Integers, tops: Integers, total: int, p: int, q: int
) -> int:
    """Of all masks with this sum the first in the order that `best` documents; -1: too many."""
    first, last = keys.searchsorted(total - tops), keys.searchsorted(total - tops, "right")
    if (last - first).sum() > RANKED:
        return -1
    numbers = np.concatenate(
        [(c << q) | masks[first[c] : last[c]] for c in np.flatnonzero(last > first)]
    )
    left = ((numbers[:, None] >> np.arange(p)) & 1) @ items[:p]
    return int(numbers[np.lexsort((numbers, left, numbers >> (2 * p)))[0]])
