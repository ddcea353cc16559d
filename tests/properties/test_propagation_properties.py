"""Properties 33 to 38: how weight errors become output errors."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import Phase, event, find, given, settings, target
from hypothesis import strategies as st
from property_tools import distance, effective, share, two_signed

from strongticket import Ball, Box, Target, Ticket, certify
from strongticket.testing import (
    architectures,
    domains,
    from_theorem,
    inputs,
    oracles,
    targets,
    two_layer_tickets,
)
from strongticket.theorems import pensia2020
from strongticket.theorems._norms import operator_norm
from strongticket.verify import WEIGHT_ERROR, attack

POSITIVE = st.fractions(0, 4, max_denominator=16)


def root_up(value: Fraction) -> Fraction:
    """An upper bound of a square root on the grid 2^-40; 0 of 0."""
    if not value:
        return Fraction(0)
    scale = 1 << 80
    return Fraction(math.isqrt(math.ceil(value * scale)) + 1, 1 << 40)


def telescoped(sizes: list[Fraction], errors: list[Fraction], radius: Fraction) -> Fraction:
    """E1: R (prod (s_i + e_i) - prod s_i)."""
    grown = [s + e for s, e in zip(sizes, errors, strict=True)]
    return radius * (math.prod(grown, start=Fraction(1)) - math.prod(sizes, start=Fraction(1)))


@st.composite
def pairs(draw: st.DrawFn, domain: Any, biases: bool | None = False) -> tuple[Ticket, Target]:
    """A ticket and a target near its collapse or far from it."""
    ticket = draw(two_layer_tickets(biases=biases, max_hidden=10))
    layers, moved = effective(ticket), draw(st.sampled_from((0.0, 2.0**-6, 1.0)))
    arrays = []
    for plus, _, bias in layers:
        steps = st.integers(-4, 4).map(lambda k: k * moved)
        count = plus.size
        shift = np.array(draw(st.lists(steps, min_size=count, max_size=count))).reshape(plus.shape)
        arrays.append(
            (
                (plus.astype(np.float64) + shift).astype(np.float32),
                None if biases is False else bias.astype(np.float64).astype(np.float32),
            )
        )
    return ticket, Target(arrays, domain if isinstance(domain, (Ball, Box)) else draw(domain))


def measured(ticket: Ticket, goal: Target, box: bool) -> tuple[list[Fraction], list[Fraction]]:
    """(s_i, e_i): norms of the target's layers and of the errors, inf on a box, Frobenius else."""
    sizes, errors = [], []
    for i, (plus, minus, _) in enumerate(effective(ticket)):
        w = np.array([Fraction(float(v)) for v in goal.weights[i].ravel()], object)
        w = w.reshape(plus.shape)
        worst = np.abs(plus - w)
        if i == 0 and not goal.domain.nonnegative:
            worst = np.maximum(worst, np.abs(minus - w))
        for found, matrix in ((sizes, np.abs(w)), (errors, worst)):
            if box:
                found.append(max(matrix.sum(1)))
            else:
                found.append(root_up(sum((v * v for v in matrix.ravel()), Fraction(0))))
    return sizes, errors


@given(pairs(Ball(1.0)).flatmap(lambda p: st.tuples(st.just(p), inputs(Ball(1.0), p[1].widths[0]))))
def test_33_the_telescoped_bound_holds_on_a_ball(case: Any) -> None:
    """Property 33: |f - g| <= R (prod (s_i + e_i) - prod s_i) with the measured e_i."""
    (ticket, goal), x = case
    bound = telescoped(*measured(ticket, goal, box=False), Fraction(1))
    found = distance(goal, ticket, x)  # squared
    assert found <= bound * bound
    if bound:
        target(float(found / (bound * bound)), label="squared error / bound")


