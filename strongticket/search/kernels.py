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

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
MAGNITUDE = 0x7FFFFFFF
INFINITY = 0x7F800000  # the key of infinity; those of NaN are larger
_FEW = 1 << 10  # keys to either side that a window always has
_ENDS = 0x80  # bins of keys with an exponent of all ones, at either end

Bits = NDArray[np.int32]
Histogram = NDArray[np.int64]


@dataclass(frozen=True)
class Kernels:
    """The compiled loops; arrays are flat and contiguous, bits are int32 views of float32.

    `descend(grad, frozen, scores, velocity, lr, momentum, decay, nesterov, signed)`: one step of
    the scores, in place; whether all are finite. `velocity` has no entries where there is no
    momentum.
    `count(bits, raw, histogram)`: add the keys' high halves to a histogram of `BINS` int64.
    `locate(histogram, keep) -> (top, inside, rest)`: the bin of the `keep`-th largest key, its
    number of entries, and how many of those are kept.
    `collect(bits, raw, top, out, filled) -> int`: append the keys of one bin to `out`.
    `sweep(bits, raw, low, high, out, filled) -> (above, filled, peak)`: append the keys in
    [low, high] to `out`; the number of keys above, and the largest magnitude. `filled` exceeds
    the room where that was too small.
    `equal(bits, raw, key) -> int`: how many keys equal `key`.
    `total(bits, raw, key, ties, sizes) -> (total, kept)`: the sum of int64 `sizes` over what
    `write` keeps, and how many there are.
    `write(bits, raw, key, ties, frozen, out)`: `frozen` where kept and zero elsewhere; `ties` is
    negative where all entries equal to `key` are kept.
    """

    descend: Callable[..., bool]
    count: Callable[..., None]
    locate: Callable[..., tuple[int, int, int]]
    collect: Callable[..., int]
    sweep: Callable[..., tuple[int, int, int]]
    equal: Callable[..., int]
    total: Callable[..., tuple[int, int]]
    write: Callable[..., None]


@dataclass(frozen=True)
class Hint:
    """Where the cut was last time, and how far from there to look first: speed, nothing else.

    `key`: of that cut. `reach`: to either side, in the scores' own units, for about zero the keys
    of two near scores are millions apart; None where only one cut is known.
    """

    key: int
    reach: float | None = None

    def moved(self, key: int) -> Hint:
        """The hint for the next time: four times the last move to either side."""
        return Hint(key, 4 * abs(_score(key) - _score(self.key)))

    def window(self) -> tuple[int, int]:
        """The keys, both included, among which the next cut is looked for; some at least."""
        score = _score(self.key)
        reach = abs(score) / 256 if self.reach is None else self.reach
        low = min(_key(score - reach), self.key - _FEW)
        high = max(_key(score + reach), self.key + _FEW)
        return max(low, -INFINITY), min(high, INFINITY)


def _score(key: int) -> float:
    """The score of a raw key; of a magnitude's key, the magnitude."""
    size = float(np.int32(abs(key)).view(np.float32))
    return -size if key < 0 else size


def _key(score: float) -> int:
    """The raw key of a score, rounded to float32."""
    largest = float(np.finfo(np.float32).max)
    bits = int(np.float32(min(abs(score), largest)).view(np.int32))
    return -bits if score < 0 else bits


def cut(
    kernels: Kernels,
    arrays: Sequence[Bits],
    raw: bool,
    keep: int,
    refuse: Callable[[], None],
    hint: Hint | None = None,
) -> list[tuple[int, int]]:
    """(key, ties) of each array when the `keep` largest of all of them are kept.

    The `ties` are negative where an array keeps all entries equal to `key`: the usual case, in
    which `write` needs no second look. `refuse` is called if some score may be NaN or infinite,
    and raises if one is. With a `hint` that holds, one pass over the scores is enough.
    """
    near = None if hint is None else _near(kernels, arrays, raw, keep, refuse, hint)
    candidates, rest = near or _binned(kernels, arrays, raw, keep, refuse)
    at = candidates.size - rest
    key = int(np.partition(candidates, at)[at])
    ties = rest - int(np.count_nonzero(candidates > key))
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


def _near(
    kernels: Kernels,
    arrays: Sequence[Bits],
    raw: bool,
    keep: int,
    refuse: Callable[[], None],
    hint: Hint,
) -> tuple[Bits, int] | None:
    """Keys near the hint, all ties of the cut among them, and how many are kept; or None."""
    low, high = hint.window()
    room = np.empty(sum(bits.size for bits in arrays) // 64 + 1024, np.int32)
    above = filled = peak = 0
    for bits in arrays:
        more, filled, largest = kernels.sweep(bits, raw, low, high, room, filled)
        above, peak = above + more, max(peak, largest)
        if filled > room.size:
            return None
    if peak >= INFINITY:
        refuse()
    return (room[:filled], keep - above) if above < keep <= above + filled else None


def _binned(
    kernels: Kernels, arrays: Sequence[Bits], raw: bool, keep: int, refuse: Callable[[], None]
) -> tuple[Bits, int]:
    """The keys of the bin that holds the cut, and how many of them are kept."""
    histogram = np.zeros(BINS, np.int64)
    for bits in arrays:
        kernels.count(bits, raw, histogram)
    if suspicious(histogram):
        refuse()
    top, inside, rest = kernels.locate(histogram, keep)
    candidates = np.empty(inside, np.int32)
    filled = 0
    for bits in arrays:
        filled = kernels.collect(bits, raw, top, candidates, filled)
    return candidates, rest


@functools.cache
def compiled() -> Kernels | None:
    """The compiled loops, or None where numba cannot be imported."""
    if importlib.util.find_spec("numba") is None:
        return None
    from strongticket.search import loops_numba as loops

    return Kernels(
        loops.descend,
        loops.count,
        loops.locate,
        loops.collect,
        loops.sweep,
        loops.equal,
        loops.total,
        loops.write,
    )
