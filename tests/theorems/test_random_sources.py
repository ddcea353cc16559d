"""Sources pruned or locked at random: pools, tickets that obey them, copies."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Target, certify
from strongticket.construct import RandomSource
from strongticket.errors import InputError, WidthError
from strongticket.theorems import (
    Shape,
    _kappa,
    _masked,
    gadhikar2023,
    otsuka2024,
    pensia2020,
)
from strongticket.theorems._realisable import source_edges

PRUNED, LOCKED = gadhikar2023.EXPLICIT, otsuka2024.EXPLICIT
BOTH = pytest.mark.parametrize("theorem", [PRUNED, LOCKED], ids=lambda t: t.key)


def small(domain: Any) -> Target:
    first = np.array([[0.5, -0.25], [0.1, 0.0]], np.float32)
    bias = np.array([0.2, -0.3], np.float32)
    return Target([(first, bias), (np.array([[0.3, -0.6]], np.float32), None)], domain)


@BOTH
@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.0)], ids=str)
def test_tickets_are_certified_and_obey(theorem: Any, domain: Any) -> None:
    target, source = small(domain), theorem.extremal["sources"][1]
    network = theorem.network(target, 0.05, 0.01, seed=3, source=source)
    ticket = theorem.construct(network, target, 0.05, delta=0.01, source=source)
    source.require(ticket)
    assert certify(ticket, target, 0.05).holds


def test_a_whole_source_asks_for_what_the_plain_theorem_asks() -> None:
    (plan, *_) = PRUNED.plan(small(Box(0, 1)), 0.05)
    plain = pensia2020.EXPLICIT.pool(plan, 2, 0.01)
    whole = PRUNED.pool(plan, 2, 0.01, source=RandomSource())
    assert whole == plain
    half, quarter = (PRUNED.pool(plan, 2, 0.01, source=RandomSource(1.0, x)) for x in (0.5, 0.25))
    assert 2 * plain <= half <= 2.2 * plain
    assert 2 * half - 1 <= quarter <= 2.2 * half


def test_locks_cost_more_the_more_there_are() -> None:
    (plan, *_) = LOCKED.plan(small(Box(0, 1)), 0.05)
    pools = [
        LOCKED.pool(plan, 2, 0.01, source=RandomSource(1.0, 1.0, x)) for x in (0.05, 0.1, 0.25, 0.5)
    ]
    assert pools == sorted(pools)
    assert pools[-1] > 3 * pools[0]


def test_each_theorem_names_the_other() -> None:
    target = small(Box(0, 1))
    with pytest.raises(InputError, match="use otsuka2024_explicit"):
        PRUNED.network(target, 0.05, 0.01, seed=0, source=RandomSource(1.0, 1.0, 0.1))
    with pytest.raises(InputError, match="use gadhikar2023_explicit"):
        LOCKED.network(target, 0.05, 0.01, seed=0, source=RandomSource(0.5, 0.5))
    narrow = PRUNED.mlp(PRUNED.plan(target, 0.05), [50, 50], 0)
    with pytest.raises(WidthError, match="theorem asks for"):
        PRUNED.construct(narrow, target, 0.05)


@BOTH
def test_wrong_pools_are_noticed(theorem: Any) -> None:
    for change in (0.97, 1.03):
        wrong = replace(theorem.bound, expression=theorem.bound.expression * change)
        assert not replace(theorem, bound=wrong).least_pools()[0]


def test_wrong_moments_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from sympy import Rational

    monkeypatch.setattr(_masked, "SQUARE", Rational(2, 100))
    wrong = _masked.thinned_bound(LOCKED.block, locked=True)
    assert not replace(LOCKED, bound=wrong).least_pools()[0]
    mean, square = _kappa.product_moments(Fraction(3, 4))
    # 1/4 of the integrals of x ln(1/x) and x^2 ln(1/x) from 0 to 3/4
    t = 0.75
    assert mean == pytest.approx((t**2 / 4 - t**2 / 2 * np.log(t)) / 4, rel=1e-5)
    assert square == pytest.approx((t**3 / 9 - t**3 / 3 * np.log(t)) / 4, rel=1e-5)


def test_realisability_is_at_least_the_bound() -> None:
    """The fraction realised is at least 1 - E (1 - kappa)^rho, and exactly the product's."""
    pairs, rho, kappa, trials = 20, 6, 0.5, 2000
    here = source_edges(0, "test realisable", (trials, pairs, rho), kappa)
    realised = here.any(2).all(1).mean()
    missed = (1 - kappa) ** rho
    assert realised >= 1 - pairs * missed
    assert abs(realised - (1 - missed) ** pairs) < 0.05


def test_copies_by_hand() -> None:
    # ln(600 / 0.05) / ln(4/3) = 9.3927 / 0.28768 = 32.65
    assert gadhikar2023.REALISABLE.bound(E=600, kappa=0.25, delta=0.05) == 33
    for kappa in (0.0, 1.0):
        with pytest.raises(InputError, match="kappa must lie strictly"):
            gadhikar2023.REALISABLE.require(kappa=kappa)


@BOTH
def test_recalled_statements_have_an_explicit_form(theorem: Any) -> None:
    module = gadhikar2023 if theorem is PRUNED else otsuka2024
    assert module.RECALLED.instead == theorem.key
    assert "recalled" in module.RECALLED.title
    page = Path(__file__).parents[2] / "docs" / "theorems" / "proofs-random-sources.md"
    assert f"({theorem.proof})=" in page.read_text("utf-8")
    asked = theorem.asks(Shape((8, 8, 8)), 0.05, 0.01)
    assert "density" in asked.note


@BOTH
def test_trained_digits_are_certified(theorem: Any) -> None:
    from strongticket.datasets import digits
    from strongticket.training import train_relu

    model = train_relu(digits(), (16,), epochs=2, seed=0, rate=5e-3)
    target = Target(model, Box(0.0, 1.0))
    network = theorem.network(target, 0.05, 0.01, seed=1)
    assert certify(theorem.construct(network, target, 0.05, delta=0.01), target, 0.05).holds


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_real_images_are_certified_in_a_pruned_source(data_folder: Path, name: str) -> None:
    from strongticket.datasets import idx_folder
    from strongticket.training import train_relu

    # experiments/catalogue_targets.py does the same with 784-300-100-10
    model = train_relu(idx_folder(data_folder / name), (24,), epochs=1, seed=0, decay=1e-3)
    target, source = Target(model, Box(0.0, 1.0)), RandomSource(0.7, 0.7)
    network = PRUNED.network(target, 0.1, 0.01, seed=1, source=source)
    ticket = PRUNED.construct(network, target, 0.1, delta=0.01, source=source)
    assert certify(ticket, target, 0.1).holds
