"""Branch and bound and MILP against exhaustion; their bounds, limits and the solver's lies."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from optimal_oracles import KINDS, instance, worse_weights

from strongticket import optimal
from strongticket.errors import ClaimError, InputError
from strongticket.optimal import (
    MILP,
    BranchAndBound,
    Exhaustive,
    Loss,
    OneHidden,
    _branch,
    _exhaustive,
    _milp,
    _relaxations,
)
from strongticket.optimal._branch import without_hope
from strongticket.optimal._duals import DualBound, evaluate
from strongticket.optimal._floats import measures
from strongticket.optimal._losses import sample
from strongticket.optimal._tables import Tables, tables_of

SHAPES = ((2, 2), (3, 2), (4, 1), (2, 3), (5, 2))


@pytest.mark.parametrize("loss", Loss)
def test_branch_and_bound_proves_what_exhaustion_proves(loss: Loss) -> None:
    rng = np.random.default_rng(len(loss))
    for number in range(120):
        width, inputs = SHAPES[number % len(SHAPES)]
        kind = KINDS[number % 4]
        given = instance(rng, kind, width=width, inputs=inputs, points=1 + number % 7,
                         bias=number % 5 == 0, output_bias=number % 6 == 0)  # fmt: skip
        verb = optimal.best_neuron_mask if number % 9 == 0 else optimal.best_weight_mask
        exhausted = verb(given.network, given.x, given.y, loss=loss)
        for method in (BranchAndBound(leaf=1), BranchAndBound(leaf=20), BranchAndBound()):
            found = verb(given.network, given.x, given.y, loss=loss, method=method)
            assert found.loss == exhausted.loss
            assert found.proved
            assert found.bound == found.loss
            assert isinstance(found.bound, Fraction)


@pytest.mark.parametrize("loss", Loss)
def test_the_solver_finds_what_exhaustion_proves(loss: Loss) -> None:
    rng = np.random.default_rng(len(loss) + 1)
    for number in range(30):
        width, inputs = SHAPES[number % len(SHAPES)]
        given = instance(rng, KINDS[number % 4], width=width, inputs=inputs, points=5)
        verb = optimal.best_neuron_mask if number % 5 == 0 else optimal.best_weight_mask
        exhausted = verb(given.network, given.x, given.y, loss=loss)
        found = verb(given.network, given.x, given.y, loss=loss, method=MILP())
        assert found.loss == exhausted.loss
        assert not found.proved
        assert isinstance(found.bound, float)
        assert found.gap < 1e-6
        assert "not proved" in repr(found)


@pytest.mark.parametrize("labels", ["noise", "planted", "nearly planted"])
def test_a_larger_instance_by_all_three_methods(labels: str) -> None:
    rng = np.random.default_rng(11)
    given = instance(rng, "dyadic", width=5, inputs=4, points=16)
    network, x, y = given.network, given.x, given.y
    if labels != "noise":
        kept = network.weights * (rng.random((5, 4)) < 0.6)
        y = np.maximum(x @ kept.T, 0) @ network.output
        y = y + (labels == "nearly planted") * rng.integers(-3, 4, 16) / 256
    for loss in Loss:
        exhausted = optimal.best_weight_mask(network, x, y, loss=loss)
        bounded = optimal.best_weight_mask(network, x, y, loss=loss, method=BranchAndBound(leaf=64))
        solved = optimal.best_weight_mask(network, x, y, loss=loss, method=MILP())
        assert exhausted.loss == bounded.loss == solved.loss
        assert (exhausted.loss == 0) == (labels == "planted")
        assert bounded.examined < exhausted.examined or labels == "planted"


@pytest.mark.parametrize("loss", Loss)
def test_no_multipliers_give_a_bound_above_the_best(loss: Loss) -> None:
    rng = np.random.default_rng(12)
    for number in range(60):
        given = instance(rng, KINDS[number % 5], width=3, inputs=2, points=4)
        x, y = sample(given.x, given.y, 2)
        tables = tables_of(
            given.network, x, y, layers="both", mask_biases=True, whole_neurons=False
        )
        every = {
            picks: loss.measure(tables.residuals(picks))
            for picks in itertools.product(*(range(s) for s in tables.sizes))
        }
        best = min(every.values())
        near = tables.residuals(min(every, key=every.__getitem__)).astype(np.float64)
        for multipliers in (rng.normal(size=4), near, np.sign(near), np.zeros(4)):
            dual = evaluate(multipliers, tables.rows, tables.labels, loss)
            assert dual.measure <= best
            for j in range(3):
                kept = set(dual.survivors(j, best + 1).tolist())
                assert {p[j] for p, value in every.items() if value <= best} <= kept


@pytest.mark.parametrize("loss", Loss)
def test_survivors_are_those_whose_own_bound_is_below_what_was_reached(loss: Loss) -> None:
    rng = np.random.default_rng(20)
    for _ in range(400):
        slack, norm, reached = (int(v) for v in rng.integers((-9, 1, 1), (10, 9, 12)))
        products = np.concatenate([[0], rng.integers(0, 12, 5)])
        dual = DualBound(loss, slack, norm, (products,))
        bounds = [DualBound(loss, slack + int(p), norm, ()).measure for p in products]
        kept = [j for j, bound in enumerate(bounds) if bound < reached]
        assert dual.survivors(0, reached).tolist() == kept


@pytest.mark.parametrize("loss", Loss)
def test_rows_without_hope_are_in_no_choice_as_good(loss: Loss) -> None:
    rng = np.random.default_rng(21)
    fewer = 0
    for number in range(25):
        given = instance(rng, KINDS[number % 5], width=3, inputs=2, points=6)
        x, y = sample(given.x, given.y, 2)
        tables = tables_of(
            given.network, x, y, layers="both", mask_biases=True, whole_neurons=False
        )
        every = {
            picks: loss.measure(tables.residuals(picks))
            for picks in itertools.product(*(range(s) for s in tables.sizes))
        }
        reached = sorted(every.values())[number % len(every)]
        node, bound = without_hope(tables, loss, reached, 60.0)
        assert bound <= min(reached, min(every.values()))
        for picks, value in every.items():
            if value <= reached:
                assert all(p in left for p, left in zip(picks, node, strict=True))
        fewer += tables.part(node).combinations < tables.combinations
    assert fewer


@pytest.mark.parametrize("loss", Loss)
def test_a_stopped_search_gives_a_proved_bound(loss: Loss) -> None:
    rng = np.random.default_rng(13)
    strict = 0
    for _ in range(20):
        given = instance(rng, "dyadic", width=5, inputs=3, points=12)
        call = (given.network, given.x, given.y)
        best = optimal.best_weight_mask(*call, loss=loss)
        for nodes in (1, 3):
            method = BranchAndBound(nodes=nodes, leaf=1)
            found = optimal.best_weight_mask(*call, loss=loss, method=method)
            assert isinstance(found.bound, Fraction)
            assert found.bound <= best.loss <= found.loss
            assert found.proved == (found.bound == found.loss)
            strict += 0 < found.bound < found.loss
            if not found.proved:
                assert "stopped" in found.method
                assert found.gap > 0
                assert "proved, gap" in repr(found)
    assert strict


def test_time_limits_give_the_best_so_far_and_the_gap() -> None:
    rng = np.random.default_rng(14)
    given = instance(rng, "dyadic", width=9, inputs=4, points=24)
    for loss in Loss:
        for method in (
            Exhaustive(most=1 << 60, time_limit=1e-9),
            BranchAndBound(time_limit=1e-9),
            MILP(time_limit=1e-9),
        ):
            found = optimal.best_weight_mask(
                given.network, given.x, given.y, loss=loss, method=method
            )
            assert not found.proved
            assert found.bound < found.loss
            assert found.gap > 0
            assert "time" in found.method or "stopped" in found.method


@pytest.mark.parametrize("loss", Loss)
def test_a_solver_out_of_time_leaves_the_bound_of_our_relaxation(
    loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(cp: Any, scaled: Any, *_: Any) -> Solved:
        return Solved("user_limit", np.inf, -np.inf, 0, None)

    monkeypatch.setattr(_milp, "_highs", out_of_time)
    given = instance(np.random.default_rng(22), "dyadic", width=3, inputs=2, points=30)
    found = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss, method=MILP())
    best = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss)
    assert 0 < found.bound <= float(best.loss)
    assert "stopped early" in found.method


def test_time_limits_hold_on_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is looked at after so many residuals, not after so many masks."""
    rng = np.random.default_rng(23)
    given = instance(rng, "integers", width=8, inputs=2, points=500)
    monkeypatch.setattr(_exhaustive, "_CACHED", 1 << 11)  # of 500 points, a tail of four rows
    monkeypatch.setattr(_exhaustive, "_CHUNK", 1 << 11)
    ticks = itertools.count()
    monkeypatch.setattr(_exhaustive.time, "monotonic", lambda: float(next(ticks)))
    stopped = optimal.best_neuron_mask(
        given.network, given.x, given.y, method=Exhaustive(time_limit=3.5)
    )
    assert not stopped.proved
    assert stopped.examined == 3 * 4


