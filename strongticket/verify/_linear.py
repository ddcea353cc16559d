r"""Differential linear relaxation: one affine form for every difference, from the inputs on.

With the notation of `_propagate`, let z and :math:`\Delta z` of a layer be affine forms of the
inputs and of earlier remainders. Behind the ReLU

.. math:: h = \sigma(z) = a z + p,\qquad
          \Delta h = \sigma(z + \Delta z) - \sigma(z) = \lambda \Delta z + r,

with (a, p) = (1, 0) or (0, 0) where z keeps its sign, :math:`(\lambda, r)` likewise where z and
:math:`z + \Delta z` both keep one sign, the same. Elsewhere a is about u / (u - l), and convexity
gives :math:`0 \le p \le \max(-a l, (1 - a) u)` for z in [l, u]; :math:`\Delta h` lies between 0 and
:math:`\Delta z`, so with :math:`\lambda = 1/2`

.. math:: |r| \le |\Delta z| / 2, \qquad 0 \le p \le \max(a, 1 - a) |z| .

`LINEAR` bounds every remainder on its own, by its interval. That allows all 500 remainders of a
layer their largest values at one input, which no input can give them: :math:`\Delta z = E x + c`
is a vector of Euclidean norm at most :math:`\|E\|_2 \|x\|_2 + \|c\|_2`. `SPECTRAL` adds this: by
Cauchy-Schwarz, with any positive weights s,

.. math:: \sum_i u_i r_i \le \tfrac12 \sum_i |u_i c_i|
    + \tfrac12 \|u s\|_2 \cdot \|\mathrm{diag}(1/s) E\|_2 \cdot \|x\|_2,

the norm of the matrix proved by a Cholesky factor (`_norms`); on each set of coordinates the better
of the two bounds is taken. It is the eigenvalue bound of the bilinear form
:math:`\sup_{|\theta| \le 1} \sum_i \theta_i u_i (E x)_i`, which the ReLU's unknown phases make of a
difference. On a Ball all linear forms have Euclidean norms as their suprema.

All of it is in floats, every rounding covered by a bound of it (`_affine`), and the last result
is rounded up with room for the roundings of a checker, which works in integers.

Source: lambda = 1/2 and the interval remainder are the differential relaxation of Paulsen et al.
(NeuroDiff, ASE 2020); the spectral bound is ours, docs/certificates.md has its proof.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.targets import Ball, Domain, Target
from strongticket.verify._affine import (
    Form,
    Group,
    SignedBall,
    SignedBox,
    Unknowns,
    add,
    linear,
    speck,
    start,
)
from strongticket.verify._align import Aligned, align
from strongticket.verify._collapse import Collapsed
from strongticket.verify._norms import GROW, Floats, gamma
from strongticket.verify._propagate import LayerError, Method, Proved, _errors, _step

ROOM = 1 + 2.0**-28  # of the bound, for the roundings of whoever checks it
SLOPES = 1 << 10  # slopes are multiples of 1 / SLOPES
_INACTIVE, _ACTIVE, _UNSTABLE = 0, 1, 2
Ints = NDArray[np.int64]


def linear_relaxation(target: Target, layers: Sequence[Collapsed]) -> Proved:
    """Every remainder bounded by its own interval (a zonotope of the pair)."""
    return _relax(target, layers, spectral=False)


def spectral_relaxation(target: Target, layers: Sequence[Collapsed]) -> Proved:
    """The remainders of a layer bounded together too, by spectral norms."""
    return _relax(target, layers, spectral=True)


LINEAR: Method = linear_relaxation
SPECTRAL: Method = spectral_relaxation


def _relax(target: Target, layers: Sequence[Collapsed], spectral: bool) -> Proved:
    with np.errstate(all="ignore"):  # what overflows is refused at the end
        pair = _Pair(target, layers, spectral)
        bound = pair.bound() * ROOM
    if not np.isfinite(bound):
        raise InputError(
            "the linear relaxation computes in floats, and this target's weights or domain are too "
            "large, or too small, for them; use method=DIFFERENTIAL_INTERVAL or WEIGHT_ERROR"
        )
    return Proved(Fraction(bound), tuple(pair.steps), {"layers": pair.witness})


@dataclass(frozen=True)
class _Phases:
    """Of each neuron, whether it keeps its sign, and the factor of the linear part."""

    codes: Ints
    factors: Floats

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Where a remainder is needed."""
        return np.asarray(self.codes == _UNSTABLE)


