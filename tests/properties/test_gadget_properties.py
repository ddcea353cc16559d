"""Properties 25 to 31: gadgets collapse to effective weights, exactly."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from property_tools import effective, share, two_signed

from strongticket import (
    Ball,
    Box,
    Mask,
    Network,
    SignedConstant,
    Target,
    Ticket,
    Uniform,
    subsetsum,
)
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.testing import architectures, masks, networks, oracles, targets, two_layer_tickets
from strongticket.verify import collapse

NEAREST = functools.partial(subsetsum.best, backend="numpy")
COORDINATES = st.integers(-64, 64).map(lambda k: Fraction(k, 16))


def points(width: int) -> st.SearchStrategy[list[Fraction]]:
    return st.lists(COORDINATES, min_size=width, max_size=width)


def by_hand(ticket: Ticket) -> tuple[Any, Any, Any]:
    """(W+, W-, b) of a one-pair ticket, summed weight by weight from what is kept."""
    d_in, hidden, d_out = ticket.network.architecture.widths
    layers = oracles.layers_of(ticket)
    (first, shift), (second, _) = layers
    zero = Fraction(0)
    plus, minus = ([[zero] * d_in for _ in range(d_out)] for _ in range(2))
    bias = [zero] * d_out
    for h in range(hidden):
        a = [Fraction(float(v)) for v in first[h]]
        own = zero if shift is None else Fraction(float(shift[h]))
        for j in range(d_out):
            b = Fraction(float(second[j][h]))
            bias[j] += b * max(own, zero)
            for k in range(d_in):
                (plus if a[k] > 0 else minus)[j][k] += b * a[k]
    return np.array(plus, object), np.array(minus, object), np.array(bias, object)


@given(
    two_layer_tickets(max_depth=1).flatmap(
        lambda t: st.tuples(st.just(t), points(t.network.architecture.widths[0]))
    )
)
def test_25_a_pruned_pair_is_two_signed_weights(case: Any) -> None:
    """Property 25: the pair maps y to w+ y for y >= 0 and to w- y for y < 0."""
    ticket, y = case
    plus, minus, bias = by_hand(ticket)
    pruned = oracles.forward(oracles.layers_of(ticket), y)
    assert pruned == two_signed([(plus, minus, bias)], y)
    for mine, theirs in zip((plus, minus, bias), effective(ticket)[0], strict=True):
        assert (mine == theirs).all()


@given(
    two_layer_tickets(max_depth=2).flatmap(
        lambda t: st.tuples(st.just(t), points(t.network.architecture.widths[0]))
    )
)
def test_25_whole_networks_collapse(case: Any) -> None:
    """Property 25, layer after layer."""
    ticket, y = case
    assert oracles.forward(oracles.layers_of(ticket), y) == two_signed(effective(ticket), y)


@given(
    two_layer_tickets(max_depth=1).flatmap(
        lambda t: st.tuples(st.just(t), points(t.network.architecture.widths[0]))
    )
)
def test_26_non_negative_inputs_need_no_negative_group(case: Any) -> None:
    """Property 26: its removal changes nothing where y >= 0, and removes every negative weight."""
    ticket, y = case
    bits = {n: ticket.mask[n].dense().copy() for n in ticket.mask}
    bits["layers.0.weight"] &= ticket.network.weights("layers.0.weight") > 0
    fed = bits["layers.0.weight"].any(1)
    if "layers.0.bias" in bits:
        fed |= bits["layers.0.bias"]
    bits["layers.1.weight"] &= fed
    fewer = Ticket(ticket.network, Mask.dense(bits))
    inside = [abs(v) for v in y]
    before, after = (oracles.forward(oracles.layers_of(t), inside) for t in (ticket, fewer))
    assert before == after
    assert not effective(fewer)[0][1].any()


@share(0.3)
@given(
    architectures(max_depth=2, max_width=3),
    st.sampled_from((Box(0.0, 1.0), Box(-1.0, 1.0), Ball(1.0))),
    st.integers(0, 100),
)
def test_27_a_zero_target_keeps_nothing(shape: Any, domain: Any, seed: int) -> None:
    """Property 27: for w = 0 the empty subset, and output zero; ties go to the empty subset."""
    zeros = [
        (np.zeros((b, a), np.float32), np.zeros(b, np.float32) if biased else None)
        for a, b, biased in zip(shape.widths, shape.widths[1:], shape.biases, strict=False)
    ]
    target = Target(zeros, domain)
    widths, flags = [shape.widths[0]], []
    for a, b, biased in zip(shape.widths, shape.widths[1:], shape.biases, strict=False):
        widths += [4 * (a + biased), b]
        flags += [biased, False]
    network = Network.mlp(widths, laws=Uniform(1.0), seed=seed, biases=flags)
    accuracy = [LayerAccuracy(0.5, 0.5)] * target.depth
    for objective in (NEAREST, functools.partial(subsetsum.sparsest, backend="numpy")):
        assert two_layer(network, target, accuracy, objective=objective).mask.kept == 0
    # products that cancel: the sum 0 has many subsets, and the empty one is taken
    candidates = np.array([[1, -1, 2, -2, 0, 3]]) * (1 + seed)
    assert subsetsum.best(candidates, np.array([0]), backend="numpy").size.tolist() == [0]


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1 << 32), st.data())
def test_28_linear_pairs_are_subset_sums(
    d_in: int, d_out: int, pool: int, seed: int, data: st.DataObject
) -> None:
    """Property 28: entries of (W2 * M2)(W1 * M1) are subset sums over disjoint blocks."""
    network = Network.mlp((d_in, pool * d_in, d_out), laws=Uniform(1.0), seed=seed)
    mask = data.draw(masks(network))
    first = np.zeros((pool * d_in, d_in), np.bool_)
    for k in range(d_in):  # block-diagonal: block k reads input k
        first[k * pool : (k + 1) * pool, k] = True
    second = mask["layers.1.weight"].dense()
    a = np.where(first, network.weights("layers.0.weight"), 0).astype(np.float64)
    b = np.where(second, network.weights("layers.1.weight"), 0).astype(np.float64)
    product = _exact(b) @ _exact(a)
    for j in range(d_out):
        for k in range(d_in):
            block = range(k * pool, (k + 1) * pool)
            terms = [Fraction(b[j, h]) * Fraction(a[h, k]) for h in block if second[j, h]]
            assert product[j, k] == sum(terms, Fraction(0))
    supports = [set(np.flatnonzero(first[:, k])) for k in range(d_in)]
    assert sum(map(len, supports)) == len(set().union(*supports))


def _exact(array: Any) -> Any:
    return np.array([Fraction(float(v)) for v in array.ravel()], object).reshape(array.shape)


def convolve(kernel: Any, image: Any) -> Any:
    """Plain valid cross-correlation: (out, in, s, s) with (in, t, t) -> (out, t-s+1, t-s+1)."""
    s, t = kernel.shape[2], image.shape[1]
    n = t - s + 1
    out = np.zeros((kernel.shape[0], n, n), object)
    for u in range(s):
        for v in range(s):
            out += np.einsum("oi,ixy->oxy", kernel[:, :, u, v], image[:, u : u + n, v : v + n])
    return out


@share(0.5)
@given(two_layer_tickets(max_depth=1, biases=False), st.integers(1, 3), st.integers(0, 1 << 16))
def test_29_a_convolution_of_one_pixel_is_the_dense_gadget(
    ticket: Ticket, side: int, seed: int
) -> None:
    """Property 29: 1 x 1 kernels act on every pixel as the dense pair, and commute with shifts."""
    (first, _), (second, _) = oracles.layers_of(ticket)
    rng = np.random.default_rng(seed)
    image = _exact(rng.integers(-8, 9, (first.shape[1], side + 1, side + 1)))
    expand, combine = (_exact(w)[:, :, None, None] for w in (first, second))
    out = convolve(combine, np.maximum(convolve(expand, image), 0))
    layers = effective(ticket)
    for x in range(side + 1):
        for y in range(side + 1):
            assert list(out[:, x, y]) == two_signed(layers, list(image[:, x, y]))
    # larger kernels after the expander: the effective kernel, and translations of the interior
    size = min(2, side)
    kernel = _exact(rng.integers(-3, 4, (second.shape[0], first.shape[0], size, size)))
    wide = np.concatenate([image, image], axis=1)[:, : 2 * side + 1, :]
    wide = np.abs(np.concatenate([wide, wide], axis=2)[:, :, : 2 * side + 1])
    hidden = np.maximum(convolve(expand, wide), 0)
    merged = np.einsum("ohuv,hi->oiuv", kernel, np.maximum(expand[:, :, 0, 0], 0))
    whole = convolve(kernel, hidden)
    assert (whole == convolve(merged, wide)).all()  # one sign group: the image is non-negative
    moved = convolve(kernel, np.maximum(convolve(expand, wide[:, 1:, 1:]), 0))
    assert (moved == whole[:, 1:, 1:]).all()


@share(0.5)
@given(
    networks(architectures(max_depth=3, max_width=4), st.just(SignedConstant(1.0))).flatmap(
        lambda n: masks(n).map(lambda m: Ticket(n, m))
    ),
    st.integers(-5, 5),
)
def test_30_signed_networks_are_exact_in_integers(ticket: Ticket, x0: int) -> None:
    """Property 30, its first half: weights +-1 and integer inputs give integers, in float32 too."""
    x = [x0 - j for j in range(ticket.network.architecture.widths[0])]
    exact = oracles.forward(oracles.layers_of(ticket), x)
    assert all(v.denominator == 1 for v in exact)
    with torch.no_grad():
        out = ticket.module()(torch.tensor([x], dtype=torch.float32))[0].tolist()
    assert [Fraction(v) for v in out] == exact


@given(
    targets(Box(-1.0, 1.0), architectures=architectures(biases=True, max_width=3)).flatmap(
        lambda t: st.tuples(st.just(t), points(t.widths[0]))
    )
)
def test_31_a_bias_is_the_weight_of_a_constant_input(case: Any) -> None:
    """Property 31: W y + b = [W b] (y, 1), layer by layer; and the target computes just that."""
    target, x = case
    y = [*x, Fraction(1)]
    for i, (w, b) in enumerate(zip(target.weights, target.biases, strict=True)):
        assert b is not None
        y = oracles.forward([(np.column_stack([w, b]), None)], y)
        if i < target.depth - 1:
            y = [*(max(v, Fraction(0)) for v in y), Fraction(1)]
    assert y == oracles.forward(oracles.layers_of(target), x)
    # weights on 2^-8, inputs on 2^-4, depth 3 or less: float64 rounds nothing
    assert [Fraction(v) for v in target([[float(v) for v in x]])[0].tolist()] == y


@given(
    two_layer_tickets(max_depth=1, biases=True).flatmap(
        lambda t: st.tuples(st.just(t), points(t.network.architecture.widths[0]))
    )
)
def test_31_a_gadgets_bias_is_a_group_on_a_constant_input(case: Any) -> None:
    """Property 31 for gadgets: hidden biases are weights from an input that is always 1."""
    ticket, x = case
    (first, shift), (second, _) = oracles.layers_of(ticket)
    assert shift is not None
    appended = [(np.column_stack([first, shift]), None), (second, None)]
    assert oracles.forward(appended, [*x, 1]) == oracles.forward(oracles.layers_of(ticket), x)
    assert [layer.bias.shape for layer in collapse(ticket)] == [(second.shape[0],)]
