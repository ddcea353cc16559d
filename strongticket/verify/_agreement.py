r"""Where a ticket predicts what its target predicts, proved.

The prediction is the output with the largest value. Two proofs, which say different things:

- *By the bound*: if every output of g is within b of f's, and f's best output at x leads all others
  by more than 2 b, then g's best output is the same one (on a ball, where b bounds the Euclidean
  norm of all errors together, a lead of more than :math:`\sqrt2 b` is enough). With a radius r
  that holds for all x' of the domain with :math:`|x' - x|_\infty \le r`, where f's lead over the
  other outputs is bounded from below by how far its neurons may move.
- *At the points*: f and g are evaluated at x itself. That is sharper and says nothing about any
  other input.

Floats evaluate both networks with a bound of their roundings; what that leaves open is evaluated in
integers, so an answer is never a matter of rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket.errors import InputError
from strongticket.targets import Box, Target
from strongticket.verify._attack import outputs
from strongticket.verify._certificate import Certificate
from strongticket.verify._collapse import Collapsed
from strongticket.verify._norms import GROW, Floats, gamma
from strongticket.verify._propagate import _common, root_up

_BATCH = 1024


@dataclass(frozen=True, eq=False)
class Agreement:
    """What was proved of each of N inputs.

    `by_bound` (N,): the same prediction on all of the domain within `radius` of the input, by the
    certificate's bound. `at_points` (N,): the same prediction at the input itself.
    """

    by_bound: NDArray[np.bool_]
    at_points: NDArray[np.bool_]
    radius: float

    @property
    def certified(self) -> float:
        """The fraction of inputs that the certificate's bound settles."""
        return float(self.by_bound.mean())

    @property
    def agreeing(self) -> float:
        """The fraction of inputs at which both networks were evaluated and agree."""
        return float(self.at_points.mean())

    def __repr__(self) -> str:
        around = f" within {self.radius:g} of each" if self.radius else ""
        return (
            f"Agreement(certified={self.certified:.4f}{around}, agreeing={self.agreeing:.4f}, "
            f"inputs={len(self.by_bound)})"
        )


def agreement(certificate: Certificate, inputs: ArrayLike, *, radius: float = 0.0) -> Agreement:
    """Certified agreement of predictions on inputs (N, d_0), each with a box of `radius` around it.

    Inputs outside the certificate's domain raise InputError; of the box, the part in the domain
    counts. An output that ties for the largest is no prediction, so it never agrees.
    """
    target, layers = certificate.target, certificate.layers
    x = np.asarray(inputs, np.float64)
    if x.ndim != 2 or x.shape[1] != target.widths[0] or not len(x):
        raise InputError(
            f"inputs must be an array of shape (N, {target.widths[0]}), N >= 1, got {x.shape}"
        )
    if target.widths[-1] < 2:
        raise InputError("a prediction needs two outputs or more, the target has one")
    if not (np.isfinite(radius) and radius >= 0):
        raise InputError(f"radius must be finite and >= 0, got {radius!r}")
    outside = ~_inside(target, x)
    if outside.any():
        raise InputError(
            f"{int(outside.sum())} of {len(x)} inputs, the first of them number "
            f"{int(outside.argmax())}, are not in the domain {target.domain}"
        )
    pair = _Pair(target, layers)
    with np.errstate(all="ignore"):  # what overflows is settled in integers, or not at all
        parts = (x[i : i + _BATCH] for i in range(0, len(x), _BATCH))
        found = [pair.settle(part, radius, certificate) for part in parts]
    by_bound, at_points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Agreement(by_bound, at_points, float(radius))


def _inside(target: Target, x: Floats) -> NDArray[np.bool_]:
    domain = target.domain
    if isinstance(domain, Box):
        return np.asarray(((x >= domain.low) & (x <= domain.high)).all(1))
    square = Fraction(domain.radius) ** 2
    x = np.where(np.isfinite(x), x, np.inf)
    near = np.sqrt((x * x).sum(1)) * GROW <= domain.radius
    for i in np.flatnonzero(~near & np.isfinite(x).all(1)):
        near[i] = sum(Fraction(float(v)) ** 2 for v in x[i]) <= square
    return np.asarray(near)


