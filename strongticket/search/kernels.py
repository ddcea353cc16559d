"""The hot loops of a mask search in numba: the same bits as the torch code, in fewer passes.

Each loop reads every array once. Compiled at first use; None where numba cannot be imported.
Arithmetic is plain float32, a product and a sum rounded one by one (no fused multiply-add), in
the order in which `strongticket.search.engine` writes it in torch.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
_ENDS = 0x80  # bins of keys with an exponent of all ones, at either end

Bits = NDArray[np.int32]
Histogram = NDArray[np.int64]


@dataclass(frozen=True)
class Kernels:
    """The compiled loops; arrays are flat and contiguous, bits are int32 views of float32.

    `descend(grad, frozen, scores, velocity, lr, momentum, decay, nesterov, signed)`: one step of
    the scores, in place. `velocity` has no entries where there is no momentum.
    `count(bits, raw, histogram)`: add the keys' high halves to a histogram of `BINS` int64.
    `locate(histogram, keep) -> (top, inside, rest)`: the bin of the `keep`-th largest key, its
    number of entries, and how many of those are kept.
    `collect(bits, raw, top, out, filled) -> int`: append the keys of one bin to `out`.
    `finish(candidates, keep) -> (key, ties)`: the `keep`-th largest candidate, and how many of
    those equal to it are kept.
    `equal(bits, raw, key) -> int`: how many keys equal `key`.
    `write(bits, raw, key, ties, frozen, out)`: `frozen` where kept and zero elsewhere; `ties` is
    negative where all entries equal to `key` are kept.
    """

    descend: Callable[..., None]
    count: Callable[..., None]
    locate: Callable[..., tuple[int, int, int]]
    collect: Callable[..., int]
    finish: Callable[..., tuple[int, int]]
    equal: Callable[..., int]
    write: Callable[..., None]


def cut(
    kernels: Kernels, histogram: Histogram, arrays: Sequence[Bits], raw: bool, keep: int
) -> list[tuple[int, int]]:
    """(key, ties) of each array when the `keep` largest of all of them are kept.

    The `ties` are negative where an array keeps all entries equal to `key`: the usual case, in
    which `write` needs no second look. `histogram` is that of all `arrays` together.
    """
    top, inside, rest = kernels.locate(histogram, keep)
    candidates = np.empty(inside, np.int32)
    filled = 0
    for bits in arrays:
        filled = kernels.collect(bits, raw, top, candidates, filled)
    key, ties = kernels.finish(candidates, rest)
    if int(np.count_nonzero(candidates == key)) == ties:
        return [(key, -1)] * len(arrays)
    found = []
    for bits in arrays:  # the ties go to the earlier arrays first
        taken = min(ties, kernels.equal(bits, raw, key))
        found.append((key, taken))
        ties -= taken
    return found


def suspicious(histogram: Histogram) -> bool:
    """Whether a score may be NaN or infinite: a cheap test that never misses one."""
    return bool(histogram[-_ENDS:].any() or histogram[: _ENDS + 1].any())


@functools.cache
def compiled() -> Kernels | None:
    """The compiled loops, or None where numba cannot be imported."""
    if importlib.util.find_spec("numba") is None:
        return None
    import numba

    jit: Any = numba.njit(nogil=True, cache=True, boundscheck=False)
    zero, magnitude, f32 = np.int32(0), np.int32(0x7FFFFFFF), np.float32

    @jit
    def key_of(bits, raw):  # type: ignore[no-untyped-def]
        low = bits & magnitude
        return np.int32(-low) if raw and bits < zero else low

    @jit
    def descend(  # type: ignore[no-untyped-def]
        grad, frozen, scores, velocity, lr, momentum, decay, nesterov, signed
    ):
        moving, decaying = velocity.size > 0, decay != f32(0)
        for i in range(scores.size):
            score = scores[i]
            step = grad[i] * frozen[i]
            if signed:
                step = step * (f32(score > f32(0)) - f32(score < f32(0)))
            if decaying:
                step = step + score * decay
            if moving:
                speed = velocity[i] * momentum + step
                velocity[i] = speed
                step = step + speed * momentum if nesterov else speed
            scores[i] = score - step * lr

    @jit
    def count(bits, raw, histogram):  # type: ignore[no-untyped-def]
        for i in range(bits.size):
            histogram[(key_of(bits[i], raw) >> 16) + 32768] += 1

    @jit
    def locate(histogram, keep):  # type: ignore[no-untyped-def]
        top = histogram.size - 1
        while histogram[top] < keep:
            keep -= histogram[top]
            top -= 1
        return top, histogram[top], keep

    @jit
    def collect(bits, raw, top, out, filled):  # type: ignore[no-untyped-def]
        wanted = np.int32(top - 32768)
        for i in range(bits.size):
            key = key_of(bits[i], raw)
            if key >> 16 == wanted:
                out[filled] = key
                filled += 1
        return filled

    @jit
    def finish(candidates, keep):  # type: ignore[no-untyped-def]
        prefix = (candidates[0] >> 16) << 16
        for shift in (8, 0):
            counts = np.zeros(256, np.int64)
            for i in range(candidates.size):
                if (candidates[i] ^ prefix) >> (shift + 8) == 0:
                    counts[(candidates[i] >> shift) & 255] += 1
            byte = 255
            while counts[byte] < keep:
                keep -= counts[byte]
                byte -= 1
            prefix |= byte << shift
        return prefix, keep

    @jit
    def equal(bits, raw, key):  # type: ignore[no-untyped-def]
        found = 0
        for i in range(bits.size):
            found += key_of(bits[i], raw) == key
        return found

    @jit
    def write(bits, raw, key, ties, frozen, out):  # type: ignore[no-untyped-def]
        least = np.int32(key)
        for i in range(bits.size):
            out[i] = frozen[i] if key_of(bits[i], raw) >= least else zero
        if ties >= 0:
            for i in range(bits.size):
                if key_of(bits[i], raw) == least:
                    if ties == 0:
                        out[i] = zero
                    else:
                        ties -= 1

    return Kernels(descend, count, locate, collect, finish, equal, write)
