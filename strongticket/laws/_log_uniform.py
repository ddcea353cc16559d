"""The log-uniform (hyperbolic) law: density proportional to 1/|x|, on the 24-bit grid."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.laws._law import Law, Units, Words

if TYPE_CHECKING:
    import torch

CELLS = 1024  # of one octave
MOST_CELLS = 23 * CELLS  # so that the smallest unit is at least 2
_NAME = re.compile(r"log_uniform([1-9][0-9]*)\Z")
_HALF = (1 << 31) - 1
_CHUNK = 1 << 14


@dataclass(frozen=True)
class LogUniform(Law):
    r"""Log-uniform magnitudes in :math:`[2^{-c/1024} s, s]`, both signs; s a power of two.

    `scale` is s; `cells` is c, the range in 1024ths of an octave, 1 to 23552. With t uniform on
    [0, 1) by 31 bits of the word, the unit is :math:`2^{24} 2^{-tc/1024}` rounded to an integer:
    linear interpolation between the 1025 powers of one octave, all of it in integers. It never
    increases with t, so the probability of any interval is an exact count (`count`).
    """

    scale: float | None = 1.0
    cells: int = 16 * CELLS

    name: ClassVar[str] = "log_uniform"
    grid: ClassVar[int] = 24

    def __post_init__(self) -> None:
        if self.scale is None:
            raise InputError("LogUniform needs a scale, a power of two; got None")
        super().__post_init__()
        if self.exponent is None:
            raise InputError(
                f"LogUniform needs a power of two as its scale, so that weights and their "
                f"products stay exact; got {self.scale!r}"
            )
        if type(self.cells) is not int or not 1 <= self.cells <= MOST_CELLS:
            raise InputError(
                f"LogUniform needs its range in 1024ths of an octave, an integer from 1 to "
                f"{MOST_CELLS}; got {self.cells!r}"
            )

    @property
    def octaves(self) -> float:
        """log2 of the largest magnitude over the smallest."""
        return self.cells / CELLS

    def units(self, words: Words) -> Units:
        """Magnitudes in (0, 2^24] with the sign of the word's top bit, int32."""
        flat = np.ascontiguousarray(words).reshape(-1)
        found = np.empty(flat.shape, np.int32)
        for start in range(0, flat.size, _CHUNK):  # what a cache holds: over twice as fast
            part = slice(start, start + _CHUNK)
            found[part] = self._units(flat[part])
        return found.reshape(words.shape)

    def _units(self, words: Words) -> Units:
        table, steps = _powers()
        signed = words.view(np.int32) >> 31  # -1 where the top bit is set, else 0
        at = ((words.view(np.int32) ^ signed).astype(np.int64)) * self.cells
        cell = at >> 31
        j, shift = cell & (CELLS - 1), (cell >> 10) + 6
        size = table[j] - (steps[j] * (at & _HALF) >> 31)
        size = ((size >> (shift - 1)) + 1) >> 1
        units: Units = (size.astype(np.int32) ^ signed) - signed
        return units

    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch, int64."""
        import torch

        table, steps = (torch.from_numpy(part).to(words.device) for part in _powers())
        top = words >> 31 == 1
        low = words & _HALF
        at = torch.where(top, _HALF - low, low) * self.cells
        cell, rest = at >> 31, at & _HALF
        j, shift = cell & (CELLS - 1), (cell >> 10) + 6
        size = table[j] - (steps[j] * rest >> 31)
        size = ((size >> (shift - 1)) + 1) >> 1
        return torch.where(top, -size, size)

    def count(self, low: int, high: int) -> int:
        """How many of the 2^32 words have a unit in [low, high], 0 < low; exact.

        Positive units come from the words below 2^31 and never increase with the word.
        """
        return self._first_below(low) - self._first_below(high + 1)

    def _first_below(self, size: int) -> int:
        """The least word in [0, 2^31] whose unit is below `size`."""
        low, high = 0, 1 << 31
        while low < high:
            middle = (low + high) // 2
            if int(self.units(np.array([middle], np.uint32))[0]) < size:
                high = middle
            else:
                low = middle + 1
        return low

    @property
    def latex(self) -> str:
        r"""LogU of the magnitudes."""
        s, sign = self._fixed_scale(), r"\pm"
        return rf"{sign}\mathrm{{LogU}}[2^{{-{self.octaves:g}}} \cdot {s:g}, {s:g}]"

    def spec(self) -> dict[str, str]:
        """A canonical description; its name holds the cells: "log_uniform7110"."""
        return {"law": f"{self.name}{self.cells}", "scale": self._fixed_scale().hex()}

    @classmethod
    def cells_of(cls, name: object) -> int | None:
        """The cells in a name that `spec` gave, or None."""
        found = _NAME.match(name) if isinstance(name, str) else None
        return int(found[1]) if found and len(found[1]) <= 8 else None


@functools.cache
def _powers() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """p_j = floor(2^30 2^(-j/1024)), j < 1024, and p_j - p_(j+1): integer roots and products."""
    bits = 200
    root = 1 << bits - 1  # 2^(-1), then its square root ten times: 2^(-1/1024), rounded down
    for _ in range(10):
        root = math.isqrt(root << bits)
    found, power = [], 1 << bits
    for _ in range(CELLS):
        found.append(power >> bits - 30)
        power = power * root >> bits
    table = np.array([*found, 1 << 29], np.int64)
    return table[:-1].copy(), table[:-1] - table[1:]
