"""The losses that masks are compared by, as exact rationals, and the loss of any one mask."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import numpy as np

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.optimal._integers import Array, common_unit, integers, numbers, wide
from strongticket.optimal._network import OneHidden
from strongticket.tickets import Mask


class Loss(StrEnum):
    r"""How far a function is from N labels, from its residuals :math:`r_i = y_i - f(x_i)`.

    MEAN_ABSOLUTE :math:`\frac1N\sum_i|r_i|`, MEAN_SQUARED :math:`\frac1N\sum_i r_i^2`,
    WORST_CASE :math:`\max_i|r_i|`. Wherever a loss is asked for, its name will do.
    """

    MEAN_ABSOLUTE = "mean absolute"
    MEAN_SQUARED = "mean squared"
    WORST_CASE = "worst case"

    @classmethod
    def named(cls, loss: Loss | str) -> Loss:
        """The loss of that name; InputError with the supported names for any other."""
        try:
            return cls(loss)
        except ValueError:
            known = ", ".join(repr(str(member)) for member in cls)
            raise InputError(
                f"loss must be one of {known}; got {loss!r}. These are the losses whose best "
                "masks can be proved; a mask search takes any other"
            ) from None

    def measure(self, residuals: Array) -> int:
        """Sum of magnitudes, sum of squares or largest magnitude of integers: one integer."""
        return self.measures(residuals[None, :])[0]

    def measures(self, residuals: Array) -> list[int]:
        """The measure of each row, (rows, N)."""
        r = np.abs(wide(residuals))
        if self is Loss.WORST_CASE:
            return [int(m) for m in r.max(axis=1)]
        return [int(m) for m in (r if self is Loss.MEAN_ABSOLUTE else r * r).sum(axis=1)]

    def of_measure(self, measure: Fraction | int, count: int, unit: Fraction) -> Fraction:
        """The loss of `count` residuals whose measure, in integers times `unit`, this is."""
        if self is Loss.WORST_CASE:
            return Fraction(measure) * unit
        if self is Loss.MEAN_ABSOLUTE:
            return Fraction(measure) * unit / count
        return Fraction(measure) * unit * unit / count


def sample(x: object, y: object, inputs: int) -> tuple[Array, Array]:
    """The checked sample: x of shape (N, d) and y of shape (N,), N >= 1."""
    points, labels = numbers("x", x, 2), numbers("y", y, 1)
    if points.shape[1] != inputs:
        raise InputError(f"x must have shape (N, {inputs}), one column an input: {points.shape}")
    if labels.shape != points.shape[:1] or not labels.size:
        raise InputError(
            f"y must have one label a row of x, and one row at least: x has shape {points.shape}, "
            f"y {labels.shape}"
        )
    return points, labels


def masked_loss(
    network: OneHidden | Network, mask: Mask, x: object, y: object, loss: Loss | str
) -> Fraction:
    """The exact loss of a masked network on a sample: rational arithmetic from the weights up.

    Every optimum of this package is held to it, and it shares no code with the searches.

    Args:
        network: with one hidden ReLU layer and one output.
        mask: names as in `Network.mlp` ("layers.0.weight", "layers.1.weight", and ".bias");
            a parameter that it does not name is kept whole.
        x: (N, d) inputs.
        y: (N,) labels.
        loss: a `Loss` or its name.
    """
    frozen, wanted = OneHidden.of(network), Loss.named(loss)
    points, labels = sample(x, y, frozen.inputs)
    known = [f"layers.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
    if unknown := set(mask) - set(known):
        raise InputError(
            f"the mask names {', '.join(sorted(unknown))}; a network with one hidden layer has "
            f"{', '.join(known)}"
        )
    made, um = outputs(frozen, mask, points)
    t, ut = integers(labels)
    unit = common_unit(um, ut)
    residuals = wide(t) * int(ut / unit) - made * int(um / unit)
    return wanted.of_measure(wanted.measure(residuals), len(t), unit)


def outputs(network: OneHidden, mask: Mask, points: Array) -> tuple[Array, Fraction]:
    """(n, u): the masked network's outputs are exactly n u, n Python integers of shape (N,)."""
    k, d = network.width, network.inputs
    nothing = np.zeros(k, np.int64)
    w, uw = integers(network.weights)
    b, ub = integers(nothing if network.bias is None else network.bias)
    v, uv = integers(network.output)
    c, uc = integers(nothing[:1] if network.output_bias is None else network.output_bias)
    p, up = integers(points)
    w = wide(w) * kept(mask, "layers.0.weight", (k, d))
    b = wide(b) * kept(mask, "layers.0.bias", (k,))
    v = wide(v) * kept(mask, "layers.1.weight", (1, k))[0]
    c = wide(c) * kept(mask, "layers.1.bias", (1,))
    inner = common_unit(uw * up, ub)
    hidden = np.maximum(wide(p) @ w.T * int(uw * up / inner) + b * int(ub / inner), 0)
    unit = common_unit(inner * uv, uc)
    return hidden @ v * int(inner * uv / unit) + c * int(uc / unit), unit


def kept(mask: Mask, name: str, shape: tuple[int, ...]) -> Array:
    """The 0/1 integers of a parameter's mask; ones where the mask does not name it."""
    if name not in mask:
        return np.ones(shape, object)
    if mask[name].shape != shape:
        raise InputError(f"the mask of {name} must have shape {shape}, got {mask[name].shape}")
    return mask[name].dense().astype(np.int64).astype(object)
