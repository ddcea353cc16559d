"""Pruning functions in one form, and adapters for those that prune a torch module in place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.testing import oracles

if TYPE_CHECKING:
    from torch import nn

Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Pruned:
    """What a pruner gives where masks alone do not say all.

    Attributes:
        masks: parameter name -> kept entries: bool or 0/1, NumPy or torch, or a ticket's `Mask`.
        weights: the pruned weights, where the pruner writes some; None where it only chooses.
        forward: (batch, d_0) -> (batch, d_L) of the pruned network in float64, where there is one.
    """

    masks: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]] | None = None
    forward: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None


Pruner = Callable[..., "Mapping[str, Any] | Pruned"]
"""prune(weights, density), or prune(weights, density, seed): weights are name -> float32 array."""


def takes_seed(prune: Pruner) -> bool:
    """Whether a pruner has an argument `seed`."""
    try:
        return "seed" in inspect.signature(prune).parameters
    except (TypeError, ValueError):
        return False


def pruner_from_module(prune: Callable[[nn.Module, float], object]) -> Pruner:
    """The pruner of a function that prunes a torch module in place, or returns another module.

    For every check the frozen weights go into an ``nn.Sequential`` of Linear and ReLU layers
    without biases, and ``prune(model, density)`` is called with torch's random numbers seeded.
    The mask is a layer's ``weight_mask``, as ``torch.nn.utils.prune`` leaves it, or else where its
    ``weight`` is not zero (no frozen weight is).

    Args:
        prune: (model, density) -> anything; a returned module is taken for the pruned one.
    """

    def pruner(weights: Weights, density: float, seed: int) -> Pruned:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            given = _model(weights)
            returned = prune(given, density)
        model = returned if isinstance(returned, torch.nn.Module) else given
        layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
        if len(layers) != len(weights):
            raise InputError(
                f"the pruned module must have the {len(weights)} Linear layers that it was given, "
                f"got {len(layers)}"
            )
        masks, effective = {}, {}
        for name, layer in zip(weights, layers, strict=True):
            effective[name] = layer.weight.detach().cpu().numpy().copy()
            masks[name] = effective[name] != 0
            stated = getattr(layer, "weight_mask", None)
            if stated is not None:
                masks[name] = stated.detach().cpu().numpy()

        def forward(x: NDArray[np.float64]) -> NDArray[np.float64]:
            with torch.no_grad():
                out: NDArray[np.float64] = model.double()(torch.from_numpy(x)).numpy()
            return out

        return Pruned(masks, effective, forward)

    return pruner


def torch_pruner(method: Callable[..., Any], **options: Any) -> Pruner:
    """The pruner of a function of ``torch.nn.utils.prune``, by its own name and options.

    The counts are those of `Claims`' default rule, handed to torch as integers: density * n
    rounded half up, of every layer's weights; of its rows where the function has an argument
    ``dim`` (give ``dim=0``: neurons); of all weights where it has an argument ``parameters``.

    Args:
        method: for example ``prune.l1_unstructured`` or ``prune.global_unstructured``.
        options: what it needs besides module, name and amount, such as ``n=2, dim=0``.
    """
    known = inspect.signature(method).parameters
    if "amount" not in known and "parameters" not in known:
        raise InputError(f"torch_pruner needs a function of torch.nn.utils.prune, got {method!r}")

    def prune(model: nn.Module, density: float) -> None:
        import torch

        layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
        if "parameters" in known:
            total = sum(layer.weight.numel() for layer in layers)
            amount = total - oracles.keep_count(density, total)
            method([(layer, "weight") for layer in layers], amount=amount, **options)
            return
        for layer in layers:
            shape = layer.weight.shape
            total = shape[options.get("dim", 0)] if "dim" in known else layer.weight.numel()
            method(layer, "weight", amount=total - oracles.keep_count(density, total), **options)

    return pruner_from_module(prune)


def _model(weights: Weights) -> nn.Sequential:
    import torch

    modules: list[nn.Module] = []
    for weight in weights.values():
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
        modules += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])
