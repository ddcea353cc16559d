"""Plus or minus a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from strongticket.laws._law import Law, Units, Words

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SignedConstant(Law):
    """Plus or minus `scale`, each with probability one half: the sign is the word's top bit.

    With scale None this is the signed Kaiming constant of Ramanujan et al. 2020.
    """

    name: ClassVar[str] = "signed_constant"
    grid: ClassVar[int] = 0

    def units(self, words: Words) -> Units:
        """+1 or -1, int32."""
        return np.int32(1) - ((words >> np.uint32(31)).astype(np.int32) << 1)

    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch, int64."""
        return 1 - ((words >> 31) << 1)

    @property
    def latex(self) -> str:
        r"""\pm s."""
        return rf"\{{-{self._fixed_scale():g}, {self._fixed_scale():g}\}}"
