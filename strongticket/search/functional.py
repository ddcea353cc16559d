r"""The second front end: a module whose parameters are scores, over ``torch.func``.

`strongticket.search.MaskSearch` selects once a step and writes into the model. Here a mask is made
at every forward, so that masks can be drawn anew for each batch, many masks run at once (vmap),
and any torch optimizer moves the scores. With W the frozen weights and z the gate of the scores S,
a forward pass uses :math:`W \odot z(S)`, and its backward pass takes
:math:`G \odot W \odot z'(S)` for the gradient of S, as the first front end does.

It costs a selection or a draw each forward; where one mask a step will do, the optimizer is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.networks._sample import plain, plain_name
from strongticket.search import buffers, descent, outcome, selection
from strongticket.search.gate import Gate, Moment, unflagged
from strongticket.search.gated import gated
from strongticket.search.gates import TopK
from strongticket.search.groups import Density, Scope
from strongticket.search.layers import Layers
from strongticket.search.method import Method
from strongticket.search.norms import tracking
from strongticket.search.partial import Frozen
from strongticket.search.plan import Plan
from strongticket.search.scores import KAIMING, Start
from strongticket.search.soft import Draw
from strongticket.search.structures import Structure, Structured
from strongticket.search.written import live
from strongticket.tickets import Ticket
from strongticket.tickets._reading import Gain


class Masked(nn.Module):
    """A sampled model under masks that each forward makes; its parameters are the scores.

    Arguments:
        network: from ``Network.sample(model, ...)``; the model must be alive, and is kept so.
        gate: what makes masks of scores: `Draw` (each weight with probability σ(S), anew at every
            forward), `Soft`, ``TopK("abs")`` or ``TopK("raw")`` (edge-popup), or any other `Gate`.
        density: the fraction kept, for `TopK` alone, which needs it.
        start: how scores begin; ``Start("constant", logit)`` gives `Draw` a probability.
        gain: "none", "inverse density" or "binary", as in `strongticket.tickets.Reading`.
        scope, structure, frozen, floor, score_seed, sample_seed: as in `EdgePopup`.

    In training mode forward number t takes the gates of moment t: `Draw` its t-th draw. In
    evaluation mode every forward takes the masks of `ticket`, has its outputs bit for bit (under
    ``torch.no_grad()``; with gradients torch may take other kernels), and reaches no score.
    The model is no submodule: `train` and `eval` reach it, ``parameters()`` are scores only
    (float32), and ``state_dict()`` holds them, the number of forwards and the model's buffers.

    Raises InputError for an argument out of range, SearchError where the model does not hold what
    ``Network.sample`` wrote. Activation checkpointing inside the model does not work: it would run
    again outside of the call that put the masks in place.
    """

    def __init__(
        self,
        network: Network,
        gate: Gate | None = None,
        *,
        density: Density | None = None,
        scope: Scope = "layer",
        start: Start = KAIMING,
        gain: Gain = "none",
        structure: Structured | Mapping[str, Structure | str] = None,
        frozen: Frozen | None = None,
        floor: int = 0,
        score_seed: int = 0,
        sample_seed: int = 0,
    ) -> None:
        super().__init__()
        gate = Draw() if gate is None else gate
        if not isinstance(gate, Gate):
            raise InputError(f"gate is a Gate such as Draw(), Soft() or TopK(), got {gate!r}")
        if isinstance(gate, TopK) is (density is None):
            raise InputError(f"density is for TopK, which needs it; got {density!r} with {gate!r}")
        score_seed = selection.whole("score_seed must be an integer", score_seed, 0)
        self._seed = selection.whole("sample_seed must be an integer", sample_seed, 0)
        self.network, self.forwards = network, 0
        self._method = Method("functional", "torch.func", gate, start=start, gain=gain)
        self._plan = Plan.of(
            network, density, scope, structure=structure, frozen=frozen, floor=floor
        )
        model, present = live(network)
        buffers.check(model)
        self.__dict__["_live"] = model  # past nn.Module, which would register it
        self._layers = Layers(network, self._method, self._plan, present)
        actual = {plain_name(name): name for name, _ in plain(model).named_parameters()}
        self._actual = {name: actual[name] for name in self._layers}
        self._pinned = {
            name: pins.to(self._layers[name].parameter.device)
            for name, pins in self._plan.pinned.items()
        }
        self._scores = nn.ParameterList()
        for name, layer in self._layers.items():
            shape = tuple(layer.parameter.shape)
            first = start.scores(name, shape, self._plan.shapes[name], score_seed)
            self._scores.append(torch.from_numpy(first).to(layer.parameter.device))

    @property
    def model(self) -> nn.Module:
        """The model that ``Network.sample`` was given."""
        found: nn.Module = self.__dict__["_live"]
        return found

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """The model under one mask: the next one in training mode, else the ticket's."""
        self._layers.check_layout()
        if not self.training:
            found = self._layers.expanded(self._ticket_gates())
            gain = self._method.gain
            fixed = {
                n: self._shaped(n, self._layers[n].effective(g, gain)) for n, g in found.items()
            }
            return self._call(fixed, inputs, keywords)
        weights = self._weights(self._moment(self.forwards))
        self.forwards += 1
        return self._call(weights, inputs, keywords)

    def sampled(self, draws: int, *inputs: Any, chunk: int | None = None) -> Any:
        """The outputs under the next `draws` masks at once: (draws, ...), with gradients.

        Equal to so many forwards in training mode, in one vectorised call; `chunk` masks at a
        time, where memory is short. InputError where the model has norms that would update
        statistics: call ``.model.eval()`` on it first. Dropout differs from mask to mask.
        """
        draws = selection.whole("draws is a number of masks", draws, 1)
        self._layers.check_layout()
        self._check_still()
        made = [self._weights(self._moment(self.forwards + i)) for i in range(draws)]
        self.forwards += draws
        stacks = {name: torch.stack([weights[name] for weights in made]) for name in made[0]}
        return self._mapped(stacks, inputs, chunk)

    def under(
        self,
        masks: Mapping[str, Tensor],
        *inputs: Any,
        each: bool = False,
        chunk: int | None = None,
    ) -> Any:
        """The outputs under a population of masks of your own: (population, ...).

        `masks` gives every masked parameter a tensor ``(population, *shape)`` of any dtype; float
        ones may be soft and are differentiated through. With `each`, entry i of the inputs alone
        goes through mask i, as a batch of one: (population, ...) outputs again, one a sample.
        Scores play no part.
        """
        self._layers.check_layout()
        self._check_still()
        if self._method.gain != "none":
            raise InputError(f"masks of your own have no gain, this module has {self._method.gain}")
        size = self._check_masks(masks)
        stacks = {}
        for name, mask in masks.items():
            layer = self._layers[name]
            weights = layer.frozen.reshape(layer.parameter.shape).to(torch.float32)
            stacks[name] = (weights * mask.to(weights.device, torch.float32)).to(layer.dtype)
        if not each:
            return self._mapped(stacks, inputs, chunk)
        for value in inputs:
            if not isinstance(value, Tensor) or value.shape[:1] != (size,):
                came = tuple(value.shape) if isinstance(value, Tensor) else value
                raise InputError(f"each=True needs one input for each of {size} masks, got {came}")

        def one(weights: dict[str, Tensor], *sample: Tensor) -> Any:
            return self._call(weights, tuple(value.unsqueeze(0) for value in sample), {})

        found = torch.vmap(one, randomness="different", chunk_size=chunk)(stacks, *inputs)
        if not isinstance(found, Tensor):
            raise InputError("each=True needs a model that returns one tensor")
        return found.squeeze(1)

    def scores(self) -> dict[str, Tensor]:
        """The scores by parameter name, detached but live."""
        return {n: s.detach() for n, s in zip(self._layers, self._scores, strict=True)}

    def masks(self) -> dict[str, Tensor]:
        """What a ticket keeps now, by parameter name, bool, in the parameters' shapes."""
        return {n: g != 0 for n, g in self._layers.expanded(self._ticket_gates()).items()}

    def ticket(self) -> Ticket:
        """What the scores say now, as a ticket, with the model's buffers.

        Raises SearchError if anybody changed a frozen weight. Warns with CollapseWarning if a
        layer keeps nothing.
        """
        self._layers.check_layout()
        self._layers.check_frozen()
        gates = self._layers.expanded(self._ticket_gates())
        provenance = {"search": "functional", "steps": self.forwards, "settings": self._settings()}
        return outcome.ticket(self.network, self.model, gates, {}, self._method.gain, provenance)

    def train(self, mode: bool = True) -> Masked:
        """Set the mode, of the model as well."""
        self.model.train(mode)
        super().train(mode)
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """What a state_dict holds beside the scores."""
        return self._identity() | {
            "forwards": self.forwards,
            "buffers": buffers.tensors(self.model),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what `get_extra_state` gave; it was checked before the scores were loaded."""
        self.forwards = state["forwards"]
        buffers.restore(self.model, state["buffers"])

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        found = state_dict.get(f"{prefix}_extra_state")
        if not isinstance(found, Mapping):
            raise InputError("a Masked resumes from its own state_dict(); this one is not of one")
        for key, wanted in self._identity().items():
            if found.get(key) != wanted:
                raise InputError(
                    f"the state was saved with {key} {found.get(key)!r}, this module has {wanted!r}"
                )
        selection.whole("the saved number of forwards must be an integer", found.get("forwards"), 0)
        buffers.check_saved(self.model, found.get("buffers"))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Masked:
        raise InputError(
            "a Masked is not moved: call model.to(...) first, then Network.sample, then Masked; "
            "its scores are float32 on the model's device"
        )

    def _identity(self) -> dict[str, Any]:
        return {"network": self.network.digest, "settings": self._settings()}

    def _settings(self) -> dict[str, Any]:
        gate = self._method.gate
        found = {"gate": type(gate).__name__, "keep": self._plan.target}
        if isinstance(gate, TopK):
            found["ranking"] = gate.ranking
        return found | self._method.settings() | self._plan.settings() | {"sample_seed": self._seed}

    def _moment(self, step: int) -> Moment:
        plan = self._plan
        return Moment(step, self._seed, plan.target, plan.floor, plan.patterns, self._pinned)

    def _ticket_gates(self) -> dict[str, Tensor]:
        """The gates of the ticket, in the shapes of the scores."""
        at, gate, scores = self._moment(self.forwards), self._method.gate, self.scores()
        return unflagged(gate.ticket(scores, at, unflagged(gate.gates(scores, at), at)), at)

    def _weights(self, at: Moment) -> dict[str, Tensor]:
        """Effective weights that hand their gradients to the scores."""
        gates = unflagged(self._method.gate.gates(self.scores(), at), at)
        made = {}
        for (name, gate), score in zip(
            self._layers.expanded(gates).items(), self._scores, strict=True
        ):
            effective = self._layers[name].effective(gate, self._method.gain)
            back = partial(
                descent.gradient,
                self._method,
                self._plan,
                self._layers[name],
                gates=gates[name],
                at=at,
            )
            made[name] = gated(score, self._shaped(name, effective), back)
        return made

    def _shaped(self, name: str, flat: Tensor) -> Tensor:
        return flat.reshape(self._layers[name].parameter.shape)

    def _call(self, weights: Mapping[str, Tensor], inputs: Any, keywords: Any) -> Any:
        named = {self._actual[name]: value for name, value in weights.items()}
        return torch.func.functional_call(plain(self.model), named, inputs, keywords)

    def _mapped(self, stacks: dict[str, Tensor], inputs: Any, chunk: int | None) -> Any:
        def one(weights: dict[str, Tensor]) -> Any:
            return self._call(weights, inputs, {})

        return torch.vmap(one, randomness="different", chunk_size=chunk)(stacks)

    def _check_still(self) -> None:
        moving = [n for n, m in plain(self.model).named_modules() if tracking(m) and m.training]
        if moving:
            raise InputError(
                f"many masks at once cannot update the statistics of {', '.join(moving)}: call "
                "eval() on the model first"
            )

    def _check_masks(self, masks: Mapping[str, Tensor]) -> int:
        if set(masks) != set(self._layers):
            raise InputError(f"masks must be given for {sorted(self._layers)}, got {sorted(masks)}")
        sizes = {mask.shape[0] if mask.dim() else 0 for mask in masks.values()}
        for name, mask in masks.items():
            wanted = tuple(self._layers[name].parameter.shape)
            if tuple(mask.shape[1:]) != wanted or len(sizes) != 1 or not mask.shape[0]:
                raise InputError(
                    f"masks of {name!r} must have the shape (population, {str(wanted)[1:]}, one "
                    f"population for all of them; got {tuple(mask.shape)}"
                )
        return sizes.pop()
