"""Frozen weights written into a user's own model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from strongticket.errors import InputError

if TYPE_CHECKING:
    from torch import nn

    from strongticket.networks._network import Network


def plain(model: nn.Module) -> nn.Module:
    """The model inside the wrappers of ``torch.compile`` and DDP."""
    import torch

    while True:
        if isinstance(inner := getattr(model, "_orig_mod", None), torch.nn.Module):
            model = inner
        elif isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            model = model.module
        else:
            return model


def named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names of the plain model and its parameters; a tied one comes once."""
    yield from plain(model).named_parameters()


def drawn_parameters(
    model: nn.Module, include: Sequence[str], exclude: Sequence[str]
) -> list[tuple[str, tuple[int, ...], bool]]:
    """(name, shape, masked) of every parameter with two or more dimensions."""
    for what, patterns in (("include", include), ("exclude", exclude)):
        if isinstance(patterns, str):
            raise InputError(f"{what} takes a sequence of patterns, got the string {patterns!r}")
    found = []
    for name, parameter in named_parameters(model):
        if parameter.dim() < 2:
            continue
        masked = any(fnmatchcase(name, p) for p in include)
        masked = masked and not any(fnmatchcase(name, p) for p in exclude)
        found.append((name, tuple(parameter.shape), masked))
    if not any(masked for _, _, masked in found):
        names = ", ".join(name for name, _, _ in found) or "none of two or more dimensions"
        raise InputError(
            f"include={tuple(include)} and exclude={tuple(exclude)} leave no parameter to mask; "
            f"the model's parameters: {names}"
        )
    return found


def write_frozen(network: Network, model: nn.Module) -> None:
    """Write a network's weights and constants into a model and freeze what is not masked.

    One-dimensional parameters are no random weights: a bias becomes 0, any other (the weight of
    a norm) 1.
    """
    import torch

    drawn = {p.name: p for p in network.parameters}
    present = dict(named_parameters(model))
    for name, p in drawn.items():
        if name not in present or tuple(present[name].shape) != p.shape:
            came = tuple(present[name].shape) if name in present else "no such parameter"
            raise InputError(f"the model needs {name} of shape {p.shape}, got {came}")
    for name, parameter in present.items():
        if name not in drawn and parameter.dim() >= 2:
            raise InputError(f"the network knows no parameter {name} of the model")
    with torch.no_grad():
        for name, parameter in present.items():
            if name in drawn:
                weights = torch.from_numpy(network.weights(name))
                parameter.copy_(weights.to(parameter.dtype))
            else:
                parameter.fill_(0.0 if "bias" in name.rpartition(".")[2] else 1.0)
            parameter.requires_grad_(name in drawn and drawn[name].masked)
