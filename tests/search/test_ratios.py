"""Counts a layer: exact totals, the stated proportions, the caps, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from strongticket.errors import InputError
from strongticket.search import keep_count, ratios, select
from strongticket.tickets import Mask

SHAPES = {"a": (300, 784), "b": (100, 300), "c": (10, 100)}
CONV = {"stem": (16, 3, 3, 3), "deep": (64, 16, 3, 3), "head": (10, 64)}
SIZES = {name: math.prod(shape) for name, shape in CONV.items()}


def test_uniform_rounds_half_up_layer_by_layer() -> None:
    assert ratios.uniform({"x": (10,), "y": (3, 1)}, 0.15) == {"x": 2, "y": 1}
    assert ratios.uniform(SHAPES, 1.0) == {"a": 235200, "b": 30000, "c": 1000}


@pytest.mark.parametrize("rule", [ratios.erk, ratios.balanced])
@pytest.mark.parametrize("density", [0.0006, 0.01, 0.05, Fraction(1, 3), 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("shapes", [SHAPES, CONV])
def test_totals_are_exact_and_layers_within_their_limits(rule, density, shapes) -> None:  # type: ignore[no-untyped-def]
    if density == 0.0006 and shapes is CONV:
        density = 0.001
    counts = rule(shapes, density)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    assert sum(counts.values()) == keep_count(density, sum(sizes.values()))
    assert all(1 <= counts[name] <= sizes[name] for name in shapes)


def test_erk_is_proportional_to_the_sums_of_dimensions() -> None:
    counts = ratios.erk(CONV, 0.1)
    sums = {name: sum(shape) for name, shape in CONV.items()}
    factor = counts["deep"] / sums["deep"]
    for name in CONV:
        assert abs(counts[name] - factor * sums[name]) <= 1 + sums[name] / sums["deep"]


def test_erk_without_kernels_is_the_rule_for_dense_layers() -> None:
    # density proportional to (16 + 64) / (16 * 64): count to 80 * 9
    counts = ratios.erk(CONV, 0.1, kernel=False)
    assert abs(counts["deep"] / counts["head"] - 720 / 74) < 0.1
    assert ratios.erk(SHAPES, 0.1, kernel=False) == ratios.erk(SHAPES, 0.1)


def test_the_cap_at_one_hands_on_what_it_cuts() -> None:
    counts = ratios.erk(SHAPES, 0.5)
    assert counts["c"] == 1000
    assert counts["b"] == 30000
    assert counts["a"] == keep_count(0.5, 266200) - 31000


def test_balanced_keeps_the_same_number() -> None:
    assert ratios.balanced(SHAPES, Fraction(3000, 266200)) == {"a": 1000, "b": 1000, "c": 1000}
    assert ratios.balanced(SHAPES, Fraction(5001, 266200)) == {"a": 2001, "b": 2000, "c": 1000}


def test_every_layer_keeps_one_even_where_its_share_is_less() -> None:
    counts = ratios.erk({"wide": (1000, 1000), "thin": (1, 2)}, Fraction(100, 1000002))
    assert counts == {"wide": 99, "thin": 1}


def test_global_counts_are_those_of_one_ranking() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = {n: torch.randn(s, generator=generator) for n, s in SHAPES.items()}
    scores["c"] += 2
    counts = ratios.by_scores(scores, 0.1)
    order = np.sort(np.concatenate([s.numpy().ravel() for s in scores.values()]))[::-1]
    threshold = order[keep_count(0.1, 266200) - 1]
    assert counts == {n: int((s.numpy() >= threshold).sum()) for n, s in scores.items()}
    assert ratios.same_as(select(scores, counts, "raw")) == counts


def test_a_layer_that_a_global_ranking_empties_is_refused() -> None:
    with pytest.raises(InputError, match="none of low"):
        ratios.by_scores({"high": torch.ones(10), "low": torch.zeros(10)}, 0.5)


def test_counts_of_masks_of_every_kind() -> None:
    bits = {"x": np.array([[True, False, True]])}
    assert ratios.same_as(Mask.dense(bits)) == {"x": 2}
    assert ratios.same_as({"x": torch.from_numpy(bits["x"])}) == {"x": 2}


def test_explicit_names_every_layer() -> None:
    assert ratios.explicit(CONV, {"stem": 1.0, "deep": 0.1, "head": 0.25}) == {
        "stem": 432,
        "deep": 922,
        "head": 160,
    }
    with pytest.raises(InputError, match="must name the layers"):
        ratios.explicit(CONV, {"stem": 1.0})


@pytest.mark.parametrize(
    ("shapes", "density", "says"),
    [
        ({}, 0.5, "got none"),
        ({"a": (0, 3)}, 0.5, "a have none"),
        (SHAPES, 0.0, "in \\(0, 1\\]"),
        (SHAPES, 1.5, "in \\(0, 1\\]"),
        (SHAPES, float("nan"), "in \\(0, 1\\]"),
        (SHAPES, 2 / 266200, "each of 3 layers"),
    ],
)
def test_bad_arguments(shapes, density, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        ratios.erk(shapes, density)
