"""Two neurons for one weight, in the paper's form and by the best product: counts, tickets."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from strongticket import Ball, Box, Network, Target, Uniform, certify
from strongticket.check import check
from strongticket.errors import InputError, WidthError
from strongticket.theorems import Effort
from strongticket.theorems._size import Shape
from strongticket.theorems._two_neurons import counted, toys
from strongticket.theorems.malach2020 import COUNT, PRODUCT

BOTH = pytest.mark.parametrize("theorem", [COUNT, PRODUCT], ids=lambda t: t.key)


def test_counts_by_hand() -> None:
    # 64 s^2 L^2 n / eps^2 ln(2nsL/delta): n = s = 10, L = 2, eps 0.1, delta 0.01 (and the grid)
    k = COUNT.bound(n=10, s=10, L=2, epsilon=0.1, delta=0.01)
    plain = 64 * 100 * 4 * 10 / 0.01 * math.log(2 * 10 * 10 * 2 / 0.01)
    assert plain < k < 1.002 * plain
    assert 2.7e10 < 100 * k < 2.72e10
    # ln(1 * (2 * 2 + 1) * 3 / 0.01) = 7.31322; 0.1 ln 2 / 4 = 0.01732868 (less 6e-8): 422.03
    values: dict[str, Any] = {"L": 1, "g": 2, "d_in": 2, "d_out": 3, "b": 1, "delta": 0.01}
    assert PRODUCT.bound(**values, W_i=1, eta_i=0.1) == 423
    assert PRODUCT.bound(**values, W_i=2, eta_i=0.2) == 423


def test_the_density_bound_holds_and_is_not_far_from_the_truth() -> None:
    holds, text = counted()
    assert holds, text
    a, b = np.random.default_rng(0).uniform(-2, 2, (2, 1_000_000))
    found = float(((a > 0) & (np.abs(a * b - 0.95) <= 0.05)).mean())
    bound = 0.05 * math.log(2) / 4
    assert bound < found < 1.1 * bound


def test_the_shape_of_the_papers_example() -> None:
    asked = COUNT.asks(Shape((10, 10, 10)), 0.1, 0.01)
    assert asked is not None
    assert asked.widths == (10, 27143754400, 10, 27143754400, 10)
    fewer = PRODUCT.asks(Shape((10, 10, 10)), 0.1, 0.01)
    assert fewer is not None
    assert fewer.widths[1] < 3e5
    assert fewer.widths[::2] == (10, 10, 10)


def norm_one(seed: int) -> Target:
    """A random 4-3-2 target of norm-one layers on the unit ball."""
    rng = np.random.default_rng(seed)
    layers = []
    for shape in ((3, 4), (2, 3)):
        w = rng.normal(size=shape)
        layers.append(((w / np.linalg.norm(w) * 0.99).astype(np.float32), None))
    return Target(layers, Ball(1.0))


def test_product_tickets_are_certified_and_keep_two_weights_a_weight_and_sign() -> None:
    for target in (norm_one(0), *(target for _, target in toys())):
        network = PRODUCT.network(target, 0.1, 0.01, seed=4)
        ticket = PRODUCT.construct(network, target, 0.1)
        assert certify(ticket, target, 0.1).holds
        assert ticket.mask.kept <= PRODUCT._most(target)


def test_the_papers_network_is_built_where_it_is_small() -> None:
    target = toys()[0][1]
    network = COUNT.network(target, 1.0, 0.5, seed=9)
    ticket = COUNT.construct(network, target, 1.0)
    certificate = certify(ticket, target, 1.0)
    assert certificate.holds
    assert certificate.bound < 0.5
    assert ticket.mask.kept == 16 - 4 + 4  # 5 weights, two signs, two layers; 4 in the last: 3+2


def test_reading_stops_at_the_first_good_neurons() -> None:
    target = norm_one(1)
    network = PRODUCT.network(target, 0.01, 0.01, seed=4)
    ticket = PRODUCT.construct(network, target, 0.01)
    assert certify(ticket, target, 0.01).holds
    pool = ticket.provenance["layers"][0]["pool"]
    assert ticket.provenance["layers"][0]["candidates_read"] <= pool
    assert network.architecture.widths[1] == 4 * pool  # type: ignore[union-attr]


def test_norms_of_exactly_one_are_within_the_hypothesis() -> None:
    """Norms are bounded from above in floating point; a rotation by 90 degrees is no more."""
    target = Target([(np.array([[0, 1], [-1, 0]], np.float32), None)] * 2, Ball(1.0))
    assert COUNT.plan(target, 1.0)
    with pytest.raises(InputError, match=r"largest is 1\.000000"):
        COUNT.require(norms=[1 + 2.0**-31])


BIASED, OUT = toys()[2][1], Target([(np.eye(2, dtype=np.float32) * 2, None)], Ball(1.0))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: COUNT.plan(toys()[0][1], 1.5), r"epsilon must lie in \(0, 1\]"),
        (lambda: COUNT.plan(toys()[1][1], 0.5), r"domain must be Ball\(r\) with r <= 1"),
        (lambda: COUNT.plan(OUT, 0.5), "spectral norm must be at most 1, the largest is 2"),
        (lambda: COUNT.require(biased=True), "no biases"),
        (lambda: COUNT.require(entries=1.5), "at most 1 in magnitude"),
        (lambda: COUNT.asks(Shape((500, 500)), 1e-3, 0.1), "needs"),
        (lambda: COUNT.network(toys()[0][1], 0.5, 0.5, 0, pools=3), "takes no options"),
        (lambda: PRODUCT.plan(OUT, 1e-7), "finest epsilon is about"),
        (lambda: PRODUCT.network(OUT, 0.5, 0.5, 0, pools=3), "takes no options"),
        (lambda: PRODUCT.network(OUT, 0.5, 1.5, 0), "delta"),
    ],
)
def test_values_outside_the_hypotheses_are_refused(ask: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ask()


def test_scales_cover_the_largest_value_and_the_accuracy() -> None:
    for size in (0.2, 0.97, 1.0, 3.0):
        target = Target([(np.array([[size]], np.float32), None)], Box(0.0, 1.0))
        (plan,) = PRODUCT.plan(target, 0.1)
        need = Fraction(float(np.float32(size))) + Fraction(plan.eta)
        assert plan.window / 2 < need <= plan.window == plan.scales[0] * plan.scales[1] / 4


def test_a_network_of_other_widths_is_refused() -> None:
    with pytest.raises(WidthError, match="n s K"):
        COUNT.construct(Network.mlp((2, 3, 2, 3, 1), laws=Uniform(1.0), seed=0), toys()[0][1], 1.0)


@BOTH
def test_examples_are_small(theorem: Any) -> None:
    ticket = theorem.example()
    assert 0 < ticket.mask.kept < ticket.mask.total
    assert sum(ticket.network.architecture.widths[1::2]) <= 60


@BOTH
def test_checks_stand_and_their_false_forms_fall(theorem: Any) -> None:
    assert check(theorem, quick=True).ok
    assert check(theorem, quick=True, false_width=True).ok


@BOTH
@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(9, 10), Fraction(11, 10)])
def test_a_wrong_constant_is_noticed(theorem: Any, factor: Fraction) -> None:
    wrong = theorem.bound.expression * sympy.Rational(factor.numerator, factor.denominator)
    bad = replace(theorem, bound=replace(theorem.bound, expression=wrong))
    assert any(row.refuted for row in bad.rows(Effort(quick=True)))