def test_a_large_leaf_has_few_masks_of_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    given = instance(np.random.default_rng(24), "dyadic", width=6, inputs=2, points=40)
    monkeypatch.setattr(_branch, "_LEAF", 80)
    found = optimal.best_weight_mask(given.network, given.x, given.y, method=BranchAndBound())
    assert found.nodes > 0  # 2 masks a leaf: relaxations were needed
    assert found.proved


def test_a_sparse_relaxation_is_the_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(25)
    rows, labels = [rng.uniform(-1, 1, (3, 12)) for _ in range(4)], rng.uniform(-1, 1, 12)
    found = []
    for dense in (12, 0):
        monkeypatch.setattr(_relaxations, "_DENSE", dense)
        relaxed = _relaxations.relax(rows, labels, Loss.MEAN_ABSOLUTE, 60.0)
        assert relaxed is not None
        made = sum(r.T @ w for r, w in zip(rows, relaxed[1], strict=True))
        found.append(measures((labels - made)[None, :], Loss.MEAN_ABSOLUTE)[0])
    assert abs(found[0] - found[1]) < 1e-9


def test_weights_are_never_worse_than_neurons() -> None:
    assert worse_weights(np.random.default_rng(15), 3000) == []


def test_a_broken_comparison_is_seen() -> None:
    swapped = worse_weights(
        np.random.default_rng(15), 60, optimal.best_neuron_mask, optimal.best_weight_mask
    )
    assert len(swapped) > 20

    def last_neuron_lost(network: OneHidden, x: Any, y: Any, **options: Any) -> Any:
        fewer = OneHidden(network.weights[:-1], network.output[:-1],
                          None if network.bias is None else network.bias[:-1],
                          network.output_bias)  # fmt: skip
        return optimal.best_weight_mask(fewer, x, y, **options)

    def one_layer_only(network: OneHidden, x: Any, y: Any, **options: Any) -> Any:
        whole = OneHidden(network.weights, network.output * 2, network.bias, network.output_bias)
        return optimal.best_weight_mask(whole, x, y, **options)

    assert worse_weights(np.random.default_rng(15), 400, last_neuron_lost)
    assert worse_weights(np.random.default_rng(15), 400, one_layer_only)


