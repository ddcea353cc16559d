"""Loops in numba that write weights other than kept or pruned ones: binary, and multiplied.

The bits are those of `strongticket.search.written.Masked.effective`. All take cuts without ties,
the usual case: entries whose key is at least the cut's are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from strongticket.search import kernels

_BLOCK = 1024


@dataclass(frozen=True)
class GainKernels:
    """The compiled loops; arrays are flat and contiguous, bits are int32 views of float32.

    `total(bits, raw, key, sizes) -> (total, kept)`: the sum of int64 `sizes` over what is kept,
    and how many there are.
    `binary(bits, raw, key, frozen, size, out)`: the sign of the frozen weight times `size` where
    kept, and zero elsewhere.
    `nested(bits, keys, frozen, out)`: the frozen weight times the number of cuts that keep its
    magnitude, and zero where none does.
    """

    total: Callable[..., tuple[int, int]]
    binary: Callable[..., None]
    nested: Callable[..., None]


@functools.cache
def compiled() -> GainKernels | None:
    """The compiled loops, or None where numba cannot be imported."""
    plain = kernels.compiled()
    if plain is None:
        return None
    import numba

    jit: Any = numba.njit(nogil=True, cache=True, boundscheck=False)
    i32, i64, f32 = np.int32, np.int64, np.float32
    zero, magnitude = i32(0), i32(kernels.MAGNITUDE)
    signs_of: Any = plain.signs_of
    key_of: Any = plain.key_of

    @jit
    def total(bits, raw, key, sizes):  # type: ignore[no-untyped-def]
        least, signs = i32(key), signs_of(raw)
        found, kept = i64(0), i64(0)
        for i in range(bits.size):
            taken = i64(key_of(bits[i], signs) >= least)
            found += sizes[i] & -taken
            kept += taken
        return found, kept

    @jit
    def binary(bits, raw, key, frozen, size, out):  # type: ignore[no-untyped-def]
        least, signs = i32(key), signs_of(raw)
        for i in range(bits.size):
            sign = f32(frozen[i] > f32(0)) - f32(frozen[i] < f32(0))
            out[i] = sign * size if key_of(bits[i], signs) >= least else f32(0)

    @jit
    def nested(bits, keys, frozen, out):  # type: ignore[no-untyped-def]
        counts = np.empty(_BLOCK, i32)
        for start in range(0, bits.size, _BLOCK):
            # Slices, for an index that starts at zero: only such loops become vector code.
            stop = start + _BLOCK
            block, weights, values = bits[start:stop], frozen[start:stop], out[start:stop]
            for i in range(block.size):
                counts[i] = zero
            for level in range(keys.size):
                least = keys[level]
                for i in range(block.size):
                    counts[i] += i32(i32(block[i] & magnitude) >= least)
            for i in range(block.size):
                values[i] = weights[i] * f32(counts[i]) if counts[i] != zero else f32(0)

    return GainKernels(total, binary, nested)
