"""Frozen weights written into a user's own model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from strongticket.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

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


def plain_name(name: str) -> str:
    """The name that a parameter, buffer or module has where no submodule is compiled."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names of the plain model and its parameters; a tied one comes once."""
    for name, parameter in plain(model).named_parameters():
        yield plain_name(name), parameter


def named_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Names of the plain model and its buffers; a tied one comes once."""
    return {plain_name(name): buffer for name, buffer in plain(model).named_buffers()}


def saved_buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that the model's ``state_dict()`` holds, not those it calls non-persistent."""
    stored = {plain_name(name) for name in plain(model).state_dict()}
    return {name: buffer for name, buffer in named_buffers(model).items() if name in stored}


def drawn_parameters(
    model: nn.Module, include: Sequence[str], exclude: Sequence[str]
) -> list[tuple[str, tuple[int, ...], bool]]:
    """(name, shape, masked) of every parameter with two or more dimensions.

    Raises InputError for a pattern that names nothing: a misspelt `exclude` would mask what it
    means to spare. Those of `exclude` may also name parameters that are never masked. Raises
    InputError for parameters that no law can fill: without a shape yet, empty, or not real.
    """
    for what, patterns in (("include", include), ("exclude", exclude)):
        if isinstance(patterns, str):
            raise InputError(f"{what} takes a sequence of patterns, got the string {patterns!r}")
    found, others = [], []
    for name, parameter in named_parameters(model):
        _check_drawable(name, parameter)
        if parameter.dim() < 2:
            others.append(name)
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
    drawn = [name for name, _, _ in found]
    for what, patterns, known in (
        ("include", include, drawn),
        ("exclude", exclude, drawn + others),
    ):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in known):
                raise InputError(
                    f"each pattern of {what} must match a parameter, {pattern!r} matches none of "
                    f"{', '.join(known)}"
                )
    return found


def _check_drawable(name: str, parameter: nn.Parameter) -> None:
    from torch.nn.parameter import is_lazy

    if is_lazy(parameter):
        raise InputError(f"{name} has no shape yet: run the model once on a batch, then sample it")
    if not parameter.dtype.is_floating_point or parameter.is_quantized:
        raise InputError(
            f"{name} is {parameter.dtype}: laws draw real weights of a float dtype; make the "
            "parameter real, or register it as a buffer, which a ticket stores"
        )
    if not parameter.numel():
        raise InputError(f"{name} of shape {tuple(parameter.shape)} is empty: remove it")


def write_frozen(network: Network, model: nn.Module) -> None:
    """Write a network's weights and constants into a model and freeze what is not masked.

    Parameters of fewer than two dimensions get their `constants`. Nothing is written where the
    model does not fit.
    """
    import torch

    from strongticket.networks._constants import constants

    drawn = {p.name: p for p in network.parameters}
    present = dict(named_parameters(model))
    for name, p in drawn.items():
        if name not in present or tuple(present[name].shape) != p.shape:
            came = tuple(present[name].shape) if name in present else "no such parameter"
            raise InputError(f"the model needs {name} of shape {p.shape}, got {came}")
    for name, parameter in present.items():
        if name not in drawn and parameter.dim() >= 2:
            raise InputError(f"the network knows no parameter {name} of the model")
    fixed = constants(model, drawn)
    with torch.no_grad():
        for name, parameter in present.items():
            if name in drawn:
                weights = torch.from_numpy(network.weights(name))
                parameter.copy_(weights.to(parameter.dtype))
            else:
                parameter.fill_(fixed[name])
            parameter.requires_grad_(name in drawn and drawn[name].masked)
