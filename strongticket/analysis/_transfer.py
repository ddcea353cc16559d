"""A ticket's mask on another data set: as it is, with another head, or trained again.

Three questions, each one function over the caller's own `train` or `evaluate`:

* `evaluate_on`: what is the ticket worth there as it stands?
* `new_head`: what is its frozen body worth as features, under a new trained head?
* `carry_masks` with `strongticket.pruning.retrain`, or `retrain_ticket` with another `train`:
  does the mask make a ticket that trains well there? (Morcos, Yu, Paganini, Tian, "One ticket to
  win them all", NeurIPS 2019.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from strongticket.analysis._masks import Kept, arrays
from strongticket.analysis._retrain import as_module
from strongticket.errors import InputError
from strongticket.networks._sample import named_parameters, plain
from strongticket.tickets import Ticket


def evaluate_on(
    ticket: Ticket,
    evaluate: Mapping[str, Callable[[nn.Module], float]],
    *,
    model: nn.Module | None = None,
) -> dict[str, float]:
    """A ticket's value on several data sets, each by its own `evaluate`, by their names.

    Every evaluation gets a module of its own. `model`: as in `retrain_ticket`.
    """
    return {name: float(value(as_module(ticket, model))) for name, value in evaluate.items()}


@dataclass(frozen=True, eq=False)
class Carried:
    """Masks for another model, and which of its parameters they leave whole."""

    masks: dict[str, Tensor]
    whole: tuple[str, ...]


def carry_masks(kept: Kept, model: nn.Module, *, whole: Sequence[str] = ()) -> Carried:
    """Masks for a model that differs in some layers, as in its head.

    Args:
        kept: a ticket, a mask, or boolean arrays or tensors by parameter name.
        model: another model with the same names where it has the same layers.
        whole: shell patterns of parameters that keep all their weights; they may have other
            shapes. Every pattern must match, and every other mask must fit.
    """
    present = dict(named_parameters(model))
    masks = arrays(kept)
    for pattern in whole:
        if not any(fnmatchcase(name, pattern) for name in masks):
            raise InputError(f"{pattern!r} matches none of the masks {sorted(masks)}")
    found, spared = {}, []
    for name, bits in masks.items():
        if name not in present:
            raise InputError(f"the model has no parameter {name}; it has {sorted(present)}")
        parameter = present[name]
        if any(fnmatchcase(name, pattern) for pattern in whole):
            found[name] = torch.ones_like(parameter, dtype=torch.bool)
            spared.append(name)
        elif tuple(parameter.shape) != bits.shape:
            raise InputError(
                f"the mask of {name} has shape {bits.shape}, the model {tuple(parameter.shape)}; "
                f"whole=({name!r},) keeps all of it"
            )
        else:
            found[name] = torch.from_numpy(bits.copy()).to(parameter.device)
    return Carried(found, tuple(spared))


def new_head(
    ticket: Ticket, path: str, head: nn.Module, *, model: nn.Module | None = None
) -> nn.Module:
    """The frozen ticket with its submodule `path` replaced by a `head` that trains.

    ``new_head(ticket, "layers.2", nn.Linear(100, 5))``: all other parameters have requires_grad
    False; norms' running statistics still move in training mode. `model`: as in `retrain_ticket`.
    """
    module = plain(as_module(ticket, model))
    parent_path, _, leaf = path.rpartition(".")
    try:
        parent = module.get_submodule(parent_path)
        parent.get_submodule(leaf)
    except AttributeError as error:
        raise InputError(f"the model has no submodule {path!r}: {error}") from error
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    setattr(parent, leaf, head)
    for parameter in head.parameters():
        parameter.requires_grad_(True)
    return module
