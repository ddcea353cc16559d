"""Which parameters of a model are scored and pruned, and running a model on other tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks._sample import drawn_parameters, named_parameters, plain, plain_name


def chosen(
    model: nn.Module, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()
) -> dict[str, nn.Parameter]:
    """The parameters of two or more dimensions that `include` names and `exclude` does not.

    Shell patterns, each of which must match; InputError where nothing is left. Names are those
    of the plain model; a tied parameter comes once.
    """
    masked = {name for name, _, masked in drawn_parameters(model, include, exclude) if masked}
    return {name: p for name, p in named_parameters(model) if name in masked}


def fitting(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> dict[str, nn.Parameter]:
    """The parameters that `tensors` name, in that order; InputError where one does not fit."""
    present = dict(named_parameters(model))
    if not tensors:
        raise InputError(f"{what} must name one parameter or more, got none")
    for name, tensor in tensors.items():
        if name not in present or present[name].shape != tensor.shape:
            came = tuple(present[name].shape) if name in present else "no such parameter"
            raise InputError(
                f"{what} of {name} have shape {tuple(tensor.shape)}, the model has {came}"
            )
    return {name: present[name] for name in tensors}


def call(
    model: nn.Module, inputs: Any, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor]
) -> Tensor:
    """The model's output with other parameters and buffers; its own are neither read nor written.

    Names may be those of the plain model. Tied parameters stay tied.
    """
    inner = plain(model)
    raw = {plain_name(name): name for name, _ in inner.named_parameters()}
    raw |= {plain_name(name): name for name, _ in inner.named_buffers()}
    tensors = {raw[name]: tensor for name, tensor in {**parameters, **buffers}.items()}
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    out = torch.func.functional_call(inner, tensors, args)
    if not isinstance(out, Tensor):
        raise InputError(
            f"the model must give one tensor, got a {type(out).__name__}; wrap it in a module that "
            "returns the part that the loss takes"
        )
    return out


def copies(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Detached parameters, and buffers that a forward pass may write, by plain names."""
    parameters = {name: p.detach() for name, p in named_parameters(model)}
    buffers = {plain_name(n): b.detach().clone() for n, b in plain(model).named_buffers()}
    return parameters, buffers
