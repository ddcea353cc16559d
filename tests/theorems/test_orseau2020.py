"""The golden-ratio greedy as theorems: counts by hand, hypotheses, tickets, checks that refute."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from mpmath import mp

from strongticket import Ball, Box, Network, Target, Uniform
from strongticket.check import check
from strongticket.errors import InputError, WidthError
from strongticket.laws import LogUniform
from strongticket.theorems import Effort, _golden_network, _golden_sampling, orseau2020
from strongticket.theorems._golden_network import _targets
from strongticket.theorems._golden_sampling import (
    below_power,
    cells,
    covered,
    first_hits,
    least_digits,
    most_goal,
    served,
)
from strongticket.theorems._proved import proved_bound
from strongticket.theorems._size import Shape

SAMPLES, NETWORK, RECALLED = orseau2020.SAMPLES, orseau2020.NETWORK, orseau2020.RECALLED
PHI = (1 + 5**0.5) / 2


def test_counts_by_hand() -> None:
    # k = 6: 12 ln(12/0.05) / (1 - 2^-12 - 2^-23 phi^6) = 65.7677 / 0.9997537
    assert SAMPLES.bound(k=6, delta=0.05) == 66
    assert SAMPLES.width(0.1, 0.05) == 66  # gamma^5 = 0.0902 <= 0.1 < gamma^4
    assert SAMPLES.width(0.01, 0.5) == 84  # k = 11: 22 ln 44 = 83.252
    # 40 ln(20 * 2 * 12 / 0.01) = 431.16 (k = 10, L 2, g 2, 3 inputs, 2 outputs)
    values = {"k_i": 10, "L": 2, "g": 2, "d_in": 3, "d_out": 2, "b": 0, "delta": 0.01}
    assert NETWORK.bound(**values) == 432


def test_digits_and_reach_are_exact() -> None:
    with mp.workdps(60):
        gamma = (mp.sqrt(5) - 1) / 2
        for i in range(31):
            edge = Fraction(str(mp.nstr(gamma**i, 50)))
            tiny = Fraction(1, 10**40)
            assert below_power(edge + tiny, i)
            assert not below_power(edge - tiny, i)
            assert least_digits(edge + tiny) == (i + 1 if i < 30 else None)
            assert cells(i + 1) == math.ceil(1024 * (i + 1) * mp.log(1 / gamma, 2))
    assert most_goal() == int(PHI * 2**24)
    assert covered(Fraction(16180339887, 10**10), 1.0)
    assert not covered(Fraction(16180339888, 10**10), 1.0)


def test_bins_and_prefixes_are_those_of_a_plain_loop() -> None:
    k = 5
    samples = SAMPLES.sample(20, 40, k, seed=8)
    hits = first_hits(samples, k)
    gamma = 1 / PHI
    for row, found in zip(samples, hits, strict=True):
        for i in range(k):
            for j, sign in ((k - 1 - i, 1), (2 * k - 1 - i, -1)):
                low, high = 2**24 * gamma ** (i + 1), 2**24 * gamma**i
                at = [n for n, x in enumerate(row) if low < sign * x <= high]
                assert found[j] == (at[0] if at else row.size)
    # what the greedy leaves at worst is at least what it leaves of some targets
    row = samples[0]
    worst = served(row, k)
    goals = np.linspace(0, most_goal(), 500).astype(np.int64)
    _, left = _golden_sampling.greedy(np.tile(row, (500, 1)), goals, k)
    assert left.max() <= worst
    assert worst - left.max() < 2**24 / 100


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: SAMPLES.width(8e-7, 0.1), "more than 30 golden digits.*finest is about 8.697e-07"),
        (lambda: SAMPLES.width(0.1, 1.0), "delta must lie"),
        (lambda: SAMPLES.bound(k=31, delta=0.1), "needs"),
        (lambda: RECALLED.bound(C=1, L=1, d_in=1, epsilon=1, delta=0.1), "unspecified"),
        (lambda: NETWORK.plan(_targets()[0][1], 1e-7), "finest epsilon is about"),
        (lambda: NETWORK.asks(Shape((784, 500, 10)), 1e-6, 0.1), "finer than the 24-bit grid"),
        (lambda: NETWORK.network(_targets()[0][1], 0.1, 0.1, 0, pools=3), "takes no options"),
    ],
)
def test_values_outside_the_hypotheses_are_refused(ask: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ask()  # type: ignore[operator]


def test_the_finest_epsilon_that_the_error_names_is_accepted() -> None:
    target = _targets()[1][1]
    with pytest.raises(InputError, match="finest epsilon is about") as caught:
        NETWORK.plan(target, 1e-7)
    named = re.search(r"finest epsilon is about (\S+)\. ", str(caught.value))
    assert named is not None
    finest = float(named[1])
    assert max(plan.digits for plan in NETWORK.plan(target, finest)) == 30
    with pytest.raises(InputError):
        NETWORK.plan(target, finest / 1.2)


def test_a_zero_layer_asks_for_little_and_small_weights_for_small_scales() -> None:
    zero = Target([(np.zeros((2, 2), np.float32), None)], Ball(1.0))
    (plan,) = NETWORK.plan(zero, 0.1)
    assert plan.digits == 1
    small = Target([(np.full((2, 2), 0.05, np.float32), None)], Box(0.0, 1.0))
    (plan,) = NETWORK.plan(small, 0.01)
    assert plan.scale / 2 * PHI < 0.05 <= plan.scale * PHI
    assert plan.laws[1] == LogUniform(plan.scale, cells(plan.digits))


def test_one_network_serves_many_targets() -> None:
    """Property 41: what was built for one target takes nothing from the next."""
    rng = np.random.default_rng(0)
    first = Target([(np.array([[1.0, -0.5]], np.float32), None)], Box(-1.0, 1.0))
    network = NETWORK.network(first, 0.05, 0.01, seed=3)
    before = NETWORK.construct(network, first, 0.05, delta=0.01).ticket_id
    for _ in range(5):
        weights = rng.uniform(-0.75, 0.75, (1, 2)).astype(np.float32)
        other = Target([(weights * np.float32(1.5 / np.abs(weights).sum()), None)], first.domain)
        plans = NETWORK.plan(other, 0.05)
        if plans[0].scale == NETWORK.plan(first, 0.05)[0].scale:
            ticket = NETWORK.construct(network, other, 0.05)
            assert proved_bound(ticket, other) <= Fraction(0.05)
    assert NETWORK.construct(network, first, 0.05).ticket_id == before


def test_a_narrower_network_is_refused_when_delta_is_given() -> None:
    target = _targets()[0][1]
    network = NETWORK.network(target, 0.05, 0.5, seed=0)
    with pytest.raises(WidthError, match="asks for widths"):
        NETWORK.construct(network, target, 0.05, delta=0.01)
    with pytest.raises(WidthError, match="even widths"):
        NETWORK.construct(Network.mlp((2, 5, 1), laws=Uniform(1.0), seed=0), target, 0.05)


def test_asks_and_example() -> None:
    asked = NETWORK.asks(Shape((10, 10, 10)), 0.1, 0.01)
    assert asked is not None
    assert asked.widths[::2] == (10, 10, 10)
    assert asked.depth == 4
    # eta = 0.0488/10 = 0.00488, k = 13: 52 ln(26 * 2 * 200 / 0.01) = 720.4
    assert asked.widths[1] == 10 * 721
    ticket = NETWORK.example()
    assert ticket is not None
    assert 0 < ticket.mask.kept < ticket.mask.total <= 200


@pytest.mark.parametrize("theorem", [SAMPLES, NETWORK, RECALLED], ids=lambda t: t.key)
def test_checks_stand_and_their_false_forms_fall(theorem: object) -> None:
    assert check(theorem, quick=True).ok  # type: ignore[arg-type]
    assert check(theorem, quick=True, false_width=True).ok  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda bound: replace(bound, expression=bound.expression * sympy.Rational(9, 10)),
        lambda bound: replace(bound, expression=bound.expression / 2),
        lambda bound: replace(bound, expression=bound.expression + 1),
    ],
)
def test_a_wrong_constant_is_noticed(wrong: object) -> None:
    for theorem in (SAMPLES, NETWORK):
        bad = replace(theorem, bound=wrong(theorem.bound))  # type: ignore[operator]
        assert any(row.refuted for row in bad.rows(Effort(quick=True)))


def test_a_law_with_wrong_bins_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_golden_sampling, "cells", lambda k: cells(k) + 40)
    holds, text = _golden_sampling.bins_counted(range(1, 31))
    assert not holds, text


def test_a_grid_step_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The greedy's targets are whole units: its accuracy must be finer by one of them."""
    holds, text = _golden_network._fewest()
    assert holds, text
    finer = _golden_network.least_digits
    step = Fraction(1, 1 << 24)
    monkeypatch.setattr(_golden_network, "least_digits", lambda ratio: finer(ratio + step))
    assert not _golden_network._fewest()[0]
