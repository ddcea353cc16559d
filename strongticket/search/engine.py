r"""The engine of mask searches: an optimizer of scores over an unmodified model.

The model's parameters hold effective weights (frozen weight times mask). A step turns their
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

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from strongticket.errors import InputError, SearchError
from strongticket.networks import Network
from strongticket.networks._constants import constants
from strongticket.search import buffers, fused, kernels, resume, selection
from strongticket.search.groups import Density, Scope, check_group, grouped, keep_counts
from strongticket.search.method import Method
from strongticket.search.report import CollapseWarning, SearchReport, report
from strongticket.search.scores import initial
from strongticket.search.written import Constant, Masked, live
from strongticket.tickets import Mask, Ticket

Backend = Literal["numba", "torch"]
CHECK_EVERY = 100


class MaskSearch(torch.optim.Optimizer):
    """A search over masks, as an optimizer: `zero_grad`, `backward`, `step`; then `ticket`.

    Its state (`state[parameter]`) is the float32 `scores` and, where there is momentum, their
    `momentum_buffer`. See `strongticket.search.EdgePopup` for the arguments.
    """

    def __init__(
        self,
        network: Network,
        method: Method,
        *,
        density: Density,
        lr: float,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
        scope: Scope,
        score_seed: int,
        refresh: int,
        groups: Sequence[Mapping[str, Any]],
        backend: Backend | None,
    ) -> None:
        if scope not in ("layer", "global"):
            raise InputError(f"scope is 'layer' or 'global', got {scope!r}")
        refresh = selection.whole("refresh is a number of steps", refresh, 1)
        score_seed = selection.whole("score_seed must be an integer", score_seed, 0)
        if backend == "numba" and kernels.compiled() is None:
            raise InputError("backend='numba' needs numba, which cannot be imported")
        if backend not in (None, "numba", "torch"):
            raise InputError(f"backend is None, 'numba' or 'torch', got {backend!r}")
        self.network, self.method, self.scope, self.refresh = network, method, scope, refresh
        self._model, present = live(network)
        buffers.check(self._model)
        counts = keep_counts(network, density, scope)
        self._layers = {
            name: Masked.of(network, name, present[name], counts[name]) for name in network.masked
        }
        self._keep: int | dict[str, int] = counts
        if scope == "global":
            assert not isinstance(density, Mapping)
            total = sum(layer.parameter.numel() for layer in self._layers.values())
            self._keep = selection.keep_count(density, total)
        fixed = constants(self._model, [p.name for p in network.parameters])
        self._constants = [
            Constant.of(network, name, parameter, fixed.get(name))
            for name, parameter in present.items()
            if name not in self._layers
        ]
        self._by_parameter = {layer.parameter: layer for layer in self._layers.values()}
        self._hints: dict[str, kernels.Hint] = {}
        self._backend = backend
        self._steps = 0
        self._kept: dict[str, Tensor] = {}  # the masks in force, where refresh lets them be old
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(grouped(self._layers.values(), groups), defaults)
        for name, layer in self._layers.items():
            start = torch.from_numpy(initial(name, tuple(layer.parameter.shape), score_seed))
            self.state[layer.parameter]["scores"] = start.to(layer.parameter.device)
        self._rewrite()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, at construction only: a search moves its masked parameters, no others."""
        for entry in param_group["params"]:
            parameter = entry[1] if isinstance(entry, tuple) else entry
            if parameter not in self._by_parameter:
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
        the closure's loss. Raises SearchError, naming the parameter, if a score is no longer
        finite or if something else wrote to a parameter.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for layer in self._layers.values():
            layer.check_layout()
        if self._steps and self._steps % CHECK_EVERY == 0:
            self._check_written()
        compiled = fused.usable(self._layers.values(), self.method, self._backend)
        wild = False
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    wild |= not self._descend(self._by_parameter[parameter], group, compiled)
        self._steps += 1
        if self._steps % self.refresh == 0:
            self._rewrite(compiled)
        elif wild or compiled is None:
            selection.check_finite(self.scores())
        return loss

    def scores(self) -> dict[str, Tensor]:
        """The live scores by parameter name, float32, in the parameters' shapes."""
        return self._held("scores")

    def masks(self) -> dict[str, Tensor]:
        """The masks in force by parameter name, bool, in the parameters' shapes."""
        if self._steps % self.refresh:
            return dict(self._kept)
        return selection.select(self.scores(), self._keep, self.method.ranking)

    @property
    def keep(self) -> int | dict[str, int]:
        """How many weights are kept: of each parameter, or of all together in global scope."""
        return dict(self._keep) if isinstance(self._keep, dict) else self._keep

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return self._steps

    def report(self) -> SearchReport:
        """What the mask in force keeps, layer by layer, with dead units and collapsed layers."""
        return report(self.masks())

    def ticket(self) -> Ticket:
        """The mask in force as a ticket, with the model's buffers.

        Raises SearchError if anybody but the search changed a parameter or a frozen weight. Warns
        with CollapseWarning if a layer keeps nothing.
        """
        self._check_written(frozen_too=True)
        found = self.masks()
        collapsed = report(found).collapsed
        if collapsed:
            warnings.warn(
                f"the mask keeps nothing of {', '.join(collapsed)}; raise density, or use "
                "scope='layer'",
                CollapseWarning,
                stacklevel=2,
            )
        dense = Mask.dense({name: mask.cpu().numpy() for name, mask in found.items()})
        return Ticket(self.network, dense, buffers.arrays(self._model), self._provenance())

    def state_dict(self) -> dict[str, Any]:
        """Scores, momentum, hyperparameters and buffers: what resumes the search bit for bit.

        The buffers are those that the model's own ``state_dict()`` holds (norm statistics). Masks
        and frozen weights are not stored, they are made again; only between two selections
        (`refresh` > 1) the masks in force are, as packed bits. Raises SearchError where `ticket`
        does, and for scores or momentum that are not finite.
        """
        self._check_written(frozen_too=True)
        selection.check_finite(self.scores())
        selection.check_finite(self._held("momentum_buffer"), "momentum")
        state = super().state_dict()
        state["search"] = self._identity() | {
            "steps": self._steps,
            "buffers": buffers.tensors(self._model),
        }
        if self._steps % self.refresh:
            state["search"]["kept"] = {n: resume.pack(mask) for n, mask in self._kept.items()}
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from `state_dict`; the model's parameters and buffers are written anew.

        Raises InputError if the state is of another network, method, density or scope, or if
        anything in it is missing, of another shape or out of range, and SearchError if the model
        moved to another dtype or device; then nothing is changed.
        """
        for layer in self._layers.values():
            layer.check_layout()
        names = {layer.parameter: name for name, layer in self._layers.items()}
        resume.check(state_dict, self._identity(), self.param_groups, names)
        buffers.check_saved(self._model, state_dict["search"].get("buffers"))
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "search"})
        # The base class casts to the parameter's dtype; scores stay float32.
        for parameter, saved in resume.by_parameter(state_dict, self.param_groups):
            self.state[parameter] = resume.restored(saved, parameter)
        found = state_dict["search"]
        self._steps = found["steps"]
        buffers.restore(self._model, found["buffers"])
        if self._steps % self.refresh == 0:
            self._rewrite()
            return
        with torch.no_grad():
            for name, layer in self._layers.items():
                self._kept[name] = resume.unpack(found["kept"][name], layer.parameter)
                layer.write(layer.effective(self._kept[name]))

    def _held(self, key: str) -> dict[str, Tensor]:
        states = {name: self.state[layer.parameter] for name, layer in self._layers.items()}
        return {name: state[key] for name, state in states.items() if key in state}

    def _descend(
        self, layer: Masked, group: Mapping[str, Any], compiled: kernels.Kernels | None
    ) -> bool:
        """Move one parameter's scores; False where the compiled loop met one not finite."""
        state, grad = self.state[layer.parameter], layer.parameter.grad
        assert grad is not None
        if grad.layout != torch.strided:  # an Embedding(sparse=True): every score moves anyway
            grad = grad.to_dense()
        if group["momentum"] and "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(state["scores"])
        if compiled is not None:
            return fused.descend(compiled, layer, grad, state, group, bool(self.method.signed))
        scores = state["scores"].view(-1)
        grad = grad.reshape(-1).to(torch.float32)
        frozen = layer.frozen.to(torch.float32)
        step = self.method.score_gradient(grad, frozen, scores)
        # One rounding an operation (no alpha=): the bits of the compiled loop and of every device.
        if group["weight_decay"]:
            step = step + scores * float(group["weight_decay"])
        if group["momentum"]:
            speed = state["momentum_buffer"].view(-1)
            speed.mul_(float(group["momentum"])).add_(step)
            step = step + speed * float(group["momentum"]) if group["nesterov"] else speed
        scores.sub_(step * float(group["lr"]))
        return True

    @torch.no_grad()
    def _rewrite(self, compiled: kernels.Kernels | None = None) -> None:
        """Select and write the effective weights; nothing is written if a score is not finite."""
        if compiled is not None:
            fused.rewrite(
                compiled,
                self._layers,
                self.scores(),
                self._keep,
                self.method.ranking,
                self._hints,
            )
            if self.refresh == 1:
                return
        found = selection.select(self.scores(), self._keep, self.method.ranking)
        if self.refresh > 1:
            self._kept = found
        if compiled is None:
            for name, layer in self._layers.items():
                layer.write(layer.effective(found[name]))

    def _check_written(self, *, frozen_too: bool = False) -> None:
        found = self.masks()
        for name, layer in self._layers.items():
            layer.check_written(found[name])
            if frozen_too:
                layer.check_frozen()
        if frozen_too:
            for constant in self._constants:
                constant.check()

    def _identity(self) -> dict[str, Any]:
        return {
            "format": resume.FORMAT,
            "method": self.method.name,
            "ranking": self.method.ranking,
            "scope": self.scope,
            "refresh": self.refresh,
            "keep": self.keep,
            "network": self.network.digest,
        }

    def _provenance(self) -> dict[str, Any]:
        return {
            "search": self.method.name,
            "ranking": self.method.ranking,
            "scope": self.scope,
            "steps": self._steps,
        }
