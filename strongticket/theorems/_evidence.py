"""One row of a check: what was claimed, what was measured, and what that can show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

RowKind = Literal["algebra", "construction", "probability", "scaling"]
REFUTES_BELOW = 1e-6  # a p-value above this refutes nothing

PROVES = "proves the inequality as displayed"
IDENTITIES = "proves the identities; that what remains is >= 0 is read off them"
SHOWS_CASES = "proves these cases, no others"
RECOMPUTES = "recomputes these cases with constants written out a second time; no others"
CAN_REFUTE = "can refute, cannot prove"
CAN_REFUTE_SEARCH = (
    "can refute that the construction finds subsets, which it seeks in windows only; "
    "a miss would not show that no subset exists"
)
SHOWS_CASE = "proves this case, no other"
NOTHING = "nothing to refute"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        kind: algebra, construction, probability or scaling: kept apart, for they show different
            things.
        name: What is compared.
        claimed: What the theorem says, in words and numbers.
        measured: What came out.
        refuted: Whether the measurement contradicts the claim.
        shows: What such a row can show at all.
        p_value: For statistical rows, the probability of a measurement at least as bad if the
            claim is true.
    """

    kind: RowKind
    name: str
    claimed: str
    measured: str
    refuted: bool
    shows: str
    p_value: float | None = None

    @property
    def verdict(self) -> str:
        """One word or two for a table."""
        if self.refuted:
            return "refuted"
        return "no claim" if self.shows == NOTHING else "not refuted"


@dataclass(frozen=True)
class Effort:
    """How much a check runs. `quick` has the same claims and fewer trials and cases.

    `factor` multiplies the random trials of every statistical row.
    """

    quick: bool = False
    factor: int = 1

    def trials(self, quick: int, full: int) -> int:
        """How many random trials to run."""
        return self.factor * self.pick(quick, full)

    def pick(self, quick: int, full: int) -> int:
        """One of two sizes."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Inequality:
    """A displayed inequality of a proof: its name, its test, and what the test can show."""

    name: str
    test: Callable[[Effort], tuple[bool, str]]
    shows: str

    def row(self, effort: Effort) -> Row:
        """The row of its test."""
        return algebra(self.name, self.test(effort), self.shows)


def algebra(name: str, finding: tuple[bool, str], shows: str) -> Row:
    """A row for a displayed inequality: (holds, measured)."""
    holds, measured = finding
    return Row("algebra", name, "holds", measured, not holds, shows)


def failures(name: str, claimed: float, failed: int, trials: int, shows: str = CAN_REFUTE) -> Row:
    """A row for `failed` of `trials` against a claimed failure probability, by the exact tail."""
    from scipy import stats

    with _quiet():
        p = float(stats.binom.sf(failed - 1, trials, claimed)) if claimed < 1 else 1.0
    return Row(
        "probability",
        name,
        f"at most {claimed:.3g} fail",
        f"{failed} of {trials} failed",
        p < REFUTES_BELOW,
        shows,
        p,
    )


def slope(
    name: str,
    x: Sequence[float],
    y: Sequence[Sequence[float]],
    coefficient: float,
    least: float | None = None,
) -> Row:
    """A row for the growth of y (trials at each x) against a claimed largest coefficient.

    The interval is the least-squares slope of the means +- 5 standard errors, which are taken from
    the spread within each x. The claim is refuted where the interval lies above the coefficient,
    or, given `least` (a necessary coefficient), below that.
    """
    at = np.asarray(x, float)
    means = np.array([np.mean(v) for v in y])
    spread = np.array([np.var(v, ddof=1) / len(v) for v in y])
    weights = (at - at.mean()) / ((at - at.mean()) ** 2).sum()
    fitted = float(weights @ means)
    half = 5 * math.sqrt(float((weights**2) @ spread))
    claimed = f"slope at most {coefficient:.3g}"
    if least is not None:
        claimed = f"slope between {least:.3g} and {coefficient:.3g}"
    if least is not None and coefficient == math.inf:
        claimed = f"slope at least {least:.3g}"
    return Row(
        "scaling",
        name,
        claimed,
        f"{fitted:.3g} +- {half:.2g}",
        fitted - half > coefficient or (least is not None and fitted + half < least),
        CAN_REFUTE,
    )


@contextmanager
def _quiet() -> Iterator[Any]:
    """Tails that underflow to 0 are what refutation looks like, no reason to warn."""
    with np.errstate(all="ignore"):
        yield
