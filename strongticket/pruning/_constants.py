"""What layers make of channels that are constant, in float64; NaN for those that are not."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn


def zeros_only(constant: Tensor) -> Tensor:
    """The constants of a sum with padding: 0 stays, others are no longer constant."""
    return torch.where(constant == 0, constant, float("nan"))


def apply(module: nn.Module, constant: Tensor) -> Tensor:
    """An elementwise module, as a copy in float64, on the constants; what is unknown stays so."""
    with torch.no_grad():
        return _keep_unknown(constant, copy.deepcopy(module).cpu().double()(constant.clone()))


def call(node: fx.Node, constant: Tensor) -> Tensor:
    """A traced function or method of one tensor on the constants; what is unknown stays so."""
    rest, options = node.args[1:], {k: v for k, v in node.kwargs.items() if k != "inplace"}
    with torch.no_grad():
        if node.op == "call_method":
            found = getattr(constant.clone(), str(node.target))(*rest, **options)
        else:
            assert callable(node.target)
            found = node.target(constant.clone(), *rest, **options)
    return _keep_unknown(constant, found)


def _keep_unknown(before: Tensor, after: Tensor) -> Tensor:
    return torch.where(before.isnan(), float("nan"), after.double())


def channelwise(module: Any, constant: Tensor) -> Tensor:
    """A norm in evaluation mode, or a PReLU of a slope a channel, on the constants."""

    def wide(tensor: Tensor | None, otherwise: float) -> Tensor:
        if tensor is None:
            return torch.full_like(constant, otherwise)
        return tensor.detach().double().cpu()

    if isinstance(module, nn.PReLU):
        return torch.where(constant > 0, constant, constant * wide(module.weight, 1))
    if module.running_mean is None:
        return torch.full_like(constant, float("nan"))  # of the batch: left alone
    scale, shift = wide(module.weight, 1), wide(module.bias, 0)
    spread = (wide(module.running_var, 1) + module.eps).sqrt()
    found = (constant - wide(module.running_mean, 0)) / spread * scale + shift
    return torch.where(scale == 0, shift, found)  # a scale of 0 makes any channel constant
