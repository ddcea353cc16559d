"""Parameters that are no random weights: the constants that a sampled model holds there."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from strongticket.errors import InputError
from strongticket.networks._sample import named_parameters, plain, plain_name

if TYPE_CHECKING:
    from torch import nn


def constants(model: nn.Module, drawn: Container[str]) -> dict[str, float]:
    """The constant of each parameter of `model` that is not `drawn`, by name.

    A bias (its name holds "bias", or is "beta") is 0. "weight", "gamma" or "scale" of a norm is
    1: of a module one of whose classes, bases included, has "Norm" in its name. The slope of a
    PReLU is its `init`. Raises InputError naming all others: a ticket stores no weight, so it
    could not make them again.
    """
    owners = {plain_name(name): module for name, module in plain(model).named_modules()}
    found, foreign = {}, []
    for name, _ in named_parameters(model):
        if name in drawn:
            continue
        prefix, _, leaf = name.rpartition(".")
        value = _constant(owners[prefix], leaf)
        if value is None:
            foreign.append(f"{name} (of a {type(owners[prefix]).__name__})")
        else:
            found[name] = value
    if foreign:
        raise InputError(
            f"parameters of fewer than two dimensions must be biases, weights of norms or slopes "
            f"of PReLU, whose constants are known; got {', '.join(foreign)}: no seed makes those "
            "again, so register each as a buffer, which a ticket stores, or leave it out"
        )
    return found


def _constant(owner: nn.Module, leaf: str) -> float | None:
    from torch import nn

    if "bias" in leaf or leaf == "beta":
        return 0.0
    if isinstance(owner, nn.PReLU):
        return float(owner.init)
    norm = any("Norm" in kind.__name__ for kind in type(owner).__mro__)
    return 1.0 if norm and leaf in ("weight", "gamma", "scale") else None
