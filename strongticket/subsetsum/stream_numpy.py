"""Two sorted lists of sums and a search of one in the other, in plain NumPy, row by row.

The same keys and the same masks as `stream_numba`, whose docstring says what the keys are; where
that walks along both lists, this looks up in the right list what each left sum lacks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_TILE = 16
_CHUNK = 1 << 16


def bytes_of(n: int) -> int:
    """The working memory of one call at n candidates: two lists of int64, a tile, some chunks."""
    p = max(n - 1, 0) // 2
    return 2 * (8 << p) + 2 * (8 << min(p, _TILE)) + 8 * 8 * _CHUNK


def nearest(
    candidates: Integers,
    step: int,
    targets: Integers,
    tags: Integers,
    rows: Integers,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of the nearest subset's mask for every row; n at least 1.

    Arguments and masks as `stream_numba.nearest` has them.
    """
    n = candidates.shape[1]
    p = (n - 1) // 2
    filled = -1
    left = right = np.empty(0, np.int64)
    for row in rows.tolist():
        items = candidates[row * step]
        if row * step != filled:
            filled = row * step
            left, right = all_sums(2 * items[:p]), all_sums(2 * items[p : 2 * p])
            left.sort()
            right.sort()
        best, outer, pair = np.iinfo(np.int64).max, 0, (0, 0)
        for o, taken in enumerate(all_sums(2 * items[2 * p :]).tolist()):
            top = 2 * int(targets[row]) + int(tags[row] > 0) - taken
            for start in range(0, left.size, _CHUNK):
                distance, found = _look(left[start : start + _CHUNK], right, top)
                if distance < best:
                    best, outer, pair = distance, o, found
        low = first_mask(items[:p], pair[0] >> 1)
        high = first_mask(items[p : 2 * p], pair[1] >> 1)
        numbers[row] = -1 if min(low, high) < 0 else (outer << (2 * p)) | (high << p) | low


def _look(left: Integers, right: Integers, top: int) -> tuple[int, tuple[int, int]]:
    """The least distance of a pair, and the first pair that has it."""
    above = np.searchsorted(right, top - left)
    distances, pairs = [], []
    # At an end of the list the neighbour that is missing is taken from inside: a pair like others.
    for place in (np.maximum(above - 1, 0), np.minimum(above, right.size - 1)):
        d = left + right[place] - top
        d ^= d >> 63
        i = int(d.argmin())
        distances.append(int(d[i]))
        pairs.append((int(left[i]), int(right[place[i]])))
    return min(zip(distances, pairs, strict=True))


def all_sums(items: Integers) -> Integers:
    """The subset sums of items in mask order."""
    sums = np.zeros(1 << items.size, np.int64)
    for j, item in enumerate(items):
        np.add(sums[: 1 << j], item, out=sums[1 << j : 2 << j])
    return sums


def first_mask(items: Integers, wanted: int) -> int:
    """The least mask of items whose sum is wanted, -1 where there is none."""
    bits = min(items.size, _TILE)
    tile = all_sums(items[:bits])
    for high in range(1 << (items.size - bits)):
        rest = wanted - sum(int(a) for j, a in enumerate(items[bits:]) if (high >> j) & 1)
        equal = tile == rest
        if equal.any():
            return (high << bits) | int(equal.argmax())
    return -1
