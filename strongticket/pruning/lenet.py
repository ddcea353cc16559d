"""LeNet-300-100 on MNIST, as the lottery-ticket paper trains and prunes it.

Source: Frankle, Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural
networks", ICLR 2019, Section 2 and Appendix G (arXiv:1803.03635). "Gaussian Glorot" is read as
the normal law of variance 2 / (fan_in + fan_out), not cut off.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from strongticket.datasets import Images
from strongticket.errors import InputError
from strongticket.pruning.iterative import Lottery, Round, lottery
from strongticket.search.selection import whole
from strongticket.training import History, Recipe, Split, Trainer, split


@dataclass(frozen=True)
class LeNet:
    """The network, its training and its pruning, in plain values.

    Attributes:
        widths: input, hidden layers, output.
        recipe: Adam at 1.2e-3, batches of 60, 50,000 iterations, evaluated every 100.
        validation: training images set aside; early stopping is read off their loss.
        keep: the fraction of each hidden layer's weights that a round keeps.
        keep_output: the same for the output layer. Biases are not pruned.
    """

    widths: tuple[int, ...] = (784, 300, 100, 10)
    recipe: Recipe = field(default_factory=lambda: Recipe(steps=50_000))
    validation: int = 5_000
    keep: float = 0.8
    keep_output: float = 0.9

    def with_steps(self, steps: int) -> LeNet:
        """The same with a shorter or longer training."""
        return replace(self, recipe=replace(self.recipe, steps=steps))

    @property
    def output(self) -> str:
        """The name of the output layer's weights."""
        return f"{2 * (len(self.widths) - 2)}.weight"

    def model(self, seed: int) -> nn.Sequential:
        """Linear and ReLU layers "0", "1", ..., "4": weights Glorot normal, biases zero."""
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise InputError(f"a network needs two or more widths >= 1, got {self.widths}")
        generator = torch.Generator().manual_seed(whole("seed must be an integer", seed, 0))
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(self.widths):
            linear = nn.Linear(a, b, device="meta").to_empty(device="cpu")
            nn.init.xavier_normal_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def split(self, data: Images) -> Split:
        """The data with the validation images set aside, the same ones at every seed."""
        return split(data, self.validation)

    def trainer(self, data: Split, seed: int) -> Trainer:
        """The training, with batches ordered by `seed`."""
        return Trainer(data, self.recipe, seed)

    def lottery(
        self,
        data: Split,
        seed: int,
        rounds: int,
        *,
        folder: str | os.PathLike[str] | None = None,
        progress: Callable[[Round[History]], None] | None = None,
    ) -> Lottery[History]:
        """Iterative pruning with reset to the initial weights of ``model(seed)``."""
        return lottery(
            self.model(seed),
            self.trainer(data, seed),
            rounds=rounds,
            keep=self.keep,
            keep_of={self.output: self.keep_output},
            folder=folder,
            progress=progress,
        )


LENET_300_100 = LeNet()
"""The published configuration."""
