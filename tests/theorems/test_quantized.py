"""Quantized and binary theorems: their networks on trained targets, and that checks notice lies."""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from strongticket import check
from strongticket.construct import quantized
from strongticket.datasets import digits
from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import THEOREMS, Effort, Shape, _quantized_sums
from strongticket.theorems._binary_doubling import events, least_bundle
from strongticket.theorems._binary_mean import tail
from strongticket.theorems._integer_network import integer_points, matrix_outputs
from strongticket.theorems._plan import least_bits
from strongticket.theorems.diffenderfer2021 import MEAN
from strongticket.theorems.kumar2025 import COPIES, EXACT, LOWER, PUBLISHED, SUMS
from strongticket.theorems.sreenivasan2022 import DOUBLING
from strongticket.training import train_relu
from strongticket.verify import certify

OURS = (SUMS, EXACT, COPIES, LOWER, MEAN, DOUBLING)
QUICK = Effort(quick=True)


@cache
def trained() -> Target:
    model = train_relu(digits(), (12,), epochs=10, seed=0, rate=5e-3, decay=1e-2)
    return Target(model, Box(0.0, 1.0))


def accuracy(target: Target) -> float:
    data = digits()
    return float((target(data.test_x).argmax(1) == data.test_y).mean())


def test_a_trained_target_is_matched_exactly_once_it_is_rounded() -> None:
    target = quantized(trained(), [2.0**-6, 2.0**-6])
    assert accuracy(target) > accuracy(trained()) - 0.02
    for theorem, depth in ((EXACT, 4), (COPIES, 3)):
        network = theorem.network(target, 1.0, 0.01, seed=1)
        assert network.architecture.depth == depth  # type: ignore[union-attr]
        ticket = theorem.construct(network, target, 1.0)
        assert certify(ticket, target, 1e-300).exact_bound == 0
    with pytest.raises(InputError, match="round the target to a step"):
        EXACT.network(trained(), 1.0, 0.01, seed=1)


@pytest.mark.parametrize(("theorem", "epsilon"), [(MEAN, 1.0), (DOUBLING, 0.2)])
def test_a_trained_target_is_certified_at_the_claimed_epsilon(theorem: Any, epsilon: float) -> None:
    target = trained()
    ticket = theorem.construct(theorem.network(target, epsilon, 0.01, seed=1), target, epsilon)
    certificate = certify(ticket, target, epsilon)
    assert certificate.exact_bound > 0
    assert certificate.holds


@pytest.mark.parametrize("theorem", OURS, ids=lambda t: t.key)
def test_the_check_stands_and_its_false_form_falls(theorem: Any) -> None:
    assert check.check(theorem, quick=True).ok
    report = check.check(theorem, quick=True, false_width=True)
    assert report.ok
    assert report.rows


def test_widths_by_hand() -> None:
    # 1 - (M + 1) q / 2 = 3/4 - 1/16 = 11/16 for M = 4: 16 (11/16)^n <= 1/2 first at n = 10
    assert SUMS.width(4, Fraction(1, 8), 0.5) == 10
    assert 16 * Fraction(11, 16) ** 10 <= Fraction(1, 2) < 16 * Fraction(11, 16) ** 9
    assert events(1, 1, 1, 1, 1) == 4
    assert events(3, 2, 2, 1, 1) == 12 * 2 + 6 * 3 + 6
    one = {name: Fraction(1) for name in ("B", "L", "g", "d_in", "d_out")}
    assert least_bundle(**one, delta=Fraction(1, 2)) == 3  # 4 / 8
    assert tail(4, 1) == Fraction(81, 256)
    assert tail(4, 2) == Fraction(81 + 108, 256)
    assert least_bits(Fraction(1, 2)) == 0
    assert least_bits(Fraction(1, 9)) == 3
    assert least_bits(Fraction(3)) == -2


def test_integer_networks_are_evaluated_plainly() -> None:
    layers = [np.array([[1, -2], [3, 1]], object), np.array([[1, -1]], object)]
    assert matrix_outputs(layers, np.array([[1, 1], [-1, 2]], object)).tolist() == [[-4], [0]]
    assert (integer_points(20, 3, True) >= 0).all()
    assert (integer_points(20, 3, False) < 0).any()


