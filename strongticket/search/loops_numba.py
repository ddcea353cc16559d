"""The compiled loops of a mask search: scores moved, ranked, and weights written.

`strongticket.search.kernels`, `turn_kernels` and `gain_kernels` say what each does. All are in
this one file, as functions of the module: numba then finds on disk what it compiled in an earlier
process (it cannot for a function that holds another compiled one in a closure), and compiles all
anew once any of them has changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit
from strongticket.search.kernels import MAGNITUDE
from strongticket.search.turn_kernels import BLOCK

LINE = 64
i32, i64, f32 = np.int32, np.int64, np.float32
zero, magnitude, shift = i32(0), i32(MAGNITUDE), i32(31)
largest = np.finfo(np.float32).max
Array = Any


@jit
def signs_of(raw: bool) -> Any:
    """-1 where scores are ranked by value, 0 where by magnitude."""
    return i32(-1) if raw else zero


@jit
def key_of(bits: Any, signs: Any) -> Any:
    """The key of one score's bits."""
    # No branch, so that the loops stay vector code: negated where `signs` is -1 and bits are.
    sign = i32(bits >> shift) & signs
    return i32(i32(i32(bits & magnitude) ^ sign) - sign)


@jit
def moved(
    product: Any,
    score: Any,
    speed: Any,
    lr: Any,
    momentum: Any,
    decay: Any,
    moving: bool,
    decaying: bool,
    nesterov: bool,
    signed: bool,
) -> Any:
    """One step of one score, and of its momentum; `product` is gradient times frozen weight.

    Whether there is momentum and decay is told apart from their sizes: a loop that knows it before
    it begins is faster.
    """
    step = product
    if signed:
        step = step * (f32(score > f32(0)) - f32(score < f32(0)))
    if decaying:
        step = step + score * decay
    if moving:
        speed = speed * momentum + step
        step = step + speed * momentum if nesterov else speed
    return score - step * lr, speed


@jit
def descend(
    grad: Array,
    frozen: Array,
    scores: Array,
    velocity: Array,
    lr: Any,
    momentum: Any,
    decay: Any,
    nesterov: bool,
    signed: bool,
) -> Any:
    """One step of the scores, in place; whether all are finite."""
    moving, decaying, wild = velocity.size > 0, decay != f32(0), zero
    for i in range(scores.size):
        speed = velocity[i] if moving else f32(0)
        score, speed = moved(
            grad[i] * frozen[i],
            scores[i],
            speed,
            lr,
            momentum,
            decay,
            moving,
            decaying,
            nesterov,
            signed,
        )
        if moving:
            velocity[i] = speed
        scores[i] = score
        wild |= i32(not abs(score) <= largest)
    return wild == zero


@jit
def count(bits: Array, raw: bool, histogram: Array) -> None:
    """Add the keys' high halves to a histogram."""
    signs = signs_of(raw)
    for i in range(bits.size):
        histogram[(key_of(bits[i], signs) >> 16) + 32768] += 1


@jit
def locate(histogram: Array, keep: int) -> Any:
    """The bin of the `keep`-th largest key, its entries, and how many of those are kept."""
    top = histogram.size - 1
    while histogram[top] < keep:
        keep -= histogram[top]
        top -= 1
    return top, histogram[top], keep


@jit
def collect(bits: Array, raw: bool, top: int, out: Array, filled: int) -> Any:
    """Append the keys of one bin."""
    wanted, signs = i32(top - 32768), signs_of(raw)
    for i in range(bits.size):
        key = key_of(bits[i], signs)
        if key >> 16 == wanted:
            out[filled] = key
            filled += 1
    return filled


@jit
def sweep(bits: Array, raw: bool, low: Any, high: int, out: Array, filled: int) -> Any:
    """Append the keys in [low, high]; how many are above, and the largest magnitude."""
    first, last = i32(low), i32(high)
    above, peak, signs = i64(0), zero, signs_of(raw)
    for start in range(0, bits.size, 128):
        # A slice, for an index that starts at zero: only such loops become vector code.
        block = bits[start : start + 128]
        over, reached = zero, zero
        for i in range(block.size):
            key = key_of(block[i], signs)
            over += i32(key > last)
            reached += i32(key >= first)
            peak = max(peak, block[i] & magnitude)
        above += over
        if over != reached:
            if filled + 128 > out.size:
                return above, i64(out.size + 1), peak
            for i in range(block.size):
                key = key_of(block[i], signs)
                if key >= first and key <= last:
                    out[filled] = key
                    filled += 1
    return above, i64(filled), peak


@jit
def equal(bits: Array, raw: bool, key: int) -> Any:
    """How many keys equal `key`."""
    found, signs = 0, signs_of(raw)
    for i in range(bits.size):
        found += key_of(bits[i], signs) == key
    return found


@jit
def total(bits: Array, raw: bool, key: int, ties: Any, sizes: Array) -> Any:
    """The sum of the sizes of what `write` keeps, and how many those are."""
    least, signs = i32(key), signs_of(raw)
    found, kept = i64(0), i64(0)
    for i in range(bits.size):
        here = key_of(bits[i], signs)
        taken = here >= least
        if here == least and ties >= 0:
            taken = ties > 0
            ties -= taken
        found += sizes[i] if taken else 0
        kept += taken
    return found, kept


@jit
def write(bits: Array, raw: bool, key: int, ties: Any, frozen: Array, out: Array) -> None:
    """Frozen weights where kept, and zero elsewhere."""
    least, signs = i32(key), signs_of(raw)
    for i in range(bits.size):
        out[i] = frozen[i] if key_of(bits[i], signs) >= least else zero
    if ties >= 0:
        for i in range(bits.size):
            if key_of(bits[i], signs) == least:
                if ties == 0:
                    out[i] = zero
                else:
                    ties -= 1


