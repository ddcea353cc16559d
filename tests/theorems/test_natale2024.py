"""Subsets of a fixed size: sizes, densities, tickets; the lower bound in integers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Target, certify
from strongticket.errors import InputError, WidthError
from strongticket.theorems import Shape, _kappa, _restated_pairs, natale2024
from strongticket.theorems._sparse_lower import least_parameters
from strongticket.theorems.natale2024 import EXPLICIT, LOWER, NETWORK, PAIRS, SUBSETS


def small(domain: Any = None, biased: bool = False) -> Target:
    first = (np.array([[0.5, -0.25], [0.1, 0.0]], np.float32), None)
    if biased:
        first = (first[0], np.array([0.2, -0.3], np.float32))
    return Target([first, (np.array([[0.3, -0.6]], np.float32), None)], domain or Box(0, 1))


def test_what_the_paper_leaves_open_is_no_number() -> None:
    with pytest.raises(InputError, match="leaves c_hyp unspecified"):
        SUBSETS.bound(c_hyp=1, k=4, epsilon=0.1, gamma=0.5)
    with pytest.raises(InputError, match="use natale2024_explicit"):
        NETWORK.network(small(), 0.1, 0.1, seed=0)
    assert len(SUBSETS.errata) == 5


def test_sizes_by_hand() -> None:
    # n = ln(16/(0.01 * 0.5)) / -ln(1 - 0.477/2) = 8.0709/0.27247 = 29.62 (the grid costs nothing);
    # m = (ln 8 + 30.62 ln 1.0612) / -ln 0.8539 = (2.0794 + 1.8190)/0.15794 = 24.68
    assert PAIRS.width(0.1, 0.5) == math.ceil(29.62 + 1 + 24.68)
    for eta in (2.0, 1e-9):
        with pytest.raises(InputError, match="eta must lie in"):
            PAIRS.width(eta, 0.5)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"k": 10**7, "epsilon": 0.01, "d": 1}, "k up to 100,000; got k = 10000000"),
        ({"k": 100, "epsilon": 1e-9, "d": 100}, "at most 30,000 bits; d = 100, k = 100"),
    ],
)
def test_a_count_too_long_to_finish_is_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        LOWER.bound(**values)


def test_pools_hold_enough_of_each_sign() -> None:
    """The pool by the exact binomial tail, a union over all blocks of a third of delta."""
    from scipy import stats

    target, delta = small(Box(-1, 1), biased=True), 0.01
    plans = EXPLICIT.plan(target, 0.05)
    sizes = EXPLICIT.sizes(plans, 2, delta)
    failed = 0.0
    for plan, size in zip(plans, sizes, strict=True):
        blocks = plan.groups * plan.inputs + plan.biased
        pool = EXPLICIT.pool(plan, 2, delta)
        failed += blocks * stats.binom.cdf(2 * size - 1, pool, 0.5)
    assert 0 < failed <= delta / 3


@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.0)], ids=str)
def test_tickets_have_the_stated_density(domain: Any) -> None:
    target = small(domain, biased=True)
    network = EXPLICIT.network(target, 0.05, 0.01, seed=4)
    ticket = EXPLICIT.construct(network, target, 0.05, delta=0.01)
    assert certify(ticket, target, 0.05).holds
    for i, plan in enumerate(EXPLICIT.plan(target, 0.05)):
        entries = ticket.mask[f"layers.{2 * i + 1}.weight"]
        assert Fraction(entries.kept, entries.total) == EXPLICIT.density(plan, 2, 0.01)


def test_a_network_too_narrow_is_refused() -> None:
    target = small()
    plans = EXPLICIT.plan(target, 0.05)
    narrow = EXPLICIT.mlp(plans, [100, 100], 0)
    with pytest.raises(WidthError, match="theorem asks for"):
        EXPLICIT.construct(narrow, target, 0.05)


def test_what_it_asks_grows_with_the_shape() -> None:
    few, more = (EXPLICIT.asks(Shape((d, d, d)), 0.05, 0.01) for d in (10, 100))
    assert few is not None
    assert more is not None
    assert more.weights > 100 * few.weights
    with pytest.raises(InputError, match="epsilon"):
        EXPLICIT.asks(Shape((3, 3)), -1.0, 0.1)


def test_moments_against_sampling() -> None:
    push, pull = _kappa.pair_moments(1.1, 1.25)
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(0, 1, 10**6) * rng.uniform(-1, 1, 10**6) for _ in "ab")
    assert abs(np.exp(-1.1 * x).mean() - push) < 0.005
    larger = np.where(np.abs(x - y) <= 1.25, np.maximum(x, y), x)
    assert abs(np.exp(-1.1 * larger).mean() - pull) < 0.005


def wrong_bounds() -> list[tuple[str, Any]]:
    found = []
    for theorem, name in ((PAIRS, "PAIRS"), (EXPLICIT, "EXPLICIT")):
        for change in (0.9, 1.1):
            wrong = replace(theorem.bound, expression=theorem.bound.expression * change)
            found.append((f"{name} {change}", replace(theorem, bound=wrong)))
    return found


@pytest.mark.parametrize(("name", "theorem"), wrong_bounds(), ids=lambda v: str(v)[:12])
def test_wrong_sizes_are_noticed(name: str, theorem: Any) -> None:
    if name.startswith("PAIRS"):
        assert any(row.refuted for row in theorem.restated_rows())
    else:
        assert not theorem.least_pools()[0]


def test_the_count_is_exact() -> None:
    for k, error, d in itertools.product((1, 3, 8), (0.3, 0.01), (1, 2)):
        p = least_parameters(Fraction(k), Fraction(error), Fraction(d))
        wanted = 0.5 * (math.sqrt(k) / (2 * error)) ** (d * d)
        assert math.comb(p, k) > wanted * (1 - 1e-9)
        assert p == k or math.comb(p - 1, k) <= wanted * (1 + 1e-9)
        assert LOWER.bound(k=k, epsilon=error, d=d) == p
    with pytest.raises(InputError, match="k must be a whole number"):
        LOWER.bound(k=1.5, epsilon=0.1, d=1)
    with pytest.raises(InputError, match="k must be a whole number >= 1"):
        LOWER.require(k=0)


def test_a_wrong_count_is_noticed() -> None:
    wrong = replace(LOWER.bound, procedure=lambda **v: least_parameters(**v) + 1)
    assert not _restated_pairs.counted(wrong)[0]


def test_trained_digits_are_certified() -> None:
    from strongticket.datasets import digits
    from strongticket.training import train_relu

    model = train_relu(digits(), (16,), epochs=2, seed=0, rate=5e-3)
    target = Target(model, Box(0.0, 1.0))
    network = EXPLICIT.network(target, 0.05, 0.01, seed=1)
    assert certify(EXPLICIT.construct(network, target, 0.05, delta=0.01), target, 0.05).holds


def test_the_proofs_are_where_the_theorems_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "theorems" / "proofs-natale2024.md"
    for theorem in (PAIRS, EXPLICIT, LOWER):
        assert f"({theorem.proof})=" in page.read_text("utf-8")
    assert natale2024.PAPER.endswith("2410.14754")
