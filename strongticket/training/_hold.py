"""Pruned weights stay zero, or what they are set to, whoever trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks._sample import named_parameters


@contextlib.contextmanager
def hold(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    masks: Mapping[str, Tensor],
    *,
    values: Mapping[str, Tensor] | None = None,
    write_each_step: bool = True,
) -> Iterator[None]:
    """Within the context, weights outside of `masks` are zero, also after ``optimizer.step()``.

    Weights are zeroed at once and after each step. Their gradients are zeroed before each step,
    so that no momentum gathers, and what the optimizer already holds of them (any state tensor
    of the parameter's shape) is zeroed too. Works with any ``torch.optim.Optimizer`` of the
    model's parameters; with a gradient scaler, and where gradients are clipped in between.

    `values`, of the parameters' shapes, are what the weights outside of `masks` hold in place of
    zero; their entries inside of the masks are not used.

    An elementwise optimizer (SGD, Adam) leaves a weight at 0 whose gradient and momentum are 0:
    then ``write_each_step=False`` saves the writing after each step. With weight decay that holds
    of zeros only: `values` other than zero then need the writing.

    Raises InputError for a mask, or a value, that fits no parameter.
    """
    named = dict(named_parameters(model))
    pairs: list[tuple[nn.Parameter, Tensor]] = []
    held: dict[nn.Parameter, Tensor] = {}
    for name, mask in masks.items():
        if name not in named or named[name].shape != mask.shape:
            came = tuple(named[name].shape) if name in named else "no such parameter"
            raise InputError(
                f"the model needs a parameter {name} of shape {tuple(mask.shape)}, got {came}"
            )
        parameter = named[name]
        pairs.append((parameter, mask.to(parameter.device, parameter.dtype)))
        if values is not None:
            if name not in values or values[name].shape != mask.shape:
                came = tuple(values[name].shape) if name in values else "none of that name"
                raise InputError(
                    f"values must have {name} of shape {tuple(mask.shape)}, got {came}"
                )
            value = values[name].detach().to(parameter.device, parameter.dtype)
            held[parameter] = value.masked_fill(mask.to(parameter.device) != 0, 0)

    def zero_states() -> None:
        for parameter, mask in pairs:
            for value in optimizer.state.get(parameter, {}).values():
                if isinstance(value, Tensor) and value.shape == mask.shape:
                    value.masked_fill_(mask == 0, 0)

    def before(*_: Any) -> None:
        for parameter, mask in pairs:
            if parameter.grad is not None:
                parameter.grad.mul_(mask)

    @torch.no_grad()
    def after(*_: Any) -> None:
        for parameter, mask in pairs:
            parameter.mul_(mask)
            if parameter in held:
                parameter.add_(held[parameter])

    after()
    zero_states()
    handles = [optimizer.register_step_pre_hook(before)]
    if write_each_step:
        handles.append(optimizer.register_step_post_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
