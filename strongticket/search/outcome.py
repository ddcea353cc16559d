"""What a search ends in: a ticket from gates, and a warning where a layer keeps nothing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from strongticket.networks import Network
from strongticket.search import buffers
from strongticket.search.report import CollapseWarning, report
from strongticket.tickets import Mask, Reading, Ticket
from strongticket.tickets._reading import Gain


def ticket(
    network: Network,
    model: nn.Module,
    gates: Mapping[str, Tensor],
    rounds: Mapping[str, Tensor],
    gain: Gain,
    provenance: Mapping[str, Any],
) -> Ticket:
    """The ticket of gates in the shapes of the parameters, bool or int8, with `model`'s buffers.

    Warns with CollapseWarning, at the caller of the caller, if a layer keeps nothing.
    """
    found = {name: gate != 0 for name, gate in gates.items()}
    collapsed = report(found).collapsed
    if collapsed:
        warnings.warn(
            f"the mask keeps nothing of {', '.join(collapsed)}; raise density, or use "
            "scope='layer'",
            CollapseWarning,
            stacklevel=3,
        )
    dense = Mask.dense({name: mask.cpu().numpy() for name, mask in found.items()})
    drawn = {name: numbers[found[name]].cpu().numpy() for name, numbers in rounds.items()}
    multiples = {
        name: gate[found[name]].cpu().numpy()
        for name, gate in gates.items()
        if gate.dtype != torch.bool
    }
    reading = Reading(drawn, multiples, gain)
    return Ticket(network, dense, buffers.arrays(model), provenance, reading)
