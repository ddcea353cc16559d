"""How the curves are measured: candidates are taken one by one until a subset hits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from _law_curves import Cell, Curve, Integers, of_firsts
from numpy.typing import NDArray
from scipy.special import ndtri

from strongticket import philox, subsetsum
from strongticket.laws import Uniform

Floats = NDArray[np.float64]
CHUNK = 40_000  # trials drawn at once
RANGES = {"U[-1,1]": 1.0, "U[-.1,.1]": 0.1, "|t| = 1": None}
HEIGHTS = {"all |z| <= 1/2": 0.5, "all |z| <= 1": 1.0}
NORMAL_GRID = 36
USABLE = 44  # usable neurons looked at behind the gate; a trial that needs more counts as failed


def measure(cell: Cell, trials: int, most: int, seed: int, threads: int | None) -> Curve:
    """The curve of one cell, from `trials` draws of up to `most` candidates."""
    kind = _KINDS[cell.part]
    chunk = max(1, min(CHUNK, trials))
    firsts = [
        kind(cell, start, min(chunk, trials - start), most, seed, threads)
        for start in range(0, trials, chunk)
    ]
    return of_firsts(cell, np.concatenate(firsts), most)


def _words(cell: Cell, seed: int, name: str, start: int, shape: tuple[int, ...]) -> Integers:
    """64 random bits a number as int64 >= 0 (the top bit is dropped), rows from `start` on."""
    each = int(np.prod(shape[1:], dtype=np.int64))
    stream = philox.stream("subsetsum_law", f"{cell.name}|{name}")
    words = philox.words(seed, stream, 2 * start * each, 2 * shape[0] * each)
    pairs = words.view(np.uint64) >> np.uint64(1)
    return pairs.astype(np.int64).reshape(shape)


def _uniform(cell: Cell, seed: int, name: str, start: int, shape: tuple[int, ...]) -> Floats:
    """The toolkit's U[-1, 1]: odd multiples of 2^-24."""
    each = int(np.prod(shape[1:], dtype=np.int64))
    stream = philox.stream("subsetsum_law", f"{cell.name}|{name}")
    words = philox.words(seed, stream, start * each, shape[0] * each)
    return Uniform().units(words).astype(np.float64).reshape(shape) * 2.0**-24


def candidates(cell: Cell, start: int, rows: int, most: int, seed: int) -> Floats:
    """The candidates (rows, most) of a cell, multiples of a power of two; never all 53 bits."""
    shape = (rows, most)
    if cell.law == "N(0,1)":
        bits = _words(cell, seed, "a", start, shape) >> 10
        deviates = ndtri((bits + 0.5) * 2.0**-53)
        rounded: Floats = np.rint(deviates * 2.0**NORMAL_GRID) * 2.0**-NORMAL_GRID
        return rounded
    first = _uniform(cell, seed, "a", start, shape)
    if cell.law == "U[-1,1]":
        return first
    # Of b relu(a) those with a > 0 can be used: |a| is uniform on the same grid, b has the sign.
    return np.abs(first) * _uniform(cell, seed, "b", start, shape)


def _targets(cell: Cell, start: int, rows: int, seed: int, scale: float | None) -> Floats:
    if scale is None:
        return np.ones(rows)  # every law here is symmetric: -1 is as hard
    bits = _words(cell, seed, "t", start, (rows,)) >> 10
    units: Floats = (2 * bits + 1 - (1 << 53)).astype(np.float64)
    return units * (2.0**-53 * scale)


def firsts(rows: int, sizes: range, hits: Callable[[Integers, int], NDArray[np.bool_]]) -> Integers:
    """The least n of `sizes` at which each row hits; the last + 1 for a row that never does.

    A subset of the first n candidates is one of the first n + 1: what hits is done.
    """
    least = np.full(rows, sizes.stop, np.int64)
    left = np.arange(rows)
    for n in sizes:
        good = hits(left, n)
        least[left[good]] = n
        left = left[~good]
        if left.size == 0:
            break
    return least


def _single(
    cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None
) -> Integers:
    gated = cell.law == "gated U*U"
    usable = min(most, USABLE) if gated else most
    x = candidates(cell, start, rows, usable, seed)
    t = _targets(cell, start, rows, seed, RANGES[cell.targets])

    def hits(left: Integers, n: int) -> NDArray[np.bool_]:
        if n == 0:
            return np.abs(t[left]) <= cell.epsilon
        here = np.ascontiguousarray(x[left, :n])
        return subsetsum.within(here, t[left], cell.epsilon, threads=threads).found

    least = firsts(rows, range(usable + 1), hits)
    if not gated:
        return least
    neurons = _gates(cell, start, least, most, seed)
    return np.where(least <= usable, neurons, most + 1)


