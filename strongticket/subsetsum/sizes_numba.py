"""The nearest subset of a given size, compiled: sorted halves grouped by size, scanned in pairs.

The lists grow as Pascal's triangle does: the subsets of size j of p candidates are those of p - 1
candidates, and those of size j - 1 with the last one added. `sizes_numpy` gives the same masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

Array = Any
Units = Any  # an int64 of numba's is no int of mypy's


@jit
def of_size(
    candidates: Array,
    step: int,
    targets: Array,
    tags: Array,
    sizes: Array,
    rows: Array,
    numbers: Array,
) -> None:
    """numbers[rows] = the number of the mask of sizes[row] candidates nearest to every target.

    `candidates` (m, n) int64, or (1, n) with `step` 0; `targets`, `tags` (m,) int64 as `_keys.Keys`
    has them; `sizes` (m,) int64 from 0 to n. The order of ties is that of `fixed_size`.
    """
    n = candidates.shape[1]
    p = max((n - 1) // 2, 0)
    rest = n - 2 * p
    room = 0
    for row in rows:
        room = max(room, lists_of(n, sizes[row]))
    left, right, spare = (
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty(room, np.int64),
    )
    starts = np.zeros(p + 2, np.int64)
    olds = np.zeros(p + 2, np.int64)
    listed = -1
    for row in rows:
        a = candidates[row * step]
        size = sizes[row]
        if step or size != listed:  # rows that share their candidates and a size share the lists
            least, most = max(size - rest - p, 0), min(size, p)
            left, spare = _grouped(a[:p], least, most, left, spare, olds, starts)
            right, spare = _grouped(a[p : 2 * p], least, most, right, spare, olds, starts)
            listed = size
        best: Units = np.int64((1 << 63) - 1)
        outer = left_size = 0
        aim: Units = np.int64(0)
        for o in range(1 << rest):
            top = 4 * targets[row] + tags[row]
            inner = size
            for j in range(rest):
                if (o >> j) & 1:
                    top -= 4 * a[2 * p + j]
                    inner -= 1
            for j in range(max(inner - p, 0), min(inner, p) + 1):
                x = left[starts[j] : starts[j + 1]]
                y = right[starts[inner - j] : starts[inner - j + 1]]
                gap = _least_gap(x, y, top, best)
                if gap < best:
                    best, outer, left_size, aim = gap, o, j, top
        right_size = size - (outer & 1) - (outer >> 1) - left_size
        x = left[starts[left_size] : starts[left_size + 1]]
        y = right[starts[right_size] : starts[right_size + 1]]
        i, k = _place(x, y, aim, best)
        low = _first_mask(a[:p], left_size, x[i])
        high = _first_mask(a[p : 2 * p], right_size, y[k])
        numbers[row] = (outer << (2 * p)) | (high << p) | low if min(low, high) >= 0 else -1


@jit
def lists_of(n: int, size: int) -> int:
    """How many sums a half's lists hold, for subsets of `size` of n candidates."""
    p = max((n - 1) // 2, 0)
    least, most = max(size - (n - p), 0), min(size, p)
    total, count = 0, 1
    for j in range(most + 1):
        if j >= least:
            total += count
        count = count * (p - j) // (j + 1)
    return total


@jit
def _grouped(
    a: Array, least: int, most: int, to: Array, spare: Array, olds: Array, starts: Array
) -> tuple[Array, Array]:
    """The sorted sums of every size from `least` to `most` of a, size j at starts[j]; the spare.

    One of the two arrays given comes back with the sums, the other one as the spare.
    """
    p = a.size
    for j in range(p + 2):
        starts[j] = min(j, 1)
    to[0] = 0  # the empty subset: size 0 of no candidates
    for q in range(1, p + 1):
        item = a[q - 1]
        low, high = max(least - (p - q), 0), min(most, q)
        to, spare = spare, to
        for j in range(p + 2):
            olds[j] = starts[j]
        place = 0
        for j in range(p + 2):
            starts[j] = place
            if low <= j <= high:
                x = spare[olds[j] : olds[j + 1]]
                y = spare[olds[max(j - 1, 0)] : olds[j]]
                place += _merged(x, y, item, to[place:])
    return to, spare


@jit
def _merged(x: Array, y: Array, item: Units, to: Array) -> int:
    """Fill to with x and y + item, sorted; how many they are."""
    # The least is placed in front and the greatest behind at once: neither waits for the other.
    i, k, i2, k2 = 0, 0, x.size - 1, y.size - 1
    while i <= i2 and k <= k2:
        u, v = x[i], y[k] + item
        u2, v2 = x[i2], y[k2] + item
        to[i + k] = min(u, v)
        to[i2 + k2 + 1] = max(u2, v2)
        first, last = u <= v, u2 > v2
        i += first
        k += not first
        i2 -= last
        k2 -= not last
    for j in range(i, i2 + 1):
        to[j + k] = x[j]
    for j in range(k, k2 + 1):
        to[i + j] = y[j] + item
    return int(x.size + y.size)


@jit
def _least_gap(x: Array, y: Array, top: Units, best: Units) -> Units:
    """The least of `best` and all |top - 4 (x[i] + y[k])|."""
    # Both halves of x are scanned at once, as neither step waits for the other.
    middle = x.size // 2
    i, k = 0, y.size - 1
    i2, k2 = middle, _above(y, (top >> 2) - x[middle])
    while i < middle and k >= 0 and i2 < x.size and k2 >= 0:
        gap = top - 4 * (x[i] + y[k])
        gap2 = top - 4 * (x[i2] + y[k2])
        best = min(best, min(abs(gap), abs(gap2)))
        up, up2 = gap > 0, gap2 > 0
        i += up
        k -= not up
        i2 += up2
        k2 -= not up2
    while i < middle and k >= 0:
        gap = top - 4 * (x[i] + y[k])
        best = min(best, abs(gap))
        up = gap > 0
        i += up
        k -= not up
    while i2 < x.size and k2 >= 0:
        gap = top - 4 * (x[i2] + y[k2])
        best = min(best, abs(gap))
        up = gap > 0
        i2 += up
        k2 -= not up
    return best


@jit
def _above(y: Array, goal: Units) -> int:
    """The first place of y with more than `goal`, or the last place."""
    low, high = 0, y.size - 1
    while low < high:
        middle = (low + high) >> 1
        if y[middle] > goal:
            high = middle
        else:
            low = middle + 1
    return low


@jit
def _place(x: Array, y: Array, top: Units, wanted: Units) -> tuple[int, int]:
    """The places of the least x[i] with |top - 4 (x[i] + y[k])| = `wanted`, the least there is."""
    i, k = 0, y.size - 1
    while i < x.size and k >= 0:
        gap = top - 4 * (x[i] + y[k])
        if abs(gap) == wanted:
            return i, k
        if gap > 0:
            i += 1
        else:
            k -= 1
    return -1, -1


@jit
def _first_mask(a: Array, size: int, wanted: Units) -> Units:
    """The least mask number of `size` candidates of a whose sum is `wanted`, -1 without one."""
    if size == 0:
        return 0 if wanted == 0 else -1
    half = a.size // 2
    below, above = _all_sums(a[:half]), _all_sums(a[half:])
    mask = np.int64((1 << size) - 1)
    while mask < np.int64(1) << a.size:
        if below[mask & (below.size - 1)] + above[mask >> half] == wanted:
            return mask
        lowest = mask & -mask  # Gosper's step to the next number with as many bits
        ripple = mask + lowest
        mask = ripple | (((mask ^ ripple) >> 2) // lowest)
    return -1


@jit
def _all_sums(a: Array) -> Array:
    """The sums of all subsets of a, by mask number."""
    sums = np.empty(1 << a.size, np.int64)
    sums[0] = 0
    for j in range(a.size):
        for k in range(1 << j):
            sums[(1 << j) + k] = sums[k] + a[j]
    return sums
