"""The quantized law: uniform on the nonzero integers up to a power of two, times a step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from strongticket.errors import InputError
from strongticket.laws._law import Law, Units, Words

if TYPE_CHECKING:
    import torch

_LARGEST = 1 << 24  # so that every unit is exact in float32
_NAME = re.compile(r"grid([1-9][0-9]*)\Z")


@dataclass(frozen=True)
class Grid(Law):
    r"""Uniform on :math:`\{-M, \dots, -1, 1, \dots, M\}` times a step; both powers of two.

    `scale` is the step, `largest` is M, between 1 and 2^24. The unit is read off the word's top
    :math:`1 + \log_2 M` bits, so all 2 M units are equally likely, exactly. With 0 there would be
    2 M + 1 of them, which divides 2^32 for no M > 0: no function of one word makes those equally
    likely, so this law leaves 0 out. Pruning supplies it.
    """

    scale: float | None = 1.0
    largest: int = 1

    name: ClassVar[str] = "grid"
    grid: ClassVar[int] = 0

    def __post_init__(self) -> None:
        if self.scale is None:
            raise InputError("Grid needs a scale, its step, a power of two; got None")
        super().__post_init__()
        if self.exponent is None:
            raise InputError(
                f"Grid needs a power of two as its scale, which is its step; got {self.scale!r}"
            )
        m = self.largest
        if type(m) is not int or not 1 <= m <= _LARGEST or m & (m - 1):
            raise InputError(
                "Grid needs a largest unit that is a power of two in [1, 2^24], so that 2 M "
                f"divides 2^32 and all units are equally likely; got {m!r}"
            )

    def units(self, words: Words) -> Units:
        """The top bits, 0, ..., 2 M - 1, as -M, ..., -1, 1, ..., M: int32."""
        top = (words >> np.uint32(32 - self.largest.bit_length())).astype(np.int32)
        return top - np.int32(self.largest) + (top >= self.largest).astype(np.int32)

    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch, int64."""
        top = words >> (32 - self.largest.bit_length())
        return top - self.largest + (top >= self.largest).to(top.dtype)

    @property
    def latex(self) -> str:
        r"""Step times {\pm 1, ..., \pm M}."""
        if self.largest == 1:
            return rf"{self._fixed_scale():g}\,\{{-1, 1\}}"
        return rf"{self._fixed_scale():g}\,\{{\pm 1, \dots, \pm {self.largest}\}}"

    def spec(self) -> dict[str, str]:
        """A canonical description; its name holds M: "grid128"."""
        return {"law": f"{self.name}{self.largest}", "scale": self._fixed_scale().hex()}

    @classmethod
    def largest_of(cls, name: object) -> int | None:
        """The M in a name that `spec` gave, or None."""
        found = _NAME.match(name) if isinstance(name, str) else None
        return int(found[1]) if found and len(found[1]) <= 8 else None
