"""The nine criteria: which weights of a small table they keep, with and without signs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from strongticket.errors import InputError
from strongticket.pruning import CRITERIA, criterion
from strongticket.search import select

INITIAL = {"x": torch.tensor([0.1, -0.5, 0.9, -0.2, 0.6])}
FINAL = {"x": torch.tensor([-0.8, -0.6, 0.7, 0.3, 0.05])}

# The weights from the most wanted to the least, worked out by hand.
ORDERS = {
    "large_final": [0, 2, 1, 3, 4],
    "small_final": [4, 3, 1, 2, 0],
    "large_init": [2, 4, 1, 3, 0],
    "small_init": [0, 3, 1, 4, 2],
    "magnitude_increase": [0, 3, 1, 2, 4],  # 0.7, 0.1 (twice: rounding decides), -0.2, -0.55
    "movement": [0, 4, 3, 2, 1],
    "large_final_same_sign": [2, 1, 4, 0, 3],
    "large_final_diff_sign": [0, 3, 2, 1, 4],
    "movement_same_sign": [4, 2, 1, 0, 3],
}


@pytest.mark.parametrize("name", ORDERS)
def test_orders(name: str) -> None:
    score = criterion(name)(INITIAL, FINAL)["x"]
    order = score.argsort(descending=True, stable=True).tolist()
    if name == "magnitude_increase":
        assert {order[1], order[2]} == {1, 3}
        order[1:3] = [3, 1]
    assert order == ORDERS[name]


def test_there_are_nine() -> None:
    assert len(set(CRITERIA)) == 9
    for name in CRITERIA:
        score = criterion(name)(INITIAL, FINAL)["x"]
        assert score.dtype == torch.float32
        assert score.shape == (5,)


def test_negative_weights_are_ranked_by_magnitude() -> None:
    # A published code compares without abs, and so treats every negative weight as small.
    generator = torch.Generator().manual_seed(0)
    final = {"x": torch.randn(1000, generator=generator)}
    kept = select(criterion("large_final")(final, final), {"x": 200}, "raw")["x"]
    assert 60 < int((kept & (final["x"] < 0)).sum()) < 140
    assert float(final["x"][kept].abs().min()) >= float(final["x"][~kept].abs().max())


def test_the_quadrant_is_a_common_percentile() -> None:
    rng = np.random.default_rng(0)
    i, f = rng.standard_normal(400), 3 * rng.standard_normal(400)
    score = criterion("large_init_large_final")({"x": torch.tensor(i)}, {"x": torch.tensor(f)})["x"]
    kept = select({"x": score}, {"x": 90}, "raw")["x"].numpy()
    # By bisection: the highest percentile at which the quadrant still holds 90.
    inside = [
        (np.abs(i) >= np.quantile(np.abs(i), q)) & (np.abs(f) >= np.quantile(np.abs(f), q))
        for q in np.linspace(0, 1, 2001)
    ]
    quadrant = [m for m in inside if m.sum() >= 90][-1]
    assert quadrant.sum() in (90, 91)
    assert (kept <= quadrant).all()
    small = criterion("small_init_small_final")({"x": torch.tensor(i)}, {"x": torch.tensor(f)})["x"]
    least = select({"x": small}, {"x": 90}, "raw")["x"].numpy()
    assert np.abs(i[least]).max() < np.abs(i).max() / 2
    assert not (least & kept).any()


def test_signs_come_first_over_all_layers() -> None:
    initial = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([-3.0, 0.0])}
    final = {"a": torch.tensor([100.0, -200.0]), "b": torch.tensor([-0.001, 5.0])}
    scores = criterion("large_final_same_sign")(initial, final)
    kept = select(scores, 2, "raw")
    assert kept["a"].tolist() == [True, False]
    assert kept["b"].tolist() == [True, False]


def test_signs_come_first_where_all_scores_are_equal() -> None:
    initial = {"a": torch.tensor([1.0, 1.0, 1.0])}
    final = {"a": torch.tensor([-1e20, -1e20, 1e20])}
    scores = criterion("large_final_same_sign")(initial, final)
    assert select(scores, 1, "raw")["a"].tolist() == [False, False, True]


def test_random_is_a_function_of_the_seed() -> None:
    first, again, other = (criterion("random", seed=s)(INITIAL, FINAL)["x"] for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ["largest", "large_final_sign", ""])
def test_unknown_names_list_the_known(name: str) -> None:
    with pytest.raises(InputError, match="magnitude_increase"):
        criterion(name)


def test_what_does_not_fit() -> None:
    score = criterion("movement")
    with pytest.raises(InputError, match="initial names"):
        score(INITIAL, {"y": FINAL["x"]})
    with pytest.raises(InputError, match="shape"):
        score(INITIAL, {"x": torch.ones(4)})
