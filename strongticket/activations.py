r"""The activations of targets and random networks, as values.

On each side of 0 every one is close to a line: :math:`\varphi(x) \approx \varphi(0) + \mu_+ x` for
small x >= 0 and :math:`\varphi(0) + \mu_- x` for small x <= 0. ReLU and leaky ReLU are those lines.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

_NAMES = ("relu", "leaky_relu", "tanh", "sigmoid")
_TEXT = re.compile(r"leaky_relu\((.+)\)")


@dataclass(frozen=True)
class Activation:
    """One of relu, leaky_relu (with its slope for x < 0), tanh, sigmoid.

    The slope is a float32 strictly between 0 and 1: a dyadic number, so leaky ReLU is exact.
    """

    name: str
    slope: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in _NAMES:
            raise InputError(f"an activation is one of {', '.join(_NAMES)}; got {self.name!r}")
        leaky = self.name == "leaky_relu"
        inside = isinstance(self.slope, (int, float)) and 0 < self.slope < 1
        if leaky and not (inside and self.slope == float(np.float32(self.slope))):
            raise InputError(
                "leaky_relu needs a slope strictly between 0 and 1 that float32 holds exactly, "
                f"say 0.125; got {self.slope!r}"
            )
        if not leaky and self.slope != 0.0:
            raise InputError(f"{self.name} has no slope to choose, got {self.slope!r}")

    @classmethod
    def of(cls, given: Activation | str) -> Activation:
        """The activation that a text names: "relu", "leaky_relu(0.125)", "tanh", "sigmoid"."""
        if isinstance(given, Activation):
            return given
        if isinstance(given, str) and (match := _TEXT.fullmatch(given)):
            try:
                return cls("leaky_relu", float(match[1]))
            except (ValueError, OverflowError):  # InputError, too, is a ValueError
                pass
        elif isinstance(given, str) and given in _NAMES and given != "leaky_relu":
            return cls(given)
        raise InputError(
            "an activation is relu, leaky_relu(SLOPE) with a dyadic slope between 0 and 1, tanh or "
            f"sigmoid; got {given!r}"
        )

    @property
    def text(self) -> str:
        """The name, with the slope of a leaky ReLU; `of` reads it back."""
        return f"leaky_relu({self.slope!r})" if self.name == "leaky_relu" else self.name

    @property
    def linear(self) -> bool:
        """Whether it is linear on each side of 0."""
        return self.name in ("relu", "leaky_relu")

    @property
    def plus(self) -> Fraction:
        """The slope at 0 from the right."""
        return Fraction(1, 4) if self.name == "sigmoid" else Fraction(1)

    @property
    def minus(self) -> Fraction:
        """The slope at 0 from the left."""
        return Fraction(self.slope) if self.linear else self.plus

    @property
    def at_zero(self) -> Fraction:
        """The value at 0: 1/2 for the sigmoid, else 0."""
        return Fraction(1, 2) if self.name == "sigmoid" else Fraction(0)

    @property
    def lipschitz(self) -> Fraction:
        """The largest slope."""
        return max(self.plus, self.minus)

    @property
    def largest(self) -> Fraction | None:
        """The least upper bound of the absolute value; None where there is none."""
        return None if self.linear else Fraction(1)

    @property
    def cubic(self) -> Fraction:
        r"""The r of :math:`|\varphi(t) - \varphi(0) - \varphi'(0) t| \le r |t|^3`.

        By Taylor: r is a sixth of the largest third derivative, 2 for tanh, 1/8 for the sigmoid.
        """
        return {"tanh": Fraction(1, 3), "sigmoid": Fraction(1, 48)}.get(self.name, Fraction(0))

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The activation of an array, float64."""
        found: Any
        if self.name == "relu":
            found = np.maximum(x, 0.0)
        elif self.name == "leaky_relu":
            found = np.where(x >= 0, x, self.slope * x)
        elif self.name == "tanh":
            found = np.tanh(x)
        else:
            found = 0.5 * (1 + np.tanh(0.5 * x))  # no overflow, however large x is
        array: NDArray[np.float64] = found
        return array

    def torch(self, x: torch.Tensor) -> torch.Tensor:
        """The activation of a tensor."""
        import torch

        if self.name == "leaky_relu":
            return torch.nn.functional.leaky_relu(x, self.slope)
        found: torch.Tensor = getattr(torch, self.name)(x)
        return found

    @classmethod
    def of_module(cls, module: nn.Module) -> Activation | None:
        """The activation that a torch module is; None for any other module."""
        import torch

        if type(module) is torch.nn.LeakyReLU:
            if not 0 < module.negative_slope < 1:
                return None
            return cls("leaky_relu", _dyadic(module.negative_slope))
        names = {torch.nn.ReLU: "relu", torch.nn.Tanh: "tanh", torch.nn.Sigmoid: "sigmoid"}
        name = names.get(type(module))
        return None if name is None else cls(name)

    def __str__(self) -> str:
        return self.text


def _dyadic(slope: float) -> float:
    """The slope, if float32 holds it; else an error that names a near one that it does hold."""
    near = math.ldexp(round(math.ldexp(slope, 10)), -10) or 2.0**-10
    if float(np.float32(slope)) != slope:
        raise InputError(
            f"the slope of a leaky ReLU must be a float32, got {slope!r}; train with {near!r}"
        )
    return slope


RELU = Activation("relu")
TANH = Activation("tanh")
SIGMOID = Activation("sigmoid")
