r"""What the depth-(L + 1) theorem asks of the random network for one target, layer by layer.

Let :math:`B_l` bound the sum of the activations of layer l and :math:`\alpha_l` the mass of the
selected weights of a row. If every weight of layer l is within eta_l, the output is within
:math:`\sum_l \eta_l (B_{l-1} + 1) \prod_{k>l} \alpha_k` (docs/theorems/proofs-burkholz2022.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from strongticket.bounds import Bound
from strongticket.construct import LayerAccuracy
from strongticket.construct._copies import extended
from strongticket.targets import Box, Target
from strongticket.theorems import _plan
from strongticket.theorems._plan import Norms

KAPPA = sympy.Rational(49, 125)
GRID = Fraction(1, 1 << 24)
UP = 1 + Fraction(1, 1 << 40)

s, eta, delta, W = sympy.symbols("s_l eta_l delta W_1", positive=True)
L, m, g, r, n = sympy.symbols("L m_l g r_l n_l", positive=True, integer=True)
h = sympy.Symbol("h", nonnegative=True)

_COMMON = (
    ("L", "depth of the target"),
    ("delta", "failure probability of the random network, for all targets together"),
    ("h", "step of the grid of the weights: 2^-24, and 0 for the continuous law"),
)
COPIES = Bound(
    r"\rho_{l-1}",
    sympy.log(2 * L * m * (2 * s / eta - 1) ** 2 / delta)
    / -sympy.log(1 - (1 - 12 * h * s / eta) / 4),
    "sufficient",
    domain=(sympy.Le(eta, s), sympy.Lt(12 * h * s, eta), sympy.Le(delta, 1)),
    meanings=(
        ("m_l", "number of subset sums of layer l: rows, copies included, times columns"),
        ("s_l", "scale of the weights of layer l"),
        ("eta_l", "accuracy of every weight of layer l"),
        *_COMMON,
    ),
)
POOL = Bound(
    "N",
    sympy.log(2 * L * g * m * (W / eta - 1) ** 2 / delta)
    / -sympy.log(1 - (KAPPA - 3 * h * W / eta) / 4),
    "sufficient",
    domain=(sympy.Le(eta, W / 2), sympy.Lt(3 * h * W, KAPPA * eta), sympy.Le(delta, 1)),
    meanings=(
        ("m_l", "number of subset sums of layer 1"),
        ("g", "sign groups: 1 where the inputs are non-negative, else 2"),
        ("W_1", "window of targets of the first layer, 3/4 of s_a times s_b"),
        ("eta_l", "accuracy of every weight of layer 1"),
        *_COMMON,
    ),
)
MASS = s * (n / 2 + sympy.sqrt(n * sympy.log(2 * L * r / delta) / 2))
"""What the n weights of a row weigh together, but for a row in 2 L r / delta."""
_DELTA = delta


@dataclass(frozen=True)
class LayerPlan:
    """One target layer and what stands for it.

    Attributes:
        rows, columns: Its size, the constant neuron counted.
        biased: Whether random layer 0 needs biases (first layer only).
        groups: Sign groups (first layer only; elsewhere 1).
        eta: Accuracy of every weight.
        largest: (|value|, what it is) of the largest weight or bias.
        scales: (s_a, s_b) of the first layer, (s,) of every other.
        window: Length of the interval of targets that is served.
        mass: The bound on alpha that the accuracies below rest on; 1 for the first layer.
        count: Hidden neurons an input (first layer), or copies of every neuron below.
    """

    rows: int
    columns: int
    biased: bool
    groups: int
    eta: float
    largest: tuple[float, str]
    scales: tuple[float, ...]
    window: float
    mass: Fraction
    count: int

    @property
    def accuracy(self) -> LayerAccuracy:
        """What the construction aims at."""
        return LayerAccuracy(self.eta)

    @property
    def finer(self) -> Fraction:
        """The accuracy less two grid steps, which rounding a target to the grid may cost."""
        return finer(Fraction(self.eta), self.scales)


def finer(accuracy: Fraction, scales: tuple[float, ...]) -> Fraction:
    """The accuracy less two steps of the grid of products, or of single weights."""
    step = Fraction(1)
    for scale in scales:
        step *= Fraction(scale) * GRID
    return accuracy - 2 * step


@dataclass(frozen=True)
class Layers:
    """What the counts need of a target, or of a shape: sizes, norms, largest weights.

    Attributes:
        rows, columns: Sizes of the layers, the constant neuron counted.
        sums: B_0, ..., B_{L-1}: bounds on the sum of absolute activations, the constant counted.
        row_sums: Bounds on the sum of absolute weights (and the bias) of a row.
        largest: Largest absolute weight or bias of every layer, with its name.
        groups: Sign groups of the first layer.
        biased: Whether random layer 0 needs biases.
        error: What every output may err by.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    sums: tuple[Fraction, ...]
    row_sums: tuple[Fraction, ...]
    largest: tuple[tuple[float, str], ...]
    groups: int
    biased: bool
    error: Fraction

    @property
    def depth(self) -> int:
        """L."""
        return len(self.rows)

    def accuracy(self, layer: int, amplification: Fraction) -> Fraction:
        """eta_l for the product of the masses above the layer.

        The first layer, whose errors are amplified most, may take half of epsilon. Beyond the
        largest weight every accuracy asks for nothing: the empty subset meets it; and a layer
        without inputs, or behind one without weights, is exact whatever its accuracy.
        """
        trivial = Fraction(self.largest[layer][0]) or Fraction(1, 4)
        parts = 1 if self.depth == 1 else 2 * (self.depth - 1) if layer else 2
        share = self.sums[layer] * amplification * parts
        return Fraction(min(self.error / share, trivial)) if share else trivial

    @classmethod
    def of(cls, target: Target, error: Fraction, norms: Norms) -> Layers:
        """The numbers of a target whose output may err by `error` in its domain's norm."""
        layers = extended(target)
        box = isinstance(target.domain, Box)
        inputs = activation_sums(target) if box else None
        sums = []
        for i, (w, b) in enumerate(layers):
            width = target.widths[i]
            size = inputs[i] if inputs else norms.sizes[i] * root_up(width)
            one = w.shape[1] > width if i else b is not None
            sums.append(size + int(one))
        rows = [
            np.abs(np.column_stack([w, b]) if b is not None else w).astype(np.float64)
            for w, b in layers
        ]
        return cls(
            rows=tuple(len(w) for w, _ in layers),
            columns=tuple(w.shape[1] + (b is not None) for w, b in layers),
            sums=tuple(sums),
            row_sums=tuple(max(Fraction(math.fsum(row)) for row in a.tolist()) * UP for a in rows),
            largest=tuple(
                max(*_plan.largest(target, i), _one(len(w) > target.widths[i + 1]))
                for i, (w, _) in enumerate(layers)
            ),
            groups=1 if target.domain.nonnegative else 2,
            biased=layers[0][1] is not None,
            error=error if box else error / root_up(target.widths[-1]),
        )


