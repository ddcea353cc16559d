r"""Gates that sample or that are soft: Bernoulli masks, heated sigmoids, hard-concrete gates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from strongticket.search import draws
from strongticket.search.gate import Elementwise, Moment, Tensors, unflagged
from strongticket.search.method import Move, Penalty


@dataclass(frozen=True)
class Draw(Elementwise):
    r"""Masks drawn with probability :math:`\sigma(S)`, anew after every step; slope σ'(S).

    The draw after step t takes the words of the streams ("sample t", parameter name).
    `evaluation`: a ticket holds the "draw" in force, or the entries of probability 1/2 and more
    ("threshold").
    """

    evaluation: Literal["draw", "threshold"] = "draw"
    stored: ClassVar[bool] = True

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """One draw."""
        return draws.below(sampled(name, score, at), score.sigmoid())

    def ticket(self, scores: Tensors, at: Moment, gates: Tensors) -> dict[str, Tensor]:
        """The draw in force, or what is kept more often than not."""
        if self.evaluation == "draw":
            return dict(gates)
        return unflagged({name: score >= 0 for name, score in scores.items()}, at)

    def expectation(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """The probabilities."""
        return unflagged({name: score.sigmoid() for name, score in scores.items()}, at)

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """The derivative of the probability."""
        return _bell(score.sigmoid())


@dataclass(frozen=True)
class Heating:
    r"""A temperature that grows from 1 to `final` within each of `rounds` rounds of `total` steps.

    .. math:: \beta_t = \beta_{\text{final}}^{\,r / (R - 1)}, \quad r = t \bmod R,
              \quad R = \text{total} / \text{rounds};

    after `total` steps it stays at `final`.
    """

    total: int
    rounds: int = 1
    final: float = 200.0

    @property
    def length(self) -> int:
        """Steps a round."""
        return self.total // self.rounds

    def at(self, step: int) -> float:
        """The temperature after so many steps."""
        if step >= self.length * self.rounds or self.length == 1:
            return self.final
        return float(self.final ** ((step % self.length) / (self.length - 1)))


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    r"""Soft gates :math:`\sigma(\beta_t S) / \sigma(s_0)` while searching, 1[S > 0] at the end."""

    heating: Heating
    initial: float = 0.0
    boolean: ClassVar[bool] = False

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Soft gates."""
        return (score * self.heating.at(at.step)).sigmoid_().div_(_sigmoid(self.initial))

    def ticket(self, scores: Tensors, at: Moment, gates: Tensors) -> dict[str, Tensor]:
        """1[S > 0]."""
        return unflagged({name: score > 0 for name, score in scores.items()}, at)

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """The derivative of the soft gate."""
        return _heated_slope(score, self.heating.at(at.step)) / _sigmoid(self.initial)


@dataclass(frozen=True)
class SoftCount(Penalty):
    r"""weight times the sum of :math:`\sigma(\beta_t S)`."""

    heating: Heating

    def gradient(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Elementwise."""
        return _heated_slope(score, self.heating.at(at.step)) * self.weight


@dataclass(frozen=True)
class NewRound(Move):
    r"""At the end of each round but the last: :math:`S \leftarrow \min(\beta S, s_0)`."""

    heating: Heating
    initial: float = 0.0

    def __call__(self, score: Tensor, step: int) -> None:
        """Entries that the round pruned stay pruned; the others begin again."""
        length = self.heating.length
        if step % length == 0 and step < length * self.heating.rounds:
            score.mul_(self.heating.final).clamp_(max=self.initial)


@dataclass(frozen=True)
class HardConcreteGate(Elementwise):
    r"""Stretched and clipped concrete gates, drawn anew after every step.

    .. math::

        c = \sigma\!\left(\frac{\log u - \log(1 - u) + S}{\beta}\right), \qquad
        z = \min(1, \max(0, c (\zeta - \gamma) + \gamma)).

    The slope is the derivative of z, 0 where it is clipped. A ticket keeps what the gate without
    noise, :math:`\min(1, \max(0, \sigma(S)(\zeta - \gamma) + \gamma))`, rounds to 1: at a half and
    above.
    """

    temperature: float = 2.0 / 3.0
    low: float = -0.1
    high: float = 1.1
    boolean: ClassVar[bool] = False
    stored: ClassVar[bool] = True

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """One draw of soft gates."""
        noise = draws.logistic(sampled(name, score, at))
        concrete = noise.add_(score).div_(self.temperature).sigmoid_()
        return self._stretched(concrete).clamp_(0, 1)

    def ticket(self, scores: Tensors, at: Moment, gates: Tensors) -> dict[str, Tensor]:
        """The gates without noise, rounded."""
        return {name: gate >= 0.5 for name, gate in self.expectation(scores, at).items()}

    def expectation(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """The gates without noise."""
        clear = {n: self._stretched(score.sigmoid()).clamp(0, 1) for n, score in scores.items()}
        return unflagged(clear, at)

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """The derivative of the gate in force, from the gate itself: noise is drawn once."""
        gate = at.gates[name] if name in at.gates else self.of(name, score, at)
        inside = _bell(gate).sign_()  # 1 where it is not clipped, else 0
        wide = self.high - self.low
        concrete = (gate - self.low).div_(wide)
        return _bell(concrete).mul_(wide / self.temperature).mul_(inside)

    def _stretched(self, concrete: Tensor) -> Tensor:
        return concrete.mul_(self.high - self.low).add_(self.low)


@dataclass(frozen=True)
class OpenGates(Penalty):
    r"""weight times the expected number of gates that are not 0.

    A gate is open with probability :math:`\sigma(S - \beta \log(-\gamma / \zeta))`.
    """

    gate: HardConcreteGate

    def gradient(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Elementwise."""
        shift = self.gate.temperature * math.log(-self.gate.low / self.gate.high)
        return _bell((score - shift).sigmoid_()).mul_(self.weight)


def sampled(name: str, score: Tensor, at: Moment) -> Tensor:
    """The words of a draw after `at.step` steps, from `at.start` on, in the shape of the scores."""
    stream = f"sample {at.step}"
    drawn = draws.words(at.seed, stream, name, score.numel(), score.device, at.start)
    return drawn.reshape(score.shape)


def _heated_slope(score: Tensor, beta: float) -> Tensor:
    return _bell((score * beta).sigmoid_()).mul_(beta)


def _bell(chance: Tensor) -> Tensor:
    """The product with 1 minus itself, as a new tensor."""
    # Here and above new tensors are worked on in place: steps wait for memory.
    return (1 - chance).mul_(chance)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
