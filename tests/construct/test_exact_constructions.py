"""Error zero on a grid: every subset is found where there is one, and the networks are equal."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongticket.construct import exact, exact_copies, exact_subset, quantized
from strongticket.errors import ConstructionError, InputError
from strongticket.laws import Grid
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.verify import certify, recheck


@given(candidates=st.lists(st.integers(-9, 9).filter(bool), max_size=9), goal=st.integers(-20, 20))
def test_a_subset_is_found_exactly_where_there_is_one(candidates: list[int], goal: int) -> None:
    found = exact_subset(candidates, goal)
    sums = [
        sum(c) for r in range(len(candidates) + 1) for c in itertools.combinations(candidates, r)
    ]
    if found is None:
        assert goal not in sums
        return
    assert sum(candidates[i] for i in found) == goal
    assert list(found) == sorted(set(found))
    if found:  # of the shortest prefix
        shorter = candidates[: found[-1]]
        assert all(
            sum(c) != goal
            for r in range(len(shorter) + 1)
            for c in itertools.combinations(shorter, r)
        )


def test_zero_needs_nothing_and_the_bits_have_a_limit() -> None:
    assert exact_subset([5, -5], 0) == ()
    assert exact_subset([], 1) is None
    with pytest.raises(InputError, match="magnitudes add up to 16,777,216"):
        exact_subset([1 << 25], 3)


def target(domain: Box | Ball, steps: int) -> Target:
    rng = np.random.default_rng(steps)
    shapes = ((3, 2), (2, 3))
    return Target(
        [((rng.integers(-steps, steps + 1, s) / steps).astype(np.float32), None) for s in shapes],
        domain,
    )


def network(steps: int, pool: int = 200, first: int = 1, seed: int = 0) -> Network:
    laws = [Grid(1.0, first), Grid(1.0 / steps, 2 * steps)] * 2
    return Network.mlp((2, 2 * pool, 3, 3 * pool, 2), laws=laws, seed=seed)


@pytest.mark.parametrize(
    ("domain", "steps", "first"), [(Box(0, 1), 64, 1), (Box(-2, 1), 8, 1), (Ball(3.0), 16, 2)]
)
def test_the_networks_are_equal(domain: Any, steps: int, first: int, tmp_path: Any) -> None:
    wanted = target(domain, steps)
    ticket = exact(network(steps, first=first), wanted)
    certificate = certify(ticket, wanted, 1e-300)
    assert certificate.exact_bound == 0
    assert certificate.holds
    assert recheck(certificate.save(tmp_path / "zero.proof"), wanted).bound == Fraction(0)
    # and plainly, in float64, whose sums of these small integers are exact
    x = np.random.default_rng(0).integers(-8, 9, (50, 2)).astype(float)
    x = np.abs(x) if domain.nonnegative else x
    y = x.T
    for i in range(4):
        name = f"layers.{i}.weight"
        kept = ticket.network.weights(name).astype(float) * ticket.mask[name].dense()
        y = kept @ y
        y = np.maximum(y, 0) if i < 3 else y
    np.testing.assert_array_equal(y.T, wanted(x))


def test_a_rounded_target_is_what_is_matched() -> None:
    w = np.array([[0.3, -0.7]], np.float32)
    given_target = Target([(w, np.array([0.2], np.float32))], Box(0, 1))
    made = quantized(given_target, [0.25])
    assert made.weights[0].tolist() == [[0.25, -0.75]]
    assert made.biases[0] is not None
    assert made.biases[0].tolist() == [0.25]
    assert made.domain == given_target.domain
    with pytest.raises(InputError, match="as many steps, got 2"):
        quantized(given_target, [0.25, 0.25])
    with pytest.raises(InputError, match=r"powers of two, got 0\.3"):
        quantized(given_target, [0.3])


def test_what_cannot_be_matched_is_refused() -> None:
    off = Target([(np.array([[0.3, 0.5]], np.float32), None)], Box(0, 1))
    laws = [Grid(1.0, 1), Grid(2.0**-2, 4)]
    narrow = Network.mlp((2, 4, 1), laws=laws, seed=0)
    with pytest.raises(InputError, match=r"weight \(0, 0\) of layer 0, 0.3.* nearest is 0.25"):
        exact(narrow, off)
    biased = Target([(np.ones((1, 2)), np.ones(1))], Box(0, 1))
    with pytest.raises(InputError, match="without biases"):
        exact(narrow, biased)
    far = Target([(np.array([[1.0, -1.0]], np.float32), None)], Box(-1, 1))
    with pytest.raises(ConstructionError, match="no subset of the"):
        exact(narrow, far)
    with pytest.raises(InputError, match="even widths"):
        exact(Network.mlp((3, 4, 1), laws=laws, seed=0), far)
    huge = Target([(np.full((1, 2), 2.0**30, np.float32), None)], Box(0, 1))
    with pytest.raises(InputError, match="coarser step"):
        exact(narrow, huge)


def test_copies_are_equal_and_only_those_that_are_read_are_made(tmp_path: Any) -> None:
    """Depth 3 for a target of depth 2, in 24 copies of each hidden neuron."""
    wanted = target(Box(-1.0, 1.0), 16)
    laws = [Grid(1.0, 1), Grid(1 / 16, 32), Grid(1 / 16, 32)]
    source = Network.mlp((2, 2 * 200, 3 * 24, 2), laws=laws, seed=2)
    ticket = exact_copies(source, wanted)
    assert ticket.provenance["copies"] == [[[0, 24], [1, 24], [2, 24]]]
    certificate = certify(ticket, wanted)
    assert certificate.exact_bound == 0
    assert recheck(certificate.save(tmp_path / "copies.proof"), wanted).bound == 0
    read = np.unique(ticket.mask["layers.2.weight"].indices() % 72)
    made = np.unique(ticket.mask["layers.1.weight"].indices() // 400)
    nonzero = [i for i in range(72) if wanted.weights[0][i // 24].any()]
    assert set(made) == set(read) & set(nonzero)
    with pytest.raises(InputError, match="the network needs depth 3"):
        exact_copies(network(16), wanted)
    poor = Network.mlp((2, 2 * 200, 3 * 2, 2), laws=laws, seed=2)
    with pytest.raises(ConstructionError, match="no subset of 2 copies"):
        exact_copies(poor, wanted)
