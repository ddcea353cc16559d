r"""Lower bounds for fits over fixed features, in rational arithmetic.

For multipliers :math:`\lambda` of the residuals :math:`r = t - Zc` and coefficients in boxes,

.. math:: \mathrm{loss}(r) \ge \langle\lambda, r\rangle - \mathrm{conj}(\lambda)
          \ge \langle\lambda, t\rangle
          - \sum_j \max(l_j g_j, h_j g_j) - \mathrm{conj}(\lambda), \qquad g = Z^\top\lambda,

with conj = 0 where :math:`|\lambda_i| \le 1/N` (mean absolute) or :math:`\sum|\lambda_i| \le 1`
(worst case), and :math:`N\|\lambda\|^2/4` for the mean square. Whatever the multipliers, the bound
holds. Free coefficients need g = 0 exactly: a few multipliers are moved, by an exact solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._integers import Array, common_unit, integers, wide
from strongticket.optimal._losses import Loss
from strongticket.optimal._network import OneHidden
from strongticket.optimal._solve import solve

Floats = NDArray[np.float64]
MOST_FREE = 96  # features; the exact solve takes about a second there
_BITS = 60  # of a multiplier


@dataclass(frozen=True, eq=False)
class Problem:
    """Features and labels as Python integers times one unit each.

    Attributes:
        features: (N, k), times `unit`.
        unit: of the features.
        labels: (N,), less the output's bias, times `label_unit`.
        label_unit: of the labels.
    """

    features: Array
    unit: Fraction
    labels: Array
    label_unit: Fraction

    @classmethod
    def of(cls, network: OneHidden, points: Array, labels: Array) -> Problem:
        """The exact values of all features on a sample."""
        nothing = np.zeros(network.width, np.int64)
        w, uw = integers(network.weights)
        b, ub = integers(nothing if network.bias is None else network.bias)
        c, uc = integers(nothing[:1] if network.output_bias is None else network.output_bias)
        p, up = integers(points)
        t, ut = integers(labels)
        inner = common_unit(uw * up, ub)
        hidden = wide(p) @ wide(w).T * int(uw * up / inner) + wide(b) * int(ub / inner)
        unit = common_unit(ut, uc)
        shifted = wide(t) * int(ut / unit) - wide(c) * int(uc / unit)
        return cls(np.maximum(hidden, 0), inner, shifted, unit)

    def floats(self) -> tuple[Floats, Floats]:
        """Features and labels, rounded."""
        return _rounded(self.features, self.unit), _rounded(self.labels, self.label_unit)

    def loss(self, coefficients: Floats, loss: Loss) -> Fraction:
        """The exact loss of float64 coefficients."""
        c, uc = integers(coefficients)
        made = self.features @ wide(c)
        unit = common_unit(self.unit * uc, self.label_unit)
        residuals = self.labels * int(self.label_unit / unit) - made * int(self.unit * uc / unit)
        return loss.of_measure(loss.measure(residuals), len(residuals), unit)


def lower_bound(
    problem: Problem, loss: Loss, multipliers: Floats, low: Array | None, high: Array | None
) -> Fraction:
    """A rational that no coefficients in [low, high] (None: free) come below; at least 0."""
    largest = float(np.abs(multipliers).max(initial=0.0))
    if not (np.isfinite(multipliers).all() and largest > 0):
        return Fraction(0)
    whole = np.empty(len(multipliers), object)
    whole[:] = [round(Fraction(m / largest) * (1 << _BITS)) for m in multipliers.tolist()]
    # only the direction counts so far: the size is chosen at the end
    if low is None or high is None:
        direction = _orthogonal(problem.features, whole)
        if direction is None:
            return Fraction(0)
        slope = sum((m * t for m, t in zip(direction, problem.labels, strict=True)), Fraction(0))
        slope *= problem.label_unit
    else:
        direction = [Fraction(int(m)) for m in whole]
        pulls = (whole @ problem.features).tolist()
        reach = sum(
            (max(a * g, b * g) for a, b, g in zip(low, high, pulls, strict=True)), Fraction(0)
        )
        slope = Fraction(int(whole @ problem.labels)) * problem.label_unit - reach * problem.unit
    if slope <= 0:
        return Fraction(0)
    count = len(direction)
    if loss is Loss.MEAN_SQUARED:  # max over t of t slope - t^2 N |d|^2 / 4
        return slope * slope / (count * sum(m * m for m in direction))
    if loss is Loss.MEAN_ABSOLUTE:
        return slope / (count * max(abs(m) for m in direction))
    return slope / sum(abs(m) for m in direction)


def _orthogonal(features: Array, multipliers: Array) -> list[Fraction] | None:
    """The multipliers, some of them moved, orthogonal to every feature; None where that fails."""
    from scipy.linalg import qr

    scaled = _rounded(features, Fraction(1, max(1, int(np.abs(features).max(initial=1)))))
    _, upper, columns = qr(scaled, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(upper))
    rank = int((diagonal > 1e-12 * max(float(diagonal.max(initial=0.0)), 1e-300)).sum())
    found = [Fraction(int(m)) for m in multipliers]
    if rank > MOST_FREE or rank >= len(found):
        return None
    if rank:
        chosen = columns[:rank]
        *_, rows = qr(scaled[:, chosen].T, mode="economic", pivoting=True)
        rows = rows[:rank]
        moved = solve(features[np.ix_(rows, chosen)].T, -(multipliers @ features[:, chosen]))
        if moved is None:
            return None
        for i, step in zip(rows.tolist(), moved, strict=True):
            found[i] += step
    if all(m == 0 for m in found):
        return None
    for column in features.T:  # also those that the rounded rank left out
        if sum(m * int(z) for m, z in zip(found, column, strict=True)):
            return None
    return found


def _rounded(values: Array, unit: Fraction) -> Floats:
    flat = [float(int(v) * unit) for v in values.reshape(-1)]
    return np.array(flat, np.float64).reshape(values.shape)