def test_hypotheses_name_the_value_and_the_nearest_one() -> None:
    with pytest.raises(InputError, match="even integer >= 2, got 5; the nearest is 4"):
        SUMS.width(5, Fraction(1, 10), 0.5)
    with pytest.raises(InputError, match=r"q must lie in \(0, 1/8\]|q must lie in"):
        SUMS.width(4, Fraction(1, 2), 0.5)
    target = Target([(np.array([[0.3]], np.float32), None)], Box(0, 1))
    with pytest.raises(InputError, match=r"multiple of 0.25; the nearest is 0.25"):
        EXACT.plan(target, steps=(0.25,))
    with pytest.raises(InputError, match=r"power of two > 0, got 0.3; the nearest is 0.25"):
        EXACT.plan(target, steps=(0.3,))
    grid = Target([(np.array([[0.5]], np.float32), None)], Box(0, 1))
    with pytest.raises(InputError, match=r"A must be a power of two.* got 3; the nearest is 4"):
        EXACT.network(grid, 1.0, 0.1, seed=0, first=3)
    with pytest.raises(InputError, match=r"p must lie in \(0, 1\], got 2"):
        LOWER.require(p=2)
    with pytest.raises(InputError, match=r"step must be 1/k.* the nearest is 0.333333"):
        LOWER.require(step=0.3)
    biased = Target([(np.ones((1, 1)), np.ones(1))], Box(0, 1))
    for theorem in (EXACT, COPIES, MEAN, DOUBLING):
        with pytest.raises(InputError, match="without biases"):
            theorem.network(biased, 0.1, 0.1, seed=0)  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="epsilon"):
            theorem.network(grid, -1.0, 0.1, seed=0)  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="delta"):
            theorem.network(grid, 1.0, 1.0, seed=0)  # type: ignore[attr-defined]
        with pytest.raises(InputError, match=r"unknown options|takes no options"):
            theorem.network(grid, 1.0, 0.1, seed=0, colour=1)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="C unspecified"):
        PUBLISHED.bound(C=1, d_in=1, delta_q=0.5)


def test_a_construction_refuses_another_network() -> None:
    target = Target([(np.array([[0.5]], np.float32), None)], Ball(1.0))
    for theorem in (EXACT, COPIES, MEAN, DOUBLING):
        other = theorem.network(  # type: ignore[attr-defined]
            Target([(np.eye(2, dtype=np.float32), None)], Ball(1.0)), 0.1, 0.1, seed=0
        )
        with pytest.raises(InputError, match=r"widths"):
            theorem.construct(other, target, 0.1)  # type: ignore[attr-defined]
    coarse = MEAN.network(target, 0.4, 0.1, seed=0)
    with pytest.raises(InputError, match=r"must have the law\s+SignedConstant"):
        MEAN.construct(coarse, target, 0.01)


def test_sizes_grow_as_the_rates_say() -> None:
    shape = Shape((8, 8, 8))
    for theorem, deeper in ((EXACT, False), (MEAN, False), (DOUBLING, True)):
        rough, fine = (theorem.asks(shape, e, 0.01) for e in (0.5, 0.5 / 1024))
        assert rough is not None
        assert fine is not None
        assert (fine.depth > rough.depth) == deeper
    rough, fine = (MEAN.asks(shape, e, 0.01) for e in (2.0**-8, 2.0**-12))
    assert 8 < max(fine.widths) / max(rough.widths) < 20  # type: ignore[union-attr]
    rough, fine = (EXACT.asks(shape, e, 0.01) for e in (2.0**-8, 2.0**-12))
    assert max(fine.widths) / max(rough.widths) < 1.5  # type: ignore[union-attr]


def test_wrong_widths_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket.bounds import Bound

    original = Bound.__call__
    for change in (-1, 1):
        monkeypatch.setattr(
            Bound, "__call__", lambda self, change=change, **v: original(self, **v) + change
        )
        for theorem in OURS:
            rows = list(itertools.islice(theorem.rows(QUICK), 4))
            assert any(row.refuted for row in rows if row.kind == "algebra"), theorem.key


def test_wrong_claims_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_quantized_sums, "least_prefix", lambda *_: None)
    assert SUMS._samples("grid", 8, 0.5, QUICK).refuted
    monkeypatch.undo()
    monkeypatch.setattr(_quantized_sums, "exact_subset", lambda sample, goal: (0,))
    assert SUMS._construction(16).refuted
    monkeypatch.undo()
    assert _quantized_sums._chains()[0]
    true = _quantized_sums.restated
    monkeypatch.setattr(  # a rate twice as good as the proved one
        _quantized_sums, "restated", lambda law, m: (true(law, m)[0], 2 * true(law, m)[1] - 1)
    )
    assert not _quantized_sums._chains()[0]
    assert not SUMS._least()[0]
    monkeypatch.undo()
    monkeypatch.setattr(_quantized_sums, "_values", lambda m: range(1, m + 1))
    assert not _quantized_sums.drift_of_every_set()[0]  # half of the values cannot do it
    monkeypatch.undo()
    from strongticket.theorems import _binary_doubling, _binary_mean, _quantized_network

    for module, row in (
        (_quantized_network, lambda: next(iter(EXACT._built(Box(0.0, 1.0), 8, 1)))),
        (_binary_mean, lambda: next(iter(MEAN._built(Box(-1.0, 1.0), 0.3)))),
        (_binary_doubling, lambda: next(iter(DOUBLING._built(Box(-1.0, 1.0), 0.3)))),
    ):
        assert not row().refuted
        monkeypatch.setattr(module, "agrees", lambda *_: False)
        assert row().refuted
        monkeypatch.undo()


def test_all_are_listed() -> None:
    keys = [theorem.key for theorem in THEOREMS]
    for theorem in (*OURS, PUBLISHED):
        assert theorem.key in keys
