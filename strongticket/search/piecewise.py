"""Steps of elementwise gates on the host, block by block: the same bits by any number of threads.

A step is some twenty passes of torch over arrays of the size of a layer, most of them temporary.
On blocks that stay in the cache they take a fifth of the time. Other devices take whole layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from strongticket.search import descent
from strongticket.search.gate import Elementwise, Gate, Moment, unflagged
from strongticket.search.layers import Layers
from strongticket.search.method import Method
from strongticket.search.plan import Plan
from strongticket.search.written import Masked

GRAIN = 1 << 15  # entries that torch leaves to one thread
SIZE = 4 * GRAIN  # entries a thread, of a block


@dataclass(frozen=True)
class Piecewise:
    """How the layers of a search go block by block: its gate, and what its moment is made of."""

    method: Method
    plan: Plan
    gate: Elementwise

    @classmethod
    def of(cls, method: Method, plan: Plan, layers: Layers) -> Piecewise | None:
        """None where a gate looks at more than one score, or a layer is not plain and on the host.

        Some gates are of groups of weights, some gains are of whole layers.
        """
        gate: Gate = method.gate
        if not isinstance(gate, Elementwise) or method.gain != "none" or plan.structures:
            return None
        for layer in layers.values():
            parameter = layer.parameter
            if parameter.device.type != "cpu" or not parameter.is_contiguous():
                return None
        return cls(method, plan, gate)

    def descend(
        self,
        layer: Masked,
        grad: Tensor,
        state: Mapping[str, Tensor],
        group: Mapping[str, Any],
        at: Moment,
    ) -> None:
        """Move the scores of a layer, as `descent` does."""
        flat, moving = grad.reshape(-1), {k: state[k].view(-1) for k in descent.MOVED if k in state}
        for start, stop in _blocks(flat.numel()):
            part = replace(layer, frozen=layer.frozen[start:stop])
            here = {key: value[start:stop] for key, value in moving.items()}
            then = at.part(layer.name, start, stop)
            step = descent.gradient(
                self.method, self.plan, part, flat[start:stop], here["scores"], None, then
            )
            descent.move(step, here, group)

    def gates(self, name: str, scores: Tensor, at: Moment) -> Iterator[tuple[int, int, Tensor]]:
        """(start, stop, gates from start to before stop) of scores that are finite."""
        flat = scores.view(-1)
        for start, stop in _blocks(flat.numel()):
            then = at.part(name, start, stop)
            gate = self.gate.of(name, flat[start:stop], then)
            yield start, stop, unflagged({name: gate}, then)[name]

    def whole(self, scores: Mapping[str, Tensor], at: Moment) -> dict[str, Tensor]:
        """The gates in force, made as `write` makes them."""
        found = {}
        for name, score in scores.items():
            parts = [gate for _, _, gate in self.gates(name, score, at)]
            found[name] = torch.cat(parts).view(score.shape) if parts else score.new_empty(0)
        return found

    def write(
        self, layer: Masked, scores: Tensor, at: Moment, held: dict[str, Tensor] | None
    ) -> None:
        """Write the effective weights of scores that are finite, and their gates into `held`."""
        out, name = layer.parameter.detach().view(-1), layer.name
        for start, stop, gate in self.gates(name, scores, at):
            part = replace(layer, frozen=layer.frozen[start:stop])
            out[start:stop].copy_(part.effective(gate))
            if held is not None:
                if name not in held:
                    held[name] = torch.empty(scores.shape, dtype=gate.dtype)
                held[name].view(-1)[start:stop].copy_(gate)


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of blocks in which every thread has whole grains; what is left comes last.

    Torch computes entries that do not fill a vector register by other code, of other bits. So
    these are the last of all, however many threads there are.
    """
    threads, start, grains = torch.get_num_threads(), 0, count // GRAIN
    while grains:
        here = min(grains, threads * (SIZE // GRAIN))
        here -= here % threads if here > threads else 0
        yield start, start + here * GRAIN
        start, grains = start + here * GRAIN, grains - here
    if start < count:
        yield start, count