def _gates(cell: Cell, start: int, usable: Integers, most: int, seed: int) -> Integers:
    """Hidden neurons that hold so many usable ones; a neuron is usable with probability 1/2."""
    open_ = _uniform(cell, seed, "gate", start, (usable.size, most)) > 0
    held = np.cumsum(open_, axis=1)
    least: Integers = (held < usable[:, None]).sum(axis=1) + (usable > 0)
    return np.minimum(least, most + 1)


def _all(cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None) -> Integers:
    x = candidates(cell, start, rows, most, seed)
    height = HEIGHTS[cell.targets]

    def hits(left: Integers, n: int) -> NDArray[np.bool_]:
        if (1 << n) * cell.epsilon < height:  # by counting
            return np.zeros(left.size, np.bool_)
        here = np.ascontiguousarray(x[left, :n])
        found = subsetsum.coverage(here, height, threads=threads)
        good: NDArray[np.bool_] = found.good(cell.epsilon)
        return good

    return firsts(rows, range(most + 1), hits)


def _size(cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None) -> Integers:
    x = candidates(cell, start, rows, most, seed)
    t = _targets(cell, start, rows, seed, float(np.sqrt(cell.size)))

    def hits(left: Integers, n: int) -> NDArray[np.bool_]:
        if n < cell.size:
            return np.zeros(left.size, np.bool_)
        here = np.ascontiguousarray(x[left, :n])
        found = subsetsum.fixed_size(here, t[left], cell.size, threads=threads)
        return np.asarray(found.error <= cell.epsilon)  # errors are rounded up: exact

    return firsts(rows, range(most + 1), hits)


def _pairs(
    cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None
) -> Integers:
    """Exactly one of each of n pairs, every |z| <= 1/2 at once; n counts pairs."""
    unit = 1 << 24
    x = (candidates(cell, start, rows, 2 * most, seed) * unit).astype(np.int64)
    epsilon, half = int(cell.epsilon * unit), unit // 2

    def one(pair: Integers) -> int:
        sums = np.zeros(1, np.int64)
        for n, (a, b) in enumerate(pair.reshape(-1, 2).tolist(), start=1):
            sums = np.concatenate([sums + a, sums + b])
            sums.sort(kind="stable")  # two sorted runs: one merge
            if served(sums, epsilon, half):
                return n
        return most + 1

    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(one, x)), np.int64)


def served(sums: Integers, epsilon: int, height: int) -> bool:
    """Whether every real |z| <= height is within epsilon of one of the sorted `sums`."""
    low, high = np.searchsorted(sums, (-height - epsilon, height + epsilon + 1))
    near = sums[low:high]
    return bool(
        near.size
        and near[0] <= epsilon - height
        and near[-1] >= height - epsilon
        and (near.size == 1 or np.diff(near).max() <= 2 * epsilon)
    )


def integers(cell: Cell, start: int, rows: int, most: int, seed: int) -> Integers:
    """Uniform on {-M, ..., M}, M = 2^size; 63 bits modulo 2M + 1 are uniform to 2^-38."""
    largest = 1 << cell.size
    return _words(cell, seed, "x", start, (rows, most)) % (2 * largest + 1) - largest


def _quantized(
    cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None
) -> Integers:
    half = 1 << (cell.size - 1)
    x = integers(cell, start, rows, most, seed)
    z = _words(cell, seed, "z", start, (rows,)) % (2 * half + 1) - half

    def hits(left: Integers, n: int) -> NDArray[np.bool_]:
        if n == 0:
            return np.asarray(z[left] == 0)
        here = np.ascontiguousarray(x[left, :n])
        return subsetsum.within(here, z[left], 0, threads=threads).found

    return firsts(rows, range(most + 1), hits)


def _quantized_all(
    cell: Cell, start: int, rows: int, most: int, seed: int, threads: int | None
) -> Integers:
    x = integers(cell, start, rows, most, seed)
    return np.array([first_complete(row, 1 << cell.size) for row in x], np.int64)


def first_complete(numbers: Integers, largest: int) -> int:
    """The least n for which subsets of the first n reach every integer |z| <= largest / 2.

    Bit number zero + s of an integer says that s is a subset sum: a candidate is one shift.
    """
    half, zero = largest // 2, len(numbers) * largest
    window = ((1 << (2 * half + 1)) - 1) << (zero - half)
    sums = 1 << zero
    for n, x in enumerate(numbers.tolist(), start=1):
        sums |= sums << x if x >= 0 else sums >> -x
        if sums & window == window:
            return n
    return len(numbers) + 1


_KINDS: dict[str, Callable[[Cell, int, int, int, int, int | None], Integers]] = {
    "single": _single,
    "all": _all,
    "size": _size,
    "pairs": _pairs,
    "quantized": _quantized,
    "quantized all": _quantized_all,
}
