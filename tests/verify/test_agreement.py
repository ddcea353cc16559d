"""Agreement of predictions and rounding of executions: proofs held to evaluations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from certificates import target, ticket

from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target
from strongticket.verify import agreement, certify, collapse, float_term
from strongticket.verify._attack import outputs


@pytest.mark.parametrize("domain", [Box(0.0, 1.0), Box(-1.0, 1.0), Ball(2.0)], ids=str)
@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_what_is_certified_is_so(domain, radius: float) -> None:
    of = target((4, 6, 3), domain, seed=1)
    proof = certify(ticket(of, pool=30), of)
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 0.9, (60, 4))
    found = agreement(proof, x, radius=radius)
    assert 0 < found.certified < found.agreeing
    assert found.by_bound.sum() <= found.at_points.sum()
    for i in range(len(x)):
        f, g = outputs(of, proof.layers, x[i])
        same = f.index(max(f)) == g.index(max(g))
        assert found.at_points[i] == same
        if not radius:
            second = sorted(f)[-2]
            assert found.by_bound[i] == (max(f) - second > 2 * proof.exact_bound)
        if found.by_bound[i]:
            for near in x[i] + rng.uniform(-radius, radius, (5, 4)):
                f2, g2 = outputs(of, proof.layers, near)
                assert f2.index(max(f2)) == g2.index(max(g2)) == f.index(max(f))
    larger = agreement(proof, x, radius=radius + 0.1)
    assert (larger.by_bound <= found.by_bound).all()
    assert larger.certified < found.certified


def test_the_margin_is_strict_and_ties_are_none() -> None:
    """f = (x, 0), bound b: at x = 2 b the bound settles nothing, a hair above it does."""
    of = Target([(np.array([[1.0], [0.0]], np.float32), None)], Box(0.0, 1.0))
    proof = replace(certify(ticket(of, pool=30), of), exact_bound=Fraction(1, 8))
    found = agreement(proof, [[0.25], [np.nextafter(0.25, 1.0)], [0.0]])
    assert found.by_bound.tolist() == [False, True, False]
    assert not found.at_points[2]
    assert "certified=0.3333" in repr(found)


def test_bad_inputs() -> None:
    of = target((2, 3, 2), Ball(1.0))
    proof = certify(ticket(of, pool=20), of)
    for inputs, message in (
        ([[0.5]], "shape"),
        (np.zeros((0, 2)), "N >= 1"),
        ([[0.0, 0.0], [1.0, 0.1]], "number 1, are not in the domain"),
        ([[np.nan, 0.0]], "not in the domain"),
    ):
        with pytest.raises(InputError, match=message):
            agreement(proof, inputs)
    with pytest.raises(InputError, match="radius must be"):
        agreement(proof, [[0.0, 0.0]], radius=-1.0)
    assert agreement(proof, [[0.0, 1.0]]).by_bound.shape == (1,)
    one = target((2, 1), Box(0.0, 1.0))
    with pytest.raises(InputError, match="two outputs"):
        agreement(certify(ticket(one, pool=20), one), [[0.0, 0.0]])


# Executions


@pytest.mark.parametrize("domain", [Box(-1.0, 1.0), Ball(1.5)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_executions_stay_within_the_term(domain, dtype: str) -> None:
    of = target((4, 5, 2), domain, seed=2)
    made = ticket(of, pool=30)
    term = float_term(made, domain, dtype)
    kind = getattr(torch, dtype)
    module, rng = made.compact().to(kind), np.random.default_rng(0)
    x = rng.uniform(-0.7, 0.7, (40, 4)).astype(np.float32).astype(np.float64)
    with torch.no_grad():
        y = module(torch.from_numpy(x).to(kind)).numpy().astype(np.float64)
    worst, layers = Fraction(0), collapse(made)
    for i in range(len(x)):
        _, g = outputs(of, layers, x[i])
        gaps = [abs(Fraction(float(a)) - b) for a, b in zip(y[i], g, strict=True)]
        worst = max(worst, *gaps)
    assert 0 < worst <= Fraction(term)
    assert term < (0.1 if dtype == "float32" else 1e-9)


def test_terms_of_narrow_types_are_larger() -> None:
    of = target((4, 5, 2), Box(0.0, 1.0))
    made = ticket(of, pool=20)
    terms = [float_term(made, Box(0.0, 1.0), kind) for kind in ("float32", "float64")]
    assert 2.0**28 < terms[0] / terms[1] < 2.0**30
    assert float_term(made, Box(0.0, 2.0)) > terms[0]
    with pytest.raises(InputError, match="dtype must be one of float32, float64"):
        float_term(made, Box(0.0, 1.0), "bfloat16")
    with pytest.raises(InputError, match="overflow float32"):
        float_term(made, Box(0.0, 1e37), "float32")
