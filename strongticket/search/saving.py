"""What a search stores, and what it is when it goes on: the saving half of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from strongticket.errors import SearchError
from strongticket.networks import Network
from strongticket.search import buffers, resume, selection
from strongticket.search.groups import Scope
from strongticket.search.stepping import Stepping


class Saving(Stepping):
    """The saved states of `strongticket.search.MaskSearch`; its attributes are private."""

    network: Network
    scope: Scope
    _model: nn.Module
    _away: str  # why the model does not hold this search's weights, if it does not

    @property
    def _target(self) -> int | dict[str, int]:
        target = self._plan.target
        return dict(target) if isinstance(target, Mapping) else target

    def _saved(self) -> dict[str, Any]:
        self._check_here()
        self._mend()
        self._check_written()
        self._layers.check_frozen()
        selection.check_finite(self._held("scores"))
        selection.check_finite(self._held("momentum_buffer"), "momentum")
        state = super().state_dict()
        state["search"] = self._identity() | {
            "steps": self._steps,
            "buffers": buffers.tensors(self._model),
        }
        if self._steps % self.refresh:
            state["search"]["kept"] = {n: resume.pack(mask) for n, mask in self._gates.items()}
        return state

    def _resume(self, state_dict: dict[str, Any]) -> None:
        self._check_here()
        self._layers.check_layout()
        identity, names = self._identity(), self._layers.names
        resume.check(state_dict, identity, self.param_groups, names, self._plan, self.method)
        buffers.check_saved(self._model, state_dict["search"].get("buffers"))
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "search"})
        # The base class casts to the parameter's dtype; scores stay float32.
        for parameter, saved in resume.by_parameter(state_dict, self.param_groups):
            self.state[parameter] = resume.restored(saved, parameter)
        found = state_dict["search"]
        self._steps = found["steps"]
        buffers.restore(self._model, found["buffers"])
        with torch.no_grad():
            self._layers.restore(self._held("rounds"))
        self._torn = False
        if self._steps % self.refresh == 0:
            self._rewrite()
            return
        for name, shape in self._plan.shapes.items():
            mask = resume.unpack(found["kept"][name], shape)
            self._gates[name] = mask.to(self._layers[name].parameter.device)
        self._layers.write(self._gates)

    def _check_here(self) -> None:
        if self._away:
            raise SearchError(f"the search cannot go on while {self._away}")

    def _check_written(self) -> None:
        self._layers.check_present(self._model)
        self._layers.check_written(self._in_force())

    def _identity(self) -> dict[str, Any]:
        return {
            "format": resume.FORMAT,
            "method": self.method.name,
            "ranking": self.method.ranking,
            "scope": self.scope,
            "refresh": self.refresh,
            "keep": self._target,
            "settings": self._settings(),
            "network": self.network.digest,
        }

    def _settings(self) -> dict[str, Any]:
        found = self.method.settings() | self._plan.settings()
        return found | ({"sample_seed": self._sample_seed} if self._sample_seed else {})

    def _provenance(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "search": self.method.name,
            "ranking": self.method.ranking,
            "scope": self.scope,
            "steps": self._steps,
        }
        settings = self._settings()
        return found | {"settings": settings} if settings else found
