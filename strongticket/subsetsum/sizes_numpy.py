"""The nearest subset of a given size in plain NumPy: the same order and masks as `sizes_numba`."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def of_size(
    candidates: Integers,
    step: int,
    targets: Integers,
    tags: Integers,
    sizes: Integers,
    rows: Integers,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of the mask of sizes[row] candidates nearest to every target.

    Arguments as `sizes_numba.of_size` has them.
    """
    for row in rows:
        aim = 4 * targets[row] + tags[row]
        numbers[row] = _of_size(candidates[row * step], int(aim), int(sizes[row]))


def lists_of(n: int, size: int) -> int:
    """How many sums a half's lists hold, for subsets of `size` of n candidates."""
    p = max((n - 1) // 2, 0)
    return sum(comb(p, j) for j in range(max(size - (n - p), 0), min(size, p) + 1))


def _of_size(a: Integers, aim: int, size: int) -> int:
    n = len(a)
    p = max((n - 1) // 2, 0)
    least, most = max(size - (n - p), 0), min(size, p)
    lefts = [np.sort(sums) for sums in _by_size(a[:p], least, most)]
    rights = [np.sort(sums) for sums in _by_size(a[p : 2 * p], least, most)]
    best: int | None = None
    chosen = (0, 0, 0, 0)  # outer, left size, left sum, right sum
    for o in range(1 << (n - 2 * p)):
        top = aim - 4 * sum(int(a[2 * p + j]) for j in range(n - 2 * p) if (o >> j) & 1)
        inner = size - o.bit_count()
        for j in range(max(inner - p, 0), min(inner, p) + 1):
            gap, low, high = _closest(lefts[j - least], rights[inner - j - least], top)
            if best is None or gap < best:
                best, chosen = gap, (o, j, low, high)
    o, j, low, high = chosen
    left = _first_mask(a[:p], j, low)
    right = _first_mask(a[p : 2 * p], size - o.bit_count() - j, high)
    return (o << (2 * p)) | (right << p) | left


def _by_size(a: Integers, least: int, most: int) -> list[Integers]:
    """The sums of all subsets of every size from `least` to `most`, by mask number."""
    p = len(a)
    nothing = np.empty(0, np.int64)
    lists = {0: np.zeros(1, np.int64)}
    for q in range(1, p + 1):  # as Pascal's triangle grows
        sizes = range(max(least - (p - q), 0), min(most, q) + 1)
        lists = {
            j: np.concatenate([lists.get(j, nothing), lists.get(j - 1, nothing) + a[q - 1]])
            for j in sizes
        }
    return [lists[j] for j in range(least, most + 1)]


def _closest(x: Integers, y: Integers, top: int) -> tuple[int, int, int]:
    """The least |top - 4 (u + v)| of sorted x and y, with u and v; of the least u."""
    place = np.searchsorted(y, (top - 4 * x) // 4, "right")
    above = y[np.minimum(place, len(y) - 1)]
    below = y[np.maximum(place - 1, 0)]
    gaps = np.abs(top - 4 * (x + above)), np.abs(top - 4 * (x + below))
    nearer = np.minimum(*gaps)
    at = int(nearer.argmin())
    return int(nearer[at]), int(x[at]), int((above if gaps[0][at] == nearer[at] else below)[at])


def _first_mask(a: Integers, size: int, wanted: int) -> int:
    """The least mask number of `size` candidates of a whose sum is `wanted`."""
    index = int((_by_size(a, size, size)[0] == wanted).argmax())
    mask = 0
    for k in range(size, 0, -1):  # the mask of that rank, from its highest candidate down
        place = k - 1
        while comb(place + 1, k) <= index:
            place += 1
        index -= comb(place, k)
        mask |= 1 << place
    return mask
