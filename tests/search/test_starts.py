"""Initial scores: their laws, and one stream a parameter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strongticket import philox
from strongticket.search.scores import Start

SHAPE = (64, 30, 3, 3)  # fan-in 270, fan-out 576


@pytest.mark.parametrize(
    ("start", "low", "high", "spread"),
    [
        (Start(), -1 / math.sqrt(270), 1 / math.sqrt(270), 1 / math.sqrt(3 * 270)),
        (Start("xavier uniform"), -math.sqrt(6 / 846), math.sqrt(6 / 846), math.sqrt(2 / 846)),
        (Start("unit interval"), 0.0, 1.0, math.sqrt(1 / 12)),
        (Start("kaiming normal"), -math.inf, math.inf, math.sqrt(2 / 270)),
        (Start("normal", 0.7, 0.01), -math.inf, math.inf, 0.01),
        (Start("constant", 0.25), 0.25, 0.25, 0.0),
    ],
)
def test_a_start_has_its_law(start: Start, low: float, high: float, spread: float) -> None:
    scores = start.scores("w", SHAPE, SHAPE, 3)
    assert scores.shape == SHAPE
    assert scores.dtype == np.float32
    assert low - 1e-6 <= scores.min() <= scores.max() <= high + 1e-6
    assert float(scores.std()) == pytest.approx(spread, rel=0.03, abs=1e-7)
    middle = start.value if math.isinf(low) else (low + high) / 2
    assert abs(float(scores.mean()) - middle) <= 5 * spread / math.sqrt(scores.size) + 1e-7
    np.testing.assert_array_equal(scores, start.scores("w", SHAPE, SHAPE, 3))


@pytest.mark.parametrize("kind", ["kaiming uniform", "unit interval", "kaiming normal"])
def test_a_group_takes_the_fans_of_its_parameter(kind: str) -> None:
    start = Start(kind)  # type: ignore[arg-type]
    whole = start.scores("w", SHAPE, SHAPE, 3).reshape(-1)
    np.testing.assert_array_equal(start.scores("w", SHAPE, (64,), 3), whole[:64])
    assert not np.array_equal(start.scores("v", SHAPE, (64,), 3), whole[:64])


def test_the_unit_interval_is_the_words_top_bits() -> None:
    words = philox.words(3, philox.stream("score", "w"), 0, 5)
    wanted = [int(word >> 8) / 2**24 for word in words]
    assert Start("unit interval").scores("w", (5,), (5,), 3).tolist() == wanted
