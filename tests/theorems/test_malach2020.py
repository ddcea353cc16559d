"""Weights over neurons: anchors by hand, tickets certified, and checks that can refute."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from strongticket import Ball, Box, Network, Target, Uniform, check
from strongticket.errors import ConstructionError, InputError, ReachError, WidthError
from strongticket.theorems import (
    THEOREMS,
    Effort,
    _best_mask,
    _one_neuron,
    _single_neuron,
    malach2020,
)
from strongticket.theorems._selection import Case, exact_sums
from strongticket.verify import certify

WEIGHTS, FEATURES, SAMPLES = malach2020.WEIGHTS, malach2020.FEATURES, malach2020.SAMPLES
SINGLE, HARDNESS = malach2020.SINGLE_NEURON, malach2020.HARDNESS


def test_widths_by_hand() -> None:
    """Logarithms taken on a pocket calculator."""
    # ln(2 * 1 * 2 * 3 / 0.01) = 7.090077; p = 0.05 - 2^-24, 1/p^2 = 400.00095
    assert WEIGHTS.bound(eta_i=0.1, g=2, L=1, d_in=2, d_out=3, delta=0.01) == 2837  # 2836.04
    # Lambda = (1 + 2^-10) ln(80) = 4.386306; K = 4 * 4.386306 * 2.25 / (3 / 16) = 210.5427
    given: dict[str, Any] = {"B": 1, "C": 0.5, "k_0": 2, "m": 4, "t": 0.25, "delta": 0.1}
    assert FEATURES.width(**given, s=2**-6) == 347  # 0.5 K^2 / 64 = 346.3
    assert FEATURES.width(**given, s=2**-8) == 513  # 4 * 0.5 * 256 = 512, and it is rounded up
    assert SINGLE.bound(d=10, epsilon=Fraction(1, 6400)) == 768
    assert HARDNESS.bound.real(D=3) == 3


def test_samples_take_the_largest_of_three() -> None:
    given: dict[str, Any] = {"B": 1, "Y": 0.25, "m": 2, "lambda": 0.5, "t": 0.125, "s": 2**-8}
    # C = 2; Lambda = (1 + 2^-10) ln(8/0.1) = 4.386306; K = 4 * 4.386306 * 4.125 / (3/64) = 1543.98
    assert SAMPLES.width(**given, delta=0.1) == math.ceil(2 * 1543.98**2 / 256)
    given["s"] = 2**-14
    assert SAMPLES.width(**given, delta=0.1) in (131072, 131073)  # 4 C / s = 2^17
    given |= {"s": 2**-6, "Y": 2**-12, "t": 2**-4, "lambda": 0.01}
    # 2 * 4 / 0.0001 * ln(12 / 0.1) = 383 000
    assert SAMPLES.width(**given, delta=0.1) == math.ceil(80000 * math.log(120))


@pytest.mark.parametrize(
    ("theorem", "values", "message"),
    [
        (WEIGHTS, {"eta_i": 2**-23}, "needs"),
        (WEIGHTS, {"eta_i": 0.6}, "needs"),
        (FEATURES, {"s": 1024}, "needs"),
        (SINGLE, {"epsilon": Fraction(1, 64)}, "needs"),
    ],
)
def test_bounds_say_where_they_hold(theorem: Any, values: Any, message: str) -> None:
    usual = {
        WEIGHTS.key: {"eta_i": 0.1, "g": 2, "L": 1, "d_in": 2, "d_out": 3, "delta": 0.01},
        FEATURES.key: {"B": 1, "C": 1, "k_0": 2, "m": 4, "t": 0.1, "delta": 0.1, "s": 1},
        SINGLE.key: {"d": 2, "epsilon": Fraction(1, 100)},
    }[theorem.key]
    assert theorem.bound(**usual) > 0
    with pytest.raises(InputError, match=message):
        theorem.bound(**{**usual, **values})


def test_a_ticket_of_single_neurons_is_certified() -> None:
    for domain, most in ((Ball(1.0), 16), (Box(0.0, 1.0), 12)):
        target = _one_neuron.toy(domain)
        network = WEIGHTS.network(target, 0.5, 0.01, seed=5)
        ticket = WEIGHTS.construct(network, target, 0.5)
        assert certify(ticket, target, 0.5).holds
        assert ticket.mask.kept <= most  # 2 g a weight; one of the six weights is 0
        points = np.random.default_rng(0).uniform(0, 0.7, (50, 2))
        made = ticket.module()(torch.tensor(points, dtype=torch.float32))
        assert np.abs(made.detach().numpy() - target(points)).max() < 0.5


def test_weights_refuse_what_they_are_not_about() -> None:
    target = _one_neuron.toy(Ball(1.0))
    narrow = WEIGHTS.network(target, 0.5, 0.5, seed=0, pools=[2, 2])
    with pytest.raises(ConstructionError, match="none of 2 neurons"):
        WEIGHTS.construct(narrow, target, 0.5)
    with pytest.raises(WidthError, match="even widths"):
        WEIGHTS.construct(Network.mlp((2, 5, 1), laws=Uniform(1.0), seed=0), target, 0.5)
    with pytest.raises(ReachError, match="at most 1 - eta"):
        WEIGHTS.plan(Target([(np.array([[0.99]], np.float32), None)], Ball(1.0)), 0.5)
    biased = Target([(np.array([[0.5]], np.float32), np.array([0.5], np.float32))], Ball(1.0))
    with pytest.raises(InputError, match="without biases"):
        WEIGHTS.plan(biased, 0.5)
    with pytest.raises(InputError, match="takes no options"):
        WEIGHTS.construct(narrow, target, 0.5, delta=0.1)
    with pytest.raises(InputError, match="unknown options"):
        WEIGHTS.network(target, 0.5, 0.5, seed=0, scales=1)


def test_the_neuron_is_within_eta_for_both_signs() -> None:
    random, unit = np.random.default_rng(0), 1 << 24
    a, b = (2 * random.integers(-(unit >> 1), unit >> 1, (2, 4000)) + 1).astype(np.int64)
    eta = Fraction(1, 8)
    for weight in (Fraction(1, 2), Fraction(-1, 3), Fraction(7, 8), Fraction(-1, 100)):
        for sign in (1, -1):
            at = _one_neuron._neuron(a, b, weight, eta, sign)
            assert at is not None
            assert sign * a[at] > 0  # it is on for inputs of that sign
            assert 0 <= Fraction(abs(int(a[at])), unit) - abs(weight) <= eta
            assert 1 - eta <= Fraction(abs(int(b[at])), unit) <= 1
            assert abs(Fraction(int(a[at]) * int(b[at]), 1 << 48) - weight) <= eta


def test_sums_that_int64_cannot_hold() -> None:
    big = np.full((5, 2), (1 << 62) - 1, np.int64)
    big[:, 1] *= -1
    assert exact_sums(big) == [5 * ((1 << 62) - 1), -5 * ((1 << 62) - 1)]


def test_parities_are_sums_of_single_neurons() -> None:
    cube = _single_neuron.cube(4)
    neurons = {tuple(row) for row in _single_neuron.single_neurons(4).tolist()}
    for subset in cube:
        z, r = cube @ subset, int(subset.sum())
        made = sum(
            c * np.maximum(z - j, 0) for j, c in _single_neuron.parity_coefficients(r).items()
        )
        assert (made == (-1) ** z).all()
        assert all(tuple(np.maximum(z - j, 0).tolist()) in neurons for j in range(-1, max(r, 0)))
    assert len(neurons) <= 5 * 16


def test_the_span_of_parities_is_where_the_bound_is_nearest() -> None:
    """Dropping one parity from all of them leaves an error that the theorem allows."""
    d = 4
    cube = _single_neuron.cube(d)
    parities = (-1.0) ** (cube @ cube.T)
    targets = _single_neuron.single_neurons(d)
    for dropped in range(1 << d):
        worst = _single_neuron.errors(np.delete(parities, dropped, axis=1), targets).max()
        assert worst >= (1 / 2**d) / (16 * d * d)


def test_checks_refute_when_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_best_mask, "_least", lambda *a, **k: Fraction(1, 3))
    assert check.check(HARDNESS, quick=True).refuted
    monkeypatch.setattr(_single_neuron, "errors", lambda f, t: np.zeros(len(t)))
    assert SINGLE._below(3, 2).refuted
    assert SINGLE._growth(Effort(True)).refuted
    monkeypatch.setattr(Case, "worst", lambda self, outputs: Fraction(10))
    for row in (FEATURES._built(Fraction(1, 4)), FEATURES._seeds(30), SAMPLES._built(1)):
        assert row.refuted
    assert SAMPLES._seeds(30).refuted
    monkeypatch.setattr(_one_neuron, "_neuron", lambda *_: None)
    assert all(row.refuted for row in (*WEIGHTS._built(0.5), WEIGHTS._seeds(30)))


def test_wrong_widths_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.bounds import Bound

    original = Bound.__call__

    def fewer(self: Bound, **values: Any) -> int:
        return original(self, **values) * 97 // 100

    monkeypatch.setattr(Bound, "__call__", fewer)
    for theorem in (WEIGHTS, FEATURES, SAMPLES, SINGLE):
        algebra = list(itertools.islice(theorem.rows(Effort(True)), 2))
        assert any(row.refuted for row in algebra), theorem.key


def test_all_are_listed() -> None:
    keys = [theorem.key for theorem in THEOREMS if theorem.key.startswith("malach2020_")]
    assert [key.removeprefix("malach2020_") for key in keys] == [
        "weights",
        "count",
        "product",
        "features",
        "samples",
        "single_neuron",
        "recalled",
        "hardness",
    ]


def test_the_name_of_the_paper_stands_for_all_of_it() -> None:
    keys = [theorem.key for theorem in THEOREMS if theorem.key.startswith("malach2020_")]
    assert [theorem.key for theorem in check.matching("malach2020")] == keys
    # dacunha2022_r1_... would be another family
    assert check.matching("dacunha2022_r1") == (check.find("dacunha2022_r1"),)
    assert check.matching("malach2020_hardness") == (HARDNESS,)
    with pytest.raises(InputError, match="no theorem is called 'malach'"):
        check.matching("malach")
