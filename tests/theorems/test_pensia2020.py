"""Depth 2L: widths, hypotheses, accuracies, constructed tickets; the lower bound's networks."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongticket import Ball, Box, Network, SignedConstant, Target, Uniform, certify
from strongticket.errors import InputError, ReachError, WidthError
from strongticket.theorems import pensia2020
from strongticket.theorems._lower import serves_unit_interval
from strongticket.theorems._restated_network import propagated
from strongticket.theorems.pensia2020 import EXPLICIT, FIRST, LOWER, PUBLISHED

BOTH = pytest.mark.parametrize("theorem", [EXPLICIT, FIRST], ids=lambda t: t.key)


def net(*layers: Any, domain: Box | Ball | None = None) -> Target:
    pairs = [
        (np.array(w, np.float32), None if b is None else np.array(b, np.float32)) for w, b in layers
    ]
    return Target(pairs, domain or Box(0, 1))


def random_target(seed: int, widths: tuple[int, ...], domain: Box | Ball, biased: bool) -> Target:
    rng = np.random.default_rng(seed)
    return net(
        *[
            (rng.normal(0, 0.4, (b, a)), rng.normal(0, 0.2, b) if biased else None)
            for a, b in itertools.pairwise(widths)
        ],
        domain=domain,
    )


SMALL = net(([[0.5, -0.25], [0.1, 0.0]], [0.1, -0.2]), ([[0.3, -0.6]], None))


def unit_norm_width(theorem: Any, accuracy: float) -> int:
    """784 -> 500, L = 2, two groups, s_a = s_b = 2, delta 0.01, all norms 1 (theory, part 1)."""
    ratio = dict(theorem.block.setting)["W"]
    values = {"L": 2, "g": 2, "d_in": 784, "d_out": 500, "b": 0, "W_i": 4 * ratio, "delta": 0.01}
    return int(theorem.bound(**values, eta_i=accuracy, zeta_i=accuracy))


def test_width_anchors() -> None:
    fan = math.sqrt(784 * 500)
    # 931 and 388 leave out what the grid costs
    assert 931 <= unit_norm_width(FIRST, 0.1 / (4 * fan)) <= 990
    assert 388 <= unit_norm_width(EXPLICIT, math.log(1.1) / (2 * fan)) <= 398


def test_pools_by_hand() -> None:
    """ln(union * A / delta) / -ln(rho), with logarithms taken on a pocket calculator.

    L 2, 3 inputs, 2 outputs, two groups, a bias: 12 + 2 blocks of prefactor A at W / eta = 100.
    """
    values = {"L": 2, "g": 2, "d_in": 3, "d_out": 2, "b": 1, "W_i": 1, "delta": 0.01}
    # EXPLICIT: 2 * 14 * 99^2 / 0.01 = 27 442 800, ln 17.1276; rho = 1 - 0.391982/4, -ln 0.103136
    assert EXPLICIT.bound(**values, eta_i=0.01, zeta_i=0.01) == 167  # 166.07
    # FIRST: 2 * 14 * 2 * 100^2 / 0.01 = 56 000 000, ln = 17.8409; rho = 1 - 0.173269/4, 0.0442828
    assert FIRST.bound(**values, eta_i=0.01, zeta_i=0.01) == 403  # 402.88
    # a coarser bias costs less: 2 (12 * 99^2 + 2 * 9^2) / 0.01 = 23 554 800, ln = 16.9748
    assert EXPLICIT.bound(**values, eta_i=0.01, zeta_i=0.1) == 165  # 164.59


def test_the_pool_leaves_room_for_rounding_the_target_to_the_grid() -> None:
    (plan,) = EXPLICIT.plan(net(([[0.5]], None)), 0.01)
    step = Fraction(plan.scales[0]) * Fraction(plan.scales[1]) / 2**48
    assert plan.finer == (Fraction(plan.eta) - 2 * step, Fraction(plan.eta_bias) - 2 * step)


def test_accuracies_by_hand() -> None:
    """Box [0, 1], |x| <= 1: M_1 = 3 + 1 = 4, M_2 = 2 * 4 = 8; epsilon 8 (1.1^2 - 1) makes q 0.1."""
    target = net(([[1.0, 2.0], [0.5, -0.5]], [1.0, 0.0]), ([[1.0, -1.0]], None))
    first, second = EXPLICIT.plan(target, 8 * 0.21)
    # q M_1 / (2 M_0 + 1) = 0.4 / 3; q M_2 / (2 M_1) = 0.8 / 8
    assert first.eta == first.eta_bias == pytest.approx(0.4 / 3, rel=1e-9)
    assert second.eta == pytest.approx(0.1, rel=1e-9)
    # the same on the ball: omega = sqrt(2 * 2) = 2 for weights and sqrt(2) for biases
    ball = net(([[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0]), domain=Ball(1.0))  # M_1 = 1 + 5
    (plan,) = EXPLICIT.plan(ball, 0.6)
    assert plan.eta == pytest.approx(0.6 / (2 + math.sqrt(2)), rel=1e-9)


@BOTH
@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.0)], ids=str)
def test_tiny_biases_cost_about_nothing(theorem: Any, domain: Box | Ball) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.3, (16, 8)), rng.normal(0, 0.3, (3, 16))
    bias = 1e-6 * rng.normal(size=16)

    def pools(shift: Any) -> list[int]:
        target = net((first, shift), (second, None), domain=domain)
        return [theorem.pool(plan, 2, 0.01) for plan in theorem.plan(target, 0.05)]

    without, tiny = pools(None), pools(bias)
    assert all(a <= b <= 1.05 * a for a, b in zip(without, tiny, strict=True))


@BOTH
@pytest.mark.parametrize(
    "epsilon", [1e-200, 5e-324, Fraction(1, 10**500)], ids=["small", "smallest", "no float"]
)
def test_an_epsilon_that_underflows_is_refused_as_too_fine(theorem: Any, epsilon: Any) -> None:
    target = net(([[5.0, 3.0]], None), ([[7.0]], None))
    with pytest.raises(InputError, match=r"finest epsilon is about 0\.000"):
        theorem.plan(target, epsilon)


@BOTH
def test_layers_that_are_zero_are_told_by_their_norms(theorem: Any) -> None:
    zero = net(([[0.0, 0.0]], [0.0]), ([[0.5]], None))
    assert all(plan.eta > 0.01 for plan in theorem.plan(zero, 1e-200))
    dead = net(([[3e38, 1.0]], None), ([[2.0]], [0.0]), domain=Box(0, 0))
    network = theorem.network(dead, 1e-200, 0.1, seed=0)
    assert certify(theorem.construct(network, dead, 1e-200), dead, 1e-200).holds
    small = net(([[1e-30, 1e-35]], None), ([[1e-30]], None))  # small is not zero
    with pytest.raises(InputError, match="finest epsilon"):
        theorem.plan(small, 1e-75)
    assert all(plan.eta < 1e-30 for plan in theorem.plan(small, 1e-62))


@BOTH
@pytest.mark.parametrize("epsilon", [1e40, 1e300])
def test_an_epsilon_beyond_all_weights_asks_for_little(theorem: Any, epsilon: float) -> None:
    network = theorem.network(SMALL, epsilon, 0.1, seed=0)
    assert certify(theorem.construct(network, SMALL, epsilon), SMALL, epsilon).holds
    assert network.architecture.widths[1] < 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta_i": 1e-9}, "needs"),
        ({"eta_i": 0.6}, r"needs eta_i <= W_i/2"),
        ({"zeta_i": 2}, r"needs zeta_i <= W_i/2"),
        ({"delta": 2}, "needs delta <= 1"),
        ({"g": 3}, "needs g <= 2"),
        ({"b": 0.5}, "b must be a whole number"),
        ({"L": 0}, "L must be > 0"),
    ],
)
@BOTH
def test_bounds_refuse_what_the_theorem_does_not_speak_of(
    theorem: Any, change: dict[str, float], message: str
) -> None:
    good = {"L": 1, "g": 1, "d_in": 1, "d_out": 1, "b": 1, "W_i": 1, "delta": 0.1}
    good |= {"eta_i": 0.01, "zeta_i": 0.01}
    assert theorem.bound(**good) > 0
    with pytest.raises(InputError, match=message):
        theorem.bound(**good | change)


def test_the_published_bound_is_a_formula_and_no_number() -> None:
    assert PUBLISHED.bound.latex.startswith(r"n_i \ge C \ln")
    with pytest.raises(InputError, match="leaves C unspecified"):
        PUBLISHED.bound(C=1, L=2, d_in=3, d_out=3, epsilon=0.1, delta=0.1)
    with pytest.raises(InputError, match=r"use pensia2020_explicit"):
        PUBLISHED.network(SMALL, 0.1, 0.1, seed=0)
    with pytest.raises(InputError, match=r"use pensia2020_explicit"):
        LOWER.construct(EXPLICIT.network(SMALL, 0.1, 0.1, seed=0), SMALL, 0.1)


@BOTH
def test_the_network_is_that_of_the_statement(theorem: Any) -> None:
    plans = theorem.plan(SMALL, 0.05)
    pools = [theorem.pool(plan, 2, 0.01) for plan in plans]
    network = theorem.network(SMALL, 0.05, 0.01, seed=3)
    assert network.architecture.widths == (2, 3 * pools[0], 2, 2 * pools[1], 1)
    assert network.architecture.biases == (True, False, False, False)
    scales = [network[f"layers.{i}.weight"].law for i in range(4)]
    assert scales == [Uniform(s) for plan in plans for s in plan.scales]
    assert network == theorem.network(SMALL, np.float64(0.05), Fraction(0.01), seed=3)
    assert theorem.network(SMALL, 0.05, 0.001, seed=3).architecture.widths[1] > 3 * pools[0]


@BOTH
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([Box(0, 1), Box(-2, 1), Ball(3.0)]))
def test_accuracies_propagate_to_at_most_epsilon(
    theorem: Any, seed: int, biased: bool, domain: Box | Ball
) -> None:
    target = random_target(seed, (3, 4, 2, 2), domain, biased)
    plans = theorem.plan(target, 0.1)
    error = propagated(target, plans)
    assert error <= Fraction(0.1)
    if not biased and isinstance(domain, Box):
        assert error >= Fraction(0.1) * (1 - Fraction(1, 10**9))  # nothing is given away


@BOTH
def test_scales_are_the_least_that_reach(theorem: Any) -> None:
    for size in (1e-3, 0.1, 0.37, 0.5, 0.76, 3.0, 1000.0):
        target = net(([[size]], None))
        (plan,) = theorem.plan(target, 0.01 * size)
        assert plan.scales[0] <= plan.scales[1] <= 2 * plan.scales[0]
        halves = (plan.scales[1] / 2, plan.scales[0])
        with pytest.raises(ReachError, match=r"weight \(0, 0\) of layer 0 = .* scales"):
            theorem.plan(target, 0.01 * size, scales=(halves,))
        theorem.plan(target, 0.01 * size, scales=((2 * plan.scales[0], plan.scales[1]),))


def test_a_bias_beyond_the_reach_is_named() -> None:
    target = net(([[0.1, 0.1]], [0.9]))
    with pytest.raises(ReachError, match=r"bias 0 of layer 0 = 0\.9"):
        EXPLICIT.plan(target, 0.1, scales=((1.0, 1.0),))


@pytest.mark.parametrize(
    ("epsilon", "delta", "message"),
    [
        (0.0, 0.1, "epsilon must be a finite number > 0, got 0.0"),
        (-1.0, 0.1, "epsilon must be"),
        (math.nan, 0.1, "epsilon must be"),
        (math.inf, 0.1, "epsilon must be"),
        ("0.1", 0.1, "epsilon must be"),
        (0.1, 0.0, "delta must lie strictly between 0 and 1, got 0.0"),
        (0.1, 1.0, "delta must"),
        (0.1, math.nan, "delta must"),
        (True, 0.1, "epsilon must be"),
    ],
)
@BOTH
def test_epsilon_and_delta_out_of_range(
    theorem: Any, epsilon: Any, delta: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        theorem.network(SMALL, epsilon, delta, seed=0)


@BOTH
def test_an_epsilon_finer_than_the_grid_is_refused_with_the_finest(theorem: Any) -> None:
    with pytest.raises(InputError, match="finest epsilon is about") as caught:
        theorem.network(SMALL, 1e-8, 0.1, seed=0)
    finest = float(str(caught.value).split("about ")[1].split(".  ")[0].split(". Train")[0])
    theorem.network(SMALL, 1.1 * finest, 0.1, seed=0)
    with pytest.raises(InputError, match="finest"):
        theorem.network(SMALL, 0.8 * finest, 0.1, seed=0)


@BOTH
@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.0)], ids=str)
@pytest.mark.parametrize("biased", [False, True])
def test_constructed_tickets_are_certified(theorem: Any, domain: Box | Ball, biased: bool) -> None:
    target = random_target(1, (3, 4, 2), domain, biased)
    network = theorem.network(target, 0.05, 0.01, seed=2)
    ticket = theorem.construct(network, target, 0.05, delta=0.01)
    assert certify(ticket, target, 0.05).holds
    assert ticket.network == network


@pytest.mark.parametrize(
    "target",
    [
        net(([[0.0, 0.0]], None)),
        net(([[0.0, 0.0]], [0.0])),
        net(([[0.0, 0.0], [0.0, 0.0]], [0.3, 0.0]), ([[0.5, -0.5]], None)),
        net(([[0.5, 0.25]], [0.0]), ([[0.0]], [0.1])),
        net(([[0.5, 0.25]], None), domain=Box(0, 0)),
        net(([[0.5, 0.25]], [0.125]), domain=Ball(0.0)),
    ],
)
def test_zeros_are_exact_and_need_nothing(target: Target) -> None:
    network = EXPLICIT.network(target, 0.05, 0.1, seed=0)
    certificate = certify(EXPLICIT.construct(network, target, 0.05), target, 0.05)
    assert certificate.holds


def test_networks_that_the_theorem_does_not_speak_of() -> None:
    good = EXPLICIT.network(SMALL, 0.05, 0.01, seed=0)
    widths, laws = good.architecture.widths, [p.law for p in good.parameters if p.name[-1] == "t"]
    biases = good.architecture.biases
    asked = widths[1]

    def like(widths: Any, laws: Any = laws) -> Network:
        return Network.mlp(widths, laws=laws, biases=biases, seed=0)

    narrow = like((*widths[:1], 30, *widths[2:]))
    with pytest.raises(WidthError, match=r"theorem asks for .* this network has 30"):
        EXPLICIT.construct(narrow, SMALL, 0.05)
    with pytest.raises(WidthError, match=f"asks for {asked} hidden neurons"):
        EXPLICIT.construct(like((*widths[:1], asked - 3, *widths[2:])), SMALL, 0.05, delta=0.01)
    with pytest.raises(WidthError, match="depth 4"):
        EXPLICIT.construct(Network.mlp((2, 9, 1), laws=Uniform(), seed=0), SMALL, 0.05)
    with pytest.raises(InputError, match="uniform weights"):
        EXPLICIT.construct(like(widths, SignedConstant(1.0)), SMALL, 0.05)
    with pytest.raises(ReachError, match="weight"):
        EXPLICIT.construct(like(widths, Uniform(0.5)), SMALL, 0.05)


def test_first_asks_for_more_than_explicit() -> None:
    for epsilon in (0.1, 0.01):
        asked = [
            t.network(SMALL, epsilon, 0.01, seed=0).architecture.widths for t in (EXPLICIT, FIRST)
        ]
        assert asked[0][1] < asked[1][1]


@given(st.lists(st.integers(-9, 9), max_size=7), st.integers(1, 6))
def test_serving_the_unit_interval_is_never_wrong(weights: list[int], one: int) -> None:
    sums = {0}
    for w in weights:
        sums |= {s + w for s in sums}
    if serves_unit_interval(np.array(weights, np.int64), one):
        assert set(range(-one, one + 1)) <= sums


def test_the_published_form_is_called_recalled() -> None:
    for text in (PUBLISHED.title, PUBLISHED.source, pensia2020.__doc__ or ""):
        assert "recalled" in text
        assert "published" not in text.lower().replace("published is the theorem", "")


def test_the_lower_bound() -> None:
    assert LOWER.bound(epsilon=Fraction(1, 64), d=3) == 9 * 5 - 1
    with pytest.raises(InputError, match=r"needs 2\*epsilon < 1"):
        LOWER.bound(epsilon=0.7, d=3)
    for bad in (0.5, 0.0, math.nan):
        with pytest.raises(InputError, match="epsilon"):
            LOWER.require(epsilon=bad)


def test_the_module_lists_its_theorems() -> None:
    assert {t.key for t in (PUBLISHED, FIRST, EXPLICIT, LOWER)} == {
        f"{pensia2020.__name__.rsplit('.', 1)[1]}_{n}"
        for n in ("published", "first", "explicit", "lower")
    }
