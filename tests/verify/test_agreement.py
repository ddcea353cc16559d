"""Agreement of predictions and rounding of executions: proofs held to evaluations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from certificates import target, ticket

from strongticket.errors import InputError
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Mask, Reading, Ticket
from strongticket.verify import agreement, certify, collapse, float_term
from strongticket.verify._attack import outputs


@pytest.mark.parametrize("domain", [Box(0.0, 1.0), Box(-1.0, 1.0), Ball(2.0)], ids=str)
@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_what_is_certified_is_so(domain, radius: float) -> None:
    of = target((4, 6, 3), domain, seed=1)
    proof = certify(ticket(of, pool=30), of)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.9, (60, 4))
    found = agreement(proof, x, radius=radius)
    assert 0 < found.certified < found.agreeing
    assert found.by_bound.sum() <= found.at_points.sum()
    for i in range(len(x)):
        f, g = outputs(of, proof.layers, x[i])
        same = f.index(max(f)) == g.index(max(g))
        assert found.at_points[i] == same
        if not radius:
            second = sorted(f)[-2]
            need = 2 if isinstance(domain, Ball) else 4  # squared: of a Euclidean norm, of each
            assert found.by_bound[i] == ((max(f) - second) ** 2 > need * proof.exact_bound**2)
        if found.by_bound[i]:
            for near in x[i] + rng.uniform(-radius, radius, (5, 4)):
                f2, g2 = outputs(of, proof.layers, near)
                assert f2.index(max(f2)) == g2.index(max(g2)) == f.index(max(f))
    larger = agreement(proof, x, radius=radius + 0.1)
    assert (larger.by_bound <= found.by_bound).all()
    assert larger.certified < found.certified


def test_the_margin_is_strict_and_ties_are_none() -> None:
    """f = (x, 0), bound b: at x = 2 b the bound settles nothing, a hair above it does."""
    of = Target([(np.array([[1.0], [0.0]], np.float32), None)], Box(0.0, 1.0))
    proof = replace(certify(ticket(of, pool=30), of), exact_bound=Fraction(1, 8))
    found = agreement(proof, [[0.25], [np.nextafter(0.25, 1.0)], [0.0]])
    assert found.by_bound.tolist() == [False, True, False]
    assert not found.at_points[2]
    assert "certified=0.3333" in repr(found)


def test_on_a_ball_the_margin_is_the_root_of_two() -> None:
    """f = (x, 0) and errors of Euclidean norm 1/8: a lead of 0.177 is enough, of 0.176 is not."""
    of = Target([(np.array([[1.0], [0.0]], np.float32), None)], Ball(1.0))
    proof = replace(certify(ticket(of, pool=30), of), exact_bound=Fraction(1, 8))
    assert agreement(proof, [[0.176], [0.177]]).by_bound.tolist() == [False, True]
    assert agreement(proof, [[0.18], [0.19]], radius=0.01).by_bound.tolist() == [False, True]


@pytest.mark.parametrize("radius", [0.0, 0.02])
def test_with_copies_of_neurons(radius: float) -> None:
    """Certified where the exact margin says so, and nowhere near do the predictions differ."""
    rng = np.random.default_rng(4)
    settled = 0
    for seed in range(4):
        of = target((2, 3, 3), Box(0.0, 1.0), seed=seed, biases=False)
        wide = Network.mlp((2, 6, 5, 3), laws=Uniform(1.0), seed=seed)
        bits = {n: rng.random(wide[n].shape) < 0.7 for n in wide.masked}
        bits["layers.0.weight"] = np.arange(6)[:, None] % 2 == np.arange(2)
        provenance = {"blocks": [2, 1], "copies": [[[0, 2], [2, 1], [3, 2]]]}
        made = Ticket(wide, Mask.dense(bits), provenance=provenance)
        proof = certify(made, of)
        # The bound is far too large to settle anything; a smaller true one at these points is not.
        x = rng.uniform(0.1, 0.9, (20, 2))
        exact = [outputs(of, proof.layers, row) for row in x]
        largest = max(abs(a - b) for f, g in exact for a, b in zip(f, g, strict=True))
        assert largest <= proof.exact_bound
        claimed = replace(proof, exact_bound=largest / (64 if radius else 8))
        found = agreement(claimed, x, radius=radius)
        for i, (f, g) in enumerate(exact):
            lead = max(f) - sorted(f)[-2]
            if not radius:
                assert found.by_bound[i] == (lead > 2 * claimed.exact_bound)
            assert not found.by_bound[i] or lead > 2 * claimed.exact_bound
            assert found.at_points[i] == (f.index(max(f)) == g.index(max(g)))
            if found.by_bound[i]:
                for near in x[i] + rng.choice([-radius, radius], (4, 2)):
                    f2, _ = outputs(of, proof.layers, near)
                    assert max(f2) - sorted(f2)[-2] > 2 * claimed.exact_bound
                    assert f2.index(max(f2)) == f.index(max(f))
        settled += int(found.by_bound.sum())
    assert 0 < settled < 80


def test_ties_anywhere_are_no_agreement() -> None:
    """Two equal best outputs of f, of g, of both; a lead of one rounding is one."""
    step = np.nextafter(1.0, 2.0) - 1.0
    rows = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    of = Target([(rows, None)], Box(0.0, 2.0))
    proof = replace(certify(ticket(of, pool=30), of), exact_bound=Fraction(0))
    layer = proof.layers[0]
    for plus, agree in (([[1, 0], [0, 1]], True), ([[1, 1], [1, 1]], False)):
        own = np.array(plus)
        same = replace(layer, plus=own, minus=own, bias=np.zeros(2, np.int64), exponent=0)
        found = agreement(replace(proof, layers=(same,)), [[1.0, 1.0], [1.0 + step, 1.0]])
        assert found.by_bound.tolist() == [False, True]
        assert found.at_points.tolist() == [False, agree]


def test_floats_that_overflow_are_settled_in_integers() -> None:
    of = Target([(np.array([[1.0], [0.0]], np.float32), None)], Box(0.0, 1.7e308))
    proof = certify(ticket(of, pool=30), of)
    found = agreement(replace(proof, exact_bound=Fraction(1)), [[1.7e308], [0.0]])
    assert found.by_bound.tolist() == [True, False]


def test_bad_inputs() -> None:
    of = target((2, 3, 2), Ball(1.0))
    proof = certify(ticket(of, pool=20), of)
    for inputs, message in (
        ([[0.5]], "shape"),
        (np.zeros((0, 2)), "N >= 1"),
        ([[0.0, 0.0], [1.0, 0.1]], "number 1, are not in the domain"),
        ([[np.nan, 0.0]], "not in the domain"),
    ):
        with pytest.raises(InputError, match=message):
            agreement(proof, inputs)
    with pytest.raises(InputError, match="radius must be"):
        agreement(proof, [[0.0, 0.0]], radius=-1.0)
    assert agreement(proof, [[0.0, 1.0]]).by_bound.shape == (1,)
    one = target((2, 1), Box(0.0, 1.0))
    with pytest.raises(InputError, match="two outputs"):
        agreement(certify(ticket(one, pool=20), one), [[0.0, 0.0]])


# Executions


@pytest.mark.parametrize("domain", [Box(-1.0, 1.0), Ball(1.5)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_executions_stay_within_the_term(domain, dtype: str) -> None:
    of = target((4, 5, 2), domain, seed=2)
    made = ticket(of, pool=30)
    term = float_term(made, domain, dtype)
    kind = getattr(torch, dtype)
    module, rng = made.compact().to(kind), np.random.default_rng(0)
    x = rng.uniform(-0.7, 0.7, (40, 4)).astype(np.float32).astype(np.float64)
    with torch.no_grad():
        y = module(torch.from_numpy(x).to(kind)).numpy().astype(np.float64)
    worst, layers = Fraction(0), collapse(made)
    for i in range(len(x)):
        _, g = outputs(of, layers, x[i])
        gaps = [abs(Fraction(float(a)) - b) for a, b in zip(y[i], g, strict=True)]
        worst = max(worst, *gaps)
    assert 0 < worst <= Fraction(term)
    assert term < (0.1 if dtype == "float32" else 1e-9)


ORDERS = {
    "ascending": np.argsort,
    "descending": lambda v: np.argsort(-v),
    "small last": lambda v: np.argsort(-np.abs(v)),
    "signs in turn": lambda v: np.argsort(np.argsort(v) % 2, kind="stable"),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("scale", [1.0, 2.0**-70])
def test_any_order_of_summation_stays_within_the_term(dtype: Any, order: str, scale: float) -> None:
    """Sums in orders that lose much, bias first; at 2^-140 most float32 products underflow."""
    network = Network.mlp((30, 20, 5), laws=[Uniform(scale)] * 2, seed=2, biases=(True, True))
    made = Ticket(network, Mask.dense({n: np.ones(network[n].shape, bool) for n in network.masked}))
    term = float_term(made, Box(-1.0, 1.0), np.dtype(dtype).name)
    rng = np.random.default_rng(0)
    worst = Fraction(0)
    for x in rng.choice([-1.0, 1.0, 2.0**-24, 1 / 3], (4, 30)).astype(np.float32):
        y, exact = x.astype(dtype), [Fraction(float(v)) for v in x]
        for i in range(2):
            w = network.weights(f"layers.{i}.weight").astype(dtype)
            b = network.weights(f"layers.{i}.bias").astype(dtype)
            rows = []
            for row, own in zip(w, b, strict=True):
                products = row * y
                total = own
                for k in ORDERS[order](products):
                    total = dtype(total + products[k])
                rows.append(total)
            exact = [
                Fraction(float(own))
                + sum(Fraction(float(v)) * u for v, u in zip(row, exact, strict=True))
                for row, own in zip(w, b, strict=True)
            ]
            y = np.array(rows, dtype)
            if not i:
                y, exact = np.maximum(y, 0), [max(v, Fraction(0)) for v in exact]
        gaps = (abs(Fraction(float(a)) - c) for a, c in zip(y, exact, strict=True))
        worst = max(worst, *gaps)
    assert 0 < worst <= Fraction(term)


def test_a_hidden_layer_that_overflows_has_no_term() -> None:
    """In float32 it is infinite, whatever small weights follow; in float64 it is not."""
    laws = [Uniform(2.0**100), Uniform(2.0**100), Uniform(2.0**-100)]
    network = Network.mlp((1, 1, 1, 1), laws=laws, seed=1)
    bits = {n: np.ones(network[n].shape, np.bool_) for n in network.masked}
    made = Ticket(network, Mask.dense(bits))
    with pytest.raises(InputError, match=r"layers\.1 may overflow float32"):
        float_term(made, Box(-1.0, 1.0))
    assert 0 < float_term(made, Box(-1.0, 1.0), "float64") < 2.0**60
    binary = replace(made, reading=Reading(gain="binary"))
    with pytest.raises(InputError, match="made binary"):
        float_term(binary, Box(-1.0, 1.0), "float64")


def test_terms_of_narrow_types_are_larger() -> None:
    of = target((4, 5, 2), Box(0.0, 1.0))
    made = ticket(of, pool=20)
    terms = [float_term(made, Box(0.0, 1.0), kind) for kind in ("float32", "float64")]
    assert 2.0**28 < terms[0] / terms[1] < 2.0**30
    assert float_term(made, Box(0.0, 2.0)) > terms[0]
    with pytest.raises(InputError, match="dtype must be one of float32, float64"):
        float_term(made, Box(0.0, 1.0), "bfloat16")
    with pytest.raises(InputError, match=r"layers\.\d may overflow float32"):
        float_term(made, Box(0.0, 1e37), "float32")
