"""The two ways in which a certificate fails, and what a confirmed one says."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from fractions import Fraction


class UnreadableError(ValueError):
    """The bytes are no certificate: truncated, edited, foreign, or of a newer format."""


class RefutedError(Exception):
    """A certificate that can be read, and whose claim, or one of its steps, is false."""


@dataclass(frozen=True)
class Recheck:
    """What was confirmed: the bound, the epsilon it was claimed for, and how much was checked."""

    bound: Fraction
    epsilon: Fraction | None
    subset_sums: int
    kept_weights: int
    target_digest: str
    ticket_id: str

    @property
    def holds(self) -> bool:
        """Whether an epsilon was claimed and the bound is at most that."""
        return self.epsilon is not None and self.bound <= self.epsilon


def in_words(value: Fraction, digits: int = 9) -> str:
    """A fraction of any size in few digits, rounded up: what is printed is still a bound."""
    context = decimal.Context(prec=digits, rounding=decimal.ROUND_CEILING)
    return f"{context.divide(value.numerator, value.denominator):g}"