@given(
    pairs(Box(-1.0, 1.0)).flatmap(
        lambda p: st.tuples(st.just(p), inputs(Box(-1.0, 1.0), p[1].widths[0]))
    )
)
def test_33_the_telescoped_bound_holds_on_a_box(case: Any) -> None:
    """Property 33 in the largest coordinate (E3)."""
    (ticket, goal), x = case
    bound = telescoped(*measured(ticket, goal, box=True), Fraction(1))
    found = distance(goal, ticket, x)
    assert found <= bound
    # the package's own bound of this kind goes neuron by neuron, so it is no looser
    assert found <= certify(ticket, goal, method=WEIGHT_ERROR).exact_bound <= bound
    if bound:
        target(float(found / bound), label="error / bound")


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=5), POSITIVE, st.data())
def test_34_the_bound_is_monotone_and_linear_to_first_order(
    layers: list[tuple[Fraction, Fraction]], more: Fraction, data: st.DataObject
) -> None:
    """Property 34: non-decreasing in each s_i and e_i; sum of e_i prod s_k to first order."""
    sizes, errors = (list(part) for part in zip(*layers, strict=True))
    base, i = telescoped(sizes, errors, Fraction(1)), data.draw(st.integers(0, len(sizes) - 1))
    for part in (sizes, errors):
        part[i] += more
        assert telescoped(sizes, errors, Fraction(1)) >= base
        part[i] -= more
    linear = sum(
        (
            e * math.prod(sizes[:k] + sizes[k + 1 :], start=Fraction(1))
            for k, e in enumerate(errors)
        ),
        Fraction(0),
    )

    def rest(t: Fraction) -> Fraction:
        return telescoped(sizes, [t * e for e in errors], Fraction(1)) - t * linear

    assert rest(Fraction(1)) >= 0
    assert rest(Fraction(1, 2)) * 4 <= rest(Fraction(1))  # of second order at the least


@share(0.5)
@given(from_theorem(pensia2020.EXPLICIT))
def test_34_the_theorems_accuracies_use_the_bound_up_and_no_more(values: dict[str, Any]) -> None:
    """Property 34: every weight off by its eta_i costs at most epsilon, by the recursion (E5)."""
    goal, epsilon = values["target"], Fraction(values["epsilon"])
    plans = pensia2020.EXPLICIT.plan(goal, values["epsilon"])
    box = isinstance(goal.domain, Box)
    size, gap = Fraction(goal.domain.radius), Fraction(0)
    for w, b, plan in zip(goal.weights, goal.biases, plans, strict=True):
        eta, (d_out, d_in) = Fraction(plan.eta), w.shape
        norm = Fraction(operator_norm(w, goal.domain))
        error = eta * (d_in if box else root_up(Fraction(d_in * d_out)))
        bias = Fraction(0)
        if not w.any():  # the empty subsets are exact
            error = Fraction(0)
        if b is not None and b.any():
            entries = [Fraction(float(v)) for v in b]
            bias = Fraction(plan.eta_bias) * (1 if box else root_up(Fraction(d_out)))
            shift = max(map(abs, entries)) if box else root_up(sum(v * v for v in entries))
        else:
            shift = Fraction(0)
        gap = error * size + (norm + error) * gap + bias
        size = norm * size + shift
    bound = epsilon * (1 + Fraction(1, 1 << 20))  # the roots above are rounded up
    trivial = any(not w.any() for w in goal.weights) or size == 0
    assert trivial or gap <= bound
    if not trivial:
        target(float(gap / epsilon), label="propagated accuracy / epsilon")


