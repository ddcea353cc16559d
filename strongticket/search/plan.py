"""What a search keeps: exact counts, structures, entries decided beforehand, and ramps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.search import selection
from strongticket.search.groups import Density, Scope, keep_counts
from strongticket.search.partial import Frozen
from strongticket.search.structures import Shape, Structure, Structured, of_parameters

Keep = int | Mapping[str, int]


@dataclass(frozen=True)
class Plan:
    """Shapes of scores, and how many of them are kept at which step.

    `shapes`: of the scores, by parameter name. `target`: the counts at the end, of each parameter
    or of all that have no n:m pattern together; empty where a method keeps what it likes.
    `pinned`: int8 masks of `Frozen`. `ramp`: over how many steps the density goes down from 1.
    `floor`: how many each parameter keeps at least where all are ranked together.
    """

    shapes: Mapping[str, Shape]
    structures: Mapping[str, Structure]
    target: Keep
    totals: Keep
    pinned: Mapping[str, Tensor]
    ramp: int
    floor: int
    frozen: Frozen | None

    @classmethod
    def of(
        cls,
        network: Network,
        density: Density | None,
        scope: Scope,
        *,
        structure: Structured | Mapping[str, Structure | str] = None,
        frozen: Frozen | None = None,
        ramp: int = 0,
        floor: int = 0,
    ) -> Plan:
        """A plan; `density` None where a method keeps what it likes. InputError for bad ones."""
        if scope not in ("layer", "global"):
            raise InputError(f"scope is 'layer' or 'global', got {scope!r}")
        ramp = selection.whole("ramp is a number of steps", ramp, 0)
        floor = selection.whole("floor is a number of weights", floor, 0)
        if floor and scope != "global":
            raise InputError("floor is for scope='global'; a layer of its own keeps its density")
        if frozen is not None and not isinstance(frozen, Frozen):
            raise InputError(f"frozen is a Frozen(pruned=, kept=, seed=), got {frozen!r}")
        weights = {name: network[name].shape for name in network.masked}
        structures = of_parameters(structure, weights)
        shapes = {n: structures[n].shape(s) if n in structures else s for n, s in weights.items()}
        patterns = {n: s.pattern for n, s in structures.items() if s.pattern}
        if frozen is not None and patterns:
            raise InputError(f"n:m patterns leave nothing to freeze; they are of {list(patterns)}")
        if density is None and patterns:
            raise InputError("n:m patterns need a search that keeps the largest scores")
        pins = {} if frozen is None else {n: frozen.pins(n, s) for n, s in shapes.items()}
        totals: dict[str, int] = {n: int(np.prod(s, dtype=np.int64)) for n, s in shapes.items()}
        target: Keep = {}
        whole: Keep = totals
        if density is not None:
            target = keep_counts(totals, density, scope)
            _check_patterns(patterns, totals, target)
            if scope == "global":
                whole = sum(n for name, n in totals.items() if name not in patterns)
                assert not isinstance(density, Mapping)
                target = selection.keep_count(density, whole) if whole else 0
        plan = cls(shapes, structures, target, whole, pins, ramp, floor, frozen)
        plan._check_room()
        return plan

    def keep(self, step: int) -> Keep:
        """How many scores are kept after `step` steps: d^(step/ramp) of them, down to d."""
        if step >= self.ramp or not self.target:
            return self.target
        if isinstance(self.target, int):
            assert isinstance(self.totals, int)
            return min(self._ramped(self.target, self.totals, step), self._room()["all"][1])
        assert isinstance(self.totals, Mapping)
        room = self._room()
        return {
            name: min(self._ramped(count, self.totals[name], step), room[name][1])
            for name, count in self.target.items()
        }

    @property
    def patterns(self) -> dict[str, tuple[int, int]]:
        """(n, m) of the parameters that have such a pattern."""
        return {n: s.pattern for n, s in self.structures.items() if s.pattern}

    @property
    def plain(self) -> bool:
        """Whether every score is one weight's, ranked with nothing decided beforehand."""
        return not (self.structures or self.pinned or self.floor)

    def settings(self) -> dict[str, Any]:
        """What is not a default, in plain values."""
        found: dict[str, Any] = {}
        if self.structures:
            found["structure"] = {name: s.text for name, s in self.structures.items()}
        if self.frozen is not None:
            part = self.frozen
            found["frozen"] = {"pruned": part.pruned, "kept": part.kept, "seed": part.seed}
        if self.ramp:
            found["ramp"] = self.ramp
        if self.floor:
            found["floor"] = self.floor
        return found

    def expand(self, name: str, gates: Tensor, shape: Shape) -> Tensor:
        """Gates of scores as gates of weights."""
        return self.structures[name].expand(gates, shape) if name in self.structures else gates

    def _ramped(self, target: int, total: int, step: int) -> int:
        share: float = (target / total) ** (step / self.ramp)
        return max(target, int(share * total + 0.5))

    def _room(self) -> dict[str, tuple[int, int]]:
        """The least and the most that pins and floors let be kept, by name or of "all"."""
        found = {}
        for name, shape in self.shapes.items():
            total = int(np.prod(shape, dtype=np.int64))
            pruned, kept = self.frozen.counts(total) if self.frozen else (0, 0)
            found[name] = (max(kept, min(self.floor, total - pruned)), total - pruned)
        pool = [found[name] for name in found if name not in self.patterns]
        found["all"] = (sum(low for low, _ in pool), sum(high for _, high in pool))
        return found

    def _check_room(self) -> None:
        if not self.target:
            return
        room = self._room()
        counts = {"all": self.target} if isinstance(self.target, int) else self.target
        for name, count in counts.items():
            low, high = room[name]
            if not low <= count <= high:
                where = "all layers together" if name == "all" else repr(name)
                raise InputError(
                    f"of {where} {count} scores are to be kept, but what is frozen beforehand and "
                    f"floor= leave room for {low} to {high}; change density, frozen or floor"
                )


def _check_patterns(
    patterns: Mapping[str, tuple[int, int]], totals: Mapping[str, int], keep: Mapping[str, int]
) -> None:
    for name, (n, m) in patterns.items():
        if keep[name] != totals[name] // m * n:
            raise InputError(
                f"{n}:{m} keeps {n}/{m} of {name!r}, so its density must be {n / m}; got one that "
                f"keeps {keep[name]} of {totals[name]}"
            )