class _Pair:
    """Target and ticket side by side: forms of z and of delta z, layer after layer."""

    def __init__(self, target: Target, layers: Sequence[Collapsed], spectral: bool) -> None:
        self.domain, self.spectral = target.domain, spectral
        self.groups: list[Unknowns] = []
        self.steps: list[LayerError] = []
        self.witness: list[dict[str, Any]] = []
        pairs = align(target, layers)
        x = delta = None
        for i, at in enumerate(pairs):
            signed = i == 0 and not self.domain.nonnegative
            errors, bias_error = _errors(at, signed), at.b_hat - at.wanted_bias
            step = _step(errors, bias_error, at.exponent, Fraction(0))
            self.steps.append(replace(step, deviation=None))
            plus = _floats(at.plus - at.wanted, at.exponent)
            minus = _floats(at.minus - at.wanted, at.exponent) if signed else plus
            w, b = _floats(at.w, at.exponent), _floats(at.b, at.exponent)
            bias = _floats(bias_error, at.exponent)
            if x is None or delta is None:
                self.groups, centre = _inputs(self.domain, target.widths[0])
                dz, z = (
                    self._first(p, m, c, centre) for p, m, c in ((plus, minus, bias), (w, w, b))
                )
            else:
                carry = _floats(at.carry, at.exponent)
                passed, new = (linear(m, y, self.groups) for m, y in ((carry, delta), (plus, x)))
                dz = add(passed, new, self.groups)
                dz = self._shifted(dz, bias)
                if i < len(pairs) - 1:
                    z = self._shifted(linear(w, x, self.groups), b)
            if i < len(pairs) - 1:
                x, delta = self._through_relu(at, z, dz)
        self.output = dz

    def bound(self) -> float:
        """Above the largest distance of the outputs, in the domain's norm."""
        low, high = self.output.bounds(self.groups)
        size = np.maximum(np.abs(low), np.abs(high))
        if not isinstance(self.domain, Ball):
            return float(size.max())
        each = _norm(size)
        if not self.spectral:
            return each
        radius, norms = self._radius(self.output.parts, self.output.noise)
        self.witness.append({"norms": [norm.hex() for norm in norms]})
        return min(each, (_norm(self.output.core(self.groups)) + radius) * GROW)

    def _first(self, plus: Floats, minus: Floats, bias: Floats, centre: float) -> Form:
        if isinstance(self.groups[0], Group):
            constant, part = plus.sum(1) * centre, plus
        else:
            constant, part = np.zeros(len(bias)), np.hstack([plus, minus])
        form = start(constant, part, np.zeros(len(bias)))
        rounded = np.abs(plus).sum(1) * (abs(centre) * GROW) + form.reach(self.groups)
        slack = rounded * gamma(plus.shape[1]) * GROW
        if part.any():
            slack = slack + speck(self.groups)
        return self._shifted(replace(form, slack=slack), bias)

    def _shifted(self, form: Form, bias: Floats) -> Form:
        error = (np.abs(form.constant) + np.abs(bias)) * 2.0**-50
        return replace(form, constant=form.constant + bias, slack=(form.slack + error) * GROW)

    def _through_relu(self, at: Aligned, z: Form, dz: Form) -> tuple[Form, Form]:
        """The forms of h and of delta h, with two groups of unknowns more: their remainders."""
        zlow, zhigh = z.bounds(self.groups)
        dlow, dhigh = dz.bounds(self.groups)
        of_h = _phases(zlow, zhigh, _slopes(zlow, zhigh))
        low, high = zlow, zhigh
        if at.copy_of is not None:
            low, high = (np.append(ends, 1.0)[at.copy_of] for ends in (zlow, zhigh))
        of_delta = _phases(
            np.minimum(low, low + dlow), np.maximum(high, high + dhigh), np.full(len(low), 0.5)
        )
        a = of_h.factors
        gap = np.maximum(-a * zlow, (1 - a) * zhigh) * GROW
        half = np.maximum(-dlow, dhigh) * 0.5
        at_h = self._ellipsoid(z, of_h, np.maximum(a, 1 - a))
        at_delta = self._ellipsoid(dz, of_delta, of_delta.factors)
        most_h = np.where(of_h.unstable, gap, 0.0)
        most = np.where(of_delta.unstable, half, 0.0)
        self.witness.append({"target": _pack(of_h, at_h), "difference": _pack(of_delta, at_delta)})
        h = z.times(a, self.groups)
        delta = dz.times(of_delta.factors, self.groups)
        self.groups += [
            Group(np.zeros(len(gap)), most_h, at_h.core, at_h.scale, at_h.radius),
            Group(-most, most, at_delta.core, at_delta.scale, at_delta.radius),
        ]
        h = _with_last(h.padded(self.groups[:-1]), of_h.unstable).padded(self.groups)
        return h, _with_last(delta.padded(self.groups), of_delta.unstable)

    def _ellipsoid(self, form: Form, phases: _Phases, share: Floats) -> _Ellipsoid:
        """|remainder| <= share |form| on the unstable neurons, by norms of the form's parts."""
        share = np.where(phases.unstable, share, 0.0)
        if not self.spectral or not phases.unstable.any():
            none, radius = np.zeros(len(share)), 0.0 if self.spectral else np.inf
            return _Ellipsoid(none, none, radius, none.astype(np.int64), ())
        parts = [np.where(phases.unstable[:, None], part, 0.0) for part in form.parts]
        weight = self._weights(parts)
        inverse = np.ldexp(1.0, -weight)
        noise = [np.where(phases.unstable, off, 0.0) * inverse for off in form.noise]
        radius, norms = self._radius([part * inverse[:, None] for part in parts], noise)
        core = form.core(self.groups) * share * GROW
        return _Ellipsoid(core, share * np.ldexp(1.0, weight), radius, weight, norms)

    def _weights(self, parts: Sequence[Floats]) -> Ints:
        """Exponents of s: about the size of each row, so that no row decides the norm alone."""
        square = np.zeros(len(parts[0]))
        for part, group in zip(parts, self.groups, strict=True):
            scale = group.scale * group.radius if isinstance(group, Group) else group.size
            square += ((part * scale) ** 2).sum(1)
        top = square.max(initial=0.0)
        square = np.maximum(square, top * 2.0**-60) if top > 0 else np.ones(len(square))
        return np.clip(np.rint(np.log2(square) / 2), -900, 900).astype(np.int64)

    def _radius(
        self, parts: Sequence[Floats], noise: Sequence[Floats]
    ) -> tuple[float, tuple[float, ...]]:
        """At least the norm of the sum of all parts, and the norms of which it is made."""
        three = zip(parts, noise, self.groups, strict=True)
        norms = tuple(group.norm(part, off) for part, off, group in three)
        reach = (
            norm * group.radius for norm, group in zip(norms, self.groups, strict=True) if norm
        )
        return float(sum(reach)) * GROW, norms


