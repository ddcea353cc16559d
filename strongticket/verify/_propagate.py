r"""Exact error propagation through a target and its collapsed ticket.

f has layers :math:`z_i = W_i x_{i-1} + b_i`, :math:`x_i = \sigma(z_i)`; g has
:math:`\hat W_i, \hat b_i` in their place, and :math:`E_i = \hat W_i - W_i`. With
:math:`\delta_i = \hat x_i - x_i`,

.. math:: \Delta z_i = \hat W_i \delta_{i-1} + E_i x_{i-1} + (\hat b_i - b_i).

Copies. Where each neuron c of the ticket between two blocks stands for a target neuron
:math:`\kappa(c)`, or for the constant 1 (:math:`\kappa(c) = d`), let
:math:`\delta_c = \hat x_c - x_{\kappa(c)}`, with :math:`x_d = 1`. The neuron j of the next block,
whose weights are :math:`\hat u_{jc}` and which stands for a neuron of weights
:math:`w_{\kappa(j)}` and bias :math:`b_{\kappa(j)}` (0 and 1 for the constant, and
:math:`\sigma(1) = 1`), has

.. math::

    \hat z_j - z_{\kappa(j)} = \sum_c \hat u_{jc} (\delta_c + x_{\kappa(c)}) + \hat b_j
    - z_{\kappa(j)} = \sum_c \hat u_{jc} \delta_c
    + \sum_{k < d} \Bigl( \sum_{\kappa(c) = k} \hat u_{jc} - w_{\kappa(j) k} \Bigr) x_k
    + \hat b_j + \sum_{\kappa(c) = d} \hat u_{jc} - b_{\kappa(j)}.

That is the formula above with :math:`\hat W` read off single neurons before :math:`\delta` and
added up over copies in E, the constants in the bias. It is an identity for every :math:`\kappa`:
a wrong one makes a large bound, never a false one. A neuron that nobody reads has
:math:`\hat u_{jc} = 0` for all j, so it is left out of all steps.

All numbers are dyadic: Python integers with one exponent a vector, so nothing is rounded.

Source: differential intervals after ReluDiff (Paulsen et al., ICSE 2020); the weight-error form is
the telescoping of theory E1/E3 with the actual errors, neuron by neuron.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target
from strongticket.verify._align import Aligned, Big, align, target_on_grid
from strongticket.verify._collapse import Collapsed


@dataclass(frozen=True)
class LayerError:
    """What is proved of one layer: largest weight error, and bounds on x and on delta."""

    weight_error: Fraction
    bias_error: Fraction
    deviation: Fraction | None


@dataclass(frozen=True)
class Proved:
    """What a method proves of a target and layers.

    `witness`, plain JSON values, is what `recheck` needs beside the layers (multipliers, say); it
    stands in the file as claim.witness. A method that bounds the outputs alone has None as the
    deviation of every step.
    """

    bound: Fraction
    steps: tuple[LayerError, ...]
    witness: dict[str, Any] | None = None


Method = Callable[[Target, Sequence[Collapsed]], Proved | tuple[Fraction, tuple[LayerError, ...]]]


def differential_interval(
    target: Target, layers: Sequence[Collapsed]
) -> tuple[Fraction, tuple[LayerError, ...]]:
    """Largest absolute output error over a box, by intervals of x and of the difference."""
    if not isinstance(target.domain, Box):
        raise InputError("the differential interval needs a Box; for a Ball use WEIGHT_ERROR")
    low, high, exponent = _box(target.domain, target.widths[0])
    dlow = dhigh = np.zeros(target.widths[0], object)
    steps = []
    for i, at in enumerate(align(target, layers)):
        errors = _errors(at, i == 0 and not target.domain.nonnegative)
        zlow, zhigh = _product(at.w, low, high)
        zlow, zhigh = zlow + (at.b << -exponent), zhigh + (at.b << -exponent)
        # An input of both signs passes through w+ or w-; only the domain's own can be negative.
        elow, ehigh = _two_signed(at.plus - at.wanted, at.minus - at.wanted, low, high)
        plow, phigh = _product(at.carry, dlow, dhigh)
        bias_error = at.b_hat - at.wanted_bias
        dlow = elow + plow + (bias_error << -exponent)
        dhigh = ehigh + phigh + (bias_error << -exponent)
        exponent += at.exponent
        if i < len(layers) - 1:
            one = 1 << -exponent
            ends = at.of_copies(zlow, one), at.of_copies(zhigh, one)
            dlow, dhigh = _through_relu(*ends, dlow, dhigh)
            low, high = np.maximum(zlow, 0), np.maximum(zhigh, 0)
        worst = max((max(abs(a), abs(c)) for a, c in zip(dlow, dhigh, strict=True)), default=0)
        bound = _dyadic(worst, exponent)
        steps.append(_step(errors, bias_error, at.exponent, bound))
    return bound, tuple(steps)


def weight_error(
    target: Target, layers: Sequence[Collapsed]
) -> tuple[Fraction, tuple[LayerError, ...]]:
    r"""Largest output error by absolute sums (box, max norm) or norms (ball, Euclidean norm).

    Box, neuron by neuron: :math:`|\delta_i| \le |\hat W_i| |\delta_{i-1}| + \max(|E^+_i|, |E^-_i|)
    |x_{i-1}| + |\hat b_i - b_i|`. Ball: the same with norms of matrices, each bounded by the
    smaller of its Frobenius norm and :math:`\sqrt{\|\cdot\|_1 \|\cdot\|_\infty}`.
    """
    if isinstance(target.domain, Ball):
        return _weight_error_ball(target, layers)
    low, high, exponent = _box(target.domain, target.widths[0])
    size = np.maximum(np.abs(low), np.abs(high))
    deviation = np.zeros(target.widths[0], object)
    steps = []
    for i, at in enumerate(align(target, layers)):
        error = _errors(at, i == 0 and not target.domain.nonnegative)
        bias_error = np.abs(at.b_hat - at.wanted_bias)
        deviation = np.abs(at.carry).dot(deviation) + error.dot(size) + (bias_error << -exponent)
        if i < len(layers) - 1:
            _, zhigh = _product(at.w, low, high)
            size = high = np.maximum(zhigh + (at.b << -exponent), 0)
            low = np.zeros(len(high), object)
        exponent += at.exponent
        bound = _dyadic(max(deviation.tolist(), default=0), exponent)
        steps.append(_step(error, bias_error, at.exponent, bound))
    return bound, tuple(steps)


def _weight_error_ball(
    target: Target, layers: Sequence[Collapsed]
) -> tuple[Fraction, tuple[LayerError, ...]]:
    assert isinstance(target.domain, Ball)
    size = Fraction(target.domain.radius)
    deviation = Fraction(0)
    steps = []
    for i, at in enumerate(align(target, layers)):
        error = _errors(at, i == 0 and not target.domain.nonnegative)
        bias_error = at.b_hat - at.wanted_bias
        deviation = (
            _norm(error, at.exponent) * size
            + _norm(at.carry, at.exponent) * deviation
            + _norm(bias_error[:, None], at.exponent)
        )
        size = _norm(at.w, at.exponent) * size + _norm(at.b[:, None], at.exponent)
        steps.append(_step(error, bias_error, at.exponent, deviation))
    return deviation, tuple(steps)


DIFFERENTIAL_INTERVAL: Method = differential_interval
WEIGHT_ERROR: Method = weight_error


def root_up(value: Fraction) -> Fraction:
    """An upper bound of a square root, within a factor 1 + 2^-60 for values that are not tiny."""
    import math

    scale = 1 << 128
    return Fraction(math.isqrt(value.numerator * scale // value.denominator + 1) + 1, 1 << 64)


def _norm(matrix: Big, exponent: int) -> Fraction:
    """An upper bound of the spectral norm: exact sums, one root rounded up."""
    size = np.abs(matrix)
    frobenius = sum((size * size).ravel().tolist())
    mixed = max(size.sum(0).tolist(), default=0) * max(size.sum(1).tolist(), default=0)
    least = min(frobenius, mixed)
    return root_up(_dyadic(least, 2 * exponent)) if least else Fraction(0)


def _common(target: Target, layer: Collapsed, i: int) -> tuple[Big, Big, Big, Big, Big, int]:
    """W, W+, W-, b and b-hat of layer i as integers on one grid, and its exponent.

    The ticket's are those of its single neurons: where there are copies, of another shape.
    """
    w, b, grid = target_on_grid(target, i, min(layer.exponent, 0))
    shift = layer.exponent - grid
    plus, minus, b_hat = (a.astype(object) << shift for a in (layer.plus, layer.minus, layer.bias))
    return w, plus, minus, b, b_hat, grid


def _box(domain: Box, width: int) -> tuple[Big, Big, int]:
    ends = np.array([Fraction(domain.low), Fraction(domain.high)])
    bits = max(f.denominator for f in ends).bit_length() - 1
    low, high = (int(f * (1 << bits)) for f in ends)
    return np.full(width, low, object), np.full(width, high, object), -bits


def _product(w: Big, low: Big, high: Big) -> tuple[Big, Big]:
    """The interval of W y for low <= y <= high: (W (l + h) -+ |W| (h - l)) / 2, exactly."""
    centre, spread = w.dot(low + high), np.abs(w).dot(high - low)
    return (centre - spread) >> 1, (centre + spread) >> 1


def _two_signed(plus: Big, minus: Big, low: Big, high: Big) -> tuple[Big, Big]:
    """The interval of sum_k of plus_k y_k (y_k >= 0) or minus_k y_k (y_k < 0)."""
    if (low >= 0).all():
        return _product(plus, low, high)
    at_high = np.where(high >= 0, plus, minus) * high
    at_low = np.where(low >= 0, plus, minus) * low
    lows, highs = np.minimum(at_low, at_high), np.maximum(at_low, at_high)
    zero_inside = (low < 0) & (high > 0)
    lows = np.where(zero_inside, np.minimum(lows, 0), lows)
    highs = np.where(zero_inside, np.maximum(highs, 0), highs)
    return lows.sum(1), highs.sum(1)


def _through_relu(zlow: Big, zhigh: Big, dlow: Big, dhigh: Big) -> tuple[Big, Big]:
    r"""The interval of relu(z + d) - relu(z): exact where both are stable.

    In general the difference lies in [min(d, 0), max(d, 0)], is at least -relu(z) and at most
    relu(z + d); where z >= 0 and z + d >= 0 for all, it is d.
    """
    low = np.maximum(np.minimum(dlow, 0), -np.maximum(zhigh, 0))
    high = np.minimum(np.maximum(dhigh, 0), np.maximum(zhigh + dhigh, 0))
    active = (zlow >= 0) & (zlow + dlow >= 0)
    return np.where(active, dlow, low), np.where(active, dhigh, high)


def _dyadic(value: int, exponent: int) -> Fraction:
    return Fraction(value << exponent) if exponent >= 0 else Fraction(value, 1 << -exponent)


def _errors(at: Aligned, signed: bool) -> Big:
    """|W+ - W|, entry by entry; where inputs have both signs the larger of that and |W- - W|."""
    error: Big = np.abs(at.plus - at.wanted)
    if signed:
        error = np.maximum(error, np.abs(at.minus - at.wanted))
    return error


def _step(error: Big, bias_error: Big, grid: int, deviation: Fraction) -> LayerError:
    worst = max(error.ravel().tolist(), default=0)
    bias = max(np.abs(bias_error).tolist(), default=0)
    return LayerError(_dyadic(worst, grid), _dyadic(bias, grid), deviation)