Solved = _milp.Solved
LIES: dict[str, Callable[[Solved], Solved]] = {
    "a better objective": lambda s: replace(s, objective=s.objective * 0.9),
    "a worse objective": lambda s: replace(s, objective=s.objective * 1.1),
    "another mask": lambda s: replace(s, weights=[w[::-1] for w in s.weights or []]),
    "a bound above its own mask": lambda s: replace(s, bound=s.objective * 1.1),
    "optimal, with a bound far below": lambda s: replace(s, bound=s.objective * 0.5),
    "infeasible": lambda s: replace(s, status="infeasible"),
    "unbounded": lambda s: replace(s, status="unbounded"),
    "no choice": lambda s: replace(s, weights=[w * 0 for w in s.weights or []]),
    "nothing at all": lambda s: replace(s, weights=None),
    "an objective that is no number": lambda s: replace(s, objective=float("nan")),
}


def every_row(tables: Tables, *_: Any) -> tuple[Any, ...]:
    """A programme with nothing left out, so that there are worse masks to lie about."""
    return tuple(np.arange(size) for size in tables.sizes), Fraction(0)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("lie", LIES)
def test_a_lying_solver_is_caught(lie: str, loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = _milp._highs
    monkeypatch.setattr(_milp, "without_hope", every_row)
    monkeypatch.setattr(_milp, "_highs", lambda *a: LIES[lie](honest(*a)))
    given = instance(np.random.default_rng(16), "dyadic", width=3, inputs=3, points=9)
    with pytest.raises(ClaimError, match="HiGHS"):
        optimal.best_weight_mask(given.network, given.x, given.y, loss=loss, method=MILP())


def test_a_worse_mask_called_optimal_is_caught_by_a_better_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A consistent lie: some mask, its own value as objective and as bound."""

    def lie(cp: Any, scaled: Any, loss: Loss, tangents: Any, seconds: float) -> Solved:
        weights = [np.eye(len(r))[0] for r in scaled.rows]
        value = float(np.abs(scaled.residuals([0] * len(scaled.rows))).mean())
        return Solved("optimal", value, value, 1, weights)

    monkeypatch.setattr(_milp, "without_hope", every_row)
    monkeypatch.setattr(_milp, "_highs", lie)
    given = instance(np.random.default_rng(17), "dyadic", width=4, inputs=3, points=9)
    with pytest.raises(ClaimError, match="no mask has"):
        optimal.best_weight_mask(given.network, given.x, given.y, method=MILP())


@pytest.mark.parametrize("loss", Loss)
def test_a_solver_without_a_mask_leaves_the_descents(
    loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Solved("user_limit", float("inf"), 0.0, 0, None)
    monkeypatch.setattr(_milp, "_highs", lambda *a: nothing)
    given = instance(np.random.default_rng(18), "dyadic", width=4, inputs=3, points=9)
    found = optimal.best_weight_mask(given.network, given.x, given.y, loss=loss, method=MILP())
    assert 0 < found.bound <= found.loss * (1 + Fraction(1, 2**50))
    assert not found.proved
    assert "stopped early" in found.method


def test_a_missing_solver_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import cvxpy

    given = instance(np.random.default_rng(19), "dyadic", width=2, inputs=2, points=3)
    monkeypatch.setattr(cvxpy, "installed_solvers", lambda: ["SCS"])
    with pytest.raises(InputError, match=r"no HiGHS here, only SCS; .*BranchAndBound"):
        optimal.best_weight_mask(given.network, given.x, given.y, method=MILP())
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(InputError, match=r"needs cvxpy.*BranchAndBound"):
        optimal.best_weight_mask(given.network, given.x, given.y, method=MILP())
