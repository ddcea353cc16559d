r"""Two sorted lists and a walk along them, compiled: the nearest of all subset sums, row by row.

The lists of :math:`2^p` sums, p = (n - 1) // 2, grow in place: a list S and S + a merge from their
greatest sums down, as far as the upper half, and the lower half is its mirror image, because the
subset sums of any numbers lie symmetrically about half their total. A walk over both lists then
sees, for every subset of the last one or two candidates, the two sums next to the target
(Horowitz and Sahni 1974). A walk or a merge is one long chain of dependent steps, so each is cut
on its diagonals into 8 or 4 runs of equally many steps (the merge path of Odeh et al. 2012) that
go in step, and no step branches.

Keys are doubled sums: D = 2 (s - T) - [tag > 0], and D or, where it is negative, its complement,
orders the sums s as |4 (T - s) + tag| does. `stream_numpy` gives the same masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

_FAR = (1 << 61) + 16  # no key of a row is as far from its target
_NONE = (1 << 63) - 1
_TILE = 12
Array = Any
_U: Any = np.uint64  # an index that numba need not test for being negative


def bytes_of(n: int) -> int:
    """The working memory of one call at n candidates: two lists of int64 and a small tile."""
    p = max(n - 1, 0) // 2
    return 2 * 8 * ((1 << p) + 1) + (8 << min(p, _TILE))


@jit
def _cut(s: Array, m: int, up: int, down: int, k: int) -> tuple[Any, Any]:
    """Where both lists of a merge stand after the k greatest sums."""
    low, high = 0, k
    while low < high:
        middle = (low + high) >> 1
        if s[m - 1 - middle] + up >= s[m - k + middle] + down:
            low = middle + 1
        else:
            high = middle
    return _U(m - 1 - low), _U(m - 1 - k + low)


@jit
def _merge(s: Array, z: Array, up: int, down: int, i: Any, j: Any, k: Any) -> tuple[Any, Any]:
    """z[k] = the greater of s[i] + up and s[j] + down, and the step down past it."""
    x, y = s[i] + up, s[j] + down
    z[k] = max(x, y)
    taken = _U(x >= y)
    return i - taken, j - (_U(1) - taken)


@jit
def _grow(s: Array, m: int, item: int, total: int) -> None:
    """Sorted s[:m] becomes sorted s[:2m], its sums with and without `item`."""
    up, down = max(item, 0), min(item, 0)
    lower, upper = s[:m], s[m : 2 * m]
    last = _U(m - 1)
    if m < 4:
        i, j = last, last
        for k in range(m):
            i, j = _merge(s, upper, up, down, i, j, last - _U(k))
    else:
        run = m >> 2
        i0, j0 = _cut(s, m, up, down, 0)
        i1, j1 = _cut(s, m, up, down, run)
        i2, j2 = _cut(s, m, up, down, 2 * run)
        i3, j3 = _cut(s, m, up, down, 3 * run)
        q = _U(run)
        for step in range(run):
            k = last - _U(step)
            i0, j0 = _merge(s, upper, up, down, i0, j0, k)
            i1, j1 = _merge(s, upper, up, down, i1, j1, k - q)
            i2, j2 = _merge(s, upper, up, down, i2, j2, k - q - q)
            i3, j3 = _merge(s, upper, up, down, i3, j3, k - q - q - q)
    for k in range(m):
        lower[k] = total - upper[last - _U(k)]


@jit
def sorted_sums(s: Array, items: Array, factor: int) -> None:
    """Fill s with the sorted subset sums of factor * items."""
    s[0] = 0
    total = 0
    for j in range(items.size):
        item = factor * items[j]
        total += item
        _grow(s, 1 << j, item, total)


@jit
def start(left: Array, right: Array, top: int, t: int) -> tuple[Any, Any]:
    """Where a walk along `top` stands after t steps: the place i in left, and that in right less i.

    From the first of left and the last of right it goes up left where the sum is below top, down
    right where it is not. left[-1] and right[0] are left free for sums beyond all others.
    """
    m = left.size - 1
    low, high = max(0, t - m), min(t, m)
    while low < high:
        middle = (low + high) >> 1
        if left[middle] + right[m - t + middle + 1] < top:
            low = middle + 1
        else:
            high = middle
    return _U(low), _U(m - t)


@jit
def _step(left: Array, right: Array, top: int, i: Any, g: Any, best: int) -> tuple[Any, int]:
    """The least distance so far, and the step towards the target: up `left` or down `right`."""
    d = left[i] + right[i + g] - top
    sign = d >> 63
    return i - _U(sign), min(best, d ^ sign)


@jit
def _walk(left: Array, right: Array, top: int) -> tuple[int, int]:
    """The least distance of all pairs, and at which step the run begins that first meets it.

    `left` ends and `right` begins with a place for a sum that is far beyond any target.
    """
    m = left.size - 1
    left[m] = top - right[1] + _FAR
    right[0] = top - left[m - 1] - _FAR
    if m < 4:
        i0, g0 = start(left, right, top, 0)
        b0 = _NONE
        for step in range(2 * m):
            i0, b0 = _step(left, right, top, i0, g0 - _U(step), b0)
        return b0, 0
    run = m >> 2
    i0, g0 = start(left, right, top, 0)
    i1, g1 = start(left, right, top, run)
    i2, g2 = start(left, right, top, 2 * run)
    i3, g3 = start(left, right, top, 3 * run)
    i4, g4 = start(left, right, top, 4 * run)
    i5, g5 = start(left, right, top, 5 * run)
    i6, g6 = start(left, right, top, 6 * run)
    i7, g7 = start(left, right, top, 7 * run)
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = _NONE
    for step in range(run):
        t = _U(step)
        i0, b0 = _step(left, right, top, i0, g0 - t, b0)
        i1, b1 = _step(left, right, top, i1, g1 - t, b1)
        i2, b2 = _step(left, right, top, i2, g2 - t, b2)
        i3, b3 = _step(left, right, top, i3, g3 - t, b3)
        i4, b4 = _step(left, right, top, i4, g4 - t, b4)
        i5, b5 = _step(left, right, top, i5, g5 - t, b5)
        i6, b6 = _step(left, right, top, i6, g6 - t, b6)
        i7, b7 = _step(left, right, top, i7, g7 - t, b7)
    best, first = b0, 0
    for c, b in enumerate((b1, b2, b3, b4, b5, b6, b7)):
        if b < best:
            best, first = b, (c + 1) * run
    return best, first


@jit
def _pair(left: Array, right: Array, top: int, first: int, best: int) -> tuple[int, int]:
    """The doubled sums of the first pair at the distance `best` from step `first` on."""
    i, g = start(left, right, top, first)
    for t in range(2 * (left.size - 1) - first):
        j = i + g - _U(t)
        d = left[i] + right[j] - top
        if (d ^ (d >> 63)) == best:
            return left[i], right[j]
        i += _U(d < 0)
    return left[0] - 1, right[1] - 1  # sums that no mask has


@jit
def first_mask(items: Array, wanted: int, tile: Array) -> Any:
    """The least mask of items whose sum is wanted, -1 where there is none."""
    bits = min(items.size, _TILE)
    tile[0] = 0
    for j in range(bits):
        old, new = tile[: 1 << j], tile[1 << j : 2 << j]
        for k in range(old.size):
            new[k] = old[k] + items[j]
    for high in range(1 << (items.size - bits)):
        rest = wanted
        for j in range(items.size - bits):
            if (high >> j) & 1:
                rest -= items[bits + j]
        hits = 0
        for k in range(tile.size):  # without an exit, so that it is vector code
            hits += 1 if tile[k] == rest else 0
        if hits:
            for k in range(tile.size):
                if tile[k] == rest:
                    return (high << bits) | k
    return -1


@jit
def _nearest(
    candidates: Array,
    step: int,
    targets: Array,
    tags: Array,
    rows: Array,
    numbers: Array,
    left: Array,
    right: Array,
    tile: Array,
) -> None:
    """`nearest` in given memory."""
    n = candidates.shape[1]
    p = (n - 1) // 2
    filled = np.int64(-1)
    for row in rows:
        items = candidates[row * step]
        if row * step != filled:
            sorted_sums(left, items[:p], 2)
            sorted_sums(right[1:], items[p : 2 * p], 2)
            filled = row * step
        best, outer, first, goal = _NONE, 0, 0, 0
        for o in range(1 << (n - 2 * p)):
            top = 2 * targets[row] + (1 if tags[row] > 0 else 0)
            for j in range(n - 2 * p):
                if (o >> j) & 1:
                    top -= 2 * items[2 * p + j]
            found, begin = _walk(left, right, top)
            if found < best:
                best, outer, first, goal = found, o, begin, top
        a, b = _pair(left, right, goal, first, best)
        low, high = (
            first_mask(items[:p], a >> 1, tile),
            first_mask(items[p : 2 * p], b >> 1, tile),
        )
        numbers[row] = -1
        if low >= 0 and high >= 0:
            numbers[row] = (outer << (2 * p)) | (high << p) | low


def nearest(
    candidates: Array, step: int, targets: Array, tags: Array, rows: Array, numbers: Array
) -> None:
    """numbers[rows] = the number of the nearest subset's mask for every row; n at least 1.

    The masks are those of `network_numba.solve` at p = (n - 1) // 2, ties included, and -1 marks
    a search that broke. `candidates` (m, n) int64, or (1, n) with `step` 0, whose lists are then
    made once; `targets` and `tags` (m,) int64 as `_keys.Keys` has them. Memory: `bytes_of(n)`.
    """
    p = (candidates.shape[1] - 1) // 2
    # NumPy asks the system for huge pages; compiled code does not, and at n = 50 that costs more
    # than the search.
    left, right = np.empty((1 << p) + 1, np.int64), np.empty((1 << p) + 1, np.int64)
    tile = np.empty(1 << min(p, _TILE), np.int64)
    _nearest(candidates, step, targets, tags, rows, numbers, left, right, tile)
