r"""Random features: the frozen first layer with free or bounded output coefficients.

A neuron mask turns the output weights u into coefficients that are 0 or :math:`u_j`; so

.. math:: \min_{\text{neuron masks}} \mathrm{loss} \ \ge\
          \min_{c_j \in [\min(0, u_j), \max(0, u_j)]} \mathrm{loss}
          \ \ge\ \min_{c \in \mathbb{R}^k} \mathrm{loss} .

`fit_features` finds the two minima on the right. Solvers give floats; what is reported is the exact
loss of the coefficients that came out, and a lower bound for all others that is proved in rational
arithmetic from the solver's multipliers. `select_neurons` goes the other way: from bounded
coefficients to a mask of a wider network (docs/theorems/proofs.md, "Selecting neurons").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from strongticket.bounds import rational
from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.optimal._feature_bounds import Problem, lower_bound
from strongticket.optimal._integers import Array
from strongticket.optimal._losses import Loss, sample
from strongticket.optimal._network import OneHidden
from strongticket.optimal._optimum import as_float

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureFit:
    """Output coefficients over fixed features, their exact loss, and a bound for all others.

    Attributes:
        coefficients: (k,) float64, within the range that was asked for.
        loss: their exact loss.
        bound: no coefficients within the range have a smaller loss; proved in rationals. At least
            0; it is 0 where nothing better could be proved.
        objective: which loss.
        span: the range of the coefficients, in words.
    """

    coefficients: Floats
    loss: Fraction
    bound: Fraction
    objective: Loss
    span: str

    @property
    def gap(self) -> float:
        """Loss - bound, rounded up."""
        exact = self.loss - self.bound
        return float(np.nextafter(as_float(exact), np.inf)) if exact else 0.0

    def __repr__(self) -> str:
        loss, bound = as_float(self.loss), as_float(self.bound)
        return (
            f"FeatureFit({len(self.coefficients)} coefficients, {self.span}; {self.objective} loss "
            f"{loss:.9g} (exact), no others below {bound:.9g} (proved))"
        )


def feature_values(network: OneHidden | Network, x: object) -> tuple[Array, Fraction]:
    r"""(n, unit): feature j at point i is exactly ``n[i, j] * unit``, n of Python integers (N, k).

    :math:`\phi_j(x) = \max(0, \langle w_j, x \rangle + b_j)`.
    """
    frozen = OneHidden.of(network)
    points = np.asarray(x)
    points, _ = sample(points, np.zeros(len(points)) if points.ndim else 0.0, frozen.inputs)
    problem = Problem.of(frozen, points, np.zeros(len(points), np.int64))
    return problem.features, problem.unit


def fit_features(
    network: OneHidden | Network,
    x: object,
    y: object,
    *,
    loss: Loss | str = Loss.MEAN_SQUARED,
    coefficients: Literal["free", "mask"] | float | Fraction = "free",
) -> FeatureFit:
    r"""The output coefficients of least loss over the frozen features of a network.

    .. math:: \min_c\ \mathrm{loss}\Bigl(y_i - b_{\text{out}} - \sum_j c_j \phi_j(x_i)\Bigr)

    Args:
        network: one hidden ReLU layer, one output; its output bias, if any, stays as it is.
        x: (N, d) inputs, taken for exactly what they are.
        y: (N,) labels.
        loss: "mean absolute", "mean squared" or "worst case" (on the sample).
        coefficients: "free"; "mask" for :math:`c_j \in [\min(0, u_j), \max(0, u_j)]`, the convex
            hull of what neuron masks do; or a number C for :math:`|c_j| \le C`.

    Raises:
        InputError: what does not fit together, a range below 0, a missing solver.
    """
    frozen, wanted = OneHidden.of(network), Loss.named(loss)
    points, labels = sample(x, y, frozen.inputs)
    problem = Problem.of(frozen, points, labels)
    low, high, span = _range(frozen, coefficients)
    made, multipliers = _float_fit(problem, wanted, low, high)
    chosen = np.array([0.0 if not math.isfinite(c) else c for c in made], np.float64)
    if low is not None and high is not None:
        chosen = _within(chosen, low, high)
    exact = problem.loss(chosen, wanted)
    bound = lower_bound(problem, wanted, multipliers, low, high)
    nothing = problem.loss(np.zeros_like(chosen), wanted)
    if nothing < exact:  # 0 lies in every range
        chosen, exact = np.zeros_like(chosen), nothing
    return FeatureFit(chosen, exact, min(bound, exact), wanted, span)


def select_neurons(
    output: object, coefficients: object, *, blocks: float | Fraction, scale: float
) -> NDArray[np.bool_]:
    r"""The neurons that stand for random-feature coefficients: small output weights of their sign.

    With n = `blocks`, s = `scale` and c = `coefficients`, neuron j is kept if

    .. math:: 0 < \operatorname{sgn}(c_j) u_j \le (2 r_j - 1) 2^{-24} s, \qquad
              r_j = \operatorname{round} \bigl(2^{24} \sqrt{|c_j| / (n s)}\bigr) .

    For u uniform on the toolkit's grid in (-s, s) the kept output weights are, in expectation and
    up to the grid, :math:`c_j / n`; so a network of n blocks of features, each with coefficients c,
    is in expectation the mean of the blocks' predictors. Theorem and proof: "Selecting neurons"
    in docs/theorems/proofs.md.

    Args:
        output: (k,) the frozen output weights u.
        coefficients: (k,) c.
        blocks: n, at least 4 max|c| / s.
        scale: s of the law of u.

    Raises InputError where n is too small for a coefficient, and for shapes that do not fit.
    """
    u, c = np.asarray(output, np.float64), np.asarray(coefficients, np.float64)
    if u.ndim != 1 or c.shape != u.shape:
        raise InputError(f"one coefficient an output weight is needed: {u.shape} and {c.shape}")
    if not (np.isfinite(u).all() and np.isfinite(c).all()):
        raise InputError("output weights and coefficients must be finite")
    n, s = float(rational(blocks, "blocks")), float(scale)
    most = float(np.abs(c).max(initial=0.0))
    if not (s > 0 and n > 0 and math.isfinite(s) and 4 * most <= n * s):
        raise InputError(
            f"coefficients up to {most:.6g} need blocks >= 4 max|c| / scale = "
            f"{4 * most / s if s > 0 else math.inf:.6g}, got blocks {n:g} at scale {s:g}"
        )
    steps = np.rint(2.0**24 * np.sqrt(np.abs(c) / (n * s)))
    own = np.sign(c) * u
    return (own > 0) & (own <= (2 * steps - 1) * (s * 2.0**-24))


def _range(network: OneHidden, asked: object) -> tuple[Array | None, Array | None, str]:
    """(low, high, words) as arrays of Fractions, or None twice for free coefficients."""
    if isinstance(asked, str):
        if asked == "free":
            return None, None, "free"
        if asked == "mask":
            u = [Fraction(v) for v in network.output.tolist()]
            low, high = np.empty(len(u), object), np.empty(len(u), object)
            low[:], high[:] = [min(v, Fraction(0)) for v in u], [max(v, Fraction(0)) for v in u]
            return low, high, "each between 0 and its frozen output weight"
        raise InputError(f"coefficients must be 'free', 'mask' or a number, got {asked!r}")
    limit = rational(asked, "coefficients")
    if limit < 0:
        raise InputError(f"coefficients must be 'free', 'mask' or a number >= 0, got {asked!r}")
    high = np.empty(network.width, object)
    high[:] = [limit] * network.width
    return -high, high, f"at most {float(limit):g} in magnitude"


def _within(values: Floats, low: Array, high: Array) -> Floats:
    """The values moved into [low, high], float64 numbers that truly lie there (0 always does)."""
    found = []
    for c, a, b in zip(values.tolist(), low, high, strict=True):
        if not a <= Fraction(c) <= b:
            edge = a if Fraction(c) < a else b
            c = float(edge)
            while abs(Fraction(c)) > abs(edge):
                c = math.nextafter(c, 0.0)
        found.append(c)
    return np.array(found, np.float64)


def _float_fit(
    problem: Problem, loss: Loss, low: Array | None, high: Array | None
) -> tuple[Floats, Floats]:
    """(coefficients, multipliers of the residuals), both only proposals."""
    z, t = problem.floats()
    if loss is Loss.MEAN_SQUARED and low is None:
        found = np.asarray(np.linalg.lstsq(z, t, rcond=None)[0], np.float64)
        return found, t - z @ found
    cp = _cvxpy()
    size = max(float(np.abs(z).max(initial=0.0)), 2.0**-1000)
    unit = max(float(np.abs(t).max()), 2.0**-1000)
    c, limits = cp.Variable(z.shape[1]), []  # in units of unit / size
    if low is not None and high is not None:
        ends = [
            np.array([float(v) for v in end], np.float64) * (size / unit) for end in (low, high)
        ]
        limits = [c >= ends[0], c <= ends[1]]
    residual = t / unit - (z / size) @ c
    if loss is Loss.MEAN_SQUARED:
        cp.Problem(cp.Minimize(cp.sum_squares(residual)), limits).solve(solver=cp.CLARABEL)
        if c.value is None:
            return np.zeros(z.shape[1]), t
        # the residual of coefficients within the range, where they are the better multipliers
        inside = c.value if low is None else np.clip(c.value, ends[0], ends[1])
        return inside * (unit / size), (t / unit - (z / size) @ inside) * unit
    top = cp.Variable() if loss is Loss.WORST_CASE else cp.Variable(len(t))
    sides = [top >= residual, top >= -residual]
    cp.Problem(cp.Minimize(cp.sum(top)), [*sides, *limits]).solve(solver=cp.HIGHS)
    if c.value is None or sides[0].dual_value is None:
        return np.zeros(z.shape[1]), np.zeros(len(t))
    pull = np.asarray(sides[0].dual_value) - np.asarray(sides[1].dual_value)
    return np.asarray(c.value) * (unit / size), pull


def _cvxpy() -> Any:
    try:
        import cvxpy
    except ImportError as error:
        raise InputError(
            "fits other than free least squares need cvxpy, which is missing; install it "
            "(python -m pip install cvxpy highspy), or use loss='mean squared' and "
            "coefficients='free'"
        ) from error
    missing = {"HIGHS", "CLARABEL"} - set(cvxpy.installed_solvers())
    if missing:
        raise InputError(f"cvxpy lacks {', '.join(sorted(missing))}; install them beside it")
    return cvxpy