def activation_sums(target: Target) -> list[Fraction]:
    """Upper bounds on the sum of the absolute inputs of every layer, over a box, by intervals."""
    domain = target.domain
    assert isinstance(domain, Box)
    low = np.full(target.widths[0], domain.low)
    high = np.full(target.widths[0], domain.high)
    found = []
    for w, b in zip(target.weights, target.biases, strict=True):
        size = np.maximum(np.abs(low), np.abs(high))
        found.append(Fraction(math.fsum(size.tolist())) * UP)
        wide, shift = w.astype(np.float64), np.zeros(len(w)) if b is None else b.astype(np.float64)
        plus, minus = np.maximum(wide, 0.0), np.minimum(wide, 0.0)
        # far above the rounding error of a sum of so many terms
        slack = (np.abs(wide) @ size + np.abs(shift)) * ((len(size) + 8) * 2.0**-52) + 2.0**-1000
        high_z = plus @ high + minus @ low + shift + slack
        low_z = plus @ low + minus @ high + shift - slack
        low, high = np.maximum(low_z, 0.0), np.maximum(high_z, 0.0)
    return found


def _one(present: bool) -> tuple[float, str]:
    return (1.0, "the constant 1") if present else (0.0, "")


def root_up(value: int) -> Fraction:
    """A square root, rounded up by a little."""
    return Fraction(math.isqrt(int(value) << 80) + 1, 1 << 40)


