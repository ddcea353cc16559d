"""What constructions of depth 2L share beside the pool: goals on the grid, and the whole ticket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.construct._pool import Pool
from strongticket.construct._two_layer import LayerAccuracy, _Layer
from strongticket.errors import ConstructionError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]
CHUNK = 1 << 21  # products held at once: 16 MB


@dataclass(frozen=True)
class Goals:
    """One target layer on the grid of products, its bias as a last column.

    `goals` (d_out, blocks) in grid steps, `limits` (blocks,) the largest error in steps, `values`
    the numbers themselves.
    """

    layer: int
    pool: Pool
    goals: Ints
    limits: Ints
    values: NDArray[np.float64]

    @classmethod
    def of(cls, network: Network, target: Target, layer: int, accuracy: LayerAccuracy) -> Goals:
        """Goals and limits as `two_layer` has them, for the pool of one target layer."""
        pool = Pool(network, layer, target.biases[layer] is not None)
        made = _Layer(pool, target, layer, accuracy, subsetsum.best, None)
        return cls(layer, pool, made.goals, made.limits, made.values)

    def rows(self, sign: int, width: int) -> Iterator[tuple[Ints, Ints]]:
        """(outputs, blocks) of all weights of one sign group, `width` candidates each, in parts.

        A bias is served by the positive group alone.
        """
        blocks = self.pool.blocks if sign > 0 else self.pool.inputs
        rows, columns = np.divmod(np.arange(self.pool.outputs * blocks), blocks)
        size = max(1, CHUNK // max(1, width))
        for low in range(0, rows.size, size):
            yield rows[low : low + size], columns[low : low + size]

    def fail(self, rows: Ints, blocks: Ints, errors: Ints, why: str) -> None:
        """Raise for the weights that missed; the worst is named."""
        worst = int(np.argmax(errors))
        row, block = int(rows[worst]), int(blocks[worst])
        what = f"bias {row}" if block == self.pool.inputs else f"weight ({row}, {block})"
        unit = 2.0**self.pool.exponent
        raise ConstructionError(
            f"{rows.size} weight(s) of layer {self.layer} missed their accuracy {why}. The worst "
            f"is {what} = {self.values[row, block]:.9g}: wanted within "
            f"{self.limits[block] * unit:.3g}, reached {errors[worst] * unit:.3g}. Use a wider "
            "network (the theorem's width), a larger epsilon, or strict=False and let the "
            "certificate judge."
        )


@dataclass(frozen=True)
class Built:
    """One target layer in the random network: live hidden neurons and kept outgoing edges.

    `edges` are flat indices of the second sub-layer, `live` hidden neurons that keep their one
    input (or, in the last block, their own bias), both strictly increasing.
    """

    pool: Pool
    edges: Ints
    live: Ints
    report: dict[str, Any]


def assemble(network: Network, target: Target, built: list[Built], name: str) -> Ticket:
    """The ticket of all layers; its provenance counts pools, live neurons and kept weights."""
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    reports = []
    for part in built:
        pool, hidden = part.pool, part.live
        block = hidden // pool.size
        own = block == pool.inputs
        kept[pool.second] = ((pool.outputs, pool.hidden), part.edges)
        kept[pool.first] = (
            (pool.hidden, pool.inputs),
            hidden[~own] * pool.inputs + block[~own],
        )
        if pool.bias in network.masked:
            kept[pool.bias] = ((pool.hidden,), hidden[own])
        count = int(part.edges.size + hidden.size)
        shape = {"pool": pool.size, "live_neurons": int(hidden.size), "kept": count}
        reports.append({**shape, **part.report})
    for parameter in network.masked:  # biases of even sub-layers: all pruned
        kept.setdefault(parameter, (network[parameter].shape, np.empty(0, np.int64)))
    provenance = {"construction": name, "target": target.digest, "layers": reports}
    return Ticket(network, Mask.sparse(kept), provenance=provenance)
