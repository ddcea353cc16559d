"""The clean-up suite passes a right clean-up and catches each way to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from strongticket.testing import NonconformityError, check_cleanup, oracles


def vectorised(masks: Mapping[str, Any]) -> dict[str, Any]:
    """A clean-up written another way: prune rows without inputs and columns without outputs."""
    found = {name: mask.copy() for name, mask in masks.items()}
    names = list(found)
    while True:
        before = sum(int(m.sum()) for m in found.values())
        for first, second in pairwise(names):
            found[second][:, ~found[first].any(1)] = False
            found[first][~found[second].any(0)] = False
        if sum(int(m.sum()) for m in found.values()) == before:
            return found


def test_two_right_clean_ups_pass_and_agree() -> None:
    check_cleanup(vectorised)
    check_cleanup(oracles.without_dead)
    rng = np.random.default_rng(0)
    for _ in range(50):
        widths = rng.integers(1, 5, 4)
        masks = {f"{i}": rng.random((widths[i + 1], widths[i])) < 0.4 for i in range(3)}
        one, other = vectorised(masks), oracles.without_dead(masks)
        assert all((one[n] == np.array(other[n])).all() for n in masks)


def once(masks: Mapping[str, Any]) -> dict[str, Any]:
    """One sweep only."""
    found = {name: mask.copy() for name, mask in masks.items()}
    names = list(found)
    for first, second in pairwise(names):
        found[first][~found[second].any(0)] = False
    return found


def greedy(masks: Mapping[str, Any]) -> dict[str, Any]:
    """Prunes a neuron that still has an edge."""
    found = vectorised(masks)
    for mask in found.values():
        mask[mask.sum(1) == 1] = False
    return found


def eager(masks: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.ones_like(mask) for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("clean", "says"),
    [
        (dict, "left weights of a dead neuron"),
        (once, "left weights of a dead neuron"),
        (greedy, "must not change the function"),
        (eager, "may only prune"),
    ],
)
def test_a_wrong_clean_up_is_caught(clean: Any, says: str) -> None:
    with pytest.raises(NonconformityError, match=says):
        check_cleanup(clean, examples=100)
