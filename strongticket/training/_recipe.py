"""How a classifier is trained, and what came of it, in plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from strongticket.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How to train, in plain values.

    Attributes:
        steps: iterations of a whole training.
        batch: examples a step; the last batch of an epoch may be smaller.
        optimizer: "adam" or "sgd".
        rate: the learning rate; `rate_at` gives it at an iteration.
        momentum: of SGD (Nesterov with `nesterov`); Adam has torch's own betas.
        weight_decay: as torch has it: added to the gradient.
        warmup: iterations over which the rate grows linearly from 0.
        drops: iterations from which the rate is multiplied by `factor`, once each.
        every: evaluate each `every` iterations, before the first and after the last.
        test: "best" evaluates the test set where the validation loss is the lowest so far and
            at the end; "always" at every evaluation.
    """

    steps: int
    batch: int = 60
    optimizer: Literal["adam", "sgd"] = "adam"
    rate: float = 1.2e-3
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    warmup: int = 0
    drops: tuple[int, ...] = ()
    factor: float = 0.1
    every: int = 100
    test: Literal["best", "always"] = "best"

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.every) < 1 or min(self.warmup, *self.drops, 0) < 0:
            raise InputError(
                "a recipe needs steps, batch and every >= 1, warmup and drops >= 0; got "
                f"{self.steps=}, {self.batch=}, {self.every=}, {self.warmup=}, {self.drops=}"
            )
        numbers = self.rate, self.momentum, self.weight_decay, self.factor
        if not (self.rate > 0 and min(numbers) >= 0 and all(map(math.isfinite, numbers))):
            raise InputError(
                "a recipe needs a rate > 0 and momentum, weight_decay, factor >= 0, all finite; got"
                f" {self.rate=}, {self.momentum=}, {self.weight_decay=}, {self.factor=}"
            )
        if self.optimizer not in ("adam", "sgd") or self.test not in ("best", "always"):
            raise InputError(
                "optimizer is 'adam' or 'sgd' and test 'best' or 'always', got "
                f"{self.optimizer!r} and {self.test!r}"
            )

        if self.nesterov and not self.momentum:
            raise InputError("nesterov needs momentum > 0")

    def rate_at(self, step: int) -> float:
        """The learning rate of iteration `step` (from 0); beyond the last one it stays."""
        at = min(step, self.steps - 1)
        warm = min(1.0, (at + 1) / self.warmup) if self.warmup else 1.0
        return self.rate * warm * self.factor ** sum(at >= drop for drop in self.drops)

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """A new optimizer with this recipe's numbers."""
        given = list(parameters)
        fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in given)
        if self.optimizer == "adam":
            return torch.optim.Adam(
                given, lr=self.rate, weight_decay=self.weight_decay, fused=fused
            )
        return torch.optim.SGD(
            given,
            lr=self.rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=fused,
        )


@dataclass(frozen=True)
class Evaluation:
    """Losses (mean cross-entropy) and accuracies after `step` iterations; no test: None."""

    step: int
    loss: float
    accuracy: float
    test_loss: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True)
class History:
    """The evaluations of one training, in order."""

    evaluations: tuple[Evaluation, ...]

    @property
    def early_stop(self) -> Evaluation:
        """The first evaluation with the lowest validation loss."""
        return min(self.evaluations, key=lambda e: e.loss)

    @property
    def final(self) -> Evaluation:
        """The last evaluation."""
        return self.evaluations[-1]

    def spec(self) -> dict[str, Any]:
        """Plain values, from which `from_spec` makes an equal history."""
        return {"evaluations": [asdict(e) for e in self.evaluations]}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> History:
        """The history that `spec` describes; InputError where it describes none."""
        try:
            return cls(tuple(Evaluation(**e) for e in spec["evaluations"]))
        except (KeyError, TypeError) as error:
            raise InputError(f"not the evaluations of a training: {error!r}") from error
