"""The loops of `strongticket.search.turn` in numba; arithmetic as in `strongticket.search.kernels`.

Arrays are flat and contiguous; bits and weights are int32 views of float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from strongticket.search import kernels

BLOCK = 1024


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
    if kernels.compiled() is None:
        return None
    from strongticket.search import loops_numba as loops

    return TurnKernels(loops.advance, loops.amend, loops.settle)
