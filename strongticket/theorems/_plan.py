r"""What a depth-2L theorem asks of the random network for one target, layer by layer.

Let s_i and beta_i bound the norms of the target's weights and biases, M_0 the norm of the inputs
and M_i = s_i M_{i-1} + beta_i. If every weight of layer i is within eta_i and every bias within
zeta_i, the error propagates to at most epsilon (docs/theorems/proofs.md, biases).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.construct import LayerAccuracy
from strongticket.errors import InputError
from strongticket.targets import Box, Target
from strongticket.theorems import _norms

epsilon, M, s, beta, c, depth = sympy.symbols("epsilon M_L s_i beta_i c L", positive=True)
RELATIVE = (1 + epsilon / M) ** (1 / depth) - 1  # q: the relative error that a layer may make
WEIGHT_ACCURACY = RELATIVE * s / c  # c = d_in on a box, sqrt(d_in d_out) on a ball
BIAS_ACCURACY = RELATIVE * beta / c  # c = 1 on a box, sqrt(d_out) on a ball


@dataclass(frozen=True)
class LayerPlan:
    """One target layer and what stands for it in the random network.

    Attributes:
        inputs, outputs: Its sizes.
        biased: Whether it has a bias: then the pool of an input more, of hidden biases.
        groups: Sign groups: 1 where its inputs are known to be non-negative, else 2.
        eta, eta_bias: Accuracy of every weight, and bias.
        largest: (|value|, what it is) of the largest weight and of the largest bias.
        scales: (s_a, s_b) of the two uniform laws; powers of two.
        window: W, the length of the interval of targets that the products serve.
    """

    inputs: int
    outputs: int
    biased: bool
    groups: int
    eta: float
    eta_bias: float
    largest: tuple[tuple[float, str], tuple[float, str]]
    scales: tuple[float, float]
    window: float

    @property
    def accuracy(self) -> LayerAccuracy:
        """What the construction aims at."""
        return LayerAccuracy(self.eta, self.eta_bias if self.biased else None)

    @property
    def finer(self) -> tuple[Fraction, Fraction]:
        """The accuracies less the two grid steps that rounding a target to the grid may cost."""
        steps = 2 * Fraction(self.scales[0]) * Fraction(self.scales[1]) / (1 << 48)
        return Fraction(self.eta) - steps, Fraction(self.eta_bias) - steps

    def hidden(self, pool: int) -> int:
        """Hidden neurons of the random layer pair for a pool of `pool` neurons an input."""
        return pool * (self.inputs + self.biased)


@dataclass(frozen=True)
class Norms:
    """Upper bounds on a target's norms, and M_L."""

    weights: tuple[Fraction, ...]
    biases: tuple[Fraction, ...]
    output: Fraction

    @classmethod
    def of(cls, target: Target) -> Norms:
        """The norms that go with the target's domain."""
        weights = [Fraction(_norms.operator_norm(w, target.domain)) for w in target.weights]
        biases = [
            Fraction(0 if b is None else _norms.vector_norm(b, target.domain))
            for b in target.biases
        ]
        size = Fraction(_norms.domain_radius(target.domain))
        for w, b in zip(weights, biases, strict=True):
            size = w * size + b
        return cls(tuple(weights), tuple(biases), size)


def accuracies(target: Target, error: Fraction, norms: Norms) -> list[tuple[float, float]]:
    """(eta_i, zeta_i) for every layer, rounded down; where a norm is 0 any accuracy is exact."""
    found = []
    box = isinstance(target.domain, Box)
    for i, (size, shift) in enumerate(zip(norms.weights, norms.biases, strict=True)):
        d_in, d_out = target.widths[i : i + 2]
        fan = (d_in, 1) if box else (sympy.sqrt(d_in * d_out), sympy.sqrt(d_out))
        values: dict[Any, Any] = {epsilon: error, depth: target.depth}
        if norms.output == 0:  # the target is 0 everywhere, and so is an empty mask
            found.append((0.0, 0.0))
            continue
        values[M] = norms.output
        eta = _down(WEIGHT_ACCURACY, {**values, s: size, c: fan[0]})
        eta_bias = _down(BIAS_ACCURACY, {**values, beta: shift, c: fan[1]})
        found.append((eta or eta_bias, eta_bias or eta))
    return found


def propagated(target: Target, plans: tuple[LayerPlan, ...], norms: Norms) -> Fraction:
    """The error at the output, exactly, if every weight and bias errs by its whole accuracy."""
    box = isinstance(target.domain, Box)
    size = reached = Fraction(_norms.domain_radius(target.domain))
    deviation = Fraction(0)
    for plan, w, b in zip(plans, norms.weights, norms.biases, strict=True):
        fan = (
            (Fraction(plan.inputs), Fraction(1))
            if box
            else (_root_up(plan.inputs * plan.outputs), _root_up(plan.outputs))
        )
        weight_error = fan[0] * Fraction(plan.eta) if w else Fraction(0)
        bias_error = fan[1] * Fraction(plan.eta_bias) if plan.biased and b else Fraction(0)
        deviation = weight_error * reached + bias_error + w * deviation
        size = w * size + b
        reached = size + deviation
    return deviation


def least_scales(need: Fraction, ratio: Fraction) -> tuple[float, float]:
    """The least s_a s_b with ratio s_a s_b >= need, s_a <= s_b <= 2 s_a, both powers of two."""
    product, exponent = Fraction(1), 0
    while ratio * product < need:
        product, exponent = product * 2, exponent + 1
    while need > 0 and ratio * product / 2 >= need:
        product, exponent = product / 2, exponent - 1
    half = exponent // 2
    return 2.0**half, 2.0 ** (exponent - half)


def largest(target: Target, layer: int) -> tuple[tuple[float, str], tuple[float, str]]:
    """The largest absolute weight and bias of a layer, each with its name and value."""
    w, b = target.weights[layer], target.biases[layer]
    at = np.unravel_index(int(np.abs(w).argmax()), w.shape)
    where = f"weight ({at[0]}, {at[1]}) of layer {layer} = {w[at]:.6g}"
    if b is None:
        return (float(abs(w[at])), where), (0.0, "")
    k = int(np.abs(b).argmax())
    return (float(abs(w[at])), where), (
        float(abs(b[k])),
        f"bias {k} of layer {layer} = {b[k]:.6g}",
    )


def exact(value: float | Fraction) -> Fraction:
    """The rational number that a float (or a NumPy number) is."""
    return value if isinstance(value, Fraction) else Fraction(float(value))


def _down(expression: Any, values: dict[Any, Any]) -> float:
    table = {}
    for symbol, value in values.items():
        if isinstance(value, sympy.Basic):
            table[symbol] = value
        else:
            rational = Fraction(value)
            table[symbol] = sympy.Rational(rational.numerator, rational.denominator)
    number = Fraction(str(sympy.N(expression, 50, subs=table)))
    # a little more than rounding needs, so that `propagated` may round its square roots up
    number *= 1 - Fraction(1, 1 << 40)
    nearest = float(number)
    if not 0 <= nearest < float("inf"):
        raise InputError(f"the target's norms leave no finite accuracy (got {nearest!r})")
    return nearest if Fraction(nearest) <= number else float(np.nextafter(nearest, 0.0))


def _root_up(value: int) -> Fraction:
    root = Fraction(float(np.sqrt(value)))
    return root if root * root >= value else Fraction(float(np.nextafter(float(root), np.inf)))
