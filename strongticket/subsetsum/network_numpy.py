r"""The oblivious merging network in plain NumPy: the same keys, the same order, the same masks.

It takes over where numba cannot be imported, and it is the readable statement of what
`network_numba` compiles. One column of every array below is one row of the batch. All work is done
in arrays that are made once and stay in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[Any]  # int32 or int64
Integers = NDArray[np.int64]
_BYTES = 1 << 19
_RUN = 256


def solve(
    candidates: Integers,
    step: int,
    targets: Integers,
    tags: Integers,
    rows: Integers,
    p: int,
    zero: Keys,
    numbers: Integers,
) -> None:
    """numbers[rows] = the number of the chosen mask of every row, -1 where the search broke.

    Arguments as `network_numba.solve` has them.
    """
    lanes = min(max((_BYTES // zero.itemsize) >> (p + 1), 32), max(rows.size, 1))
    cells = lanes << (p + 1)
    room = tuple(np.empty(cells, zero.dtype) for _ in range(4))
    # NumPy copies runs of less than half a buffer into it first, and that costs more than the work.
    buffer = np.setbufsize(_RUN)
    try:
        for start in range(0, rows.size, lanes):
            part = rows[start : start + lanes]
            items = (4 * candidates[part * step]).T.astype(zero.dtype)
            aim = (4 * targets[part] + tags[part]).astype(zero.dtype)
            numbers[part] = _solve_lanes(items, aim, p, room)
    finally:
        np.setbufsize(buffer)


def _solve_lanes(items: Keys, aim: Keys, p: int, room: tuple[Keys, ...]) -> Integers:
    """The chosen mask numbers of items (n, lanes) with aim = 4T + tag (lanes,)."""
    lanes, m = items.shape[1], 1 << p
    x, y, left, right = (part[: 2 * m * lanes] for part in room)
    halves = np.stack([items[:p], items[p : 2 * p]], axis=1).reshape(p, 2 * lanes)
    pair = _sorted_sums(halves, x, y, left).reshape(m, 2, lanes)
    left, right = left[: m * lanes].reshape(m, lanes), right[: m * lanes].reshape(m, lanes)
    left[:], right[:] = pair[:, 0], pair[:, 1]
    x, y = x.reshape(2 * m, lanes), y.reshape(2 * m, lanes)
    outer_sums = _all_sums(items[2 * p :])
    best = np.full(lanes, np.iinfo(items.dtype).max, items.dtype)
    lower = np.zeros_like(best)
    outer = np.zeros(lanes, np.int64)
    for o, taken in enumerate(outer_sums):
        np.subtract(aim - taken, right, out=y[:m])
        np.minimum(left, y[:m], out=x[:m])
        np.maximum(left, y[:m], out=x[m:])
        x, y = _cleaned(x, y)
        found, place = _nearest_pair(x, y)
        better = np.flatnonzero(found < best)
        best[better] = found[better]
        lower[better] = x[place[better], better]
        outer[better] = o
    upper = lower + (best & np.iinfo(items.dtype).max)
    odd = (lower & 1) != 0
    left_sum, top_less_right = np.where(odd, upper, lower), np.where(odd, lower, upper)
    right_sum = aim - outer_sums[outer, np.arange(lanes)] - top_less_right
    wanted = np.concatenate([left_sum, right_sum])
    a, b = _first_mask(_all_sums(halves, x.reshape(m, 2 * lanes)), wanted).reshape(2, lanes)
    return np.where((a < 0) | (b < 0), -1, (outer << (2 * p)) | (b << p) | a)


def _nearest_pair(merged: Keys, gap: Keys) -> tuple[Keys, Integers]:
    """The least odd gap between neighbours in each column, its sign bit set, and its first place.

    `gap` is overwritten.
    """
    info = np.iinfo(gap.dtype)
    np.subtract(merged[1:], merged[:-1], out=gap[:-1])
    gap[-1] = 0
    # Two keys of one list, an even gap apart, are no pair: this factor gives the odd gaps the sign.
    gap *= gap.dtype.type(info.min + 1)
    rows, lanes = gap.shape
    width = 1 << (rows.bit_length() // 2)
    blocks = gap.reshape(-1, width, lanes).min(axis=1)
    block = blocks.argmin(axis=0)  # the first of equal gaps, here and below: the least left sum
    columns = np.arange(lanes)
    place = block * width + gap.reshape(-1, width, lanes)[block, :, columns].argmin(axis=1)
    return blocks[block, columns], place


def _all_sums(items: Keys, sums: Keys | None = None) -> Keys:
    """The subset sums of items (k, lanes) in mask order, (2^k, lanes)."""
    if sums is None:
        sums = np.empty((1 << len(items), items.shape[1]), items.dtype)
    sums[0] = 0
    for j, item in enumerate(items):
        np.add(sums[: 1 << j], item, out=sums[1 << j : 2 << j])
    return sums


def _sorted_sums(items: Keys, x: Keys, y: Keys, z: Keys) -> Keys:
    """The same sums, sorted in every lane by merging S with S + item; in x or in y."""
    shape = (1 << len(items), items.shape[1])
    x, y = x.reshape(shape), y.reshape(shape)
    z = z.reshape(shape)
    x[0] = 0
    for j, item in enumerate(items):
        m = 1 << j
        rising, falling = x[:m], np.add(x[:m], item, out=z[:m])[::-1]
        np.minimum(rising, falling, out=y[:m])
        np.maximum(rising, falling, out=y[m : 2 * m])
        _cleaned(y[: 2 * m], x[: 2 * m])
        if j % 2 == 0:  # it went back and forth j times
            x, y = y, x
    return x


def _cleaned(x: Keys, y: Keys) -> tuple[Keys, Keys]:
    """Both halves of x, bitonic each, sorted by half-cleaners; the result and the other array."""
    stride = len(x) // 4
    while stride:
        a, b = x.reshape(-1, 2, stride, x.shape[1]), y.reshape(-1, 2, stride, x.shape[1])
        np.minimum(a[:, 0], a[:, 1], out=b[:, 0])
        np.maximum(a[:, 0], a[:, 1], out=b[:, 1])
        x, y = y, x
        stride //= 2
    return x, y


def _first_mask(sums: Keys, wanted: Keys) -> Integers:
    """The least mask whose sum is wanted[lane], -1 where there is none."""
    hits = np.flatnonzero(sums == wanted)[::-1]
    first = np.full(wanted.size, -1)
    first[hits % wanted.size] = hits // wanted.size  # the last that is written is the least
    return first
