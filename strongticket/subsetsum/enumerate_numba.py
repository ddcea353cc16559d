"""Enumeration with early exit, compiled: the first mask that hits, and the least size that hits.

Mask numbers (candidate j has weight 2^j) rise in both. `enumerate_numpy` does the same in arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket.subsetsum._jit import jit

TILE = 11
FRONT = 4
_BLOCK = 32
_ROOM = 32  # at least as many as there are candidates
Array = Any  # one numba function serves int32 and int64 sums


@jit
def _grow(old: Array, new: Array, item: Any, low: Any, high: Any, cast: Any) -> int:
    """Fill new = old + item; the first index whose sum lies in [low, high], or -1."""
    outside = cast(1)
    for k in range(old.size):
        v = cast(old[k] + item)
        new[k] = v
        outside = cast(min(outside, max(cast(low - v), cast(v - high))))
    return _first(new, low, high) if outside <= 0 else -1


@jit
def _look(sums: Array, low: Any, high: Any, cast: Any) -> int:
    """The first index whose sum lies in [low, high], or -1."""
    # A minimum over how far each sum lies outside becomes vector code; a test with a branch,
    # or a flag set under a condition, does not.
    outside = cast(1)
    for k in range(sums.size):
        v = sums[k]
        outside = cast(min(outside, max(cast(low - v), cast(v - high))))
    return _first(sums, low, high) if outside <= 0 else -1


@jit
def _first(sums: Array, low: Any, high: Any) -> int:
    for start in range(0, sums.size, _BLOCK):
        block = sums[start : start + _BLOCK]
        hits = 0
        for k in range(block.size):  # without an exit, so that it is vector code
            hits += 1 if (block[k] >= low) & (block[k] <= high) else 0
        if hits:
            for k in range(block.size):
                if low <= block[k] <= high:
                    return start + k
    return -1


@jit
def first_hit(
    candidates: Array,
    step: int,
    low: Array,
    high: Array,
    rows: Array,
    bits: int,
    zero: Array,
    numbers: Array,
) -> None:
    """numbers[rows] = the least mask number below 2^bits with low <= sum <= high, else -1."""
    cast = zero.dtype.type
    tile = min(bits, TILE)
    sums = np.zeros(1 << tile, zero.dtype)
    for row in rows:
        numbers[row] = -1
        if low[row] <= 0 <= high[row]:
            numbers[row] = 0
            continue
        least, most = cast(low[row]), cast(high[row])
        if least > most:
            continue
        a = candidates[row * step]
        front = min(tile, FRONT)
        # The first sums are looked at together: sum 0, which is no hit, is among them.
        for j in range(front):
            size = 1 << j
            item = cast(a[j])
            for k in range(size):
                sums[size + k] = cast(sums[k] + item)
        hit = _look(sums[: 1 << front], least, most, cast)
        if hit >= 0:
            numbers[row] = hit
            continue
        for j in range(front, tile):
            size = 1 << j
            hit = _grow(sums[:size], sums[size : 2 * size], cast(a[j]), least, most, cast)
            if hit >= 0:
                numbers[row] = size + hit
                break
        if numbers[row] >= 0:
            continue
        for o in range(1, 1 << (bits - tile)):
            taken = np.int64(0)
            for j in range(bits - tile):
                if (o >> j) & 1:
                    taken += a[tile + j]
            hit = _look(sums, cast(low[row] - taken), cast(high[row] - taken), cast)
            if hit >= 0:
                numbers[row] = (o << tile) | hit
                break


@jit
def least_size(
    candidates: Array,
    step: int,
    low: Array,
    high: Array,
    rows: Array,
    most_size: int,
    zero: Array,
    numbers: Array,
) -> None:
    """numbers[rows] = the least mask number of the least size that has low <= sum <= high.

    -1 where no size up to `most_size` has one.
    """
    cast = zero.dtype.type
    n = candidates.shape[1]
    pairs = np.zeros(n * (n - 1) // 2 + _ROOM, zero.dtype)
    triples = np.zeros(n * (n - 1) * (n - 2) // 6, zero.dtype)
    a = np.zeros(n + _ROOM, zero.dtype)
    for row in rows:
        numbers[row] = -1
        if low[row] <= 0 <= high[row]:
            numbers[row] = 0
            continue
        least, most = cast(low[row]), cast(high[row])
        if least > most:
            continue
        for j in range(n):
            a[j] = cast(candidates[row * step, j])
        for size in range(1, most_size + 1):
            if size == 1:
                number = _one(a[:n], least, most, cast)
            elif size == 2:
                number = _two(a, pairs, least, most, cast)
            elif size == 3:
                number = _three(a[:n], pairs, triples, least, most, cast)
            else:
                number = _more(a[:n], triples, size, low[row], high[row], cast)
            if number >= 0:
                numbers[row] = number
                break


@jit
def _one(a: Array, low: Any, high: Any, cast: Any) -> int:
    hit = _look(a, low, high, cast)
    return 1 << hit if hit >= 0 else -1


@jit
def _two(a: Array, pairs: Array, low: Any, high: Any, cast: Any) -> int:
    """Fill pairs (i < j at j (j - 1) / 2 + i), give the first mask number that hits."""
    start = 0
    for j in range(1, a.size - _ROOM):
        # All of a is written, a run of one length: what is too much the next j writes over.
        row = pairs[start : start + _ROOM]
        for k in range(_ROOM):
            row[k] = cast(a[k] + a[j])
        start += j
    hit = _look(pairs[:start], low, high, cast)
    return _pair_mask(hit) if hit >= 0 else -1


@jit
def _three(a: Array, pairs: Array, triples: Array, low: Any, high: Any, cast: Any) -> int:
    """Fill triples in the order of their mask numbers, give the first that hits."""
    start = 0
    for j in range(2, a.size):
        count = j * (j - 1) // 2
        hit = _grow(pairs[:count], triples[start : start + count], a[j], low, high, cast)
        if hit >= 0:
            return (1 << j) | _pair_mask(hit)
        start += count
    return -1


@jit
def _pair_mask(index: int) -> int:
    j = 1
    while j * (j + 1) // 2 <= index:
        j += 1
    return (1 << j) | (1 << (index - j * (j - 1) // 2))


@jit
def _more(a: Array, triples: Array, size: int, low: Any, high: Any, cast: Any) -> int:
    """Size - 3 upper candidates in the order of their mask numbers, below them all triples."""
    n = a.size
    upper = (1 << (size - 3)) - 1  # over candidates 3 .. n - 1
    while upper < 1 << (n - 3):
        taken = np.int64(0)
        least = n
        for j in range(n - 1, 2, -1):
            if (upper >> (j - 3)) & 1:
                taken += a[j]
                least = j
        count = least * (least - 1) * (least - 2) // 6
        hit = _look(triples[:count], cast(low - taken), cast(high - taken), cast)
        if hit >= 0:
            j = 2
            while (j + 1) * j * (j - 1) // 6 <= hit:
                j += 1
            rest = hit - j * (j - 1) * (j - 2) // 6
            return (upper << 3) | (1 << j) | _pair_mask(rest)
        lowest = upper & -upper  # Gosper's step to the next number with as many bits
        ripple = upper + lowest
        upper = ripple | (((upper ^ ripple) >> 2) // lowest)
    return -1
