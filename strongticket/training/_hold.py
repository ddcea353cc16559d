"""Pruned weights stay zero, whoever trains."""

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
    write_each_step: bool = True,
) -> Iterator[None]:
    """Within the context, weights outside of `masks` are zero, also after ``optimizer.step()``.

    Weights are zeroed at once and after each step. Their gradients are zeroed before each step,
    so that no momentum gathers, and what the optimizer already holds of them (any state tensor
    of the parameter's shape) is zeroed too. Works with any ``torch.optim.Optimizer`` of the
    model's parameters; with a gradient scaler, and where gradients are clipped in between.

    An elementwise optimizer (SGD, Adam) leaves a weight at 0 whose gradient and momentum are 0:
    then ``write_each_step=False`` saves the writing after each step.

    Raises InputError for a mask that fits no parameter.
    """
    named = dict(named_parameters(model))
    pairs: list[tuple[nn.Parameter, Tensor]] = []
    for name, mask in masks.items():
        if name not in named or named[name].shape != mask.shape:
            came = tuple(named[name].shape) if name in named else "no such parameter"
            raise InputError(
                f"the model needs a parameter {name} of shape {tuple(mask.shape)}, got {came}"
            )
        parameter = named[name]
        pairs.append((parameter, mask.to(parameter.device, parameter.dtype)))

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
