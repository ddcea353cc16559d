r"""What a depth-2L theorem asks of the random network for one target, layer by layer.

Let s_i and beta_i bound the norms of the target's weights and biases, M_0 the norm of the inputs
and M_i = s_i M_{i-1} + beta_i. If every weight and bias of layer i is within eta_i, the error
propagates to at most epsilon (docs/theorems/proofs.md, biases).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.bounds import rational
from strongticket.construct import LayerAccuracy
from strongticket.targets import Box, Target
from strongticket.theorems import _norms
from strongticket.theorems._size import Shape

epsilon, M, before, after, omega, omega_b, depth = (
    sympy.Symbol(name, positive=True)
    for name in ("epsilon", "M_L", "M_{i-1}", "M_i", r"\omega_i", r"\omega_{b,i}", "L")
)
RELATIVE = (1 + epsilon / M) ** (1 / depth) - 1  # q: the relative error that a layer may make
# omega = d_in and omega_b = 1 on a box, sqrt(d_in d_out) and sqrt(d_out) on a ball; omega_b = 0
# without biases. Weights and biases get the same accuracy.
ACCURACY = RELATIVE * after / (omega * before + omega_b)
SAFETY = 1 - Fraction(1, 1 << 40)  # more than rounding needs, less than anything notices


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
    """Upper bounds s_i, beta_i on a target's norms; and M_0, ..., M_L."""

    weights: tuple[Fraction, ...]
    biases: tuple[Fraction, ...]
    sizes: tuple[Fraction, ...]

    @property
    def output(self) -> Fraction:
        """M_L."""
        return self.sizes[-1]

    @classmethod
    def of(cls, target: Target) -> Norms:
        """The norms that go with the target's domain."""
        weights = [Fraction(_norms.operator_norm(w, target.domain)) for w in target.weights]
        biases = [
            Fraction(0 if b is None else _norms.vector_norm(b, target.domain))
            for b in target.biases
        ]
        sizes = [Fraction(_norms.domain_radius(target.domain))]
        for w, b in zip(weights, biases, strict=True):
            sizes.append(w * sizes[-1] + b)
        return cls(tuple(weights), tuple(biases), tuple(sizes))


def accuracies(target: Target, error: Fraction, norms: Norms) -> list[Fraction | None]:
    """eta_i for every layer, rounded down; None where every accuracy is good enough.

    That is where the layer, or the whole target, is 0 on the whole domain: then so is what stands
    for it, whatever its weights. It is read off the exact norms, never off a rounded accuracy.
    """
    found: list[Fraction | None] = []
    box = isinstance(target.domain, Box)
    for i, (size, shift) in enumerate(zip(norms.weights, norms.biases, strict=True)):
        d_in, d_out = target.widths[i : i + 2]
        if norms.output == 0 or norms.sizes[i + 1] == 0:
            found.append(None)
            continue
        values = {
            epsilon: _rational(error),
            depth: sympy.Integer(target.depth),
            M: _rational(norms.output),
            before: _rational(norms.sizes[i]),
            after: _rational(norms.sizes[i + 1]),
            # what is 0 is exact by the empty subset
            omega: (sympy.Integer(d_in) if box else sympy.sqrt(d_in * d_out)) if size else 0,
            omega_b: (1 if box else sympy.sqrt(d_out)) if shift else 0,
        }
        # the least epsilon and the largest norms leave a quotient far below 10^-50
        number = sympy.N(ACCURACY, 50, subs=values, maxn=4000, strict=True)
        found.append(Fraction(str(number)) * SAFETY)
    return found


def unit_accuracies(shape: Shape, error: float) -> list[Fraction]:
    """eta_i, rounded down, for every target of norm-one layers without biases on the unit ball."""
    found = []
    for d_in, d_out in itertools.pairwise(shape.widths):
        values = {
            epsilon: _rational(rational(error)),
            depth: sympy.Integer(shape.depth),
            **dict.fromkeys((M, before, after), sympy.Integer(1)),
            omega: sympy.sqrt(d_in * d_out),
            omega_b: 0,
        }
        number = sympy.N(ACCURACY, 50, subs=values, maxn=4000, strict=True)
        found.append(Fraction(str(number)) * SAFETY)
    return found


def unit_bits(shape: Shape, error: float) -> list[int]:
    """Bits f of every layer of such a target: steps of 2^-f <= 1 round its weights within eta_i."""
    return [max(0, least_bits(eta)) for eta in unit_accuracies(shape, error)]


def least_bits(eta: Fraction) -> int:
    """The least integer f with 2^-f <= 2 eta."""
    bits = 0
    while Fraction(1, 2) ** bits > 2 * eta:
        bits += 1
    while Fraction(1, 2) ** (bits - 1) <= 2 * eta:
        bits -= 1
    return bits


def finest(error: Fraction, norms: Norms, layers: int, factor: Fraction) -> float:
    """The epsilon, about, whose accuracies are `factor` times those of `error`."""
    import mpmath

    q = mpmath.expm1(mpmath.log1p(_floating(error / norms.output)) / layers) * _floating(factor)
    return float(_floating(norms.output) * mpmath.expm1(layers * mpmath.log1p(q)))


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


def down(number: Fraction) -> float:
    """The largest float that is at most a number >= 0."""
    nearest = float(number)
    return nearest if Fraction(nearest) <= number else math.nextafter(nearest, 0.0)


def shown(value: Fraction) -> str:
    """Four digits of a number that need not be a float."""
    import mpmath

    if 10**-300 < value < 10**300:
        return f"{float(value):.4g}"
    return str(mpmath.nstr(_floating(value), 4))


def _floating(value: Fraction) -> Any:
    """53 bits of a number, with an exponent that has no end."""
    import mpmath

    return mpmath.mpf(value.numerator) / value.denominator


def _rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)
