"""Means over seeds with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongticket.errors import InputError

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean and half of its 95 % interval: Student's t over the seeds."""

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def percent(self) -> str:
        """As text, of a fraction."""
        return f"{100 * self.mean:.2f} ± {100 * self.half:.2f} %"

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.half:.2g}"


def mean_of(values: Sequence[float]) -> Mean:
    """The interval of independent values, one a seed; two or more."""
    from scipy import stats

    if len(values) < 2:
        raise InputError(f"an interval needs two seeds or more, got {len(values)}")
    n = len(values)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Mean(float(np.mean(values)), half, n)
