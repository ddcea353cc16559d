"""Subset-sum instances: ordinary ones, and the kinds on which solvers go wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.testing._numbers import Strategy

Kind = Literal["small", "ties", "copies", "zeros", "wide", "extreme"]
Aim = Literal["any", "planted", "near", "beyond"]
KINDS: tuple[Kind, ...] = get_args(Kind)
AIMS: tuple[Aim, ...] = get_args(Aim)
_FLOAT_BITS = 48  # sums of up to 16 such units stay exact in float64
_MOST = 16


@dataclass(frozen=True, eq=False)
class SubsetSum:
    """A batch of subset-sum problems as `strongticket.subsetsum` takes it.

    Attributes:
        candidates: (M, n), or (n,) where all rows share them; int64 or float64.
        targets: (M,) of the same dtype.
        epsilon: an accuracy of that dtype's kind, at least 0.
    """

    candidates: NDArray[Any]
    targets: NDArray[Any]
    epsilon: float

    def row(self, i: int) -> tuple[list[Any], Any]:
        """Candidates and target of row i as Python numbers."""
        own = self.candidates if self.candidates.ndim == 1 else self.candidates[i]
        return own.tolist(), self.targets[i].item()

    def __len__(self) -> int:
        return len(self.targets)


def subset_sums(
    *,
    max_n: int = 10,
    max_rows: int = 3,
    kinds: tuple[Kind, ...] = KINDS,
    floats: bool | None = None,
) -> Strategy[SubsetSum]:
    """Subset-sum instances; shrinks towards one row without candidates, target 0.

    Candidates are "small" (|a| <= 20), "ties" (in -1, 0, 1), "copies" (few values, repeated),
    "zeros" (mostly 0), "wide" (48 bits) or "extreme" (so large that all of them together use the
    2^60 grid steps that solvers have, at full size or zero). Targets are any, planted (a subset's
    sum), near one (off by a little), or beyond every sum.

    Args:
        max_n: the most candidates a row, at most 16.
        max_rows: the most rows.
        kinds: which kinds of candidates to draw.
        floats: only float64 (True) or only int64 (False); None for both. Floats are integers
            times a power of two, their targets also half-way between.
    """
    if not 0 <= max_n <= _MOST or max_rows < 1 or not kinds or set(kinds) - set(KINDS):
        raise InputError(
            f"subset_sums needs 0 <= max_n <= {_MOST}, max_rows >= 1 and kinds among {KINDS}; got "
            f"{max_n!r}, {max_rows!r}, {kinds!r}"
        )
    return _subset_sums(max_n, max_rows, kinds, floats)


@st.composite
def _subset_sums(
    draw: st.DrawFn, max_n: int, max_rows: int, kinds: tuple[Kind, ...], floats: bool | None
) -> SubsetSum:
    wide = draw(st.booleans()) if floats is None else floats
    kind = draw(st.sampled_from(kinds))
    n, rows = draw(st.integers(0, max_n)), draw(st.integers(1, max_rows))
    shared = draw(st.booleans())
    largest = _largest(kind, n, wide)
    units = [
        draw(st.lists(_values(kind, largest), min_size=n, max_size=n))
        for _ in range(1 if shared else rows)
    ]
    goals = [_target(draw, units[0 if shared else i], wide) for i in range(rows)]
    epsilon = draw(st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 1 << 40)))
    exponent = draw(st.integers(-60, 8)) if wide else 0
    table = np.array(units, np.int64).reshape(len(units), n)
    if not wide:
        array = table[0] if shared else table
        return SubsetSum(array, np.array(goals, np.int64), epsilon)
    scaled = np.ldexp(table.astype(np.float64), exponent)
    halves = np.array([math.ldexp(goal, exponent - 1) for goal in goals])
    return SubsetSum(scaled[0] if shared else scaled, halves, math.ldexp(epsilon, exponent))


def _largest(kind: Kind, n: int, wide: bool) -> int:
    if kind == "extreme" and not wide:
        return (1 << 60) // max(n, 1)
    return {"small": 20, "ties": 1, "copies": 1000, "zeros": 3}.get(kind, 1 << _FLOAT_BITS)


def _values(kind: Kind, largest: int) -> Strategy[int]:
    plain = st.integers(-largest, largest)
    if kind == "copies":
        return st.sampled_from((7, -7, 300, -largest, largest))
    if kind == "zeros":
        return st.one_of(st.just(0), st.just(0), plain)
    if kind == "extreme":
        return st.sampled_from((0, largest, -largest, 1, -1))
    return plain


def _target(draw: st.DrawFn, units: list[int], halves: bool) -> int:
    """A target in units, or in half units where `halves`."""
    step = 2 if halves else 1
    aim = draw(st.sampled_from(AIMS))
    low, high = sum(min(u, 0) for u in units), sum(max(u, 0) for u in units)
    if aim == "any":
        return draw(st.integers(step * low, step * high))
    if aim == "beyond":
        far = draw(st.integers(1, max(1, high - low)))
        return step * (high + far if draw(st.booleans()) else low - far)
    bits = draw(st.integers(0, (1 << len(units)) - 1))
    planted = step * sum(u for j, u in enumerate(units) if (bits >> j) & 1)
    return planted if aim == "planted" else planted + draw(st.integers(-2, 2))
