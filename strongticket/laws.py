r"""Weight laws as theorems name them: random words become exact dyadic weights.

A law turns each 32-bit word into an integer unit; the weight is

.. math:: w = \mathrm{unit} \cdot \mathrm{scale} \cdot 2^{-\mathrm{grid}}.

Units are exact everywhere. Where the scale is a power of two the weights lie on one dyadic grid
and subset sums, products and certificates are exact integer arithmetic.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import importlib.resources
import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

if TYPE_CHECKING:
    import torch

Words = NDArray[np.uint32]
Units = NDArray[np.int32]
_LEAST = 2.0**-100  # between this and its inverse no float32 weight over- or underflows
_NORMAL_TABLE_SHA256 = "2ab2b76e35eaabf88675cbfd3050b17989d8672cc2972bc60d860a7aa1e51999"


@dataclass(frozen=True)
class Law(abc.ABC):
    """A weight distribution; abstract, its final members are below.

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


LAWS: tuple[type[Law], ...] = (Uniform, Normal, SignedConstant)


def from_spec(spec: dict[str, Any]) -> Law:
    """The law that `Law.spec` described; InputError where it describes none."""
    for law in LAWS:
        if spec.get("law") == law.name and set(spec) == {f.name for f in fields(law)} | {"law"}:
            try:
                found = law(scale=float.fromhex(spec["scale"]))
            except (TypeError, ValueError, OverflowError):  # InputError, too, is a ValueError
                break
            if found.spec() == spec:
                return found
    known = ", ".join(law.name for law in LAWS)
    raise InputError(f"a law's specification names one of {known} and its scale, got {spec!r}")


@functools.cache
def _normal_table() -> NDArray[np.int64]:
    data = importlib.resources.files("strongticket").joinpath("data/normal20.i32").read_bytes()
    if hashlib.sha256(data).hexdigest() != _NORMAL_TABLE_SHA256:
        raise InputError(
            "the shipped table of the normal law (strongticket/data/normal20.i32) was changed; "
            "install strongticket again"
        )
    return np.frombuffer(data, "<i4").reshape(32, 257).astype(np.int64)
