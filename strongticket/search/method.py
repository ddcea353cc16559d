r"""A mask search as a frozen value of pure functions.

With W the frozen weights, S the scores and G the gradient of the effective weights, every method
of this package has the form

.. math:: \hat W = g(W) \odot z(S), \qquad
          \frac{\partial \ell}{\partial S} = G \odot W \odot z'(S) + \text{penalty}'(S),

with a gate z (a mask, small integers, or numbers in [0, 1]), the slope z' that the backward pass
takes for its derivative, and a gain g that is a constant to the backward pass.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from strongticket.search.gate import Gate, Moment, Tensors
from strongticket.search.gates import TopK
from strongticket.search.scores import KAIMING, Start
from strongticket.search.selection import Ranking
from strongticket.tickets._reading import Gain


@dataclass(frozen=True)
class Penalty(ABC):
    """A term of the loss in the scores alone, `weight` times a sum over them."""

    weight: float

    @abstractmethod
    def gradient(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Its gradient in the scores of a parameter, elementwise."""


@dataclass(frozen=True)
class Redraw:
    """Every `every` steps each pruned weight is drawn again with probability `rate`."""

    every: int
    rate: float


class Freezing(ABC):
    """A schedule that prunes for good."""

    @abstractmethod
    def due(self, step: int) -> bool:
        """Whether flags change after this step."""

    @abstractmethod
    def flags(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """The new flags, `at` a moment that has the old ones: False where pruned for good."""

    @abstractmethod
    def left(self, step: int, total: int) -> int:
        """How many of `total` scores are not pruned for good after `step` steps."""


class Move(ABC):
    """What else happens to the scores after a step: a projection, a new round."""

    @abstractmethod
    def __call__(self, score: Tensor, step: int) -> None:
        """Change the scores in place; `step` steps were taken."""


@dataclass(frozen=True)
class Clamp(Move):
    """Scores stay in [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def __call__(self, score: Tensor, step: int) -> None:
        """Project."""
        score.clamp_(self.low, self.high)


@dataclass(frozen=True)
class Method:
    """A published search: its gate, how scores begin, and what else it does.

    `gain`: "none", "binary" (sign of the weight times the mean magnitude of the kept ones) or
    "inverse density", as in `strongticket.tickets.Reading`. The gradient goes through the gain
    "inverse density" as through a constant, and past "binary" as if it were not there.
    """

    name: str
    source: str
    gate: Gate
    start: Start = KAIMING
    gain: Gain = "none"
    penalty: Penalty | None = None
    move: Move | None = None
    freezing: Freezing | None = None
    redraw: Redraw | None = None

    @property
    def ranking(self) -> Ranking | None:
        """How scores are ranked; None where they are not."""
        return self.gate.ranking if isinstance(self.gate, TopK) else None

    def settings(self) -> dict[str, Any]:
        """Every number that is not a default, in plain values: what a saved state must share."""
        found: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name in ("name", "source") or value == item.default:
                continue
            found[item.name] = _plain(value)
        if isinstance(self.gate, TopK):
            del found["gate"]  # its ranking is said elsewhere
        return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return value
