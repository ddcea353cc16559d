"""States of a model, copied and written back, and pruned weights at zero."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks._sample import plain, plain_name
from strongticket.pruning._chosen import fitting

Masks = Mapping[str, Tensor]
State = Mapping[str, Tensor]


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers that the model saves, by plain names."""
    held = plain(model).state_dict()
    return {plain_name(name): value.detach().clone() for name, value in held.items()}


def load_state(model: nn.Module, state: State) -> None:
    """Write such a copy back; names and shapes must be the model's."""
    inner = plain(model)
    own = {plain_name(name): name for name in inner.state_dict()}
    try:
        inner.load_state_dict({own.get(name, name): value for name, value in state.items()})
    except RuntimeError as error:
        raise InputError(f"the state is not one of this model: {error}") from error


def zero(model: nn.Module, masks: Masks) -> None:
    """Write zero wherever nothing is kept."""
    with torch.no_grad():
        for name, parameter in fitting(model, masks, "masks").items():
            parameter.masked_fill_(~masks[name].to(parameter.device), 0)


def check_zero(model: nn.Module, masks: Masks) -> None:
    """Raise InputError, naming the parameter, if a pruned weight is not zero."""
    for name, parameter in fitting(model, masks, "masks").items():
        wrong = int(parameter.detach()[~masks[name].to(parameter.device)].count_nonzero())
        if wrong:
            raise InputError(
                f"training must leave pruned weights at zero, {name} has {wrong} that are not; "
                "train within strongticket.training.hold(model, optimizer, masks)"
            )
