"""The uniform law, on odd multiples of a power of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from strongticket.errors import InputError
from strongticket.laws._law import Law, Units, Words

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Uniform(Law):
    r"""Uniform on the odd multiples of :math:`s 2^{-24}` in :math:`(-s, s)`; s a power of two.

    unit = 2 (word >> 8) + 1 - 2^24: symmetric, never zero, exact in float32.
    """

    scale: float | None = 1.0
    name: ClassVar[str] = "uniform"
    grid: ClassVar[int] = 24

    def __post_init__(self) -> None:
        if self.scale is None:
            raise InputError("Uniform needs a scale, a power of two; got None")
        super().__post_init__()
        if self.exponent is None:
            raise InputError(
                f"Uniform needs a power of two as its scale, so that weights and their products "
                f"stay exact; got {self.scale!r}"
            )

    def units(self, words: Words) -> Units:
        """2 (word >> 8) + 1 - 2^24, int32."""
        return ((words >> np.uint32(8)).astype(np.int32) << 1) + np.int32(1 - (1 << 24))

    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch, int64."""
        return ((words >> 8) << 1) + (1 - (1 << 24))

    @property
    def latex(self) -> str:
        """U[-s, s]."""
        return rf"\mathrm{{U}}[-{self._fixed_scale():g}, {self._fixed_scale():g}]"
