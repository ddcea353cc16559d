r"""The engine of mask searches: an optimizer of scores over an unmodified model.

The model's parameters hold effective weights (frozen weight times gate). A step turns their
gradients into score gradients, moves the scores by SGD with momentum, selects once, and writes
the new effective weights. Forward passes, backward passes and evaluation are the model's own.

For learning rate :math:`\eta`, momentum :math:`\mu` and weight decay :math:`\lambda`, with
:math:`g` the method's score gradient,

.. math::

    v \leftarrow \mu v + g + \lambda S, \qquad S \leftarrow S - \eta v,

all in float32 whatever the dtype of the model. Nesterov momentum moves by
:math:`g + \lambda S + \mu v` in place of :math:`v`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from strongticket.errors import InputError, SearchError
from strongticket.networks import Network
from strongticket.search import (
    buffers,
    fused,
    kernels,
    outcome,
    ranks,
    selection,
    turn,
)
from strongticket.search.gate import unflagged
from strongticket.search.groups import Density, Scope, check_group, grouped
from strongticket.search.layers import Layers
from strongticket.search.method import Method
from strongticket.search.partial import Frozen
from strongticket.search.plan import Plan
from strongticket.search.report import SearchReport, report
from strongticket.search.saving import Saving
from strongticket.search.structures import Structure, Structured
from strongticket.search.written import Masked, live
from strongticket.tickets import Ticket

Backend = Literal["numba", "torch"]
Evaluation = Literal["ticket", "expectation"]
Structures = Structured | Mapping[str, Structure | str]
CHECK_EVERY = 100


class MaskSearch(Saving):
    """A search over masks, as an optimizer: `zero_grad`, `backward`, `step`; then `ticket`.

    Its state (`state[parameter]`) is the float32 `scores`, where there is momentum their
    `momentum_buffer`, and what its method needs besides: the `rounds` of redrawn weights, the
    `flags` of scores not yet pruned for good. See `strongticket.search.EdgePopup` for the
    arguments.
    """

    def __init__(
        self,
        network: Network,
        method: Method,
        *,
        density: Density | None,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        scope: Scope = "layer",
        score_seed: int = 0,
        sample_seed: int = 0,
        refresh: int = 1,
        groups: Sequence[Mapping[str, Any]] = (),
        backend: Backend | None = None,
        structure: Structures = None,
        frozen: Frozen | None = None,
        ramp: int = 0,
        floor: int = 0,
    ) -> None:
        refresh = selection.whole("refresh is a number of steps", refresh, 1)
        score_seed = selection.whole("score_seed must be an integer", score_seed, 0)
        sample_seed = selection.whole("sample_seed must be an integer", sample_seed, 0)
        if backend == "numba" and kernels.compiled() is None:
            raise InputError("backend='numba' needs numba, which cannot be imported")
        if backend not in (None, "numba", "torch"):
            raise InputError(f"backend is None, 'numba' or 'torch', got {backend!r}")
        if density is None and method.ranking is not None:
            raise InputError("density is the fraction kept, in (0, 1], got None")
        self._plan = Plan.of(
            network,
            density,
            scope,
            structure=structure,
            frozen=frozen,
            ramp=ramp,
            floor=floor,
        )
        if ramp and refresh > 1:
            raise InputError("a ramp changes the mask at every step: it needs refresh=1")
        self.network, self.method, self.scope, self.refresh = network, method, scope, refresh
        self._model, present = live(network)
        buffers.check(self._model)
        self._layers = Layers(network, method, self._plan, present)
        self._cuts = turn.Cuts()
        self._backend, self._sample_seed, self._steps = backend, sample_seed, 0
        self._away = ""  # why the model does not hold this search's weights, if it does not
        self._torn = False
        self._gates = {}
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(grouped(self._layers.values(), groups), defaults)
        self._pinned = {
            name: pins.to(self._layers[name].parameter.device)
            for name, pins in self._plan.pinned.items()
        }
        for name, layer in self._layers.items():
            self.state[layer.parameter].update(self._first_state(name, layer, score_seed))
        self._rewrite()
        ranks.check_wrapped(self, self._model)

    def _first_state(self, name: str, layer: Masked, score_seed: int) -> dict[str, Tensor]:
        shape, device = self._plan.shapes[name], layer.parameter.device
        start = self.method.start.scores(name, tuple(layer.parameter.shape), shape, score_seed)
        state = {"scores": torch.from_numpy(start).to(device)}
        if self.method.freezing is not None:
            state["flags"] = torch.ones(shape, dtype=torch.bool, device=device)
            if name in self._pinned:
                state["flags"] = self._pinned[name] >= 0
        if self.method.redraw is not None:
            shape = layer.parameter.shape
            state["rounds"] = torch.zeros(shape, dtype=torch.int32, device=device)
        return state

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, at construction only: a search moves its masked parameters, no others."""
        for entry in param_group["params"]:
            parameter = entry[1] if isinstance(entry, tuple) else entry
            if parameter not in self._layers.names:
                raise InputError(
                    "a mask search moves the scores of its network's masked parameters and no "
                    "others; give others to an optimizer of their own"
                )
        super().add_param_group(param_group)
        check_group(self.param_groups[-1])

    def __getstate__(self) -> dict[str, Any]:
        raise SearchError(
            "a search belongs to its live model and cannot be copied or pickled on its own: copy "
            "the model, sample it again, make another search of it, and hand over state_dict()"
        )

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        """Move the scores by the gradients, select, and write the new effective weights.

        Parameters without a gradient keep their scores, as in torch's own optimizers. Returns
        the closure's loss. Raises SearchError, naming the parameter and the step, if a score is
        no longer finite, and naming the parameter if something else wrote to one. A step that is
        interrupted may have moved some of the scores; what comes next goes on from those.
        """
        self._check_here()
        self._mend()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._layers.check_layout()
        if self._steps and self._steps % CHECK_EVERY == 0:
            self._check_written()
        compiled = fused.usable(self._layers.values(), self.method, self._backend)
        turns = compiled is not None and self._turns()
        self._torn = True
        wild = not turns and self._descend_all(compiled)
        self._steps += 1
        try:
            if turns:
                self._turn()
            else:
                self._between()
                if self._steps % self.refresh == 0:
                    self._rewrite(compiled)
                elif wild or compiled is None:
                    selection.check_finite(self.scores())
        except SearchError as error:
            raise SearchError(
                f"step {self._steps}: {error}{self._layers.wild_gradients()}"
            ) from None
        if self.method.redraw is not None and self._steps % self.method.redraw.every == 0:
            redraw = self.method.redraw
            number, seed = self._steps // redraw.every, self._sample_seed
            gates, rounds = self._in_force(), self._held("rounds")
            self._layers.redraw(gates, rounds, number, redraw.rate, seed)
        self._torn = False
        return loss

    def scores(self) -> dict[str, Tensor]:
        """The live scores by parameter name, float32: one a weight, or one a group of them.

        What torch changes in place is ranked anew at the next step. A change behind its back
        (through ``.data`` or NumPy) is not seen, and `step` or `ticket` then refuses the weights.
        """
        return self._held("scores")

    def masks(self) -> dict[str, Tensor]:
        """What a ticket keeps now, by parameter name, bool, in the parameters' shapes."""
        return {name: gates != 0 for name, gates in self._ticket_gates().items()}

    @property
    def keep(self) -> int | dict[str, int]:
        """How many scores are kept in the end: of each parameter, or of all in global scope.

        Empty for a search that keeps what it likes.
        """
        return self._target

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return self._steps

    def report(self) -> SearchReport:
        """What the mask of the ticket keeps, layer by layer, dead units and collapsed layers."""
        return report(self.masks())

    @contextmanager
    def evaluating(self, mode: Evaluation = "ticket") -> Iterator[None]:
        """Inside, the model holds other weights than the search trains on; then those again.

        "ticket": exactly what `ticket` holds, which differs from the weights in force where gates
        are soft, or drawn and judged by their threshold. "expectation": the mean gates of a search
        that samples, or its soft gates; no ticket holds those. No step may be taken inside.
        """
        self._check_here()
        if mode not in ("ticket", "expectation"):
            raise InputError(f"evaluating 'ticket' or 'expectation', got {mode!r}")
        self._mend()
        self._check_written()
        at, gate = self._moment(), self.method.gate
        if mode == "ticket":
            found = unflagged(gate.ticket(self.scores(), at, self._in_force()), at)
        else:
            found = gate.expectation(self.scores(), at) or self._in_force()
        self._layers.write(found)
        self._away = "it is inside `with search.evaluating()`"
        try:
            yield
        finally:
            self._away = ""
            self._layers.write(self._in_force())

    def ticket(self) -> Ticket:
        """What the search has found, as a ticket, with the model's buffers.

        Raises SearchError if anybody but the search changed a parameter or a frozen weight. Warns
        with CollapseWarning if a layer keeps nothing.
        """
        self._check_here()
        self._mend()
        self._check_written()
        self._layers.check_frozen()
        gates, rounds = self._ticket_gates(), self._held("rounds")
        return outcome.ticket(
            self.network, self._model, gates, rounds, self.method.gain, self._provenance()
        )

    def state_dict(self) -> dict[str, Any]:
        """Scores, momentum, hyperparameters and buffers: what resumes the search bit for bit.

        The buffers are those that the model's own ``state_dict()`` holds (norm statistics). Masks,
        draws and frozen weights are not stored, they are made again; only between two selections
        (`refresh` > 1) the masks in force are, as packed bits. Raises SearchError where `ticket`
        does, and for scores or momentum that are not finite.
        """
        return self._saved()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from `state_dict`; the model's parameters and buffers are written anew.

        Raises InputError if the state is of another network, method, density or scope, or if
        anything in it is missing, of another shape or out of range, and SearchError if the model
        moved to another dtype or device; then nothing is changed.
        """
        self._resume(state_dict)

    def leave(self) -> dict[str, Tensor]:
        """Give the model up to another search over it; returns the buffers as they are now."""
        self._check_here()
        self._mend()
        self._check_written()
        self._away = "the model holds the weights of another search"
        return {name: held.clone() for name, held in buffers.tensors(self._model).items()}

    def enter(self, held: Mapping[str, Tensor]) -> None:
        """Take the model back after `leave`: its effective weights and these buffers."""
        self._away = ""
        self._layers.write(self._in_force())
        buffers.restore(self._model, held)
