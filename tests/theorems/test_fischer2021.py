"""Nonzero biases: scaled laws and mirrored sources exactly; a wrong constant is noticed."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import sympy

from strongticket.errors import InputError
from strongticket.laws import Normal, Uniform
from strongticket.networks import Network
from strongticket.targets import Box, Target
from strongticket.theorems import Effort, _scaled
from strongticket.theorems._restated import least_widths
from strongticket.theorems._size import Shape
from strongticket.theorems.fischer2021 import EXPLICIT, LOOKS_LINEAR, RECALLED
from strongticket.tickets import Mask, Ticket


def ticket(seed: int = 0) -> Ticket:
    network = Network.mlp((2, 5, 4, 1), laws=Uniform(1.0), seed=seed, biases=[True, False, True])
    rng = np.random.default_rng(seed)
    return Ticket(
        network, Mask.dense({n: rng.random(network[n].shape) < 0.6 for n in network.masked})
    )


def test_scaled_laws_only_scale_the_output() -> None:
    for seed in range(3):
        holds, measured = _scaled.same_up_to_scale(ticket(seed))
        assert holds, measured


def test_biases_that_do_not_scale_like_the_activations_are_noticed(monkeypatch) -> None:
    true = _scaled.scaled

    def wrong(network: Network, exponents) -> Network:
        made = true(network, exponents)
        same = [
            replace(p, law=network[p.name].law) if p.name.endswith("bias") else p
            for p in made.parameters
        ]
        return replace(made, parameters=tuple(same))

    monkeypatch.setattr(_scaled, "scaled", wrong)
    assert not _scaled.same_up_to_scale(ticket())[0]


def test_scaled_laws_follow_he_within_a_factor_of_root_two() -> None:
    network = Network.mlp((30, 70, 4), laws=Uniform(1.0), seed=0, biases=True)
    made = _scaled.scaled(network)
    deviation = 1.0
    for k, inputs in enumerate((30, 70)):
        weight = made[f"layers.{k}.weight"].law.scale / 3**0.5
        assert 0.5**0.5 <= weight / (2 / inputs) ** 0.5 <= 2**0.5
        factor = made[f"layers.{k}.weight"].law.scale / network[f"layers.{k}.weight"].law.scale
        deviation *= factor
        assert made[f"layers.{k}.bias"].law.scale == deviation
    with pytest.raises(InputError, match="uniform"):
        _scaled.scaled(Network.mlp((2, 2), laws=Normal(1.0), seed=0))
    with pytest.raises(InputError, match="as many exponents"):
        _scaled.scaled(network, [1])


def test_biases_are_weights_of_a_constant() -> None:
    w = np.array([[0.5, -0.25], [0.75, 0.125]], np.float32)
    b = np.array([0.5, -0.375], np.float32)
    for biases in ((b, b), (None, b), (b, None), (None, None)):
        holds, measured = _scaled.appended(Target([(w, x) for x in biases], Box(-1, 1)))
        assert holds, measured


def test_a_source_that_is_no_mirror_is_not_linear(monkeypatch) -> None:
    assert _scaled.linear_for_both_signs(10)[0]
    true = _scaled.mirrored

    def wrong(pairs: int, outputs: int, seed: int):
        a, b = true(pairs, outputs, seed)
        return a, np.abs(b)

    monkeypatch.setattr(_scaled, "mirrored", wrong)
    assert not _scaled.linear_for_both_signs(10)[0]


def test_a_gate_or_a_wrong_rate_is_noticed() -> None:
    width = functools.partial(least_widths, LOOKS_LINEAR.restated)
    assert width(LOOKS_LINEAR.width)[0]
    ratio = LOOKS_LINEAR.bound.expression
    gated = replace(
        LOOKS_LINEAR, bound=replace(LOOKS_LINEAR.bound, expression=ratio * sympy.Rational(21, 20))
    )
    assert not width(gated.width)[0]


@pytest.mark.parametrize("theorem", [EXPLICIT, LOOKS_LINEAR], ids=lambda t: t.key)
def test_false_widths_are_refuted(theorem) -> None:
    false = list(theorem.rows(Effort(quick=True), false_width=True))
    assert false
    assert all(row.refuted for row in false)


def test_what_they_ask_for() -> None:
    shape = Shape((20, 20, 20))
    biased, linear = (t.asks(shape, 0.1, 0.01) for t in (EXPLICIT, LOOKS_LINEAR))
    assert biased is not None
    assert linear is not None
    assert biased.depth == linear.depth == 4
    assert biased.widths[1] % 21 == linear.widths[1] % 40 == 0
    with pytest.raises(InputError):
        EXPLICIT.asks(shape, 0.1, 1.5)
    with pytest.raises(InputError):
        LOOKS_LINEAR.asks(shape, -1.0, 0.5)


def test_the_accuracies_behind_asks_propagate_to_epsilon(monkeypatch) -> None:
    """Norm-one layers, biases of norm 1: D_i = omega eta (M + D) + omega_b eta + D, at the end."""
    plans = []
    monkeypatch.setattr(type(EXPLICIT), "pool", lambda self, plan, *_: plans.append(plan) or 1)
    EXPLICIT.asks(Shape((20, 30, 10)), 0.1, 0.01)
    size, error = 1.0, 0.0
    for plan in plans:
        error += (plan.inputs * plan.outputs) ** 0.5 * plan.eta * (size + error)
        error += plan.outputs**0.5 * plan.eta_bias
        size += 1
    assert 0.08 < error <= 0.1


def test_the_recalled_theorem_and_the_example() -> None:
    with pytest.raises(InputError, match="fischer2021_explicit"):
        RECALLED.network(Target([(np.eye(1, dtype=np.float32), None)], Box(0, 1)), 0.1, 0.1, 0)
    example = EXPLICIT.example()
    assert sum(example.network.architecture.widths[1:-1]) <= 60
    assert example.mask["layers.0.bias"].kept > 0
