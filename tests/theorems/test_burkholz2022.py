"""Depth L + 1: the statement holds, a wrong constant is noticed, bad input is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

from strongticket.errors import InputError, ReachError, WidthError
from strongticket.networks import Network
from strongticket.targets import Box, Target
from strongticket.theorems import Effort, _copies_plan, _copies_restated
from strongticket.theorems._copies_rows import SOLVERS
from strongticket.theorems._size import Shape
from strongticket.theorems.burkholz2022 import EXPLICIT, RECALLED
from strongticket.verify import certify


def target(scale: float = 1.0) -> Target:
    rng = np.random.default_rng(4)
    first, second = rng.uniform(-0.4, 0.4, (3, 2)), rng.uniform(-0.4, 0.4, (2, 3))
    pairs = [(w.astype(np.float32) * np.float32(scale), None) for w in (first, second)]
    return Target(pairs, Box(0, 1))


def test_the_ticket_of_the_claimed_width_is_certified() -> None:
    wanted = target()
    network = EXPLICIT.network(wanted, 0.1, 0.01, seed=2)
    ticket = EXPLICIT.construct(network, wanted, 0.1, delta=0.01, **SOLVERS)
    assert certify(ticket, wanted, 0.1).holds
    narrow = EXPLICIT.network(wanted, 0.1, 0.5, seed=2)
    with pytest.raises(WidthError, match="the theorem asks for the widths"):
        EXPLICIT.construct(narrow, wanted, 0.1, delta=0.01, **SOLVERS)
    deep = Network.mlp((2, 8, 2), laws=[p.law for p in network.parameters[:2]], seed=0)
    with pytest.raises(WidthError, match="depth 3"):
        EXPLICIT.construct(deep, wanted, 0.1, **SOLVERS)


def test_a_given_mass_asks_for_less_than_all_copies() -> None:
    wanted = target()
    free, light = (EXPLICIT.plan(wanted, 0.1, 0.01, mass=m) for m in (None, 4.0))
    assert light[0].count < free[0].count
    assert light[1].mass == 4 * Fraction(np.abs(wanted.weights[1]).astype(float).sum(1).max()) * (
        1 + Fraction(1, 1 << 40)
    )
    with pytest.raises(InputError, match="multiple of the row sums"):
        EXPLICIT.plan(wanted, 0.1, mass=0.5)


def test_beyond_the_hypotheses_the_nearest_admissible_value_is_named() -> None:
    wanted = target()
    with pytest.raises(InputError, match="the finest epsilon is about") as refused:
        EXPLICIT.plan(wanted, 1e-4, 0.01)
    finest = float(str(refused.value).split("about ")[1].split(". Give")[0])
    EXPLICIT.plan(wanted, finest, 0.01)
    with pytest.raises(InputError, match="finest"):
        EXPLICIT.plan(wanted, finest * 0.8, 0.01)
    with pytest.raises(ReachError, match=r"weight .* of layer 1"):
        EXPLICIT.plan(wanted, 0.1, scales=((2.0, 1.0), (0.125,)))
    for epsilon, delta in ((0.0, 0.1), (0.1, 1.0), (float("nan"), 0.1)):
        with pytest.raises(InputError):
            EXPLICIT.network(wanted, epsilon, delta, seed=0)


def test_the_recalled_theorem_gives_no_number() -> None:
    assert not RECALLED.falsifiable
    with pytest.raises(InputError, match="burkholz2022_explicit"):
        RECALLED.network(target(), 0.1, 0.1, seed=0)
    assert any("mass" in text for text in RECALLED.errata)


def test_asks_grows_and_says_what_the_grid_cannot() -> None:
    small = EXPLICIT.asks(Shape((5, 5, 5)), 0.5, 0.01)
    large = EXPLICIT.asks(Shape((500, 500, 500)), 0.01, 0.01)
    assert small is not None
    assert large is not None
    assert small.depth == large.depth == 3
    assert "continuous" not in small.note
    assert "continuous" in large.note
    assert large.weights > small.weights


def test_the_example_is_small() -> None:
    ticket = EXPLICIT.example()
    assert sum(ticket.network.architecture.widths[1:-1]) <= 60
    assert ticket.mask.kept > 0


WRONG = {
    "factor 2 of the shares": ("COPIES", lambda b: b.subs(_copies_plan.L, _copies_plan.L / 2)),
    "window": ("COPIES", lambda b: b.subs(_copies_plan.s, _copies_plan.s / 2)),
    "rate": ("COPIES", lambda b: b * sympy.Rational(9, 10)),
    "grid": ("COPIES", lambda b: b.subs(_copies_plan.h, _copies_plan.h / 2)),
    "kappa": ("POOL", lambda b: b.subs(sympy.Rational(451, 500), sympy.Rational(450, 500))),
    "sign groups": ("POOL", lambda b: b.subs(_copies_plan.g, 1 + 0 * _copies_plan.g)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_constant_of_a_count_is_noticed(name: str, monkeypatch) -> None:
    which, change = WRONG[name]
    bound = getattr(_copies_plan, which)
    changed = change(bound.expression)
    kept = {symbol.name for symbol in changed.free_symbols}
    assert changed != bound.expression
    wrong = replace(
        bound,
        expression=changed,
        meanings=tuple((n, m) for n, m in bound.meanings if n in kept),
        domain=(),
    )
    call = wrong.__call__

    class Lax:
        def __call__(self, **values):
            return call(**{n: v for n, v in values.items() if n in kept})

    monkeypatch.setattr(_copies_plan, which, Lax())
    holds, measured = _copies_restated.least_counts(EXPLICIT)
    assert not holds, measured


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_mass_is_noticed(factor: float, monkeypatch) -> None:
    monkeypatch.setattr(_copies_plan, "MASS", _copies_plan.MASS * sympy.Rational(str(factor)))
    assert not _copies_restated.masses(EXPLICIT)[0]


def test_a_wrong_allocation_is_noticed(monkeypatch) -> None:
    true = _copies_plan.Layers.accuracy
    monkeypatch.setattr(
        _copies_plan.Layers, "accuracy", lambda self, i, a: true(self, i, a) * Fraction(11, 10)
    )
    assert not _copies_restated.propagated(EXPLICIT)[0]


def test_the_check_refutes_a_false_width_and_nothing_else() -> None:
    assert not [row for row in EXPLICIT.rows(Effort(quick=True)) if row.refuted]
    false = list(EXPLICIT.rows(Effort(quick=True), false_width=True))
    assert false
    assert all(row.refuted for row in false)
