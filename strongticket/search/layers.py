"""The masked parameters of a live model together: their gates expanded, written and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from strongticket.errors import SearchError
from strongticket.networks import Network
from strongticket.networks._constants import constants
from strongticket.networks._sample import named_parameters
from strongticket.search import redraw
from strongticket.search.method import Method
from strongticket.search.plan import Plan
from strongticket.search.written import Constant, Masked


class Layers(Mapping[str, Masked]):
    """Name -> masked parameter of the model that `Network.sample` wrote into.

    Raises SearchError where the model holds anything but the network's frozen weights and
    constants.
    """

    def __init__(
        self, network: Network, method: Method, plan: Plan, present: Mapping[str, nn.Parameter]
    ) -> None:
        self._network, self._gain, self._plan = network, method.gain, plan
        exact = method.gain != "none" or not method.gate.boolean
        sizes = method.gain == "binary"
        self._layers = {
            name: Masked.of(network, name, present[name], exact=exact, sizes=sizes)
            for name in network.masked
        }
        assert network.model is not None
        fixed = constants(network.model, [p.name for p in network.parameters])
        self._constants = [
            Constant.of(network, name, parameter, fixed.get(name))
            for name, parameter in present.items()
            if name not in self._layers
        ]
        self.names = {layer.parameter: name for name, layer in self._layers.items()}

    def __getitem__(self, name: str) -> Masked:
        """A masked parameter by name."""
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._layers)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._layers)

    def of(self, parameter: nn.Parameter) -> Masked:
        """The layer of a live parameter."""
        return self._layers[self.names[parameter]]

    def expanded(self, gates: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gates of scores as gates of weights, in the parameters' shapes."""
        return {
            name: self._plan.expand(name, gate, tuple(self._layers[name].parameter.shape))
            for name, gate in gates.items()
        }

    @torch.no_grad()
    def write(self, gates: Mapping[str, Tensor]) -> None:
        """Write the effective weights of gates in the shapes of the scores."""
        for name, gate in self.expanded(gates).items():
            layer = self._layers[name]
            layer.write(layer.effective(gate, self._gain))

    def check_layout(self) -> None:
        """Raise SearchError if a parameter moved to another dtype, device or shape."""
        for layer in self._layers.values():
            layer.check_layout()

    def check_present(self, model: nn.Module) -> None:
        """Raise SearchError if a parameter of the model is another object than when we began."""
        present = dict(named_parameters(model))
        for name, layer in self._layers.items():
            if present.get(name) is not layer.parameter:
                raise SearchError(
                    f"the model no longer has the parameter {name!r} that the search writes to: "
                    "something put another in its place (an assignment, a parametrization, "
                    "pruning hooks); sample the model again, then make another search"
                )

    def check_written(self, gates: Mapping[str, Tensor]) -> None:
        """Raise SearchError if a parameter is not what `write` wrote for these gates."""
        for name, gate in self.expanded(gates).items():
            self._layers[name].check_written(gate, self._gain)

    def check_frozen(self) -> None:
        """Raise SearchError if frozen weights or constants changed."""
        for layer in self._layers.values():
            layer.check_frozen()
        for constant in self._constants:
            constant.check()

    def redraw(
        self,
        gates: Mapping[str, Tensor],
        rounds: Mapping[str, Tensor],
        number: int,
        rate: float,
        seed: int,
    ) -> None:
        """Draw weights that the gates close again; `rounds` remembers the number of the round."""
        masks = self.expanded(gates)
        for name, layer in self._layers.items():
            self._layers[name] = redraw.again(
                self._network, layer, masks[name], rounds[name], number, rate, seed
            )

    def restore(self, rounds: Mapping[str, Tensor]) -> None:
        """The frozen weights that a record of rounds describes."""
        for name, numbers in rounds.items():
            self._layers[name] = redraw.restored(self._network, self._layers[name], numbers)

    def wild_gradients(self) -> str:
        """Which gradients are not finite, to say after an error about scores."""
        wild = [
            repr(name)
            for name, layer in self._layers.items()
            if (grad := layer.parameter.grad) is not None
            and not bool(grad.to_dense().isfinite().all())
        ]
        return f"; the gradient of {', '.join(wild)} is not finite" if wild else ""