class _Pair:
    """f and g in float64, with bounds of what float64 rounds."""

    def __init__(self, target: Target, layers: Sequence[Collapsed]) -> None:
        self.target, self.layers = target, layers
        self.f: list[tuple[Floats, Floats, Floats]] = []
        self.g: list[tuple[Floats, Floats, Floats]] = []
        for i, layer in enumerate(layers):
            w, plus, minus, b, b_hat, grid = _common(target, layer, i)
            f = [np.ldexp(a.astype(np.float64), grid) for a in (w, b, plus, minus, b_hat)]
            self.f.append((f[0], f[0], f[1]))
            self.g.append((f[2], f[3], f[4]))

    def settle(
        self, x: Floats, radius: float, certificate: Certificate
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """By the bound, and at the points."""
        f, f_error = _run(self.f, x)
        g, g_error = _run(self.g, x)
        best, lead, most = _lead(f, f_error)
        best_g, lead_g, _ = _lead(g, g_error)
        # Where floats settle neither lead nor tie, integers do.
        same = (best == best_g) & (lead > 0) & (lead_g > 0)
        clear = (lead > 0) & (lead_g > 0)
        need = _need(certificate)
        moved = self._moved(x, radius, best) if radius else 0.0
        left = np.nextafter(lead - moved, -np.inf)
        by_bound = _above(left, need)
        # What is no number, where floats overflow, is settled in integers too.
        close = (_above(most, need) | ~np.isfinite(most)) & ~by_bound & (radius == 0)
        for i in np.flatnonzero(~clear | close):
            exact_f, exact_g = outputs(self.target, self.layers, x[i])
            first, ahead = _exact_lead(exact_f)
            second, ahead_g = _exact_lead(exact_g)
            same[i] = first == second and ahead > 0 and ahead_g > 0
            if not radius:
                by_bound[i] = ahead > need
        return by_bound, same

    def _moved(self, x: Floats, radius: float, best: NDArray[np.int64]) -> Floats:
        """At least how much of its lead the best output may lose within `radius` of x."""
        far = np.full(x.shape, radius)
        y, error = x, np.zeros_like(x)
        for i, (w, _, b) in enumerate(self.f):
            terms = 1 + gamma(w.shape[1])
            if i == len(self.f) - 1:
                worst = np.zeros(len(x))
                for k in range(len(w)):
                    change = np.abs(w[best] - w[k]) * (1 + 2.0**-50)
                    worst = np.maximum(worst, (change * far).sum(1))
                return worst * terms * GROW
            z, error = _affine(w, w, b, y, error)
            far = far @ np.abs(w).T * terms * GROW
            far = np.where(z + error + far <= 0, 0.0, far)  # off all around
            y = np.maximum(z, 0.0)
        raise AssertionError("a target has a layer")


def _run(layers: Sequence[tuple[Floats, Floats, Floats]], x: Floats) -> tuple[Floats, Floats]:
    """Outputs, and bounds of their errors."""
    y, error = x, np.zeros_like(x)
    for i, (plus, minus, b) in enumerate(layers):
        y, error = _affine(plus, minus, b, y, error)
        if i < len(layers) - 1:
            y = np.maximum(y, 0.0)
    return y, error


def _affine(
    plus: Floats, minus: Floats, b: Floats, y: Floats, error: Floats
) -> tuple[Floats, Floats]:
    on, off = np.maximum(y, 0.0), np.minimum(y, 0.0)
    signed = bool((off < 0).any())
    z = on @ plus.T + (off @ minus.T if signed else 0.0) + b
    size = np.abs(plus) if not signed else np.maximum(np.abs(plus), np.abs(minus))
    reach = (np.abs(y) + error) @ size.T + np.abs(b)
    # Products, and weights, that underflow.
    tiny = (
        2.0**-1000 * (1 + (np.abs(y) + error).sum(1, keepdims=True)) * bool(plus.any() or b.any())
    )
    return z, (error @ size.T + 2 * gamma(2 * plus.shape[1]) * reach) * GROW + tiny


def _lead(y: Floats, error: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The largest output, and bounds of its distance to all others, from below and from above."""
    best = y.argmax(1)
    rows = np.arange(len(y))
    gaps = y[rows, best][:, None] - y
    size = np.abs(y) + error
    off = error[rows, best][:, None] + error
    off = off + (size[rows, best][:, None] + size) * 2.0**-50  # what these lines round
    gaps[rows, best] = np.inf
    return best, (gaps - off).min(1), (gaps + off).min(1)


def _need(certificate: Certificate) -> Fraction:
    """A lead above this is lost by no errors within the bound b: 2 b; on a ball sqrt(2) b.

    There the errors' Euclidean norm is at most b, and e_k - e_j at most sqrt(2) times that.
    """
    if isinstance(certificate.target.domain, Box):
        return 2 * certificate.exact_bound
    return root_up(2 * certificate.exact_bound**2)


def _above(values: Floats, need: Fraction) -> NDArray[np.bool_]:
    """Which numbers are larger, exactly; infinities and what is no number are not."""
    return np.array([math.isfinite(v) and Fraction(v) > need for v in values.tolist()], np.bool_)


def _exact_lead(values: list[Fraction]) -> tuple[int, Fraction]:
    order = sorted(range(len(values)), key=values.__getitem__)
    return order[-1], values[order[-1]] - values[order[-2]]