@jit
def advance(
    grad: Array,
    frozen: Array,
    scores: Array,
    velocity: Array,
    lr: Any,
    momentum: Any,
    decay: Any,
    nesterov: bool,
    signed: bool,
    raw: bool,
    before: int,
    low: Any,
    high: int,
    room: Array,
) -> Any:
    """`descend`, and in the same pass what the next selection may treat otherwise."""
    moving, decaying, signs = velocity.size > 0, decay != f32(0), signs_of(raw)
    old, first, last = i32(before), i32(low), i32(high)
    flags = np.empty(BLOCK, i32)
    above, filled, peak = i64(0), i64(0), zero
    for start in range(0, scores.size, BLOCK):
        # Slices, for an index that starts at zero: only such loops become vector code.
        stop = start + BLOCK
        push, weights, block = grad[start:stop], frozen[start:stop], scores[start:stop]
        speeds = velocity[start:stop] if moving else velocity
        # The casts keep sums in 32 bits, so that twice as many fit a vector register.
        over, found, top = zero, zero, zero
        for i in range(block.size):
            # The bits of a score are viewed in its register: two names of one array in a loop
            # that writes it would keep it from becoming vector code.
            key = key_of(f32(block[i]).view(i32), signs)
            was = i32(i32(key >= old) + i32(i32(key == old) << 1))
            speed = speeds[i] if moving else f32(0)
            score, speed = moved(
                push[i] * weights[i],
                block[i],
                speed,
                lr,
                momentum,
                decay,
                moving,
                decaying,
                nesterov,
                signed,
            )
            if moving:
                speeds[i] = speed
            block[i] = score
            bits = f32(score).view(i32)
            key = key_of(bits, signs)
            up = i32(key > last)
            # Kept before and not above now, or the other way round; or too near to tell.
            flag = i32(i32(was ^ up) | i32(i32(key >= first) ^ up))
            flags[i] = flag
            found = i32(found | flag)
            over = i32(over + up)
            size = i32(bits & magnitude)
            top = size if size > top else top
        peak = top if top > peak else peak
        above += over
        if found != zero:
            if filled + BLOCK > room.size:
                filled = i64(room.size + 1)  # and so it stays
            else:
                for begin in range(0, block.size, LINE):
                    end = min(begin + LINE, block.size)
                    found = zero
                    for i in range(begin, end):
                        found = i32(found | flags[i])
                    if found != zero:  # few lines have any
                        for i in range(begin, end):
                            room[filled] = i32(start + i)
                            filled += i32(flags[i] != zero)
    return above, filled, peak


@jit
def amend(
    bits: Array, raw: bool, key: Any, ties: Any, weights: Array, at: Array, out: Array
) -> None:
    """Write the entries `at`."""
    signs = signs_of(raw)
    for j in range(at.size):
        i = at[j]
        now = key_of(bits[i], signs)
        kept = now > key
        if now == key:
            kept = ties > 0
            ties -= 1
        out[i] = weights[i] if kept else zero


@jit
def settle(
    bits: Array, raw: bool, low: Any, high: int, rest: int, weights: Array, at: Array, out: Array
) -> Any:
    """The key of the `rest`-th largest of the entries `at`, and `amend` with it."""
    inside, signs = 0, signs_of(raw)
    for j in range(at.size):
        key = key_of(bits[at[j]], signs)
        inside += key >= low and key <= high
    if rest < 1 or rest > inside:
        return False, 0
    # The key of the rest-th largest listed entry within [low, high], by bisection: they are a
    # few hundred as a rule, and none is copied.
    bottom, upper = i64(low), i64(high)
    while bottom < upper:
        middle = (bottom + upper + 1) >> 1
        reached = 0
        for j in range(at.size):
            key = key_of(bits[at[j]], signs)
            reached += key >= middle and key <= high
        if reached >= rest:
            bottom = middle
        else:
            upper = middle - 1
    for j in range(at.size):
        key = key_of(bits[at[j]], signs)
        rest -= key > bottom and key <= high
    amend(bits, raw, bottom, rest, weights, at, out)
    return True, bottom


@jit
def total_kept(bits: Array, raw: bool, key: int, sizes: Array) -> Any:
    """`total` where all ties are kept."""
    least, signs = i32(key), signs_of(raw)
    found, kept = i64(0), i64(0)
    for i in range(bits.size):
        taken = i64(key_of(bits[i], signs) >= least)
        found += sizes[i] & -taken
        kept += taken
    return found, kept


@jit
def binary(bits: Array, raw: bool, key: int, frozen: Array, size: Any, out: Array) -> None:
    """Signs of the frozen weights times `size` where kept, and zero elsewhere."""
    least, signs = i32(key), signs_of(raw)
    for i in range(bits.size):
        sign = f32(frozen[i] > f32(0)) - f32(frozen[i] < f32(0))
        out[i] = sign * size if key_of(bits[i], signs) >= least else f32(0)


@jit
def nested(bits: Array, keys: Array, frozen: Array, out: Array) -> None:
    """Frozen weights times the number of cuts that keep them."""
    counts = np.empty(BLOCK, i32)
    for start in range(0, bits.size, BLOCK):
        # Slices, for an index that starts at zero: only such loops become vector code.
        stop = start + BLOCK
        block, weights, values = bits[start:stop], frozen[start:stop], out[start:stop]
        for i in range(block.size):
            counts[i] = zero
        for level in range(keys.size):
            least = keys[level]
            for i in range(block.size):
                counts[i] += i32(i32(block[i] & magnitude) >= least)
        for i in range(block.size):
            values[i] = weights[i] * f32(counts[i]) if counts[i] != zero else f32(0)
