r"""The oblivious merging network, compiled: the nearest of all subset sums, 64 rows at once.

The two sorted lists of :math:`2^p` sums grow by bitonic merges that no comparison steers, so 64
rows go through them in step and every loop is a flat run over memory. `network_numpy` is the same
network in array operations; `tests/subsetsum` holds the two to identical masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

LANES = 64
Array = Any  # one numba function serves int32 and int64 keys


@jit
def _merge_up(x: Array, m: int, a: Array, cast: Any) -> None:
    """Sorted rows x[:m] become sorted-to-be rows x[:2m]: the first step of merging x with x + a."""
    for i in range((m + 1) // 2):
        low, high = i * LANES, (m - 1 - i) * LANES
        below = x[low : low + LANES]
        above = x[high : high + LANES]
        below2 = x[low + m * LANES : low + m * LANES + LANES]
        above2 = x[high + m * LANES : high + m * LANES + LANES]
        for k in range(LANES):
            u = below[k]
            v = above[k]
            ua = cast(u + a[k])
            va = cast(v + a[k])
            below[k] = min(u, va)
            above2[k] = max(v, ua)
            above[k] = min(v, ua)
            below2[k] = max(u, va)


@jit
def _pass2(x: Array, rows: int, stride: int) -> None:
    """One half-cleaner of `stride` rows."""
    run = stride * LANES
    for block in range(0, rows * LANES, 2 * run):
        y = x[block : block + run]
        z = x[block + run : block + 2 * run]
        for k in range(run):
            a, b = y[k], z[k]
            y[k] = min(a, b)
            z[k] = max(a, b)


@jit
def _pass4(x: Array, rows: int, stride: int) -> None:
    """The half-cleaners of 2 * `stride` and `stride` rows in one sweep."""
    run = stride * LANES
    for block in range(0, rows * LANES, 4 * run):
        y0 = x[block : block + run]
        y1 = x[block + run : block + 2 * run]
        y2 = x[block + 2 * run : block + 3 * run]
        y3 = x[block + 3 * run : block + 4 * run]
        for k in range(run):
            a, b, c, d = y0[k], y1[k], y2[k], y3[k]
            a, c = min(a, c), max(a, c)
            b, d = min(b, d), max(b, d)
            y0[k] = min(a, b)
            y1[k] = max(a, b)
            y2[k] = min(c, d)
            y3[k] = max(c, d)


@jit
def _pass8(x: Array, rows: int) -> None:
    """The half-cleaners of 4, 2 and 1 rows in one sweep."""
    for block in range(0, rows * LANES, 8 * LANES):
        y = x[block : block + 8 * LANES]
        for k in range(LANES):
            a, b, c, d = y[k], y[k + LANES], y[k + 2 * LANES], y[k + 3 * LANES]
            e, f = y[k + 4 * LANES], y[k + 5 * LANES]
            g, h = y[k + 6 * LANES], y[k + 7 * LANES]
            a, e = min(a, e), max(a, e)
            b, f = min(b, f), max(b, f)
            c, g = min(c, g), max(c, g)
            d, h = min(d, h), max(d, h)
            a, c = min(a, c), max(a, c)
            b, d = min(b, d), max(b, d)
            e, g = min(e, g), max(e, g)
            f, h = min(f, h), max(f, h)
            y[k], y[k + LANES] = min(a, b), max(a, b)
            y[k + 2 * LANES], y[k + 3 * LANES] = min(c, d), max(c, d)
            y[k + 4 * LANES], y[k + 5 * LANES] = min(e, f), max(e, f)
            y[k + 6 * LANES], y[k + 7 * LANES] = min(g, h), max(g, h)


@jit
def _clean(x: Array, rows: int, span: int, last: int) -> None:
    """Half-cleaners of span/2, span/4, ... , `last` rows, which sort bitonic runs of `span`."""
    stride = span // 2
    while stride >= last:
        if last == 1 and stride == 4:
            _pass8(x, rows)
            return
        if stride >= 2 * last and not (last == 1 and stride == 8):
            _pass4(x, rows, stride // 2)
            stride //= 4
        else:
            _pass2(x, rows, stride)
            stride //= 2


@jit
def _sorted_sums(x: Array, items: Array, p: int, cast: Any) -> None:
    """x[:2^p rows] = the sorted subset sums of the first p items, in every lane."""
    x[:LANES] = 0
    for j in range(p):
        m = 1 << j
        _merge_up(x, m, items[j * LANES : (j + 1) * LANES], cast)
        _clean(x, 2 * m, m, 1)


@jit
def _join(f: Array, left: Array, right: Array, m: int, top: Array, cast: Any) -> None:
    """Rows of f: left and top - right merged as far as the first compare-exchange."""
    run = m * LANES
    for i in range(0, run, LANES):
        below, above = f[i : i + LANES], f[run + i : run + i + LANES]
        y, z = left[i : i + LANES], right[i : i + LANES]
        for k in range(LANES):
            a = y[k]
            b = cast(top[k] - z[k])
            below[k] = min(a, b)
            above[k] = max(a, b)


@jit
def _scan8(f: Array, rows: int, best: Array, lower: Array, last: Array, cast: Any) -> None:
    """The last three half-cleaners fused with the search for the nearest pair of unlike keys."""
    one = cast(1)
    for k in range(LANES):
        z = f[k]
        for j in range(1, 8):
            z = min(z, f[j * LANES + k])
        last[k] = z  # the least key, met again at once: a gap of 0, which is even
    for block in range(0, rows * LANES, 8 * LANES):
        y = f[block : block + 8 * LANES]
        for k in range(LANES):
            a, b, c, d = y[k], y[k + LANES], y[k + 2 * LANES], y[k + 3 * LANES]
            e, g = y[k + 4 * LANES], y[k + 5 * LANES]
            h, i = y[k + 6 * LANES], y[k + 7 * LANES]
            a, e = min(a, e), max(a, e)
            b, g = min(b, g), max(b, g)
            c, h = min(c, h), max(c, h)
            d, i = min(d, i), max(d, i)
            a, c = min(a, c), max(a, c)
            b, d = min(b, d), max(b, d)
            e, h = min(e, h), max(e, h)
            g, i = min(g, i), max(g, i)
            a, b = min(a, b), max(a, b)
            c, d = min(c, d), max(c, d)
            e, g = min(e, g), max(e, g)
            h, i = min(h, i), max(h, i)
            top, low, z = best[k], lower[k], last[k]
            gap = cast(a - z)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = z if better else low
            gap = cast(b - a)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = a if better else low
            gap = cast(c - b)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = b if better else low
            gap = cast(d - c)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = c if better else low
            gap = cast(e - d)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = d if better else low
            gap = cast(g - e)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = e if better else low
            gap = cast(h - g)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = g if better else low
            gap = cast(i - h)
            better = ((gap & one) != 0) & (gap < top)
            top = gap if better else top
            low = h if better else low
            best[k], lower[k], last[k] = top, low, i


@jit
def _scan1(f: Array, rows: int, best: Array, lower: Array) -> None:
    """The same search over rows that are sorted already."""
    for i in range(rows - 1):
        for k in range(i * LANES, (i + 1) * LANES):
            gap = f[k + LANES] - f[k]
            if (gap & 1) != 0 and gap < best[k - i * LANES]:
                best[k - i * LANES] = gap
                lower[k - i * LANES] = f[k]


@jit
def _first_mask(f: Array, items: Array, p: int, wanted: Array, mask: Array, cast: Any) -> None:
    """mask[lane] = the least mask of the first p items whose sum is wanted[lane]."""
    f[:LANES] = 0
    for j in range(p):
        run = LANES << j
        a = items[j * LANES : (j + 1) * LANES]
        for i in range(0, run, LANES):
            y, z = f[i : i + LANES], f[run + i : run + i + LANES]
            for k in range(LANES):
                z[k] = cast(y[k] + a[k])
    mask[:] = -1
    for i in range((1 << p) - 1, -1, -1):
        y = f[i * LANES : (i + 1) * LANES]
        for k in range(LANES):
            mask[k] = cast(i) if y[k] == wanted[k] else mask[k]


@jit
def solve(
    candidates: Array,
    step: int,
    targets: Array,
    tags: Array,
    rows: Array,
    p: int,
    zero: Array,
    numbers: Array,
) -> None:
    """numbers[rows] = the number of the chosen mask of every row, -1 where the search broke.

    `candidates` (m, n) int64, or (1, n) with `step` 0; `targets` and `tags` (m,) int64 as
    `_keys.Keys` has them; `zero` an empty array of the keys' dtype.
    """
    cast = zero.dtype.type
    n = candidates.shape[1]
    m = 1 << p
    left = np.empty(m * LANES, zero.dtype)
    right = np.empty(m * LANES, zero.dtype)
    f = np.empty(2 * m * LANES, zero.dtype)
    items = np.zeros(max(n, 1) * LANES, zero.dtype)
    aim = np.zeros(LANES, zero.dtype)
    tag = np.zeros(LANES, zero.dtype)
    top = np.zeros(LANES, zero.dtype)
    best = np.zeros(LANES, zero.dtype)
    before = np.zeros(LANES, zero.dtype)
    lower = np.zeros(LANES, zero.dtype)
    last = np.zeros(LANES, zero.dtype)
    outer = np.zeros(LANES, zero.dtype)
    low_mask = np.zeros(LANES, zero.dtype)
    high_mask = np.zeros(LANES, zero.dtype)
    rest = n - 2 * p
    for start in range(0, rows.size, LANES):
        count = min(LANES, rows.size - start)
        for k in range(count):
            row = rows[start + k]
            aim[k] = cast(4 * targets[row])
            tag[k] = cast(tags[row])
            for j in range(n):
                items[j * LANES + k] = cast(4 * candidates[row * step, j])
        _sorted_sums(left, items, p, cast)
        _sorted_sums(right, items[p * LANES :], p, cast)
        best[:] = np.iinfo(zero.dtype).max
        for o in range(1 << rest):
            for k in range(LANES):
                total = aim[k] + tag[k]
                for j in range(rest):
                    if (o >> j) & 1:
                        total -= items[(2 * p + j) * LANES + k]
                top[k] = cast(total)
                before[k] = best[k]
            _join(f, left, right, m, top, cast)
            if p >= 2:
                _clean(f, 2 * m, m, 8)
                _scan8(f, 2 * m, best, lower, last, cast)
            else:
                _clean(f, 2 * m, m, 1)
                _scan1(f, 2 * m, best, lower)
            for k in range(LANES):
                outer[k] = cast(o) if best[k] < before[k] else outer[k]
        # Of the pair of keys the even one is a left sum, the odd one top - right.
        for k in range(LANES):
            total = aim[k] + tag[k]
            for j in range(rest):
                if (outer[k] >> j) & 1:
                    total -= items[(2 * p + j) * LANES + k]
            a = lower[k]
            b = cast(a + best[k])
            last[k] = b if (a & 1) != 0 else a
            before[k] = cast(total - (a if (a & 1) != 0 else b))
        _first_mask(f, items, p, last, low_mask, cast)
        _first_mask(f, items[p * LANES :], p, before, high_mask, cast)
        for k in range(count):
            a, b = np.int64(low_mask[k]), np.int64(high_mask[k])
            if a < 0 or b < 0:
                numbers[rows[start + k]] = -1
            else:
                numbers[rows[start + k]] = (np.int64(outer[k]) << (2 * p)) | (b << p) | a