@st.composite
def two_errors(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Integer E+, E- (d', d) and a vector of d integers."""
    d_out, d_in = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    entries = st.integers(-9, 9)

    def array(*shape: int) -> Any:
        count = math.prod(shape)
        return np.array(draw(st.lists(entries, min_size=count, max_size=count))).reshape(shape)

    return array(d_out, d_in), array(d_out, d_in), array(d_in)


@given(two_errors())
def test_35_per_weight_errors_bound_a_layer(case: Any) -> None:
    """Property 35: |E(x)| <= |max(|E+|, |E-|)| |x| <= eta sqrt(d d') |x|; eta sqrt(2 d d') for
    both side by side; eta d on a box (E2, E3).
    """
    plus, minus, x = case
    d_out, d_in = plus.shape
    worst = np.maximum(np.abs(plus), np.abs(minus))
    eta, square = int(worst.max()), int(x @ x)
    error = plus @ np.maximum(x, 0) + minus @ np.minimum(x, 0)  # one sign a coordinate
    sized = worst @ np.abs(x)
    assert (np.abs(error) <= sized).all()
    assert sized @ sized <= eta * eta * d_in * d_out * square
    both = np.hstack([plus, minus])
    doubled = np.concatenate([np.maximum(x, 0), np.minimum(x, 0)])
    assert (both @ doubled == error).all()
    free = np.concatenate([x, x[::-1]])  # any vector of twice the length
    assert (both @ free) @ (both @ free) <= eta * eta * 2 * d_in * d_out * int(free @ free)
    assert np.abs(error).max() <= eta * d_in * np.abs(x).max()
    if eta and square:
        ratio = Fraction(int(error @ error), eta * eta * d_in * d_out * square)
        target(float(ratio), label="squared error / bound")
    # the package's norms are upper bounds of both kinds
    for domain, power in ((Ball(1.0), 2), (Box(-1.0, 1.0), math.inf)):
        bound = Fraction(operator_norm(worst.astype(np.float32), domain))
        if power == 2:
            assert int(sized @ sized) <= bound**2 * square
        else:
            assert int(sized.max()) <= bound * int(np.abs(x).max())


@given(
    pairs(st.one_of(st.just(Box(-1.0, 1.0)), domains()), biases=None).flatmap(
        lambda p: st.tuples(st.just(p), inputs(p[1].domain, p[1].widths[0]))
    )
)
def test_36_no_input_beats_a_certificate(case: Any) -> None:
    """Property 36: a drawn input and gradient ascent are lower bounds, the certificate an upper."""
    (ticket, goal), x = case
    bound = certify(ticket, goal).exact_bound
    found = distance(goal, ticket, x)
    square = isinstance(goal.domain, Ball)
    assert found <= (bound * bound if square else bound)
    ascended = attack(ticket, goal, starts=8, steps=6).exact_distance
    assert ascended <= bound
    if bound:
        target(float(ascended / bound), label="attack / certificate")


@given(
    targets(Ball(1.0), architectures=architectures(biases=False, max_width=3)),
    st.fractions(Fraction(1, 8), 8, max_denominator=8),
    st.data(),
)
def test_37_networks_without_biases_are_homogeneous(
    goal: Target, factor: Fraction, data: st.DataObject
) -> None:
    """Property 37: f(c x) = c f(x) for c > 0."""
    x = [Fraction(v) for v in data.draw(inputs(Ball(1.0), goal.widths[0])).tolist()]
    layers = oracles.layers_of(goal)
    scaled = oracles.forward(layers, [factor * v for v in x])
    assert scaled == [factor * v for v in oracles.forward(layers, x)]


@share(0.5)
@given(pairs(Ball(1.0)), st.integers(-3, 3))
def test_37_certificates_are_homogeneous(pair: Any, power: int) -> None:
    """Property 37: without biases the bound on the ball of radius R is R times that of radius 1."""
    ticket, goal = pair
    layers = list(zip(goal.weights, goal.biases, strict=True))
    radius = math.ldexp(1.0, power)
    for method, one, other in (
        (WEIGHT_ERROR, Ball(1.0), Ball(radius)),
        (None, Box(-1.0, 1.0), Box(-radius, radius)),
    ):
        first = certify(ticket, Target(layers, one), method=method).exact_bound
        assert certify(ticket, Target(layers, other), method=method).exact_bound == (
            Fraction(radius) * first
        )


@given(
    pairs(Box(0.0, 1.0), biases=None).flatmap(
        lambda p: st.tuples(st.just(p), inputs(Box(0.0, 1.0), p[1].widths[0]))
    )
)
def test_38_within_half_the_margin_the_class_stays(case: Any) -> None:
    """Property 38: an error below half of f's top margin at x leaves the arg max (E9)."""
    (ticket, goal), x = case
    bound = certify(ticket, goal).exact_bound
    f = oracles.forward(oracles.layers_of(goal), x)
    g = two_signed(effective(ticket), x)
    top = sorted(f, reverse=True)
    if len(f) > 1 and bound < (top[0] - top[1]) / 2:
        event("certified")
        assert g.index(max(g)) == f.index(max(f))
        assert g.count(max(g)) == 1
    else:
        event("not certified")
    for i in range(len(f) - 1):  # whatever the margin: no gap moves by more than twice the bound
        assert abs((g[i] - g[i + 1]) - (f[i] - f[i + 1])) <= 2 * bound


def test_38_margins_are_met_at_all() -> None:
    """Most near targets are certified at most inputs, so the property above is not empty."""

    def certified(pair: Any) -> bool:
        ticket, goal = pair
        f = sorted(oracles.forward(oracles.layers_of(goal), [1] * goal.widths[0]), reverse=True)
        return len(f) > 1 and certify(ticket, goal).exact_bound < (f[0] - f[1]) / 2

    once = settings(database=None, phases=[Phase.generate])
    assert certified(find(pairs(Box(0.0, 1.0)), certified, settings=once))
