"""The nearest subset sum for many targets of one row of candidates, compiled.

The sums of the first q candidates are sorted once. A target then looks up, for each subset of the
other n - q, the neighbours of what that subset leaves. With K targets, q about (n + log2 K) / 2
balances the two, and a target costs 2^((n - log2 K) / 2) lookups: fewer the more share the row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit
from strongticket.subsetsum.shared_numpy import RANKED, sorted_count

_PAD = 8  # keys that one lookup compares at once
U = np.uint64
Array = Any


def solve_shared(
    candidates: Array, targets: Array, tags: Array, rows: Array, p: int, zero: Array, numbers: Array
) -> None:
    """numbers[rows] = the number of the nearest subset's mask, as `network_numba.solve` has it.

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
    q = sorted_count(candidates.shape[1], rows.size)
    _solve(candidates[0], targets, tags, rows, p, q, zero, numbers)


@jit
def _solve(
    items: Array,
    targets: Array,
    tags: Array,
    rows: Array,
    p: int,
    q: int,
    zero: Array,
    numbers: Array,
) -> None:
    """`solve_shared`, given q."""
    cast = zero.dtype.type
    keys, masks = _sorted_sums(items, q, zero)
    first, shift = _buckets(keys)
    tops = np.zeros(1 << (items.size - q), np.int64)
    for j in range(items.size - q):
        for k in range(1 << j):
            tops[U((1 << j) + k)] = tops[U(k)] + items[q + j]
    low, high = np.int64(keys[1]), np.int64(keys[keys.size - 1])
    for i in range(rows.size):
        row = U(rows[U(i)])
        aim, tag = targets[row], tags[row]
        best = np.int64((1 << 63) - 1)
        place = np.int64(0)
        top = np.int64(0)
        ties = 0
        for c in range(tops.size):
            left = aim - tops[U(c)]
            # `_lower_bound` without a branch, as most buckets hold few keys; not called, because
            # numba counts the references to the arrays of a call.
            held = min(max(left, low), high)
            at = np.int64(first[U((held - low) >> shift)])
            goal = cast(held)
            below = np.int32(0)
            for k in range(_PAD):
                below += np.int32(keys[U(at + k)] < goal)
            at += below
            if keys[U(at)] < goal:
                at = _lower_bound(keys, first, shift, left, cast)
            above = abs(4 * (left - keys[U(at)]) + tag)
            below = abs(4 * (left - keys[U(at - 1)]) + tag)
            least = min(above, below)
            if least <= best:
                ties = 1 if least < best else ties + 1
                best = least
                place = at if above <= below else at - 1
                top = np.int64(c)
        place = max(place, np.int64(1))
        key = keys[U(place)]
        total = tops[U(top)] + key
        twin = (keys[U(place + 1)] == key and place + 1 < keys.size - _PAD) or (
            keys[U(place - 1)] == key and place > 1
        )
        if total == 0:
            numbers[row] = 0
        elif ties > 1 or twin:
            numbers[row] = _ranked(items, keys, masks, first, shift, tops, total, p, q, cast)
        else:
            numbers[row] = (top << q) | np.int64(masks[U(place)])


@jit
def _sorted_sums(items: Array, q: int, zero: Array) -> tuple[Array, Array]:
    """The sums of the first q items, sorted, and their mask numbers, both from index 1 on.

    The least sum stands once more before them, the greatest _PAD times behind.
    """
    cast = zero.dtype.type
    size = 1 + (1 << q) + _PAD
    keys, more = np.zeros(size, zero.dtype), np.zeros(size, zero.dtype)
    masks, others = np.zeros(size, np.int32), np.zeros(size, np.int32)
    for bit in range(q):
        m = 1 << bit
        item = cast(items[bit])
        i, j = np.int64(1), np.int64(1)
        k, h = np.int64(m), np.int64(m)
        for at in range(m):  # S and S + item merged from both ends, which never cross
            u, v = keys[U(i)], cast(keys[U(j)] + item)
            a, b = masks[U(i)], np.int32(masks[U(j)] | np.int32(m))
            old = u <= v
            more[U(1 + at)] = u if old else v
            others[U(1 + at)] = a if old else b
            i += old
            j += not old
            u, v = keys[U(k)], cast(keys[U(h)] + item)
            a, b = masks[U(k)], np.int32(masks[U(h)] | np.int32(m))
            old = u > v
            more[U(2 * m - at)] = u if old else v
            others[U(2 * m - at)] = a if old else b
            k -= old
            h -= not old
        keys, more = more, keys
        masks, others = others, masks
    keys[0] = keys[1]
    keys[1 + (1 << q) :] = keys[1 << q]
    return keys, masks


@jit
def _buckets(keys: Array) -> tuple[Array, int]:
    """first[b] = the index of the first key from keys[1] + (b << shift) on."""
    low = np.int64(keys[1])
    span = np.int64(keys[-1]) - low
    size = keys.size - 1 - _PAD
    shift = 0
    while span >> shift >= 2 * size:
        shift += 1
    first = np.full((span >> shift) + 2, size + 1, np.int32)
    for i in range(size, 0, -1):
        first[U((np.int64(keys[U(i)]) - low) >> shift)] = i
    least = first[-1]
    for b in range(first.size - 1, -1, -1):
        least = min(least, first[U(b)])
        first[U(b)] = least
    return first, shift


@jit
def _lower_bound(keys: Array, first: Array, shift: int, wanted: Any, cast: Any) -> Any:
    """The index of the first key that is not below `wanted`; the last key's where all are."""
    low = np.int64(keys[1])
    held = min(max(wanted, low), np.int64(keys[keys.size - 1]))
    bucket = (held - low) >> shift
    aim = cast(held)
    at, end = np.int64(first[U(bucket)]), np.int64(first[U(bucket + 1)])
    while at < end:
        middle = (at + end) >> 1
        if keys[U(middle)] < aim:
            at = middle + 1
        else:
            end = middle
    return at


@jit
def _ranked(
    items: Array,
    keys: Array,
    masks: Array,
    first: Array,
    shift: int,
    tops: Array,
    total: int,
    p: int,
    q: int,
    cast: Any,
) -> Any:
    """Of all masks with this sum the first in the order that `best` documents; -1: too many."""
    best = np.int64(-1)
    best_left = np.int64(0)
    count = 0
    for c in range(tops.size):
        wanted = total - tops[U(c)]
        at = _lower_bound(keys, first, shift, wanted, cast)
        while at < keys.size - _PAD and keys[U(at)] == wanted:
            if count == RANKED:
                return np.int64(-1)
            count += 1
            number = (np.int64(c) << q) | np.int64(masks[U(at)])
            left = np.int64(0)
            for j in range(p):
                left += items[j] & -((number >> j) & 1)
            outer, held = number >> (2 * p), best >> (2 * p)
            nearer = left < best_left or (left == best_left and number < best)
            if best < 0 or outer < held or (outer == held and nearer):
                best, best_left = number, left
            at += 1
    return best
