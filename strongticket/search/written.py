"""What a search wrote into a model, and whether anybody else has written there since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from strongticket.errors import SearchError
from strongticket.networks import Network
from strongticket.networks._sample import named_parameters


@dataclass(frozen=True, eq=False)
class Masked:
    """A masked parameter of a live model.

    `parameter` holds the effective weights, in any float dtype; `frozen` the frozen weights,
    flat, in the same dtype, and `digest` their SHA-256. `keep` is how many are kept.
    """

    name: str
    parameter: nn.Parameter
    frozen: Tensor
    digest: str
    keep: int

    @classmethod
    def of(cls, network: Network, name: str, parameter: nn.Parameter, keep: int) -> Masked:
        """A parameter of `network`; SearchError if it holds anything but its frozen weights.

        Zeros are allowed in their place: a search before this one may have pruned them.
        """
        if not parameter.requires_grad:
            raise SearchError(f"{name!r} must have requires_grad, as Network.sample left it")
        # A copy: the array that made it may be shared with the network's own.
        frozen = torch.tensor(network.weights(name)).reshape(-1)
        frozen = frozen.to(parameter.device, parameter.dtype)
        flat = parameter.detach().reshape(-1)
        if not bool(((flat == frozen) | (flat == 0)).all()):
            raise SearchError(
                f"{name!r} must hold the frozen weights that Network.sample wrote, and holds "
                "others; sample again, and do not train or reset the model before the search"
            )
        return cls(name, parameter, frozen, digest(frozen), keep)

    def check_layout(self) -> None:
        """Raise SearchError if the parameter moved to another dtype, device or shape."""
        now, then = self.parameter, self.frozen
        if now.dtype != then.dtype or now.device != then.device or now.numel() != then.numel():
            raise SearchError(
                f"{self.name!r} was {then.dtype} on {then.device} when the search was made and is "
                f"{now.dtype} on {now.device}; call model.to(...) first, then make the search"
            )

    def check_written(self, mask: Tensor) -> None:
        """Raise SearchError if the parameter is not the frozen weights under `mask`."""
        self.check_layout()
        if torch.equal(self.parameter.detach().reshape(-1), self.effective(mask)):
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

    def effective(self, mask: Tensor) -> Tensor:
        """The frozen weights where `mask` keeps them and zero elsewhere, flat."""
        return self.frozen.masked_fill(mask.reshape(-1).logical_not(), 0)

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


def digest(tensor: Tensor) -> str:
    """SHA-256 of a tensor's bytes in C order."""
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu()
    return hashlib.sha256(flat.numpy().data).hexdigest()