def mass(
    scale: float, count: int, columns: int, rows: int, depth: int, delta: Fraction
) -> Fraction:
    """An upper bound on what the weights of every row weigh; `MASS`, rounded up."""
    values = {
        s: _rational(Fraction(scale)),
        n: count * columns,
        r: rows,
        L: depth,
        _DELTA: _rational(delta),
    }
    return Fraction(str(sympy.N(MASS, 40, subs=values))) * UP


def counts(
    layers: Layers,
    delta: Fraction,
    scales: tuple[tuple[float, ...], ...] | None,
    factor: Fraction | None,
    grid: Fraction,
) -> list[LayerPlan]:
    """The plan of every layer, found from the last to the first.

    `factor` None bounds alpha by the mass of all copies, which holds whatever is selected; else
    alpha may be `factor` times the largest row sum, which is read off the ticket afterwards.
    Raises `TooFineError` (with the quotient that is too large) where the grid is too coarse.
    """
    depth, below, found = layers.depth, 1, []
    amplification = Fraction(1)
    for i in reversed(range(depth)):
        most = layers.largest[i]
        accuracy = layers.accuracy(i, amplification)
        copies = below
        if i:
            chosen = scales[i] if scales else (_scale(most[0], accuracy),)
            window = 2 * Fraction(chosen[0])
        else:
            need = max(2 * accuracy, 2 * Fraction(most[0]) + accuracy)
            chosen = scales[0] if scales else _plan.least_scales(need, Fraction(3, 4))
            window = Fraction(3, 4) * Fraction(chosen[0]) * Fraction(chosen[1])
        eta_l = Fraction(_plan.down(accuracy))
        aim = finer(eta_l, chosen) if grid else eta_l
        if grid:
            limit = (1 / (6 * grid) if i else Fraction(49, 125) / (3 * grid)) * (1 - GRID)
            if aim <= 0 or window / aim >= limit:
                raise _too_fine(counts(layers, delta, scales, factor, Fraction(0)), grid)
        sums = copies * layers.rows[i] * layers.columns[i]
        values: dict[str, Any] = {
            "m_l": sums,
            "L": depth,
            "delta": delta,
            "eta_l": min(aim, window / 2),
            "h": grid,
        }
        weight = Fraction(1)
        if i:
            below = max(1, COPIES(s_l=Fraction(chosen[0]), **values))
            count = below
            weight = (
                mass(chosen[0], count, layers.columns[i], copies * layers.rows[i], depth, delta)
                if factor is None
                else factor * layers.row_sums[i]
            )
            amplification *= weight
        else:
            count = max(1, POOL(W_1=window, g=layers.groups, **values))
        found.append(
            LayerPlan(
                rows=layers.rows[i],
                columns=layers.columns[i],
                biased=not i and layers.biased,
                groups=1 if i else layers.groups,
                eta=float(eta_l),
                largest=most,
                scales=chosen,
                window=float(window),
                mass=weight,
                count=count,
            )
        )
    return found[::-1]


class TooFineError(ArithmeticError):
    """The grid is too coarse by `ratio` for the accuracy of a layer, given the masses above."""

    def __init__(self, ratio: Fraction, layer: int, amplification: Fraction) -> None:
        super().__init__(ratio, layer, amplification)
        self.ratio, self.layer, self.amplification = ratio, layer, amplification


def _too_fine(continuous: list[LayerPlan], grid: Fraction) -> TooFineError:
    """How much too fine the worst layer is, by what the continuous law would ask."""
    ratios = []
    for i, plan in enumerate(continuous):
        limit = 1 / (6 * grid) if i else Fraction(49, 125) / (3 * grid)
        ratios.append(Fraction(plan.window) / Fraction(plan.eta) / limit)
    worst = max(range(len(ratios)), key=lambda i: ratios[i])
    above = math.prod((plan.mass for plan in continuous[worst + 1 :]), start=Fraction(1))
    return TooFineError(max(ratios), worst, above)


def _scale(largest: float, accuracy: Fraction) -> float:
    """The least power of two s with largest <= s - eta / 2 and eta <= s."""
    need = max(Fraction(largest) + accuracy / 2, accuracy)
    exponent = math.frexp(float(need))[1]
    return 2.0 ** (exponent if Fraction(2) ** (exponent - 1) < need else exponent - 1)


def _rational(value: Fraction) -> Any:
    return sympy.Rational(value.numerator, value.denominator)
