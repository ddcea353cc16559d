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
from strongticket.verify._align import align, check_shapes
from strongticket.verify._collapse import Collapsed, collapse
from strongticket.verify._propagate import _common, _dyadic

Floats = NDArray[np.float64]
_FINALISTS, _POLISH = 10, 40
_TINY = 2.0**-120  # what norms are divided by at the least; a float32
_PLACES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0])  # along a line, 0 first


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

    Every start ascends one output's difference, up or down. From the best inputs visited, the
    difference (piecewise linear) is then followed along lines to the best corners. The winner is
    evaluated in exact arithmetic on the collapsed network. It can only miss the maximum, so it
    is a lower bound. `layers` saves collapsing again (a certificate has them).
    """
    if starts < 1 or steps < 0:
        raise InputError(f"attack needs starts >= 1 and steps >= 0, got {starts=}, {steps=}")
    layers = collapse(ticket) if layers is None else layers
    check_shapes(layers, target)
    with np.errstate(all="ignore"):  # an input that overflows on the way is a bad guess, no more
        pair = _Pair(target, layers)
        climb = _Climb(target, pair, starts, np.random.default_rng(seed))
        for step in range(steps + 1):
            climb.visit()
            climb.step(0.5 * (1 - step / (steps + 1)) + 0.002)
            if progress is not None:
                progress("attack", step, steps)
        found = _inside(target, climb.polished(min(steps, _POLISH)))
    return Attack(found, _distance(target, layers, found))


class _Climb:
    """All starts at once: where each is, and the best input that each has visited."""

    def __init__(self, target: Target, pair: _Pair, starts: int, rng: np.random.Generator) -> None:
        self.domain, self.pair = target.domain, pair
        d = target.widths[0]
        if isinstance(self.domain, Box):
            centre = (self.domain.low + self.domain.high) / 2
            reach = (self.domain.high - self.domain.low) / 2
            x = self._project(centre + reach * rng.uniform(-1, 1, (starts, d)))
        else:
            reach = self.domain.radius
            x = rng.standard_normal((starts, d))
            x *= reach / np.linalg.norm(x, axis=1, keepdims=True)
        self.reach, self.x = reach, x.astype(pair.dtype)
        self.output = np.arange(starts) // 2 % target.widths[-1]
        self.sign = np.where(np.arange(starts) % 2 == 0, 1.0, -1.0).astype(pair.dtype)
        self.best, self.value = self.x.copy(), np.full(starts, -np.inf)

    def visit(self) -> None:
        """Keep every input that is the best of its start so far."""
        self.state = self.pair.run(self.x)
        value = self._size(self.state.difference)
        better = value > self.value
        self.value = np.where(better, value, self.value)
        self.best[better] = self.x[better]

    def step(self, rate: float) -> None:
        """Up the gradient of each start's own output; on a ball, of the Euclidean norm."""
        weights = np.zeros_like(self.state.difference)
        weights[np.arange(len(weights)), self.output] = self.sign
        if not isinstance(self.domain, Box):
            norm = np.linalg.norm(self.state.difference, axis=1, keepdims=True)
            weights = np.where(norm > 0, self.state.difference, weights)
            weights /= np.where(norm > 0, norm, 1)
        gradient = self.pair.gradient(self.x, self.state, weights)
        if isinstance(self.domain, Box):
            gradient = np.sign(gradient)
        else:
            norm = np.linalg.norm(gradient, axis=1, keepdims=True)
            gradient /= np.maximum(norm, _TINY)
        self.x = self._project(self.x + (rate * self.reach) * gradient).astype(self.pair.dtype)

    def polished(self, rounds: int) -> Floats:
        """The best input, after a search along the lines to the best corners of the best starts.

        The corner (on a ball, the point of the sphere) is the best one for the ReLUs' present
        phases. Where the largest difference changes its output or its sign, so does the line.
        """
        top = np.argsort(-self.value, kind="stable")[:_FINALISTS]
        x = self.best[top].astype(np.float64)
        for _ in range(rounds):
            state = self.pair.run(x.astype(self.pair.dtype))
            weights = state.difference
            if isinstance(self.domain, Box):
                output = np.abs(weights).argmax(1)[:, None] == np.arange(weights.shape[1])
                weights = np.where(output, np.where(weights < 0, -1, 1), 0)
            weights = weights.astype(self.pair.dtype)
            gradient = self.pair.gradient(x.astype(self.pair.dtype), state, weights)
            corner = self._corner(x, gradient)
            line = x + _PLACES[:, None, None] * (corner - x)
            values = self.pair.run(line.reshape(-1, x.shape[1]).astype(self.pair.dtype)).difference
            size = self._size(values).reshape(len(_PLACES), len(x))
            place = size.argmax(0)
            if not place.any():  # no line leads up
                break
            x = line[place, np.arange(len(x))]
        value = self._size(self.pair.run(x.astype(self.pair.dtype)).difference)
        return np.asarray(self._project(x[int(value.argmax())][None])[0], np.float64)

    def _size(self, difference: Floats) -> Floats:
        if isinstance(self.domain, Box):
            return np.asarray(np.abs(difference).max(1))
        return np.asarray(np.linalg.norm(difference, axis=1))

    def _corner(self, x: Floats, gradient: Floats) -> Floats:
        if isinstance(self.domain, Box):
            ends = np.where(gradient > 0, self.domain.high, self.domain.low)
            return np.asarray(np.where(gradient == 0, x, ends))
        norm = np.linalg.norm(gradient, axis=1, keepdims=True).astype(np.float64)
        return np.asarray(np.where(norm > 0, self.reach * gradient / np.maximum(norm, 1e-300), x))

    def _project(self, x: Floats) -> Floats:
        if isinstance(self.domain, Box):
            return np.asarray(np.clip(x, self.domain.low, self.domain.high))
        norm = np.maximum(np.linalg.norm(x, axis=1), _TINY)
        return np.asarray(x * np.minimum(1.0, self.reach / norm)[:, None])


