"""Training a ticket's kept weights from the values that it starts with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.networks._sample import named_parameters
from strongticket.pruning import Lottery, Round, retrain, state_of
from strongticket.pruning.iterative import Train
from strongticket.tickets import Ticket

H = TypeVar("H")


@dataclass(frozen=True, eq=False)
class Retrained(Generic[H]):
    """The trained module, and what the training gave."""

    model: nn.Module
    history: H


def retrain_ticket(
    ticket: Ticket,
    train: Train[H],
    *,
    model: nn.Module | None = None,
    start: int = 0,
    stop: int | None = None,
    constants: bool = False,
) -> Retrained[H]:
    """Train the kept weights of a strong ticket, from their frozen values.

    The weak ticket that the strong one is: same mask, same initial weights (what the ticket's
    reading does to them is done), now trained. Pruned weights stay zero.

    Args:
        ticket: a mask over frozen weights.
        train: a `strongticket.training.Trainer`, or any `strongticket.pruning.iterative.Train`.
        model: a module of the ticket's architecture where strongticket cannot build it; it is
            copied, never written.
        start: first iteration of the schedule.
        stop: the iteration before which training ends; None: the schedule's end.
        constants: also train what masks do not prune: biases, norms, unmasked weights.
    """
    module = as_module(ticket, model)
    for name, parameter in named_parameters(module):
        parameter.requires_grad_(constants or name in ticket.mask)
    history = retrain(module, state_of(module), tensors(ticket), train, start=start, stop=stop)
    return Retrained(module, history)


def retrain_round(
    lottery: Lottery[H], which: Round[H], model: nn.Module, train: Train[H]
) -> Retrained[H]:
    """Train a lottery's round once more from the state that its rounds go back to.

    With another `train` (data order, data set, recipe): how much of the round is its mask. `model`
    is copied; it needs the lottery's architecture.
    """
    module = copy.deepcopy(model)
    history = retrain(module, lottery.rewound, which.masks, train, start=lottery.rewind)
    return Retrained(module, history)


def as_module(ticket: Ticket, model: nn.Module | None = None) -> nn.Module:
    """The pruned network: built, or a filled copy of `model`."""
    if model is not None:
        return ticket.into(copy.deepcopy(model))
    if isinstance(ticket.network.architecture, MLP):
        return ticket.module()
    raise InputError("a ticket of your own model needs model=, a module of its architecture")


def tensors(ticket: Ticket) -> dict[str, Tensor]:
    """The ticket's masks as bool tensors."""
    return {n: torch.from_numpy(entries.dense().copy()) for n, entries in ticket.mask.items()}
