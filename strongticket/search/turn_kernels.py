"""The loops of `strongticket.search.turn` in numba; arithmetic as in `strongticket.search.kernels`.

Arrays are flat and contiguous; bits and weights are int32 views of float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongticket.search import kernels

BLOCK, LINE = 1024, 64


@dataclass(frozen=True)
class TurnKernels:
    """The compiled loops.

    `advance(grad, frozen, scores, velocity, lr, momentum, decay, nesterov, signed, raw,
    before, low, high, room) -> (above, filled, peak)`: `kernels.descend`, and in the same pass
    what a selection needs that ends within [low, high]: how many new keys are above, in `room`
    the indices of all entries that it may treat otherwise than the one that ended at key `before`,
    in order, and the largest magnitude. `filled` exceeds the room where that was too small; the
    scores have moved all the same.
    `amend(bits, raw, key, ties, weights, at, out)`: the entries `at` of `out` are weights where
    kept and zero elsewhere; of those equal to `key`, all of which must be listed, `ties` are kept.
    `settle(bits, raw, low, high, rest, weights, at, out) -> (found, key)`: the key of the
    rest-th largest of the listed entries within [low, high], and `amend` with it; not found where
    there are not so many.
    """

    advance: Callable[..., tuple[int, int, int]]
    amend: Callable[..., None]
    settle: Callable[..., tuple[bool, int]]


@functools.cache
def compiled() -> TurnKernels | None:
    """The compiled loops, or None where numba cannot be imported."""
    plain = kernels.compiled()
    if plain is None:
        return None
    import numba

    jit: Any = numba.njit(nogil=True, cache=True, boundscheck=False)
    i32, f32 = np.int32, np.float32
    zero, magnitude = i32(0), i32(kernels.MAGNITUDE)
    signs_of: Any = plain.signs_of
    key_of: Any = plain.key_of
    moved: Any = plain.moved

    @jit
    def advance(  # type: ignore[no-untyped-def]
        grad,
        frozen,
        scores,
        velocity,
        lr,
        momentum,
        decay,
        nesterov,
        signed,
        raw,
        before,
        low,
        high,
        room,
    ):
        moving, decaying, signs = velocity.size > 0, decay != f32(0), signs_of(raw)
        old, first, last = i32(before), i32(low), i32(high)
        flags = np.empty(BLOCK, i32)
        above, filled, peak = np.int64(0), np.int64(0), zero
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
                    filled = np.int64(room.size + 1)  # and so it stays
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
    def amend(bits, raw, key, ties, weights, at, out):  # type: ignore[no-untyped-def]
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
    def settle(bits, raw, low, high, rest, weights, at, out):  # type: ignore[no-untyped-def]
        inside, signs = 0, signs_of(raw)
        for j in range(at.size):
            key = key_of(bits[at[j]], signs)
            inside += key >= low and key <= high
        if rest < 1 or rest > inside:
            return False, 0
        # The key of the rest-th largest listed entry within [low, high], by bisection: they are a
        # few hundred as a rule, and none is copied.
        bottom, upper = np.int64(low), np.int64(high)
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

    return TurnKernels(advance, amend, settle)
