"""The arguments that every search takes, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from strongticket.errors import InputError
from strongticket.search.engine import Backend, Structures
from strongticket.search.partial import Frozen
from strongticket.search.selection import whole


class Options(TypedDict, total=False):
    """What all searches share; `strongticket.search.EdgePopup` says what each does.

    `sample_seed` is the seed of what is sampled or redrawn, apart from those of weights and
    scores.
    """

    nesterov: bool
    score_seed: int
    sample_seed: int
    groups: Sequence[Mapping[str, Any]]
    backend: Backend | None
    structure: Structures
    frozen: Frozen | None


def number(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> float:
    """A finite number in [low, high], or (low, high]; else InputError."""
    good = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if not (good and low <= value <= high and not (open_low and value == low)):
        bracket = "(" if open_low else "["
        raise InputError(f"{name} must be a number in {bracket}{low:g}, {high:g}], got {value!r}")
    return float(value)


def rounds_of(total: int, rounds: int) -> tuple[int, int]:
    """(total, rounds) as integers, at least one step a round; else InputError."""
    total = whole("total is the number of steps of the search", total, 1)
    rounds = whole("rounds must be an integer", rounds, 1)
    if total < rounds:
        raise InputError(f"{rounds} rounds need as many steps at least, got total={total}")
    return total, rounds
