r"""A step in one pass: move the scores, select, and amend only the weights that change.

From one step to the next few entries cross the cut. So the loop that moves the scores notes, on its
way, every entry that the next selection may treat otherwise than the last one did: those that
crossed, and those near the last cut. Where the new cut lies in that neighbourhood (it nearly always
does), it is found among the noted entries alone and only they are written. Elsewhere the plain way
of `strongticket.search.fused` is taken; the bits are the same.

An exact step thereby moves 24 bytes a weight (gradient, frozen weight; score and momentum, read and
written), where dense SGD with momentum moves 20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strongticket.search import fused, kernels, turn_kernels
from strongticket.search.kernels import Hint
from strongticket.search.selection import Ranking, check_finite
from strongticket.search.written import Masked

State = Mapping[str, Tensor]
Group = Mapping[str, Any]


@dataclass
class Cuts:
    """Where the last selection of each pool of layers ended; `fused.rewrite` keeps it too.

    `hints`: by the pool's first layer. `versions`: of the scores that were ranked, so that scores
    which anything else changed since are ranked anew.
    """

    hints: dict[str, Hint] = field(default_factory=dict)
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, scores: Mapping[str, Tensor]) -> None:
        """These are the scores that the hints are about."""
        self.versions = {name: _version(score) for name, score in scores.items()}

    def current(self, pools: Sequence[Sequence[str]], scores: Mapping[str, Tensor]) -> bool:
        """Whether the last cut of every pool is known, of just these scores."""
        known = all(pool[0] in self.hints for pool in pools)
        return known and self.versions == {n: _version(score) for n, score in scores.items()}


def pools(keep: int | Mapping[str, int], names: Sequence[str]) -> list[list[str]]:
    """The layers that are ranked together."""
    return [[name] for name in names] if isinstance(keep, Mapping) else [list(names)]


def possible(layers: Mapping[str, Masked]) -> bool:
    """Whether every layer has a dense gradient and is laid out as its scores are."""
    for layer in layers.values():
        grad = layer.parameter.grad
        if grad is None or grad.layout != torch.strided or not layer.parameter.is_contiguous():
            return False
    return True


def turn(
    layers: Mapping[str, Masked],
    states: Mapping[str, State],
    groups: Mapping[str, Group],
    keep: int | Mapping[str, int],
    ranking: Ranking,
    signed: bool,
    cuts: Cuts,
) -> None:
    """Step, select and write all layers, whose last cut is known (`Cuts.current`).

    Raises SearchError before anything is written, if a score is not finite.
    """
    loops, plain = turn_kernels.compiled(), kernels.compiled()
    assert loops is not None
    assert plain is not None
    raw = ranking == "raw"
    ranked = pools(keep, list(layers))
    windows = {pool[0]: cuts.hints[pool[0]].window() for pool in ranked}
    moved: dict[str, _Moved] = {}
    for pool in ranked:
        for name in pool:
            before, window = cuts.hints[pool[0]].key, windows[pool[0]]
            part = _Moved(layers[name], states[name], raw)
            part.advance(loops, groups[name], signed, before, *window)
            moved[name] = part
    if any(part.peak >= kernels.INFINITY for part in moved.values()):
        check_finite({name: states[name]["scores"] for name in layers})
    for pool in ranked:
        count = keep[pool[0]] if isinstance(keep, Mapping) else keep
        hint = cuts.hints[pool[0]]
        key = _settle(loops, [moved[name] for name in pool], *windows[pool[0]], count)
        if key is not None:
            cuts.hints[pool[0]] = hint.moved(key)
            for name in pool:
                # Written behind autograd's back: a backward over an older graph must notice.
                torch.autograd.graph.increment_version(layers[name].parameter)
            continue
        scores = {name: states[name]["scores"] for name in pool}
        some = {name: layers[name] for name in pool}
        each = {pool[0]: count} if isinstance(keep, Mapping) else count
        fused.rewrite(plain, some, scores, each, ranking, cuts.hints)


class _Moved:
    """A layer whose scores have moved: what the loop noted on its way."""

    def __init__(self, layer: Masked, state: State, raw: bool) -> None:
        assert layer.parameter.grad is not None
        self.raw, self.grad, self.state = raw, layer.parameter.grad, state
        self.frozen, self.scores = layer.frozen.numpy(), fused.flat(state["scores"])
        self.bits, self.weights = self.scores.view(np.int32), self.frozen.view(np.int32)
        self.out = layer.parameter.detach().view(-1).numpy().view(np.int32)
        self.above = self.peak = 0
        self.listed: Any = None  # None: more than there was room for

    def advance(
        self,
        loops: turn_kernels.TurnKernels,
        group: Group,
        signed: bool,
        before: int,
        low: int,
        high: int,
    ) -> None:
        room = np.empty(self.scores.size // 8 + 2 * turn_kernels.BLOCK, np.int32)
        moving = bool(group["momentum"])
        self.above, filled, self.peak = loops.advance(
            fused.flat(self.grad),
            self.frozen,
            self.scores,
            fused.flat(self.state["momentum_buffer"]) if moving else np.empty(0, np.float32),
            np.float32(float(group["lr"])),
            np.float32(group["momentum"]),
            np.float32(group["weight_decay"]),
            bool(group["nesterov"]),
            signed,
            self.raw,
            before,
            low,
            high,
            room,
        )
        self.listed = room[:filled] if filled <= room.size else None

    def near(self, low: int, high: int) -> Any:
        """The listed keys within [low, high]."""
        keys = self.bits[self.listed] & kernels.MAGNITUDE
        if self.raw:
            keys = np.where(self.bits[self.listed] < 0, -keys, keys)
        return keys[(keys >= low) & (keys <= high)]


def _settle(
    loops: turn_kernels.TurnKernels, pool: Sequence[_Moved], low: int, high: int, keep: int
) -> int | None:
    """Select the `keep` largest of a pool, amend its weights; the cut's key, None if not near."""
    rest = keep - sum(part.above for part in pool)
    if any(part.listed is None for part in pool):
        return None
    if len(pool) == 1:
        (part,) = pool
        done, key = loops.settle(
            part.bits, part.raw, low, high, rest, part.weights, part.listed, part.out
        )
        return key if done else None
    each = [part.near(low, high) for part in pool]
    candidates = np.concatenate(each)
    if not 1 <= rest <= candidates.size:
        return None
    at = candidates.size - rest
    key = int(np.partition(candidates, at)[at])
    ties = rest - int(np.count_nonzero(candidates > key))
    for part, keys in zip(pool, each, strict=True):  # ties go to the earlier layers first
        taken = min(ties, int(np.count_nonzero(keys == key)))
        ties -= taken
        loops.amend(part.bits, part.raw, key, taken, part.weights, part.listed, part.out)
    return key


def _version(score: Tensor) -> tuple[int, int]:
    return score.data_ptr(), score._version
