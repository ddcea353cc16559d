"""The ways to find a best mask, as values: `Exhaustive`, `BranchAndBound`, `MILP`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

from strongticket.errors import InputError


@dataclass(frozen=True)
class Exhaustive:
    """Every distinct mask, in exact arithmetic: proves the optimum, and which is the first.

    Attributes:
        most: refuse beyond this many distinct masks (2^34 take some five minutes of one core).
        time_limit: seconds after which the best so far is given, with the bound 0; None: no limit.
    """

    most: int = 1 << 34
    time_limit: float | None = None

    def __post_init__(self) -> None:
        _check_limits(self)


@dataclass(frozen=True)
class BranchAndBound:
    """Best first over the neurons' rows; every leaf has a rational dual bound or is exhausted.

    Proves the optimum, or, out of time or nodes, the bound that it gives.

    Attributes:
        time_limit: seconds after which the best so far is given; None: no limit.
        nodes: the most relaxations to solve; None: no limit.
        leaf: up to this many distinct masks below a node are exhausted instead of bounded; 2^24
            at most, since limits are looked at between nodes.
    """

    time_limit: float | None = 60.0
    nodes: int | None = None
    leaf: int = 1 << 17

    def __post_init__(self) -> None:
        _check_limits(self)
        if self.leaf > 1 << 24:
            raise InputError(
                f"BranchAndBound needs a leaf of 2^24 masks at most, got {self.leaf:,}; use "
                "Exhaustive() to look at every mask"
            )


@dataclass(frozen=True)
class MILP:
    """cvxpy with HiGHS, relative gap 0: one binary a row of a table. Claims, never proves.

    The mean squared loss goes by outer approximation: tangents of the squares, until the best
    mask of the tangents is one whose own tangents are among them.

    The solver's tolerances are 10^-9 of the largest residual that any mask can have: differences
    below that, as beside one label far from all others, are lost on it.

    Attributes:
        time_limit: seconds after which the best so far is given, with the solver's bound.
    """

    time_limit: float = 60.0

    def __post_init__(self) -> None:
        _check_limits(self)


Method = Exhaustive | BranchAndBound | MILP


@dataclass(frozen=True)
class Answer:
    """What a method gives: a row of each table, and a bound (None: the exact loss, proved).

    `bound` is a Fraction where it is proved and a float where a solver claims it.
    """

    picks: Sequence[int]
    bound: Fraction | float | None
    examined: int
    nodes: int
    method: str


def _check_limits(method: Method) -> None:
    for field in fields(method):
        value = getattr(method, field.name)
        if value is None and "None" in str(field.type):
            continue
        whole = field.name != "time_limit"
        good = isinstance(value, int) if whole else isinstance(value, int | float)
        if not (good and not isinstance(value, bool) and math.isfinite(value) and value > 0):
            kind = "an integer" if whole else "seconds, a finite number"
            raise InputError(
                f"{type(method).__name__} needs {field.name} as {kind} > 0, got {value!r}"
            )
