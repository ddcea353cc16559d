"""What the property tests share: a share of the profile's examples, small integer networks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket import Ball, Box, Target, Ticket
from strongticket.testing import oracles
from strongticket.verify import collapse

Ints = NDArray[np.int64]


def share(part: float) -> settings:
    """A part of the examples of the profile in force, so that a larger profile means more."""
    return settings(max_examples=max(1, round(settings().max_examples * part)))


@st.composite
def one_hidden_layer(
    draw: st.DrawFn, most: int = 10, points: int = 4
) -> tuple[Ints, Ints, Ints, Ints]:
    """Integers (W (k, d), u (k,), X (m, d), y (m,)) with at most `most` weights k d + k."""
    d = draw(st.integers(1, 3))
    k = draw(st.integers(1, most // (d + 1)))
    m = draw(st.integers(1, points))
    small = st.integers(-4, 4)

    def array(*shape: int) -> Ints:
        count = int(np.prod(shape))
        flat = draw(st.lists(small, min_size=count, max_size=count))
        return np.array(flat, np.int64).reshape(shape)

    return array(k, d), array(k), array(m, d), array(m)


def all_bits(n: int) -> Ints:
    """All masks of n weights in the order of their numbers, (2^n, n)."""
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1


def losses(errors: Ints) -> dict[str, Ints]:
    """Exact losses of integer errors (..., m), each times m or m^0."""
    size = np.abs(errors)
    return {"absolute": size.sum(-1), "squared": (size * size).sum(-1), "worst": size.max(-1)}


def masked_outputs(w: Ints, u: Ints, x: Ints, bits: Ints) -> Ints:
    """Outputs (masks, m) of one-hidden-layer networks whose k d + k weights are masked by bits."""
    k, d = w.shape
    first = bits[:, : k * d].reshape(-1, k, d) * w
    hidden = np.maximum(np.einsum("skd,md->smk", first, x), 0)
    found: Ints = np.einsum("smk,sk->sm", hidden, bits[:, k * d :] * u)
    return found


def effective(ticket: Ticket) -> list[tuple[Any, Any, Any]]:
    """(W+, W-, b) of every collapsed layer as object arrays of fractions."""
    found = []
    for layer in collapse(ticket):
        unit = Fraction(2) ** layer.exponent
        found.append(tuple(a.astype(object) * unit for a in (layer.plus, layer.minus, layer.bias)))
    return found


def two_signed(layers: Sequence[tuple[Any, Any, Any]], x: Sequence[Any]) -> list[Fraction]:
    """Outputs of layers W+ max(y, 0) + W- min(y, 0) + b with ReLU between, exactly."""
    y = np.array([oracles.exact(v) for v in x], object)
    for i, (plus, minus, bias) in enumerate(layers):
        y = plus.dot(np.maximum(y, 0)) + minus.dot(np.minimum(y, 0)) + bias
        if i < len(layers) - 1:
            y = np.maximum(y, 0)
    return list(y)


def distance(target: Target, ticket: Ticket, x: Sequence[Any]) -> Fraction:
    """The exact distance at x: largest coordinate on a box, its *square* in 2-norm on a ball."""
    f = oracles.forward(oracles.layers_of(target), x)
    g = oracles.forward(oracles.layers_of(ticket), x)
    gaps = [abs(a - b) for a, b in zip(f, g, strict=True)]
    if isinstance(target.domain, Box):
        return max(gaps)
    assert isinstance(target.domain, Ball)
    return sum((gap * gap for gap in gaps), Fraction(0))
