"""What a gate is: from the scores to what is kept, and how the backward pass sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from strongticket.search import selection

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Moment:
    """What a gate may depend on beside the scores; all mappings are by parameter name.

    `step`: steps taken. `seed`: of what is sampled. `keep`: how many scores are kept, of each
    parameter or of all together. `floor`: how many each keeps at least, where all are ranked
    together. `patterns`: (n, m) of parameters that keep n of every m. `pinned`: int8, 1 where a
    score is always kept and -1 where it never is. `flags`: bool, False where a schedule has
    pruned for good. `start`: where a part of a parameter begins, of those whose scores are asked
    about in parts. `gates`: those in force, where somebody holds them.
    """

    step: int = 0
    seed: int = 0
    keep: int | Mapping[str, int] = field(default_factory=dict)
    floor: int = 0
    patterns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    pinned: Tensors = field(default_factory=dict)
    flags: Tensors = field(default_factory=dict)
    start: int = 0
    gates: Tensors = field(default_factory=dict)

    def part(self, name: str, start: int, stop: int) -> Moment:
        """The same moment for the entries from `start` to before `stop` of a parameter."""

        def cut(held: Tensors) -> dict[str, Tensor]:
            return {name: held[name].reshape(-1)[start:stop]} if name in held else {}

        return replace(
            self,
            start=start,
            pinned=cut(self.pinned),
            flags=cut(self.flags),
            gates=cut(self.gates),
        )


class Gate(ABC):
    """Scores -> gates, and the slope that the backward pass takes for the derivative.

    `stored`: whether the engine holds the gates between two steps, because making them again
    costs a draw. `boolean`: whether the gates in force are bool.
    """

    stored: ClassVar[bool] = False
    boolean: ClassVar[bool] = True

    @abstractmethod
    def gates(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """The gates in force: bool (kept or not), int8 (multiples) or float32."""

    def ticket(self, scores: Tensors, at: Moment, gates: Tensors) -> dict[str, Tensor]:
        """What a ticket holds, bool or int8; `gates` are those in force."""
        return dict(gates)

    def expectation(self, scores: Tensors, at: Moment) -> dict[str, Tensor] | None:
        """The mean gates, float32, of a gate that samples; None where there is nothing to mean."""
        return None

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor | None:
        """The slope of a parameter's gates in the shape of its scores; None for 1."""
        return score.sign() if self.signed else None

    @property
    def signed(self) -> bool | None:
        """True where the slope is sign(S), False where it is 1, None where it is another."""
        return None


class Elementwise(Gate):
    """A gate of each score alone, whatever the others are: it can be taken part by part."""

    @abstractmethod
    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """The gates of finite scores: of a parameter, or of the part that begins at `at.start`."""

    def gates(self, scores: Tensors, at: Moment) -> dict[str, Tensor]:
        """The gates in force; SearchError for scores that are not finite."""
        selection.check_finite(scores)
        return unflagged({name: self.of(name, score, at) for name, score in scores.items()}, at)


def unflagged(gates: dict[str, Tensor], at: Moment) -> dict[str, Tensor]:
    """Gates with what is pinned or pruned for good put right."""
    found = {}
    for name, gate in gates.items():
        if name in at.flags:
            gate = gate & at.flags[name] if gate.dtype == torch.bool else gate * at.flags[name]
        if name in at.pinned:
            pins = at.pinned[name]
            gate = gate.masked_fill(pins > 0, 1).masked_fill(pins < 0, 0)
        found[name] = gate
    return found
