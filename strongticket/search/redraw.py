"""Pruned weights drawn again: which ones, and what a later run makes of the record.

Round t redraws entry i of a parameter where word i of the stream ("redraw t", parameter name)
falls below the rate; its weight is then the law's function of word i of the stream
("weights round t", parameter name), keyed by the network's own seed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from strongticket.networks import Network
from strongticket.search import draws
from strongticket.search.written import Masked
from strongticket.tickets._reading import units_of_round


def again(
    network: Network,
    layer: Masked,
    mask: Tensor,
    rounds: Tensor,
    number: int,
    rate: float,
    seed: int,
) -> Masked:
    """Redraw entries outside `mask`, in place; `rounds` remembers the number of the round."""
    device = layer.frozen.device
    drawn = draws.words(seed, f"redraw {number}", layer.name, layer.frozen.numel(), device)
    chosen = draws.below(drawn, rate) & mask.reshape(-1).logical_not()
    _draw(network, layer, chosen, number)
    rounds.view(-1).masked_fill_(chosen, number)
    return layer.redrawn()


def restored(network: Network, layer: Masked, rounds: Tensor) -> Masked:
    """The layer with the frozen weights that a record of rounds describes, in place."""
    for number in np.unique(rounds.cpu().numpy()).tolist():
        _draw(network, layer, rounds.reshape(-1) == number, number)
    return layer.redrawn()


def _draw(network: Network, layer: Masked, chosen: Tensor, number: int) -> None:
    indices = chosen.nonzero().reshape(-1).cpu().numpy()
    units = units_of_round(network, layer.name, indices, number)
    layer.frozen[chosen] = torch.from_numpy(layer.law.weights_of(units)).to(layer.frozen)
    if layer.sizes is not None:
        layer.sizes[chosen] = torch.from_numpy(np.abs(units.astype(np.int64))).to(layer.sizes)
