"""Loops in numba that write weights other than kept or pruned ones: binary, and multiplied.

The bits are those of `strongticket.search.written.Masked.effective`. All take cuts without ties,
the usual case: entries whose key is at least the cut's are kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from strongticket.search import kernels


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
    if kernels.compiled() is None:
        return None
    from strongticket.search import loops_numba as loops

    return GainKernels(loops.total_kept, loops.binary, loops.nested)
