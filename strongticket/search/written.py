"""What a search wrote into a model, and whether anybody else has written there since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from strongticket.errors import SearchError
from strongticket.laws import Law
from strongticket.networks import Network
from strongticket.networks._sample import named_parameters
from strongticket.tickets._reading import Gain


@dataclass(frozen=True, eq=False)
class Masked:
    """A masked parameter of a live model.

    `parameter` holds the effective weights, in any float dtype. `frozen` are the frozen weights,
    flat, in the same dtype where they are only kept or pruned and in float32 where they are
    multiplied; `digest` their SHA-256. `sizes`: the magnitudes of their integer units, int64,
    where their mean is asked for. `dtype` is that of the parameter.
    """

    name: str
    parameter: nn.Parameter
    frozen: Tensor
    digest: str
    law: Law
    dtype: torch.dtype
    sizes: Tensor | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        name: str,
        parameter: nn.Parameter,
        *,
        exact: bool = False,
        sizes: bool = False,
    ) -> Masked:
        """A parameter of `network`; SearchError if it holds anything but its frozen weights.

        Zeros are allowed in their place: a search before this one may have pruned them. `exact`
        holds the frozen weights in float32.
        """
        if not parameter.requires_grad:
            raise SearchError(f"{name!r} must have requires_grad, as Network.sample left it")
        # A copy: the array that made it may be shared with the network's own.
        weights = torch.tensor(network.weights(name)).reshape(-1).to(parameter.device)
        frozen = weights.to(parameter.dtype)
        flat = parameter.detach().reshape(-1)
        if not bool(((flat == frozen) | (flat == 0)).all()):
            raise SearchError(
                f"{name!r} must hold the frozen weights that Network.sample wrote, and holds "
                "others; sample again, and do not train or reset the model before the search"
            )
        frozen = weights if exact else frozen
        found = None
        if sizes:
            units = network.units(name, 0, frozen.numel())
            found = torch.from_numpy(np.abs(units.astype(np.int64))).to(parameter.device)
        law = network[name].law
        return cls(name, parameter, frozen, digest(frozen), law, parameter.dtype, found)

    def redrawn(self) -> Masked:
        """The same parameter after its frozen weights were drawn again in place."""
        return replace(self, digest=digest(self.frozen))

    def check_layout(self) -> None:
        """Raise SearchError if the parameter moved to another dtype, device or shape."""
        now, then = self.parameter, self.frozen
        if now.dtype != self.dtype or now.device != then.device or now.numel() != then.numel():
            raise SearchError(
                f"{self.name!r} was {self.dtype} on {then.device} when the search was made and is "
                f"{now.dtype} on {now.device}; call model.to(...) first, then make the search"
            )

    def check_written(self, gates: Tensor, gain: Gain) -> None:
        """Raise SearchError if the parameter is not what `effective` gives for these gates."""
        self.check_layout()
        if torch.equal(self.parameter.detach().reshape(-1), self.effective(gates, gain)):
            return
        raise SearchError(
            f"{self.name!r} no longer holds what the search wrote last: something else writes to "
            "it (a second optimizer, an initialiser, load_state_dict of the model); only the "
            "search may"
        )

    def check_frozen(self) -> None:
        """Raise SearchError if the frozen weights themselves changed."""
        if digest(self.frozen) != self.digest:
            raise SearchError(f"the frozen weights of {self.name!r} were changed in memory")

    def effective(self, gates: Tensor, gain: Gain = "none") -> Tensor:
        """The effective weights of gates in the parameter's shape, flat, in its dtype.

        `strongticket.tickets.Reading.weights` does the same sums in the same order for a ticket.
        """
        flat = gates.reshape(-1)
        closed = flat.logical_not()
        if flat.dtype == torch.bool and gain == "none":
            return _shut(self.frozen, closed).to(self.dtype)
        weights = self.frozen.to(torch.float32)
        if gain == "binary":
            weights = weights.sign() * self._size(closed)
        elif gain == "inverse density":
            weights = weights * self.gain(flat)
        if flat.dtype != torch.bool:
            weights = weights * flat.to(torch.float32)
        return _shut(weights, closed).to(self.dtype)

    def gain(self, gates: Tensor) -> Tensor:
        """Entries over the sum of gates that are 0 to 1, float32; 1 where nothing is kept."""
        kept = gates.sum(dtype=torch.float64)
        whole = torch.full_like(kept, float(gates.numel()))
        return torch.where(kept > 0, whole / kept, 1.0).to(torch.float32)

    def _size(self, closed: Tensor) -> Tensor:
        assert self.sizes is not None
        return self.size(self.sizes.masked_fill(closed, 0).sum(), closed.logical_not().sum())

    def size(self, total: Tensor, kept: Tensor) -> Tensor:
        """The mean magnitude of the kept weights, as `tickets._reading.binary_size` takes it."""
        assert self.law.scale is not None
        mean = total.to(torch.float64) / kept.to(torch.float64)
        return (mean * 2.0**-self.law.grid * self.law.scale).to(torch.float32)

    def write(self, values: Tensor) -> None:
        """Write flat effective weights into the parameter, in place."""
        self.parameter.copy_(values.reshape(self.parameter.shape))


@dataclass(frozen=True, eq=False)
class Constant:
    """A parameter of the model that no mask prunes and nobody may change."""

    name: str
    parameter: nn.Parameter
    digest: str

    @classmethod
    def of(
        cls, network: Network, name: str, parameter: nn.Parameter, value: float | None
    ) -> Constant:
        """A parameter that `network` froze; SearchError if it holds anything else.

        `value` is the constant of one that is not drawn.
        """
        if value is None:
            wanted = torch.tensor(network.weights(name)).to(parameter.device, parameter.dtype)
        else:
            wanted = torch.full_like(parameter, value)
        if not torch.equal(parameter.detach(), wanted):
            raise SearchError(
                f"{name!r} must hold the constants that Network.sample wrote, and holds others; "
                "sample again, and do not train or reset the model before the search"
            )
        return cls(name, parameter, digest(parameter))

    def check(self) -> None:
        """Raise SearchError if the parameter changed since the search was made."""
        if digest(self.parameter) != self.digest:
            raise SearchError(
                f"{self.name!r} is frozen and was changed: no optimizer may train it beside the "
                "search"
            )


def live(network: Network) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """The model of `Network.sample` and its parameters by plain name."""
    model = network.model
    if model is None:
        raise SearchError(
            "a search needs the live model that Network.sample(model, ...) was given; this "
            "network has none, or the model is gone: keep a reference to it"
        )
    present = dict(named_parameters(model))
    missing = [name for name in network.masked if name not in present]
    if missing:
        raise SearchError(f"the model has lost the parameters {missing} that the network masks")
    return model, present


def _shut(weights: Tensor, closed: Tensor) -> Tensor:
    """Zero where `closed`, as a new tensor."""
    if weights.dtype != torch.float32 or weights.device.type != "cpu":
        return weights.masked_fill(closed, 0)
    # The same bits; torch runs bit operations as vector code, and masked_fill 10 times slower.
    opened = closed.view(torch.int8).to(torch.int32) - 1
    return opened.bitwise_and_(weights.view(torch.int32)).view(torch.float32)


def digest(tensor: Tensor) -> str:
    """SHA-256 of a tensor's bytes in C order."""
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu()
    return hashlib.sha256(flat.numpy().data).hexdigest()
