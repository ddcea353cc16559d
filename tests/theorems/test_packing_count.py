"""The packing of small matrices, counted against every mask of small networks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

from strongticket.theorems import Effort, _packing_count
from strongticket.theorems._packing_count import Packing, all_outputs, drawn, separated
from strongticket.theorems._size import Shape
from strongticket.theorems.pensia2020 import EXPLICIT, FIRST, LOWER


def test_outputs_are_those_of_every_mask() -> None:
    (first, second), *_ = drawn(2, 2, 1)
    outputs = all_outputs(first, second)
    for mask in (0, 1, 77, 201, 255):
        bits = np.array([(mask >> i) & 1 for i in range(8)])
        a, b = first * bits[:4].reshape(2, 2), second * bits[4:].reshape(2, 2)
        for i, x in enumerate(np.eye(2, dtype=np.int64)):
            assert (outputs[mask, 0, i] == b @ np.maximum(a @ x, 0)).all()
            assert (outputs[mask, 1, i] == -(b @ np.maximum(a @ -x, 0))).all()


def test_served_members_are_within_epsilon_of_both_signs() -> None:
    packing = Packing(2, 2)
    unit, step = 1 << 48, packing.step
    near = int(packing.epsilon * unit)
    member = np.array([[1, -2], [0, 2]]) * step
    cases = {
        0: True,
        near: True,
        -near: True,
        near + 1: False,
        step // 2 - 1: True,
    }
    for shift, good in cases.items():
        outputs = np.stack([member + shift, member])[None]
        assert (len(packing.served(outputs)) == 1) == good, shift
    assert len(packing.served(np.stack([member, member + step])[None])) == 0
    assert len(packing.served(np.stack([member, member])[None] * 3)) == 0  # beyond k
    found = packing.served(np.stack([member, member])[None])
    assert found.tolist() == [[1, -2, 0, 2]]


def test_the_packing_by_hand() -> None:
    assert Packing(2, 2).members == 625
    assert Packing(2, 2).step == 1 << 46
    assert Fraction(1, 8) - Packing(2, 2).epsilon == Fraction(1, 1 << 48)
    holds, text = separated()
    assert holds, text


def test_a_wrong_packing_or_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    expression = LOWER.bound.expression
    for wrong in (expression / 2, expression - 5):
        bad = replace(LOWER, bound=replace(LOWER.bound, expression=wrong))
        rows = list(bad.rows(Effort(quick=True)))
        assert sum(row.refuted for row in rows) >= 2  # restated, and masks counted out
    monkeypatch.setattr(_packing_count, "_UNIT", 1 << 49)
    assert Packing(2, 2).epsilon * 4 < Fraction(1, 2)
    monkeypatch.setattr(Packing, "epsilon", Fraction(1, 4))
    assert not separated()[0]


def test_a_bound_above_what_is_built_is_noticed() -> None:
    high = replace(LOWER.bound, expression=LOWER.bound.expression * sympy.Integer(60))
    assert not replace(LOWER, bound=high)._above()[0]


@pytest.mark.parametrize("theorem", [FIRST, EXPLICIT], ids=lambda t: t.key)
def test_what_is_asked_for_a_shape_is_what_the_network_of_such_a_target_has(
    theorem: object,
) -> None:
    """Norm-one targets whose largest weight is 1: diag(1, ...) has exactly those norms."""
    from strongticket import Ball, Target
    from strongticket.theorems._network import TwoLayerTheorem

    assert isinstance(theorem, TwoLayerTheorem)
    eye = np.eye(3, dtype=np.float32)
    target = Target([(eye, None), (eye, None)], Ball(1.0))
    network = theorem.network(target, 0.1, 0.01, seed=0)
    asked = theorem.asks(Shape((3, 3, 3)), 0.1, 0.01)
    assert asked is not None
    widths = network.architecture.widths  # type: ignore[union-attr]
    # the spectral norm is rounded up by parts in 10^12, which may cost one neuron a pool
    assert all(abs(a - b) <= 3 for a, b in itertools.zip_longest(widths, asked.widths))
    ticket = theorem.example()
    assert ticket is not None
    assert 0 < ticket.mask.kept < ticket.mask.total <= 200