@dataclass(frozen=True)
class _Ellipsoid:
    """|v_i| <= core_i + |e_i| with norm of e / scale at most radius, and how that was found."""

    core: Floats
    scale: Floats
    radius: float
    weight: Ints
    norms: tuple[float, ...]


def _inputs(domain: Domain, width: int) -> tuple[list[Unknowns], float]:
    """The inputs as a group of unknowns around a centre."""
    if isinstance(domain, Ball):
        if domain.radius:
            return [SignedBall(domain.radius, width)], 0.0
        none = np.zeros(width)
        return [Group(none, none, none, none + 1, 0.0)], 0.0
    if not domain.nonnegative:
        return [SignedBox(domain.low, domain.high, width)], 0.0
    centre = domain.low + (domain.high - domain.low) / 2
    reach = max(domain.high - centre, centre - domain.low)
    reach = float(np.nextafter(reach, np.inf)) if reach else 0.0
    ends = np.full(width, reach)
    group = Group(-ends, ends, np.zeros(width), np.ones(width), _norm(ends))
    return [group], centre


def _slopes(low: Floats, high: Floats) -> Floats:
    """About u / (u - l), the slope of the line over the ReLU's graph, as a short number."""
    wide = high - low
    share = np.divide(high, wide, out=np.zeros_like(high), where=wide > 0)
    return np.asarray(np.clip(np.rint(share * SLOPES), 0, SLOPES) / SLOPES)


def _phases(low: Floats, high: Floats, factors: Floats) -> _Phases:
    codes = np.where(low >= 0, _ACTIVE, np.where(high <= 0, _INACTIVE, _UNSTABLE))
    return _Phases(codes, np.where(codes == _UNSTABLE, factors, codes.astype(np.float64)))


def _with_last(form: Form, where: NDArray[np.bool_]) -> Form:
    """The form with unknown k of the last group added to row k, where it is one."""
    return replace(form, parts=(*form.parts[:-1], np.diag(where.astype(np.float64))))


def _floats(ints: NDArray[Any], exponent: int) -> Floats:
    """Integers times 2^exponent, each rounded once; infinite, so refused, where floats end."""
    try:
        found: Floats = np.ldexp(ints.astype(np.float64), exponent)
    except OverflowError:
        return np.full(ints.shape, np.inf)
    if (np.abs(found[ints != 0]) < 2.0**-1000).any():
        return np.full(ints.shape, np.inf)
    return found


def _norm(vector: Floats) -> float:
    """At least the Euclidean norm."""
    top = float(np.abs(vector).max(initial=0.0))
    if top == 0:
        return 0.0
    unit = vector / top
    return top * math.sqrt(float((unit * unit).sum())) * GROW


def _pack(phases: _Phases, at: _Ellipsoid) -> dict[str, Any]:
    return {
        "phases": phases.codes.tolist(),
        "slopes": np.rint(phases.factors * SLOPES).astype(np.int64).tolist(),
        "weights": at.weight.tolist(),
        "norms": [norm.hex() for norm in at.norms],
    }
