"""Overlap against chance: the law against exact fractions and scipy, the verdict at both ends."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from strongticket import Mask, Network, Ticket, Uniform
from strongticket.analysis import overlap, overlaps
from strongticket.analysis._overlap import by_chance
from strongticket.errors import InputError
from strongticket.search.controls import random_mask


def exact(n: int, a: int, b: int) -> dict[int, Fraction]:
    return {
        k: Fraction(math.comb(b, k) * math.comb(n - b, a - k), math.comb(n, a))
        for k in range(max(0, a + b - n), min(a, b) + 1)
    }


@given(
    st.integers(1, 60).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))
    )
)
def test_the_law_is_hypergeometric(sizes: tuple[int, int, int]) -> None:
    low, law = by_chance(*sizes)
    wanted = exact(*sizes)
    assert low == min(wanted)
    assert law == pytest.approx([float(p) for p in wanted.values()], rel=1e-10)


def test_the_law_of_large_layers_is_scipy_s() -> None:
    n, a, b = 2_000_000, 400_000, 90_000
    low, law = by_chance(n, a, b)
    at = np.array([17_500, 18_000, 18_400])
    assert law[at - low] == pytest.approx(stats.hypergeom.pmf(at, n, a, b), rel=1e-6)


def test_every_number_of_a_small_case() -> None:
    a = {"x": np.array([1, 1, 1, 0, 0, 0, 0], bool)}
    b = {"x": np.array([0, 1, 1, 1, 1, 0, 0], bool)}
    found = overlap(a, b, level=0.8)
    law = exact(7, 3, 4)
    row = found["x"]
    assert (row.total, row.kept, row.common, row.jaccard) == (7, (3, 4), 2, 2 / 5)
    assert row.expected == pytest.approx(12 / 7)
    mean = sum(k * p for k, p in law.items())
    assert row.deviation == pytest.approx(
        math.sqrt(sum((k - mean) ** 2 * p for k, p in law.items()))
    )
    assert row.more == pytest.approx(float(law[2] + law[3]))
    assert row.fewer == pytest.approx(float(law[0] + law[1] + law[2]))
    assert row.jaccard_by_chance == pytest.approx(
        float(sum(p * k / (7 - k) for k, p in law.items()))
    )
    # P(X < 1) = 1/35 <= 0.1 < P(X < 2) = 13/35, and P(X > 3) = 0 <= 0.1 < P(X > 2) = 4/35
    assert (row.low, row.high) == (1, 3)
    assert row.by_chance
    assert row.score == pytest.approx((2 - row.expected) / row.deviation)
    assert found.all.more == row.more


def test_the_total_is_the_convolution_of_the_layers() -> None:
    random = np.random.default_rng(0)
    shapes = {"a": (9,), "b": (4, 3), "c": (8,)}
    one = {n: random.random(s) < 0.5 for n, s in shapes.items()}
    two = {n: random.random(s) < 0.4 for n, s in shapes.items()}
    laws = [exact(one[n].size, int(one[n].sum()), int(two[n].sum())) for n in shapes]
    total: dict[int, Fraction] = {}
    for parts in itertools.product(*(law.items() for law in laws)):
        k = sum(part[0] for part in parts)
        total[k] = total.get(k, Fraction(0)) + math.prod(part[1] for part in parts)
    row = overlap(one, two).all
    common = sum(int((one[n] & two[n]).sum()) for n in shapes)
    assert row.common == common
    assert row.more == pytest.approx(float(sum(p for k, p in total.items() if k >= common)))
    assert row.fewer == pytest.approx(float(sum(p for k, p in total.items() if k <= common)))
    assert row.expected == pytest.approx(float(sum(k * p for k, p in total.items())))
    kept = sum(int(m.sum()) for m in one.values()) + sum(int(m.sum()) for m in two.values())
    assert row.jaccard_by_chance == pytest.approx(
        float(sum(p * Fraction(k, kept - k) for k, p in total.items()))
    )


def test_the_same_ticket_and_independent_ones() -> None:
    network = Network.mlp((60, 80, 10), laws=Uniform(), seed=0)
    full = {p.name: np.arange(p.numel).reshape(p.shape) % 5 == 0 for p in network.parameters}
    ticket = Ticket(network, Mask.dense(full))
    same = overlap(ticket, ticket)
    assert same.identical
    assert (same.all.jaccard, same.all.more) == (1.0, 1e-12)
    assert same.all.fewer == pytest.approx(1.0)
    assert not same.all.by_chance
    assert same.all.score > 50
    inside = 0
    values = []
    for seed in range(40):
        row = overlap(ticket, random_mask(ticket, seed)).all
        inside += row.by_chance
        values.append(row.more)
    # 40 runs at 95 % and more: below 31 has probability 4e-5 at most; the seeds are fixed.
    assert inside >= 31
    assert 0.35 < np.mean(values) < 0.7
    tensors = {name: torch.from_numpy(bits) for name, bits in full.items()}
    assert overlap(tensors, ticket).identical
    assert "deviations" in repr(same)


def test_complements_share_less_than_chance() -> None:
    bits = np.arange(400).reshape(20, 20) % 2 == 0
    found = overlap({"a": bits}, {"a": ~bits})
    assert (found.all.common, found.all.jaccard, found.all.more) == (0, 0.0, 1.0)
    assert found.all.fewer == pytest.approx(1 / math.comb(400, 200), rel=1e-6)
    assert not found.identical


def test_where_chance_leaves_no_choice() -> None:
    nothing, everything = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    found = overlap({"a": nothing, "b": everything}, {"a": nothing, "b": everything})
    for row in (*found.layers, found.all):
        assert (row.score, row.more, row.fewer, row.jaccard) == (0.0, 1.0, 1.0, 1.0)
        assert row.by_chance


def test_all_pairs() -> None:
    random = np.random.default_rng(0)
    masks = {name: {"w": random.random((6, 6)) < 0.5} for name in "xyz"}
    found = overlaps(masks)
    assert set(found) == {("x", "y"), ("x", "z"), ("y", "z")}
    assert found["x", "z"] == overlap(masks["x"], masks["z"])


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ({"a": np.ones(3, bool)}, {"b": np.ones(3, bool)}, "same parameters"),
        ({"a": np.ones(3, bool)}, {"a": np.ones(4, bool)}, "one shape"),
        ({"a": np.ones(3)}, {"a": np.ones(3)}, "must be bool"),
        ({}, {}, "needed a Ticket"),
        (3, {}, "needed a Ticket"),
    ],
)
def test_masks_that_do_not_fit(one: object, two: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        overlap(one, two)


def test_a_level_out_of_range() -> None:
    with pytest.raises(InputError, match="level"):
        overlap({"a": np.ones(3, bool)}, {"a": np.ones(3, bool)}, level=1.0)
