"""A wrong constant in a bound is seen: each claim is held against its proof's own numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import sympy

from strongticket import Ball, Box
from strongticket.theorems import _certified, _dynamic_program, _plan, _restated
from strongticket.theorems._network import pool_bound
from strongticket.theorems._plan import LayerPlan
from strongticket.theorems._restated_network import (
    least_pools,
    least_reach,
    propagated,
    sign_groups,
)
from strongticket.theorems._sampling import exponential
from strongticket.theorems.pensia2020 import EXPLICIT, FIRST, LOWER
from strongticket.theorems.random_subset_sum import (
    COUNTING,
    DYNAMIC_PROGRAM,
    PRODUCT,
    R1,
    R1PLUS,
    R1PLUS_WHOLE,
)

SAMPLES = (R1, R1PLUS, R1PLUS_WHOLE, PRODUCT, FIRST.block)


def changed(theorem: Any, prefactor: Any, ratio: Any) -> Any:
    """The theorem with other numbers, everything else as it is."""
    bound = exponential("n", prefactor, ratio, meanings=theorem.bound.meanings)
    bound = replace(bound, domain=theorem.bound.domain)
    return replace(theorem, prefactor=prefactor, ratio=ratio, bound=bound)


@pytest.mark.parametrize("theorem", [*SAMPLES, DYNAMIC_PROGRAM], ids=lambda t: t.key)
def test_the_numbers_are_those_of_the_proofs(theorem: Any) -> None:
    assert not any(row.refuted for row in theorem.restated_rows())


@pytest.mark.parametrize("theorem", SAMPLES, ids=lambda t: t.key)
@pytest.mark.parametrize(
    "change",
    [
        lambda a, r: (a, 1 - 2 * (1 - r)),  # the gate forgotten, the rate doubled
        lambda a, r: (a, 1 - (1 - r) / 2),
        lambda a, r: (sympy.sqrt(a), r),
        lambda a, r: (a / 2, r),
        lambda a, r: (a, r - sympy.Rational(1, 1000)),
    ],
    ids=["rate doubled", "rate halved", "power 1", "half", "a little"],
)
def test_wrong_constants_refute(theorem: Any, change: Any) -> None:
    rows = list(changed(theorem, *change(theorem.prefactor, theorem.ratio)).restated_rows())
    assert [row.refuted for row in rows] == [True, False]


@pytest.mark.parametrize("factor", [Fraction(1, 9), Fraction(1, 1000)])
@pytest.mark.parametrize("theorem", SAMPLES[1:], ids=lambda t: t.key)
def test_a_smaller_loss_to_the_grid_refutes(theorem: Any, factor: Fraction) -> None:
    eta = sympy.Symbol("eta", positive=True)
    rate = sympy.limit(theorem.ratio, eta, sympy.oo)
    loss = (theorem.ratio - rate) * sympy.Rational(*factor.as_integer_ratio())
    assert next(changed(theorem, theorem.prefactor, rate + loss).restated_rows()).refuted


@pytest.mark.parametrize("theorem", [*SAMPLES, DYNAMIC_PROGRAM], ids=lambda t: t.key)
@pytest.mark.parametrize("factor", [Fraction(1, 2), 2])
def test_another_reach_refutes(theorem: Any, factor: Any) -> None:
    wrong = replace(theorem, reach=lambda eta: factor * theorem.reach(eta))
    assert [row.refuted for row in wrong.restated_rows() if "targets" in row.name] == [True]


def test_an_accuracy_that_is_not_rounded_down_refutes() -> None:
    assert next(replace(R1, step=None).restated_rows()).refuted


@pytest.mark.parametrize("theorem", [EXPLICIT, FIRST], ids=lambda t: t.key)
def test_wrong_pools_refute(theorem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert least_pools(theorem)[0]
    honest = pool_bound(theorem.block)
    delta = sympy.Symbol("delta", positive=True)
    depth = sympy.Symbol("L", positive=True, integer=True)
    for wrong in (delta**2, 2 * delta, sympy.sqrt(delta), delta * depth**2):
        expression = honest.expression.subs(delta, wrong)
        assert not least_pools(replace(theorem, bound=replace(honest, expression=expression)))[0]
    right = type(theorem).pool
    for wrong_pool in (lambda n: n // 2, lambda n: n - 1, lambda n: n + 1):
        monkeypatch.setattr(
            type(theorem), "pool", lambda self, *given, f=wrong_pool: f(right(self, *given))
        )
        assert not least_pools(theorem)[0]


@pytest.mark.parametrize("theorem", [EXPLICIT, FIRST], ids=lambda t: t.key)
def test_no_room_for_rounding_refutes(theorem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        LayerPlan, "finer", property(lambda p: (Fraction(p.eta), Fraction(p.eta_bias)))
    )
    assert not least_pools(theorem)[0]


@pytest.mark.parametrize("theorem", [EXPLICIT, FIRST], ids=lambda t: t.key)
def test_other_scales_refute(theorem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert least_reach(theorem)[0]
    assert not least_reach(replace(theorem, whole=not theorem.whole))[0]
    honest = _plan.least_scales
    for factor in (2, Fraction(1, 2)):
        monkeypatch.setattr(_plan, "least_scales", lambda n, r, f=factor: honest(f * n, r))
        assert not least_reach(theorem)[0]


def test_a_missing_sign_group_refutes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_groups(EXPLICIT)[0]
    monkeypatch.setattr(Box, "nonnegative", True)
    assert not sign_groups(EXPLICIT)[0]


@pytest.mark.parametrize("domain", [Box(0, 1), Ball(1.0)], ids=str)
@pytest.mark.parametrize("accuracy", ["no omega", "no omega_b", "twice"])
def test_other_accuracies_do_not_propagate(
    domain: Any, accuracy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, target = EXPLICIT.extremal["targets"][2 if isinstance(domain, Ball) else 1](EXPLICIT)
    assert propagated(target, EXPLICIT.plan(target, 0.05)) <= 0.05
    wrong = {
        "no omega": _plan.ACCURACY.subs(_plan.omega, 1),
        "no omega_b": _plan.ACCURACY.subs(_plan.omega_b, _plan.omega_b / 1000),
        "twice": 2 * _plan.ACCURACY,
    }[accuracy]
    monkeypatch.setattr(_plan, "ACCURACY", wrong)
    assert propagated(target, EXPLICIT.plan(target, 0.05)) > 0.05


@pytest.mark.parametrize(
    ("name", "value"), [("UP", 1 - 2.0**-49), ("UP", 1.0), ("DOWN", 1 + 2.0**-49)]
)
def test_a_table_rounded_inward_refutes(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_dynamic_program, "_step", lambda: _dynamic_program._sweep)

    def found() -> bool:
        return _restated.outward_tables(
            lambda eta: _dynamic_program.failure_curve(*_certified._problem(eta), cells=24), 8
        )[0]

    assert found()
    monkeypatch.setattr(_dynamic_program, name, value)
    assert not found()


def test_a_table_that_grows_too_fast_or_starts_elsewhere_refutes() -> None:
    def found(start: float, goal: float, drift: float) -> bool:
        def curve(eta: Fraction) -> Any:
            a, b, d = _certified._problem(eta)
            return _dynamic_program.failure_curve(
                start * a, goal * b, lambda v: drift * d(v), cells=24
            )

        return _restated.outward_tables(curve, 6)[0]

    assert found(1, 1, 1)
    assert not found(2, 1, 1)
    assert not found(1, 2, 1)
    assert not found(1, 1, 1.5)


def test_necessary_bounds_that_are_not_the_least_refute() -> None:
    for theorem, finding in ((COUNTING, _restated.counting), (LOWER, _restated.packing)):
        assert finding(theorem.bound)[0]
        for shift in (1, -1):
            wrong = replace(theorem.bound, expression=theorem.bound.expression + shift)
            assert not finding(wrong)[0]


def test_rows_say_what_they_show() -> None:
    from strongticket.theorems import THEOREMS

    shown = {
        inequality.name: inequality.shows
        for theorem in THEOREMS
        for inequality in getattr(theorem, "inequalities", ())
    }
    cases = ("0/1 strings", "a widened set")
    for name, shows in shown.items():
        assert ("these cases, no others" in shows) == any(case in name for case in cases)
    assert shown["kappa >= 49/125 by interval subdivision"].startswith("proves the inequality")
