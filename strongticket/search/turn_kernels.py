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

BLOCK = 128


@dataclass(frozen=True)
class TurnKernels:
    """The compiled loops.

    `advance(grad, frozen, scores, bits, velocity, lr, momentum, decay, nesterov, signed, raw,
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
    zero, magnitude = np.int32(0), np.int32(kernels.MAGNITUDE)
    descend = plain.descend

    @jit
    def key_of(bits, raw):  # type: ignore[no-untyped-def]
        low = bits & magnitude
        return np.int32(-low) if raw and bits < zero else low

    @jit
    def advance(  # type: ignore[no-untyped-def]
        grad,
        frozen,
        scores,
        bits,
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
        moving = velocity.size > 0
        old, first, last = np.int32(before), np.int32(low), np.int32(high)
        flags = np.empty(BLOCK, np.int32)
        above, filled, peak = np.int64(0), np.int64(0), zero
        for start in range(0, scores.size, BLOCK):
            # Three loops over a block that stays in the first cache: in one they are no vector
            # code, for the scores are written under one name and read under another.
            stop = start + BLOCK
            block, speed = bits[start:stop], velocity[start:stop] if moving else velocity
            for i in range(block.size):
                key = key_of(block[i], raw)
                flags[i] = np.int32(key >= old) + (np.int32(key == old) << 1)
            descend(
                grad[start:stop],
                frozen[start:stop],
                scores[start:stop],
                speed,
                lr,
                momentum,
                decay,
                nesterov,
                signed,
            )
            # The casts keep sums in 32 bits, so that twice as many fit a vector register.
            over, found, top = zero, zero, zero
            for i in range(block.size):
                key = key_of(block[i], raw)
                up = np.int32(key > last)
                # Kept before and not above now, or the other way round; or too near to tell.
                flag = np.int32(np.int32(flags[i] ^ up) | np.int32(np.int32(key >= first) ^ up))
                flags[i] = flag
                found = np.int32(found | flag)
                over = np.int32(over + up)
                size = np.int32(block[i] & magnitude)
                top = size if size > top else top
            peak = top if top > peak else peak
            above += over
            if found != zero:
                if filled + BLOCK > room.size:
                    filled = np.int64(room.size + 1)  # and so it stays
                else:
                    for i in range(block.size):
                        room[filled] = np.int32(start + i)
                        filled += np.int32(flags[i] != zero)
        return above, filled, peak

    @jit
    def amend(bits, raw, key, ties, weights, at, out):  # type: ignore[no-untyped-def]
        for j in range(at.size):
            i = at[j]
            now = key_of(bits[i], raw)
            kept = now > key
            if now == key:
                kept = ties > 0
                ties -= 1
            out[i] = weights[i] if kept else zero

    @jit
    def settle(bits, raw, low, high, rest, weights, at, out):  # type: ignore[no-untyped-def]
        inside = 0
        for j in range(at.size):
            key = key_of(bits[at[j]], raw)
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
                key = key_of(bits[at[j]], raw)
                reached += key >= middle and key <= high
            if reached >= rest:
                bottom = middle
            else:
                upper = middle - 1
        for j in range(at.size):
            key = key_of(bits[at[j]], raw)
            rest -= key > bottom and key <= high
        amend(bits, raw, bottom, rest, weights, at, out)
        return True, bottom

    return TurnKernels(advance, amend, settle)
