"""A lower bound on the distance: inputs found by gradient ascent, evaluated exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Ticket
from strongticket.verify._certificate import _check
from strongticket.verify._collapse import Collapsed, collapse
from strongticket.verify._propagate import _common, _dyadic

Floats = NDArray[np.float64]
_Affine = tuple[Any, Any, Any]  # W+, W-, b in float64


@dataclass(frozen=True)
class Attack:
    """An input of the domain and the exact distance of the outputs there (rounded down)."""

    input: Floats
    exact_distance: Fraction

    @property
    def distance(self) -> float:
        """The distance, rounded down to float64: a lower bound on the supremum."""
        nearest = float(self.exact_distance)
        above = Fraction(nearest) > self.exact_distance
        return math.nextafter(nearest, -math.inf) if above else nearest


def attack(
    ticket: Ticket,
    target: Target,
    *,
    starts: int = 200,
    steps: int = 200,
    seed: int = 0,
    layers: Sequence[Collapsed] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Attack:
    """Maximise |f(x) - g(x)| over the domain by projected gradient ascent from random starts.

    Every start ascends one output's difference, up or down. The best input that any step visited
    is evaluated in exact arithmetic on the collapsed network. It can only miss the maximum, so it
    is a lower bound. `layers` saves collapsing again (a certificate has them).
    """
    if starts < 1 or steps < 0:
        raise InputError(f"attack needs starts >= 1 and steps >= 0, got {starts=}, {steps=}")
    layers = collapse(ticket) if layers is None else layers
    _check(layers, target)
    pair = _Pair(target, layers)
    generator = np.random.default_rng(seed)
    domain, d = target.domain, target.widths[0]
    if isinstance(domain, Box):
        centre, reach = (domain.low + domain.high) / 2, (domain.high - domain.low) / 2
        x = centre + reach * generator.uniform(-1, 1, (starts, d))
        x = np.clip(x, domain.low, domain.high)  # the line above rounds
    else:
        centre, reach = 0.0, domain.radius
        x = generator.standard_normal((starts, d))
        x *= reach / np.linalg.norm(x, axis=1, keepdims=True)
    output = np.arange(starts) // 2 % target.widths[-1]
    sign = np.where(np.arange(starts) % 2 == 0, 1.0, -1.0)
    best, found = -1.0, x[0]
    for step in range(steps + 1):
        difference, gradient = pair.ascend(x, output, sign)
        size = np.abs(difference).max(1)
        if size.max() > best:
            best, found = float(size.max()), x[int(size.argmax())].copy()
        rate = reach * (0.5 * (1 - step / (steps + 1)) + 0.002)
        if isinstance(domain, Box):
            x = np.clip(x + rate * np.sign(gradient), domain.low, domain.high)
        else:
            norm = np.linalg.norm(gradient, axis=1, keepdims=True)
            x = x + rate * gradient / np.maximum(norm, 1e-300)
            x *= np.minimum(1.0, reach / np.maximum(np.linalg.norm(x, axis=1), 1e-300))[:, None]
        if progress is not None:
            progress("attack", step, steps)
    found = _inside(target, found)
    return Attack(found, _distance(target, layers, found))


class _Pair:
    """f and g side by side in float64, with the gradient of one output's difference."""

    def __init__(self, target: Target, layers: Sequence[Collapsed]) -> None:
        self.f: list[_Affine] = []
        self.g: list[_Affine] = []
        for i, layer in enumerate(layers):
            scale = 2.0**layer.exponent
            bias = target.biases[i]
            w = target.weights[i].astype(np.float64)
            b = np.zeros(len(w)) if bias is None else bias.astype(np.float64)
            self.f.append((w, w, b))
            self.g.append((layer.plus * scale, layer.minus * scale, layer.bias * scale))

    def ascend(self, x: Floats, output: NDArray[Any], sign: Floats) -> tuple[Floats, Floats]:
        """G - f (starts, d_L) and the gradient (starts, d_0) of sign * (g - f)[output]."""
        y_g, grad_g = self._run(self.g, x, output, sign)
        y_f, grad_f = self._run(self.f, x, output, sign)
        return y_g - y_f, grad_g - grad_f

    @staticmethod
    def _run(
        layers: list[_Affine], x: Floats, output: NDArray[Any], sign: Floats
    ) -> tuple[Floats, Floats]:
        negative = x < 0
        y, active = x, []
        for i, (plus, minus, b) in enumerate(layers):
            if i == 0 and minus is not plus and negative.any():
                y = np.where(negative, 0.0, x) @ plus.T + np.where(negative, x, 0.0) @ minus.T + b
            else:
                y = y @ plus.T + b
            if i < len(layers) - 1:
                active.append(y > 0)
                y = np.maximum(y, 0.0)
        grad = layers[-1][0][output] * sign[:, None] if len(layers) > 1 else None
        for i in range(len(layers) - 2, -1, -1):
            assert grad is not None
            grad = np.where(active[i], grad, 0.0)
            if i:
                grad = grad @ layers[i][0]
        plus, minus, _ = layers[0]
        if grad is None:  # one layer: the outputs are the rows themselves
            grad = np.zeros((len(x), len(plus)))
            grad[np.arange(len(x)), output] = sign
        if minus is plus or not negative.any():
            return y, grad @ plus
        return y, np.where(negative, grad @ minus, grad @ plus)


def _inside(target: Target, x: Floats) -> Floats:
    """The point, pulled into a ball by a hair where the projection rounded it out of it."""
    if isinstance(target.domain, Ball):
        square = Fraction(target.domain.radius) ** 2
        while sum(Fraction(float(v)) ** 2 for v in x) > square:
            x = np.nextafter(x * (1 - 2.0**-50), 0.0)
    return x


def _distance(target: Target, layers: Sequence[Collapsed], x: Floats) -> Fraction:
    """The exact distance of the two outputs at x: max norm on a box, Euclidean on a ball."""
    point = [Fraction(float(v)) for v in x]
    bits = max(v.denominator for v in point).bit_length() - 1
    f = g = np.array([int(v * (1 << bits)) for v in point], object)
    exponent = -bits
    for i, layer in enumerate(layers):
        w, plus, minus, b, b_hat, grid = _common(target, layer, i)
        f = w.dot(f) + (b << -exponent)
        g = plus.dot(np.maximum(g, 0)) + minus.dot(np.minimum(g, 0)) + (b_hat << -exponent)
        exponent += grid
        if i < len(layers) - 1:
            f, g = np.maximum(f, 0), np.maximum(g, 0)
    difference = [abs(v) for v in (g - f).tolist()]
    if isinstance(target.domain, Box):
        return _dyadic(max(difference), exponent)
    total = _dyadic(sum(v * v for v in difference), 2 * exponent)
    return Fraction(math.isqrt(total.numerator * (1 << 256) // total.denominator), 1 << 128)
