"""The normal law, by a shipped integer table."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.laws._law import Law, Units, Words

if TYPE_CHECKING:
    import torch

_NORMAL_TABLE_SHA256 = "2ab2b76e35eaabf88675cbfd3050b17989d8672cc2972bc60d860a7aa1e51999"


@dataclass(frozen=True)
class Normal(Law):
    """Normal with standard deviation `scale`, its unit deviate rounded to the grid 2^-20.

    The inverse distribution function is a shipped integer table, 32 octaves of the tail
    probability times 256 cells, with integer linear interpolation; the largest error of the
    deviate is below 2e-6. Half of the words are negative, and word and its complement mirror.
    """

    name: ClassVar[str] = "normal"
    grid: ClassVar[int] = 20

    def units(self, words: Words) -> Units:
        """Interpolated table values with the sign of the word's top bit, int32."""
        top = (words >> np.uint32(31)).astype(np.int64)
        low = (words & np.uint32(0x7FFFFFFF)).astype(np.int64)
        v = np.where(top == 1, 0x7FFFFFFF - low, low) + 1  # 1 .. 2^31
        octave = np.frexp(v.astype(np.float64))[1].astype(np.int64) - 1
        fine = np.maximum(octave - 8, 0)
        cell = ((v << np.maximum(8 - octave, 0)) >> fine) & 255
        rest = v & ((np.int64(1) << fine) - 1)
        table = _normal_table()
        a, b = table[octave, cell], table[octave, cell + 1]
        half = (np.int64(1) << fine) >> 1
        size = a + (((b - a) * rest + half) >> fine)
        units: Units = np.where(top == 1, -size, size).astype(np.int32)
        return units

    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch, int64."""
        import torch

        top, low = words >> 31, words & 0x7FFFFFFF
        v = torch.where(top == 1, 0x7FFFFFFF - low, low) + 1
        octave = torch.frexp(v.to(torch.float64)).exponent.to(torch.int64) - 1
        fine = (octave - 8).clamp(min=0)
        cell = ((v << (8 - octave).clamp(min=0)) >> fine) & 255
        one = torch.ones_like(v)
        rest = v & ((one << fine) - 1)
        table = torch.from_numpy(_normal_table()).to(words.device)
        a, b = table[octave, cell], table[octave, cell + 1]
        size = a + (((b - a) * rest + ((one << fine) >> 1)) >> fine)
        return torch.where(top == 1, -size, size)

    @property
    def latex(self) -> str:
        """N(0, s^2)."""
        return rf"\mathcal{{N}}(0, {self._fixed_scale():g}^2)"


@functools.cache
def _normal_table() -> NDArray[np.int64]:
    data = importlib.resources.files("strongticket").joinpath("data/normal20.i32").read_bytes()
    if hashlib.sha256(data).hexdigest() != _NORMAL_TABLE_SHA256:
        raise InputError(
            "the shipped table of the normal law (strongticket/data/normal20.i32) was changed; "
            "install strongticket again"
        )
    return np.frombuffer(data, "<i4").reshape(32, 257).astype(np.int64)
