r"""Weight laws as theorems name them: random words become exact dyadic weights.

A law turns each 32-bit word into an integer unit; the weight is

.. math:: w = \mathrm{unit} \cdot \mathrm{scale} \cdot 2^{-\mathrm{grid}}.

Units are exact everywhere. Where the scale is a power of two the weights lie on one dyadic grid
and subset sums, products and certificates are exact integer arithmetic.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

if TYPE_CHECKING:
    import torch

Words = NDArray[np.uint32]
Units = NDArray[np.int32]
_LEAST = 2.0**-100  # between this and its inverse no float32 weight over- or underflows


@dataclass(frozen=True)
class Law(abc.ABC):
    """A weight distribution; abstract, its final members have a file each.

    `scale` None means "to be fixed by the parameter's shape", see `at`.
    """

    scale: float | None = None

    name: ClassVar[str]
    grid: ClassVar[int]

    def __post_init__(self) -> None:
        if self.scale is None:
            return
        try:
            scale = float(self.scale)
        except (TypeError, ValueError, OverflowError):
            scale = math.nan
        if not _LEAST <= scale <= 1 / _LEAST:
            raise InputError(f"{self.name} needs a scale in [2^-100, 2^100], got {self.scale!r}")
        object.__setattr__(self, "scale", float(np.float32(scale)))

    def at(self, shape: tuple[int, ...]) -> Self:
        r"""This law with its scale fixed for a parameter of `shape`.

        A scale of None becomes :math:`\sqrt{2/\text{fan-in}}` rounded to float32, where fan-in is
        the product of all dimensions but the first (He et al. 2015).
        """
        if self.scale is not None:
            return self
        if len(shape) < 2:
            raise InputError(
                f"{self.name}(scale=None) takes its scale from the fan-in, which shape {shape} "
                "has not; give a scale"
            )
        return replace(self, scale=math.sqrt(2.0 / math.prod(shape[1:])))

    @abc.abstractmethod
    def units(self, words: Words) -> Units:
        """The integer units of random words, int32, same shape."""

    @abc.abstractmethod
    def torch_units(self, words: torch.Tensor) -> torch.Tensor:
        """The same units made by torch from int64 words in [0, 2^32), int64."""

    def weights(self, words: Words) -> NDArray[np.float32]:
        """The weights of random words, float32, same shape: one rounding at the most."""
        return self.weights_of(self.units(words))

    def weights_of(self, units: Units) -> NDArray[np.float32]:
        """The weights of integer units, float32: units * 2^-grid is exact, then one product."""
        plain = units.astype(np.float32) * np.float32(2.0**-self.grid)
        return plain * np.float32(self._fixed_scale())

    def torch_weights(self, words: torch.Tensor) -> torch.Tensor:
        """The same weights made by torch, float32. Do not trace this with ``torch.compile``."""
        import torch

        plain = self.torch_units(words).to(torch.float32) * 2.0**-self.grid
        scale = torch.tensor(self._fixed_scale(), dtype=torch.float32, device=plain.device)
        return plain * scale

    @property
    def exponent(self) -> int | None:
        """The integer e with weight = unit * 2^e, or None where the scale is no power of two."""
        mantissa, exponent = math.frexp(self._fixed_scale())
        return exponent - 1 - self.grid if mantissa == 0.5 else None

    @property
    @abc.abstractmethod
    def latex(self) -> str:
        """The law as theorems write it."""

    def spec(self) -> dict[str, str]:
        """A canonical description: the law's name and its scale in hexadecimal."""
        return {"law": self.name, "scale": self._fixed_scale().hex()}

    def _fixed_scale(self) -> float:
        if self.scale is None:
            raise InputError(f"{self.name} has no scale yet: call at(shape) first")
        return self.scale
