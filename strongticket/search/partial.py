"""Partly frozen searches: a random fraction of the weights is decided before the search.

Source: Otsuka, Chijiwa, Garcia-Arias, Okoshi, Kawamura, Van Chu, Fujiki, Takeuchi, Motomura,
"Partially frozen random networks contain compact strong lottery tickets", arXiv:2402.14029.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from strongticket import philox
from strongticket.errors import InputError
from strongticket.search.selection import whole


@dataclass(frozen=True)
class Frozen:
    """The fractions of each parameter's scores that are pruned, or kept, for good; and a seed.

    Which ones is random: the entries with the smallest words of the stream ("frozen", parameter
    name) are pruned, the next ones kept, round half up of fraction times size each. The seed is
    apart from those of weights and scores. Raises InputError unless both are >= 0 and their sum
    is below 1.
    """

    pruned: float = 0.0
    kept: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        whole("the seed of Frozen must be an integer", self.seed, 0)
        for what in ("pruned", "kept"):
            value = getattr(self, what)
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (good and 0 <= value < 1):
                raise InputError(f"the fraction {what} for good is in [0, 1), got {value!r}")
        if self.pruned + self.kept >= 1:
            raise InputError(
                f"pruned and kept for good must leave something to search, got {self.pruned} and "
                f"{self.kept}"
            )

    def counts(self, total: int) -> tuple[int, int]:
        """How many of `total` scores are pruned, and kept, for good."""
        pruned, kept = (
            math.floor(Fraction(repr(float(part))) * total + Fraction(1, 2))
            for part in (self.pruned, self.kept)
        )
        return min(pruned, total), min(kept, total - min(pruned, total))

    def pins(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """int8 of `shape`: -1 where pruned for good, 1 where kept for good, else 0."""
        total = math.prod(shape)
        drawn = philox.words(self.seed, philox.stream("frozen", name), 0, total)
        order = np.argsort(drawn, kind="stable")
        pruned, kept = self.counts(total)
        pins = np.zeros(total, np.int8)
        pins[order[:pruned]], pins[order[pruned : pruned + kept]] = -1, 1
        return torch.from_numpy(pins.reshape(shape))
