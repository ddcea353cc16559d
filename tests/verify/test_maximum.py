"""Maxima of small networks: enclosed, above every attack, below every bound, no solver believed."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from certificates import target, ticket

from strongticket.errors import InputError
from strongticket.targets import Ball, Box
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    LINEAR,
    SPECTRAL,
    WEIGHT_ERROR,
    _maximum,
    _relaxation,
    attack,
    certify,
    collapse,
    maximum,
)
from strongticket.verify._duality import _short, linear_programme, weak_duality

pytest.importorskip("cvxpy")
DOMAINS = [Box(0.0, 1.0), Box(-1.0, 0.5)]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_enclosed_between_attack_and_every_bound(domain: Box, seed: int) -> None:
    of = target((3, 5, 2), domain, seed=seed)
    made = ticket(of, pool=30, accuracy=0.1, seed=seed)
    found = maximum(made, of)
    assert found.finished
    least, most = found.attack.exact_distance, found.exact_bound
    assert least <= most <= least * (1 + Fraction(1e-3))
    assert attack(made, of, starts=20, steps=30).exact_distance <= most
    for method in (WEIGHT_ERROR, DIFFERENTIAL_INTERVAL, LINEAR, SPECTRAL):
        assert least <= certify(made, of, method=method).exact_bound
    assert float(least) == pytest.approx(found.claimed, rel=1e-5)
    # A grid misses the maximum by little and never exceeds it.
    layers = collapse(made)
    ends = np.linspace(domain.low, domain.high, 9)
    x = np.array(list(itertools.product(ends, repeat=3)))
    g = x
    for i, layer in enumerate(layers):
        unit = 2.0**layer.exponent
        g = np.maximum(g, 0) @ (layer.plus * unit).T + np.minimum(g, 0) @ (layer.minus * unit).T
        g = g + layer.bias * unit
        g = np.maximum(g, 0) if i == 0 else g
    reached = float(np.abs(g - of(x)).max())
    assert 0.7 * float(least) <= reached <= float(most) * (1 + 1e-9)


def test_a_solver_that_lies_makes_no_false_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    of = target((3, 4, 1), Box(0.0, 1.0), seed=2)
    made = ticket(of, pool=30, accuracy=0.1)
    truth = maximum(made, of).attack.exact_distance

    def lie(*args):
        y, v = linear_programme(*args)
        return y * 0.5, v

    def mad(cp, programme, goal, seconds):
        return 1e-9, np.full(3, 7.0)

    monkeypatch.setattr(_relaxation, "linear_programme", lie)
    monkeypatch.setattr(_maximum, "highs", mad)
    found = maximum(made, of, time_limit=5)
    assert found.attack.exact_distance <= truth * Fraction(1001, 1000)
    assert found.exact_bound >= truth
    assert max(found.attack.input) <= 1.0


def test_weak_duality_holds_for_any_multipliers() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-9, 9, (4, 3)).tolist()
    b, c = rng.integers(1, 9, 4).tolist(), rng.integers(-9, 9, 3).tolist()
    low, high = [-4, 0, -2], [3, 5, 0]
    points = itertools.product(*(range(lo, up + 1) for lo, up in zip(low, high, strict=True)))
    feasible = [
        v
        for v in points
        if all(
            sum(p * q for p, q in zip(row, v, strict=True)) <= s
            for row, s in zip(a, b, strict=True)
        )
    ]
    best = max(sum(p * q for p, q in zip(c, v, strict=True)) for v in feasible)
    for _ in range(200):
        y = rng.uniform(0, 3, 4) * rng.integers(0, 2, 4)
        assert weak_duality(a, b, low, high, c, y) >= best
    y, v = linear_programme(a, b, low, high, c)
    assert v is not None
    assert best <= weak_duality(a, b, low, high, c, y) <= float(np.dot(c, v)) + 1e-6


def test_multipliers_are_short_and_not_negative() -> None:
    assert _short(-1.0) == _short(float("nan")) == _short(float("inf")) == 0
    assert _short(0.75) == Fraction(3, 4)
    assert _short(1 / 3).denominator.bit_length() <= 33


def test_time_out_keeps_a_bound() -> None:
    of = target((6, 8, 2), Box(0.0, 1.0), seed=2)
    made = ticket(of, pool=30, accuracy=0.1)
    found = maximum(made, of, gap=0.0, time_limit=0.05)
    assert not found.finished
    assert attack(made, of, starts=20, steps=30).exact_distance <= found.exact_bound


@pytest.mark.parametrize("time_limit", [1e-9, 0.02, 0.3])
@pytest.mark.parametrize("gap", [0.0, 1e-3, 10.0])
def test_no_limit_makes_it_fall_below_an_attack(time_limit: float, gap: float) -> None:
    for domain in DOMAINS:
        of = target((4, 6, 2), domain, seed=7)
        made = ticket(of, pool=30, accuracy=0.1)
        found = maximum(made, of, gap=gap, time_limit=time_limit)
        own = attack(made, of, starts=40, steps=40).exact_distance
        assert max(own, found.attack.exact_distance) <= found.exact_bound
        if found.finished:
            assert found.exact_bound <= found.attack.exact_distance * (1 + Fraction(gap))


@pytest.mark.parametrize(
    ("widths", "domain", "kwargs", "message"),
    [
        ((3, 4, 2), Ball(1.0), {}, "needs a Box"),
        ((3, 4, 3, 2), Box(0.0, 1.0), {}, "one hidden layer"),
        ((3, 4, 2), Box(0.0, 1.0), {"gap": -1.0}, "finite gap >= 0"),
        ((3, 4, 2), Box(0.0, 1.0), {"gap": float("inf")}, "finite gap >= 0"),
        ((3, 4, 2), Box(0.0, 1.0), {"gap": float("nan")}, "finite gap >= 0"),
        ((3, 4, 2), Box(0.0, 1.0), {"time_limit": 0.0}, "time_limit > 0"),
    ],
)
def test_bad_calls(widths, domain, kwargs, message: str) -> None:
    of = target(widths, domain)
    with pytest.raises(InputError, match=message):
        maximum(ticket(of, pool=20), of, **kwargs)
