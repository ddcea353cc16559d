r"""Gem-Miner: probabilities that are rounded, and frozen for good a little at a time.

Scores p in [0, 1]; the mask is :math:`1[p \ge 1/2]` times flags q. The backward pass takes
rounding for the identity, so the score gradient is :math:`G \, W q`, plus that of a penalty; after
each step p is projected to [0, 1]. At the end of each of `rounds` rounds the smallest p with q = 1,
over all layers together, get q = 0, so many that :math:`d^{j/J}` of the scores are left after
round j of J, and the density d after the last.

Source: Sreenivasan, Sohn, Yang, Grinde, Nagle, Wang, Xing, Lee, Papailiopoulos, "Rare gems:
finding lottery tickets at initialization", NeurIPS 2022 (arXiv:2202.12002), Algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Unpack

import torch
from torch import Tensor

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search import selection
from strongticket.search.engine import MaskSearch
from strongticket.search.gate import Moment, Tensors
from strongticket.search.gates import Above, as_numbers
from strongticket.search.method import Clamp, Freezing, Method, Penalty
from strongticket.search.options import Options, number, rounds_of
from strongticket.search.scores import Start


@dataclass(frozen=True)
class Geometric(Freezing):
    """After every `every` steps, `rounds` times, all but a geometric share is pruned for good."""

    every: int
    rounds: int
    density: float

    def due(self, step: int) -> bool:
        """At the end of a round."""
        return step % self.every == 0 and step <= self.every * self.rounds

    def left(self, step: int, total: int) -> int:
        """Round half up of d^(j/J) of all; exactly `selection.keep_count` at the end."""
        done = min(step // self.every, self.rounds)
        if done == 0:
            return total
        if done == self.rounds:
            return selection.keep_count(self.density, total)
        share: float = self.density ** (done / self.rounds)
        return max(selection.keep_count(self.density, total), math.floor(share * total + 0.5))

    def flags(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """Keep the largest scores of those not pruned yet; entries kept for good come first."""
        ranks = {}
        for name, score in scores.items():
            rank = score
            if name in at.pinned:
                rank = rank.masked_fill(at.pinned[name] > 0, 2.0)
            ranks[name] = rank.masked_fill(at.flags[name].logical_not(), -1.0)
        searched = sum(score.numel() for score in scores.values())
        searched -= sum(int((pins < 0).sum()) for pins in at.pinned.values())
        keep = self.left(at.step, searched)
        return dict(zip(ranks, selection.masks(list(ranks.values()), keep, "raw"), strict=True))


@dataclass(frozen=True)
class Norm(Penalty):
    """weight times the sum of p^power (1 or 2) over the scores not pruned for good."""

    power: int = 2

    def gradient(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Elementwise; scores are >= 0."""
        each = score * (2.0 * self.weight) if self.power == 2 else torch.ones_like(score)
        each = each if self.power == 2 else each * self.weight
        return each.mul_(as_numbers(at.flags[name])) if name in at.flags else each


class GemMiner(MaskSearch):
    """Gem-Miner over frozen weights.

    It takes the arguments of `EdgePopup` but scope and ranking, and:

    Arguments:
        density: what the freezing leaves in the end, of all masked weights together; rounding may
            keep fewer. One number. Where `frozen` prunes some beforehand, of the others.
        total: the number of steps of the whole search.
        rounds: how often some are pruned for good (30 in the paper: every 5 of 150 epochs).
        penalty: the weight lambda of the penalty; the paper takes 1e-7 to 1e-4, by model.
        norm: "l2", lambda times the sum of p^2, or "l1".

    A lambda too large pushes all p below 1/2: `report` shows it, `ticket` warns.
    """

    def __init__(
        self,
        network: Network,
        density: float | Fraction,
        total: int,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        rounds: int = 30,
        penalty: float = 1e-6,
        norm: Literal["l1", "l2"] = "l2",
        **options: Unpack[Options],
    ) -> None:
        total, rounds = rounds_of(total, rounds)
        selection.keep_count(density, 1)  # raises for one out of range
        penalty = number("penalty", penalty, 0.0, 1e30)
        if norm not in ("l1", "l2"):
            raise InputError(f"norm is 'l1' or 'l2', got {norm!r}")
        method = Method(
            "gem-miner",
            "Sreenivasan et al., NeurIPS 2022, arXiv:2202.12002",
            Above(0.5),
            start=Start("unit interval"),
            penalty=Norm(penalty, 1 if norm == "l1" else 2) if penalty else None,
            move=Clamp(0.0, 1.0),
            freezing=Geometric(total // rounds, rounds, float(density)),
        )
        super().__init__(
            network,
            method,
            density=None,
            lr=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            scope="global",
            **options,
        )
