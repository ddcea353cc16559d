"""Strategies for targets, the domains on which they count, and inputs inside them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.targets import Ball, Box, Domain, Target
from strongticket.testing._networks import architectures as _architectures
from strongticket.testing._numbers import Strategy, dyadics

_STEPS = 1 << 10


def domains(kind: type[Box] | type[Ball] | None = None, *, radius: float = 2.0) -> Strategy[Domain]:
    """Boxes and balls within `radius`; shrinks towards ``Ball(0.0)``.

    Args:
        kind: `Box` or `Ball`; None for both.
        radius: the largest absolute coordinate, at least 1/8.
    """
    if not (math.isfinite(radius) and radius >= 0.125):
        raise InputError(f"domains needs a finite radius >= 1/8, got {radius!r}")
    ends = dyadics(-radius, radius, exponent=-3)
    boxes = st.tuples(ends, ends).map(lambda pair: Box(min(pair), max(pair)))
    balls = dyadics(0.0, radius, exponent=-3).map(Ball)
    if kind is Box:
        return boxes
    if kind is Ball:
        return balls
    if kind is None:
        return st.one_of(balls, boxes)
    raise InputError(f"domains knows Box and Ball, got {kind!r}")


def targets(
    domain: Domain | Strategy[Domain] | None = None,
    *,
    architectures: Strategy[MLP] | None = None,
    largest: float = 1.0,
    exponent: int = -8,
) -> Strategy[Target]:
    """Small ReLU targets on a domain; shrinks towards one weight of 0.

    Args:
        domain: a `Box`, a `Ball`, or a strategy for either; None: `domains()`.
        architectures: what to draw the architecture from; None: `architectures(max_width=3)`.
        largest: the largest absolute weight or bias.
        exponent: weights are multiples of 2^exponent; at most 24 bits of them.
    """
    where = (
        domains()
        if domain is None
        else (st.just(domain) if isinstance(domain, (Box, Ball)) else domain)
    )
    if not largest >= 2.0**exponent or math.ldexp(largest, -exponent) > 1 << 24:
        raise InputError(
            f"targets needs a largest weight between 2^exponent and 2^(exponent + 24), got "
            f"{largest!r} with exponent {exponent!r}"
        )
    shapes = _architectures(max_width=3) if architectures is None else architectures
    return _targets(where, shapes, dyadics(-largest, largest, exponent=exponent))


@st.composite
def _targets(
    draw: st.DrawFn, domains: Strategy[Domain], shapes: Strategy[MLP], weights: Strategy[float]
) -> Target:
    architecture = draw(shapes)

    def array(*shape: int) -> NDArray[np.float32]:
        count = math.prod(shape)
        flat = draw(st.lists(weights, min_size=count, max_size=count))
        return np.array(flat, np.float32).reshape(shape)

    layers = []
    for i, biased in enumerate(architecture.biases):
        d_in, d_out = architecture.widths[i : i + 2]
        layers.append((array(d_out, d_in), array(d_out) if biased else None))
    return Target(layers, draw(domains))


def inputs(domain: Domain, width: int) -> Strategy[NDArray[np.float64]]:
    """Points of a domain, float64 (width,), inside it exactly; its ends and axes are reached.

    Shrinks towards the point nearest to 0.

    Args:
        domain: a `Box` or a `Ball`.
        width: the number of coordinates, at least 1.
    """
    if not isinstance(domain, (Box, Ball)) or width < 1:
        raise InputError(
            f"inputs needs a Box or a Ball and a width >= 1, got {domain!r}, {width!r}"
        )
    if isinstance(domain, Ball):
        step = st.integers(-_STEPS, _STEPS)
        axes = st.builds(
            lambda i, end: [end * (i == j) for j in range(width)],
            st.integers(0, width - 1),
            st.sampled_from((_STEPS, -_STEPS)),
        )
        steps = st.one_of(st.lists(step, min_size=width, max_size=width), axes)
        return steps.map(lambda found: _in_ball(found, domain.radius))
    start = min(max(0.0, domain.low), domain.high)
    below = st.integers(0, _STEPS).map(lambda k: _between(start, domain.low, k))
    above = st.integers(0, _STEPS).map(lambda k: _between(start, domain.high, k))
    return st.lists(st.one_of(above, below), min_size=width, max_size=width).map(np.array)


def _between(start: float, end: float, k: int) -> float:
    """The k-th of 1,024 steps from `start` to `end`, both ends exact and nothing outside."""
    value = start + (end - start) * (k / _STEPS) if k < _STEPS else end
    return min(max(value, min(start, end)), max(start, end))


def _in_ball(steps: list[int], radius: float) -> NDArray[np.float64]:
    """Steps of radius / 1,024 along each axis, drawn in to the ball where they leave it."""
    square = sum(k * k for k in steps)
    if square > _STEPS * _STEPS:
        root = math.isqrt(square) + 1
        steps = [(abs(k) * _STEPS // root) * (1 if k > 0 else -1) for k in steps]
    point = np.array([radius * (k / _STEPS) for k in steps])
    while sum(Fraction(v) ** 2 for v in point.tolist()) > Fraction(radius) ** 2:
        point = np.nextafter(point, 0.0)
    return point
