"""Gates that rank or compare scores: top-k, nested top-k, thresholds with and without sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from strongticket.search import selection
from strongticket.search.gate import Elementwise, Gate, Moment, Tensors
from strongticket.search.selection import Ranking

_FIRST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class TopK(Gate):
    """The largest scores by magnitude or by value, exactly as many as `Moment.keep` says."""

    ranking: Ranking = "abs"

    @property
    def signed(self) -> bool | None:
        """The sign is the derivative of the magnitude."""
        return self.ranking == "abs"

    def gates(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """Bool masks; SearchError for scores that are not finite."""
        plain = not (at.patterns or at.pinned or at.floor)
        if plain:
            return selection.select(scores, at.keep, self.ranking, backend="torch")
        selection.check_finite(scores)
        ranks = {name: ranked(name, score, self.ranking, at) for name, score in scores.items()}
        found = {n: of_every(ranks[n], *pattern) for n, pattern in at.patterns.items()}
        rest = {name: rank for name, rank in ranks.items() if name not in at.patterns}
        if isinstance(at.keep, Mapping):
            for name, rank in rest.items():
                found[name] = selection.masks([rank], at.keep[name], "raw")[0]
        elif rest:
            for name, rank in rest.items() if at.floor else ():
                least = selection.masks([rank], min(at.floor, rank.numel()), "raw")[0]
                rest[name] = rank.masked_fill(least & (rank > -_FIRST), _FIRST)  # not the pruned
            chosen = selection.masks(list(rest.values()), at.keep, "raw")
            found |= dict(zip(rest, chosen, strict=True))
        return {name: found[name] for name in scores}


@dataclass(frozen=True)
class Nested(Gate):
    """The sum of nested top-k masks of |S|, one for each density: int8 in 0 .. len(densities)."""

    densities: tuple[float, ...]
    boolean: ClassVar[bool] = False

    @property
    def signed(self) -> bool | None:
        """The sign is the derivative of the magnitude."""
        return True

    def gates(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """How many of the masks keep each entry."""
        selection.check_finite(scores)
        found = {}
        for name, score in scores.items():
            rank = ranked(name, score, "abs", at)
            total = torch.zeros(score.shape, dtype=torch.int8, device=score.device)
            for density in self.densities:
                keep = selection.keep_count(density, score.numel())
                total += selection.masks([rank], keep, "raw")[0]
            found[name] = total
        return found


@dataclass(frozen=True)
class Above(Elementwise):
    """Scores of at least `threshold` (by value), and not pruned for good; slope 1 there."""

    threshold: float

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """A bool mask."""
        score = score.detach()
        if score.device.type == "cpu":  # NumPy makes vector code of what compares to bool
            return torch.from_numpy(score.numpy() >= np.float32(self.threshold))
        return score >= self.threshold

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor | None:
        """1, and 0 where the entry is pruned for good."""
        return as_numbers(at.flags[name]) if name in at.flags else None


@dataclass(frozen=True)
class SignedAbove(Elementwise):
    """sign(S) where |S| exceeds `threshold`, else 0: int8; slope 1."""

    threshold: float
    boolean: ClassVar[bool] = False

    @property
    def signed(self) -> bool | None:
        """The backward pass takes sign(S) for S."""
        return False

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Multiples -1, 0, 1."""
        # Comparisons that give numbers: torch makes vector code of those, not of bool ones.
        over = torch.gt(score, self.threshold, out=torch.empty_like(score))
        under = torch.lt(score, -self.threshold, out=torch.empty_like(score))
        return over.sub_(under).to(torch.int8)


def as_numbers(mask: Tensor) -> Tensor:
    """0 and 1 in float32 of a bool tensor: read as bytes, as torch converts those faster."""
    return mask.view(torch.uint8).to(torch.float32)


def ranked(name: str, score: Tensor, ranking: Ranking, at: Moment) -> Tensor:
    """Scores to rank by value: pinned ones come first or last."""
    rank = score.abs() if ranking == "abs" else score
    if name in at.pinned:
        pins = at.pinned[name]
        rank = rank.masked_fill(pins > 0, _FIRST).masked_fill(pins < 0, -_FIRST)
    return rank


def of_every(rank: Tensor, n: int, m: int) -> Tensor:
    """The n largest of every m consecutive entries, the lower index first among equals."""
    rows = rank.reshape(-1, m)
    first = rows.sort(dim=1, descending=True, stable=True).indices[:, :n]
    mask = torch.zeros(rows.shape, dtype=torch.bool, device=rank.device)
    return mask.scatter_(1, first, torch.ones_like(first, dtype=torch.bool)).reshape(rank.shape)
