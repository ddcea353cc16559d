"""Which layers of a ticket's network realise which layer of its target, read from provenance."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.activations import RELU
from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Structure:
    """Blocks of layers, and what the neurons between two blocks stand for.

    Target layer i is layers `starts[i]`, ..., `starts[i + 1] - 1` of the network. `copies[i]` are
    the target neurons that the outputs of block i stand for, or None where each stands for that of
    its own number.
    """

    blocks: tuple[int, ...]
    copies: tuple[Ints | None, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """The first layer of every block, and the network's depth behind them."""
        return tuple(itertools.accumulate(self.blocks, initial=0))


def structure(ticket: Ticket) -> Structure:
    """The structure that a ticket's provenance states (see `collapse`); InputError where none."""
    architecture = ticket.network.architecture
    if not isinstance(architecture, MLP):
        raise InputError(f"certificates are for tickets of a Network.mlp; got {architecture}")
    if not ticket.reading.plain:
        raise InputError(
            "certificates are for plain tickets, whose kept weights stay as they were drawn; this "
            "ticket's are redrawn, multiplied or made binary"
        )
    if architecture.activation != RELU:
        raise InputError(
            f"a block of layers has effective weights where the activation is ReLU; this ticket's "
            f"network has {architecture.activation}"
        )
    depth = architecture.depth
    stated = ticket.provenance.get("blocks")
    if stated is None and depth % 2:
        raise InputError(
            "a ticket whose provenance states no blocks has two layers for one, so its network "
            f"has even depth; got depth {depth}: state provenance['blocks'] = [b_1, ..., b_L]"
        )
    blocks = [2] * (depth // 2) if stated is None else stated
    if not (isinstance(blocks, list) and blocks and all(_whole(b, 1) for b in blocks)):
        raise InputError(f"provenance['blocks'] must be a list of integers >= 1, got {stated!r}")
    if sum(blocks) != depth:
        raise InputError(
            f"provenance['blocks'] = {blocks} adds up to {sum(blocks)}, the network has depth "
            f"{depth}"
        )
    boundaries = [architecture.widths[s] for s in itertools.accumulate(blocks)]
    return Structure(tuple(blocks), read_copies(ticket.provenance.get("copies"), boundaries))


def read_copies(stated: Any, widths: list[int]) -> tuple[Ints | None, ...]:
    """One entry a block, the last None: the target's outputs are never copied."""
    if stated is None:
        return (None,) * len(widths)
    if not isinstance(stated, list) or len(stated) != len(widths) - 1:
        raise InputError(
            f"provenance['copies'] must be a list of {len(widths) - 1}, one entry for each hidden "
            f"layer of the target; got {stated!r:.80}"
        )
    return (*(_one(i, c, w) for i, (c, w) in enumerate(zip(stated, widths, strict=False))), None)


def _one(layer: int, stated: Any, width: int) -> Ints | None:
    if stated is None:
        return None
    runs: list[Any] = stated if isinstance(stated, list) else [None]
    if not all(isinstance(r, list) and len(r) == 2 and all(_whole(n, 0) for n in r) for r in runs):
        raise InputError(
            f"provenance['copies'][{layer}] must be run lengths [[target neuron, count], ...] of "
            f"integers >= 0, got {stated!r:.80}"
        )
    if sum(count for _, count in runs) != width:
        raise InputError(
            f"provenance['copies'][{layer}] says what {sum(c for _, c in runs)} neurons stand for; "
            f"the network has {width} there"
        )
    return np.repeat(*(np.array([r[k] for r in runs], np.int64) for k in (0, 1)))


def _whole(value: Any, least: int) -> bool:
    return type(value) is int and least <= value < 1 << 31
