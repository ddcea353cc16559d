"""The laws of random weights: how a 32-bit word becomes an integer unit, written a second time."""

from __future__ import annotations

import hashlib
import math
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ._errors import UnreadableError

_NORMAL = "2ab2b76e35eaabf88675cbfd3050b17989d8672cc2972bc60d860a7aa1e51999"


@dataclass(frozen=True)
class Law:
    """Words (int64) to integer units, |unit| <= 2^24; weight = unit * 2^-grid * scale."""

    units: Callable[[Any], Any]
    grid: int


def uniform(_: int) -> Law:
    """Odd multiples of 2^-24 in (-1, 1), all equally likely: the word's top 24 bits."""
    return Law(lambda words: 2 * (words >> 8) + 1 - (1 << 24), 24)


def signed_constant(_: int) -> Law:
    """1, or -1 where the word's top bit is set."""
    return Law(lambda words: 1 - 2 * (words >> 31), 0)


def quantized(largest: int) -> Law:
    """-M, ..., -1, 1, ..., M, all equally likely: the word's top bits, M a power of two."""
    if not 1 <= largest <= 1 << 24 or largest & (largest - 1):
        raise UnreadableError(f"a grid's largest unit is a power of two <= 2^24, not {largest}")

    def units(words: Any) -> Any:
        place = (words * (2 * largest)) >> 32  # 0, ..., 2 M - 1
        return np.where(place < largest, place - largest, place - largest + 1)

    return Law(units, 0)


def log_uniform(cells: int) -> Law:
    """Magnitudes 2^-x, x uniform over `cells` 1024ths of an octave; linear between 1024ths."""
    if not 1 <= cells <= 23 * 1024:
        raise UnreadableError(f"log-uniform weights have 1 to {23 * 1024} cells, not {cells}")

    def units(words: Any) -> Any:
        powers = _powers()
        top = words >> 31
        at = np.where(top == 1, 0xFFFFFFFF - words, words) * cells
        cell, rest = at >> 31, at & 0x7FFFFFFF
        octave, j = cell >> 10, cell & 1023
        size = powers[j] - (((powers[j] - powers[j + 1]) * rest) >> 31)  # of 2^30
        size = (size + (1 << (octave + 5))) >> (octave + 6)  # of 2^24 2^-octave, rounded
        return np.where(top == 1, -size, size)

    return Law(units, 24)


@cache
def _powers() -> Any:
    """floor(2^30 2^(-j/1024)), j <= 1024: p with p^1024 <= 2^(30 1024 - j) < (p + 1)^1024."""
    found = []
    for j in range(1025):
        power, p = 1 << (30 * 1024 - j), int(2.0 ** (30 - j / 1024))
        while p**1024 > power:
            p -= 1
        while (p + 1) ** 1024 <= power:
            p += 1
        found.append(p)
    return np.array(found, np.int64)


def normal(_: int) -> Law:
    """Inverse normal distribution, linear in 256 cells an octave of the tail, on the grid 2^-20."""

    def units(words: Any) -> Any:
        table = _tail()
        top, low = words >> 31, words & 0x7FFFFFFF
        v = np.where(top == 1, 0x7FFFFFFF - low, low) + 1
        octave = np.frexp(v.astype(np.float64))[1].astype(np.int64) - 1
        fine = np.maximum(octave - 8, 0)
        scaled = v << np.maximum(8 - octave, 0)
        cell, rest = (scaled >> fine) - 256, scaled & ((1 << fine) - 1)
        a, b = table[octave, cell], table[octave, cell + 1]
        size = a + (((b - a) * rest + ((1 << fine) >> 1)) >> fine)
        return np.where(top == 1, -size, size)

    return Law(units, 20)


@cache
def _tail() -> Any:
    """The quantiles at (v - 1/2) / 2^32, v = (256 + cell) 2^(octave - 8), in units of 2^-20."""
    inverse = statistics.NormalDist().inv_cdf
    v = [[math.ldexp(256 + cell, octave - 8) for cell in range(257)] for octave in range(32)]
    rows = [[round(-(2**20) * inverse(min((u - 0.5) / 2**32, 0.5))) for u in row] for row in v]
    table = np.array(rows, np.int64)
    if hashlib.sha256(table.astype("<i4").tobytes()).hexdigest() != _NORMAL:
        raise UnreadableError("this machine's normal quantiles are not those of the normal law")
    return table


# By name; the number that a name ends in is the law's parameter.
LAWS: dict[str, Callable[[int], Law]] = {
    "uniform": uniform,
    "signed_constant": signed_constant,
    "normal": normal,
    "grid": quantized,
    "log_uniform": log_uniform,
}
_NUMBERED = {"grid", "log_uniform"}


def law_named(name: str) -> Law | None:
    """The law of that name, or None."""
    found = re.fullmatch(r"([a-z_]+)([1-9][0-9]{0,7})?", name)
    if found is None or found[1] not in LAWS or (found[1] in _NUMBERED) != bool(found[2]):
        return None
    return LAWS[found[1]](int(found[2] or 0))