@dataclass(frozen=True)
class _State:
    """Differences of the outputs (starts, d_L) and the phases of the neurons on the way."""

    difference: Floats
    phases: list[tuple[Any, Any]]


class _Pair:
    """f and the difference g - f, propagated beside each other.

    A difference of 1e-6 of the outputs is lost where two float32 networks are subtracted, but not
    where it is a quantity of its own. So float32 is enough, at half the time.
    """

    def __init__(self, target: Target, layers: Sequence[Collapsed]) -> None:
        pairs = align(target, layers)
        arrays = [
            [
                np.ldexp(a.astype(np.float64), at.exponent)
                for a in (
                    at.w,
                    at.b,
                    at.plus - at.wanted,
                    at.minus - at.wanted,
                    at.carry,
                    at.b_hat - at.wanted_bias,
                )
            ]
            for at in pairs
        ]
        sizes = [float(np.abs(a).max(initial=0.0)) for layer in arrays for a in layer]
        reach = target.domain.radius
        mild = all(size == 0 or 1e-9 < size < 1e4 for size in (*sizes, reach))
        self.dtype = np.dtype(np.float32 if mild and len(layers) <= 6 else np.float64)
        self.layers = [[a.astype(self.dtype) for a in layer] for layer in arrays]
        self.copies = [at.copy_of for at in pairs]
        self.signed = not target.domain.nonnegative

    def run(self, x: Floats) -> _State:
        """Both networks at inputs (starts, d_0)."""
        h, delta = x, None
        phases: list[tuple[Any, Any]] = []
        for i, (w, b, plus, minus, carry, bias) in enumerate(self.layers):
            if i == 0 and self.signed:
                dz = np.maximum(h, 0) @ plus.T + np.minimum(h, 0) @ minus.T + bias
            else:
                dz = h @ plus.T + bias
            if delta is not None:
                dz += delta @ carry.T
            if i == len(self.layers) - 1:
                return _State(dz, phases)
            z = h @ w.T + b
            zc = z if self.copies[i] is None else _extended(z)[:, self.copies[i]]
            delta = np.where(zc > 0, np.maximum(dz, -zc), np.maximum(zc + dz, 0))
            phases.append((z > 0, zc + dz > 0))
            h = np.maximum(z, 0)
        raise AssertionError("a target has a layer")

    def gradient(self, x: Floats, state: _State, weights: Floats) -> Floats:
        """Of <weights, difference> at x, row by row."""
        of_dz, of_z = weights, None
        for i in range(len(self.layers) - 1, -1, -1):
            w, _, plus, minus, carry, _ = self.layers[i]
            of_h = of_dz @ plus
            if of_z is not None:
                of_h += of_z @ w
            if i == 0:
                if not self.signed:
                    return of_h
                below = of_dz @ minus if of_z is None else of_dz @ minus + of_z @ w
                return np.asarray(np.where(x < 0, below, of_h))
            on, above = state.phases[i - 1]
            of_delta, copies = of_dz @ carry, self.copies[i - 1]
            of_dz = of_delta * above
            if copies is None:
                of_z = of_h * on + (of_dz - of_delta * on)
            else:
                # Through z of the neuron that a copy stands for; the constant has none.
                own = _extended(on)[:, copies]
                more = np.zeros((len(x), on.shape[1] + 1), x.dtype)
                np.add.at(more.T, copies, (of_dz - of_delta * own).T)
                of_z = of_h * on + more[:, :-1]
        raise AssertionError("a target has a layer")


def _extended(z: NDArray[Any]) -> NDArray[Any]:
    """The columns of z and the constant 1."""
    return np.hstack([z, np.ones((len(z), 1), z.dtype)])


def _inside(target: Target, x: Floats) -> Floats:
    """The point, pulled into a ball by a hair where the projection rounded it out of it.

    Coordinates that overflowed on the way are those nearest 0.
    """
    x = np.where(np.isfinite(x), x, 0.0)
    if isinstance(target.domain, Box):
        return np.clip(x, target.domain.low, target.domain.high)
    if isinstance(target.domain, Ball):
        square = Fraction(target.domain.radius) ** 2
        while sum(Fraction(float(v)) ** 2 for v in x) > square:
            x = np.nextafter(x * (1 - 2.0**-50), 0.0)
    return x


def _distance(target: Target, layers: Sequence[Collapsed], x: Floats) -> Fraction:
    """The exact distance of the two outputs at x: max norm on a box, Euclidean on a ball."""
    f, g, exponent = _evaluated(target, layers, x)
    difference = [abs(v) for v in (g - f).tolist()]
    if isinstance(target.domain, Box):
        return _dyadic(max(difference), exponent)
    total = _dyadic(sum(v * v for v in difference), 2 * exponent)
    return Fraction(math.isqrt(total.numerator * (1 << 256) // total.denominator), 1 << 128)


def outputs(
    target: Target, layers: Sequence[Collapsed], x: Floats
) -> tuple[list[Fraction], list[Fraction]]:
    """The exact outputs of target and ticket at x."""
    f, g, exponent = _evaluated(target, layers, x)
    exact = [[_dyadic(v, exponent) for v in values.tolist()] for values in (f, g)]
    return exact[0], exact[1]


def _evaluated(
    target: Target, layers: Sequence[Collapsed], x: Floats
) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Both outputs at x as integers times 2^exponent."""
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
    return f, g, exponent
