"""Enumeration with early exit, compiled: the first mask that hits, and the least size that hits.

Mask numbers (candidate j has weight 2^j) rise in both. `enumerate_numpy` does the same in arrays.

All sums of a row lie in one array `x`, as the integer s - low + (the least integer of the keys'
type), which may wrap around: one comparison with one `limit` then says whether low <= s <= high.
Parts of `x` are named by their first index. They are no slices, and indices are unsigned, because
numba counts references to a slice by atomic operations and asks of a signed index whether it is
negative; here both would cost more than the sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit

TILE = 11
FRONT = 6
BLOCK = 1 << FRONT  # also at least as many as there are candidates
_ITEMS = 1 << TILE  # where `first_hit` keeps a row's candidates, above the sums
U = np.uint64
Array = Any  # one numba function serves int32 and int64 sums


@jit
def _grow(x: Array, old: int, new: int, item: Any, cast: Any) -> Any:
    """Fill the block at `new` with the block at `old` + item; the least of it."""
    least = cast(x[U(old)] + item)
    for k in range(BLOCK):
        v = cast(x[U(old) + U(k)] + item)
        x[U(new) + U(k)] = v
        least = min(least, v)
    return least


@jit
def _least(x: Array, at: int, item: Any, cast: Any) -> Any:
    """The least of the block at `at`, + item."""
    # A minimum becomes vector code; a test with a branch in it does not.
    least = cast(x[U(at)] + item)
    for k in range(BLOCK):
        least = min(least, cast(x[U(at) + U(k)] + item))
    return least


@jit
def _place(x: Array, at: int, item: Any, limit: Any, cast: Any) -> int:
    """Where in the block at `at` a sum + item is the first within the limit; else BLOCK."""
    first = np.int32(BLOCK)
    for k in range(BLOCK):
        hit = cast(x[U(at) + U(k)] + item) <= limit
        first = min(first, np.int32(k) if hit else np.int32(BLOCK))
    return int(first)


@jit
def _first_in(x: Array, at: int, count: int, item: Any, limit: Any, cast: Any) -> int:
    """The first of `count` sums from `at` on that is within the limit, + item; else -1."""
    for start in range(0, count, BLOCK):
        if _least(x, at + start, item, cast) <= limit:
            hit = start + _place(x, at + start, item, limit, cast)
            if hit < count:
                return hit
    return -1


@jit
def _bounds(x: Array, low: Any, high: Any, cast: Any) -> tuple[Any, Any]:
    """How the sum 0 is written in x, and the limit."""
    bias = cast(np.iinfo(x.dtype).min)
    return cast(bias - low), cast(bias + (high - low))


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
    x = np.zeros(_ITEMS + BLOCK, zero.dtype)
    for i in range(rows.size):
        row = rows[i]
        number = -1
        if low[row] <= 0 <= high[row]:
            number = 0
        elif low[row] <= high[row]:
            for j in range(bits):
                x[U(_ITEMS + j)] = cast(candidates[U(row * step), U(j)])
            number = _first_number(x, bits, cast(low[row]), cast(high[row]), cast)
        numbers[row] = number


@jit
def _first_number(x: Array, bits: int, low: Any, high: Any, cast: Any) -> int:
    none, limit = _bounds(x, low, high, cast)
    zero = cast(0)
    # The first sums are looked at together. Candidates that a short row lacks are zeros, which
    # repeat a sum only under a greater number; the sum 0 among them is no hit.
    a, b, c, d = x[U(_ITEMS)], x[U(_ITEMS + 1)], x[U(_ITEMS + 2)], x[U(_ITEMS + 3)]
    for k in range(16):
        low_part = cast((a if k & 1 else zero) + (b if k & 2 else zero))
        high_part = cast((c if k & 4 else zero) + (d if k & 8 else zero))
        x[U(k)] = cast(none + low_part + high_part)
    e, f = x[U(_ITEMS + 4)], x[U(_ITEMS + 5)]
    for k in range(16):
        x[U(k + 16)] = cast(x[U(k)] + e)
    for k in range(32):
        x[U(k + 32)] = cast(x[U(k)] + f)
    hit = _first_in(x, 0, BLOCK, zero, limit, cast)
    if hit >= 0:
        return hit
    tile = min(bits, TILE)
    for j in range(FRONT, tile):
        item = x[U(_ITEMS + j)]
        for old in range(0, 1 << j, BLOCK):
            new = (1 << j) + old
            if _grow(x, old, new, item, cast) <= limit:
                return new + _place(x, new, zero, limit, cast)
    for o in range(1, 1 << max(bits - tile, 0)):
        taken = zero
        for j in range(bits - tile):
            taken = cast(taken + (x[U(_ITEMS + tile + j)] if (o >> j) & 1 else zero))
        hit = _first_in(x, 0, 1 << tile, taken, limit, cast)
        if hit >= 0:
            return (o << tile) | hit
    return -1


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
    # One block of candidates (zeros beyond the last), then the pairs, then the triples.
    x = np.zeros(n * (n - 1) // 2 + n * (n - 1) * (n - 2) // 6 + 5 * BLOCK, zero.dtype)
    for i in range(rows.size):
        row = rows[i]
        number = -1
        if low[row] <= 0 <= high[row]:
            number = 0
        elif low[row] <= high[row]:
            for j in range(n):
                x[U(j)] = cast(candidates[U(row * step), U(j)])
            number = _least_number(x, n, most_size, cast(low[row]), cast(high[row]), cast)
        numbers[row] = number


@jit
def _least_number(x: Array, n: int, most_size: int, low: Any, high: Any, cast: Any) -> int:
    none, limit = _bounds(x, low, high, cast)
    zero = cast(0)
    if most_size < 1:
        return -1
    hit = _first_in(x, 0, n, none, limit, cast)
    if hit >= 0:
        return 1 << hit
    if most_size < 2:
        return -1
    count = _pairs(x, n, none, cast)
    hit = _first_in(x, BLOCK, count, zero, limit, cast)
    if hit >= 0:
        return _pair_mask(hit)
    if most_size < 3:
        return -1
    triples = BLOCK + count + BLOCK
    new = triples
    for j in range(2, n):
        count = j * (j - 1) // 2
        for start in range(0, count, BLOCK):
            if _grow(x, BLOCK + start, new + start, x[U(j)], cast) <= limit:
                hit = start + _place(x, new + start, zero, limit, cast)
                if hit < count:
                    return (1 << j) | _pair_mask(hit)
        new += count
    for size in range(4, most_size + 1):
        number = _more(x, triples, n, size, limit, cast)
        if number >= 0:
            return number
    return -1


@jit
def _pairs(x: Array, n: int, none: Any, cast: Any) -> int:
    """Write the pairs i < j from BLOCK on, at j (j - 1) / 2 + i; their number."""
    at = BLOCK
    # Runs of one length are vector code; what is too much of one j the next writes over.
    for j in range(1, min(n, 9)):
        item = cast(x[U(j)] + none)
        for k in range(8):
            x[U(at) + U(k)] = cast(x[U(k)] + item)
        at += j
    for j in range(9, min(n, 17)):
        item = cast(x[U(j)] + none)
        for k in range(16):
            x[U(at) + U(k)] = cast(x[U(k)] + item)
        at += j
    for j in range(17, n):
        item = cast(x[U(j)] + none)
        for start in range(0, j, 32):
            for k in range(32):
                x[U(at + start) + U(k)] = cast(x[U(start) + U(k)] + item)
        at += j
    return at - BLOCK


@jit
def _pair_mask(index: int) -> int:
    j = 1
    while j * (j + 1) // 2 <= index:
        j += 1
    return (1 << j) | (1 << (index - j * (j - 1) // 2))


@jit
def _more(x: Array, triples: int, n: int, size: int, limit: Any, cast: Any) -> int:
    """Size - 3 upper candidates in the order of their mask numbers, below them all triples."""
    upper = (1 << (size - 3)) - 1  # over candidates 3 .. n - 1
    while upper < 1 << (n - 3):
        taken = cast(0)
        least = n
        for j in range(n - 1, 2, -1):
            if (upper >> (j - 3)) & 1:
                taken = cast(taken + x[U(j)])
                least = j
        count = least * (least - 1) * (least - 2) // 6
        hit = _first_in(x, triples, count, taken, limit, cast)
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
