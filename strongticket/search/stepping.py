"""The inside of a step: move the scores, select, write; by compiled loops where they can."""

from __future__ import annotations

import torch
from torch import Tensor

from strongticket.search import descent, fused, kernels, selection, turn
from strongticket.search.gate import Moment, unflagged
from strongticket.search.gates import Nested, TopK
from strongticket.search.layers import Layers
from strongticket.search.method import Method
from strongticket.search.piecewise import Piecewise
from strongticket.search.plan import Plan


class Stepping(torch.optim.Optimizer):
    """What `strongticket.search.MaskSearch` does with its state; its attributes are private."""

    method: Method
    refresh: int
    _plan: Plan
    _layers: Layers
    _cuts: turn.Cuts
    _gates: dict[str, Tensor]  # those in force, where they are not made again
    _pinned: dict[str, Tensor]
    _sample_seed: int
    _backend: str | None
    _steps: int
    _torn: bool  # whether a step began and did not come to its end

    def _moment(self) -> Moment:
        return Moment(
            self._steps,
            self._sample_seed,
            self._plan.keep(self._steps),
            self._plan.floor,
            self._plan.patterns,
            self._pinned,
            self._held("flags"),
            gates=self._gates,
        )

    @property
    def _piecewise(self) -> Piecewise | None:
        return Piecewise.of(self.method, self._plan, self._layers)

    def _held(self, key: str) -> dict[str, Tensor]:
        states = {name: self.state[layer.parameter] for name, layer in self._layers.items()}
        return {name: state[key] for name, state in states.items() if key in state}

    def _in_force(self) -> dict[str, Tensor]:
        """The gates in force, in the shapes of the scores."""
        if self._gates:
            return dict(self._gates)
        return self._made()

    def _made(self) -> dict[str, Tensor]:
        at, scores, pieces = self._moment(), self._held("scores"), self._piecewise
        if pieces is not None:
            selection.check_finite(scores)
            return pieces.whole(scores, at)
        gate = self.method.gate
        if (
            isinstance(gate, TopK)
            and self._plan.plain
            and not at.flags
            and self._backend != "torch"
        ):
            return selection.select(scores, at.keep, gate.ranking)
        return unflagged(gate.gates(scores, at), at)

    def _ticket_gates(self) -> dict[str, Tensor]:
        """The gates of the ticket, bool or int8, in the shapes of the parameters."""
        at = self._moment()
        found = self.method.gate.ticket(self._held("scores"), at, self._in_force())
        return self._layers.expanded(unflagged(found, at))

    def _turns(self) -> bool:
        """Whether this step can move, select and write in one pass."""
        method, plan = self.method, self._plan
        plain = method.move is None and method.freezing is None and self.refresh == 1
        if not (plain and descent.simple(method, plan) and descent.amendable(method, plan)):
            return False
        pools = turn.pools(plan.keep(self._steps + 1), list(self._layers))
        return turn.possible(self._layers) and self._cuts.current(pools, self._held("scores"))

    def _turn(self) -> None:
        """Move all scores, select, and write what changed."""
        groups = {self._layers.names[p]: g for g in self.param_groups for p in g["params"]}
        states = {name: self.state[layer.parameter] for name, layer in self._layers.items()}
        for name, state in states.items():
            if groups[name]["momentum"] and "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(state["scores"])
        keep, ranking = self._plan.keep(self._steps), self.method.ranking
        assert ranking is not None
        signed = bool(self.method.gate.signed)
        turn.turn(self._layers, states, groups, keep, ranking, signed, self._cuts)

    def _descend_all(self, compiled: kernels.Kernels | None) -> bool:
        """Move all scores; whether a compiled loop met one that is not finite."""
        at, wild, pieces = self._moment(), False, self._piecewise
        simple = descent.simple(self.method, self._plan)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                layer, state = self._layers.of(parameter), self.state[parameter]
                grad = parameter.grad
                if grad.layout != torch.strided:  # Embedding(sparse=True): every score moves
                    grad = grad.to_dense()
                if group["momentum"] and "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(state["scores"])
                if compiled is not None and simple:
                    signed = bool(self.method.gate.signed)
                    wild |= not fused.descend(compiled, layer, grad, state, group, signed)
                    continue
                if pieces is not None:
                    pieces.descend(layer, grad, state, group, at)
                    continue
                gates = self._gates.get(layer.name)
                step = descent.gradient(
                    self.method, self._plan, layer, grad, state["scores"], gates, at
                )
                descent.move(step, state, group)
        return wild

    def _between(self) -> None:
        """What a method does to scores and flags between moving them and selecting."""
        if self.method.move is not None:
            selection.check_finite(self._held("scores"))  # a projection would hide an infinite one
            for score in self._held("scores").values():
                self.method.move(score, self._steps)
        self._freeze()

    def _freeze(self) -> None:
        """Prune for good, where it is time."""
        if self.method.freezing is not None and self.method.freezing.due(self._steps):
            selection.check_finite(self._held("scores"))
            flags = self.method.freezing.flags(self._held("scores"), self._moment())
            for name, layer in self._layers.items():
                self.state[layer.parameter]["flags"] = flags[name]

    @torch.no_grad()
    def _rewrite(self, compiled: kernels.Kernels | None = None) -> None:
        """Select and write the effective weights; nothing is written if a score is not finite."""
        self._cuts.versions.clear()
        done = compiled is not None and descent.writable(self.method, self._plan)
        if done:
            assert compiled is not None
            self._rewrite_compiled(compiled)
            if self.refresh == 1:
                return
        holds = self.refresh > 1 or self.method.gate.stored or self.method.gain == "inverse density"
        pieces = None if done else self._piecewise
        if pieces is not None:
            self._rewrite_pieces(pieces, holds)
            return
        found = self._made()
        if holds:
            self._gates = found
        if not done:
            self._layers.write(found)

    def _rewrite_pieces(self, pieces: Piecewise, holds: bool) -> None:
        at, scores = self._moment(), self._held("scores")
        selection.check_finite(scores)
        for name, layer in self._layers.items():
            pieces.write(layer, scores[name], at, self._gates if holds else None)

    def _rewrite_compiled(self, loops: kernels.Kernels) -> None:
        gate, scores, hints = self.method.gate, self._held("scores"), self._cuts.hints
        if isinstance(gate, Nested):
            fused.rewrite_nested(loops, self._layers, scores, gate.densities, hints)
            return
        assert isinstance(gate, TopK)
        keep = self._plan.keep(self._steps)
        fused.rewrite(loops, self._layers, scores, keep, gate.ranking, hints)
        self._cuts.note(scores)

    @torch.no_grad()
    def _mend(self) -> None:
        """After a step that was interrupted: weights and flags that follow from the scores."""
        if self._torn:
            self._layers.restore(self._held("rounds"))
            self._freeze()
            self._rewrite()
            self._torn = False
