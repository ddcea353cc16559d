r"""Powers of two by depth: B + 1 layers of random signs for one layer of B-bit weights.

Target layer: :math:`z_j = 2^{-f} \sum_k m_{jk} y_k` with :math:`|m_{jk}| < 2^B`. All random weights
are :math:`\pm 1`, those of a block's last layer :math:`\pm 2^{-f}`. Every value is carried by a
bundle of neurons that all hold the same number:

* source layer 1 reads the inputs: a neuron of bundle k (3 r of them) carries :math:`\sigma(y_k)`
  where its weight is +1 and :math:`\sigma(-y_k)` where it is -1;
* source layers 2, ..., B each have a bundle of r neurons for every *chain*, the value
  :math:`2^t \sigma(\pm y_k)`, which keeps two edges +1 from the chain below it and so doubles; and
  two bundles of r for every output, its positive and negative *account*, which keeps one edge +1
  from its own bundle below and one from each chain whose bit it needs;
* the last layer adds the positive account, subtracts the negative one, and takes the top bit
  straight from the chains.

All interior neurons are non-negative, so every ReLU between is the identity and all is exact. The
edges are chosen from the last layer backwards, so only what is read is kept; the first edge of
the right sign is taken, so that outputs share neurons.

Source: the gadget of Sreenivasan et al. 2022 (arXiv 2110.08996) as recalled; this layout and its
count are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._binary_mean import signs
from strongticket.construct._exact import unbiased
from strongticket.errors import ConstructionError, InputError
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """The layout of one target layer: its sizes, bits B, bundle r, groups (1, or 2 signs), f."""

    inputs: int
    outputs: int
    bits: int
    bundle: int
    groups: int
    shift: int

    @property
    def interior(self) -> tuple[int, ...]:
        """The widths of the layers between input and output: B of them."""
        rest = self.bundle * (self.groups * self.inputs + 2 * self.outputs)
        return (3 * self.bundle * self.inputs, *([rest] * (self.bits - 1)))

    def chain(self, level: int, k: Ints, group: Ints) -> Ints:
        """Neurons (..., bundle) of layer level + 1 that may carry 2^level relu(+-y_k)."""
        if level == 0:
            return k[..., None] * 3 * self.bundle + np.arange(3 * self.bundle)
        start = (group * self.inputs + k) * self.bundle
        found: Ints = start[..., None] + np.arange(self.bundle)
        return found

    def account(self, j: Ints, negative: Ints) -> Ints:
        """Neurons (..., bundle) of layers 2, ..., B that hold an account of output j."""
        start = self.bundle * (self.groups * self.inputs + negative * self.outputs + j)
        found: Ints = start[..., None] + np.arange(self.bundle)
        return found


def binary_doubling(network: Network, target: Target, blocks: tuple[Block, ...]) -> Ticket:
    """Prune a random network of signs until it is the target, rounded to the blocks' bits.

    `network` has the widths of the blocks, one after the other, and laws `SignedConstant`: scale 1,
    but 2^-f in the last layer of a block. The target has no biases. Raises ConstructionError where
    a bundle has no edge of the sign that is needed.
    """
    unbiased(target)
    signs(network)
    widths = [target.widths[0]]
    for block in blocks:
        widths += [*block.interior, block.outputs]
    architecture = network.architecture
    if not isinstance(architecture, MLP) or architecture.widths != tuple(widths):
        raise InputError(f"the blocks need a network of widths {widths}, got {architecture}")
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    first = 0
    for layer, block in enumerate(blocks):
        goals = rounded(target, layer, block)
        edges = _Edges(network, first, block)
        edges.build(goals)
        for t, chosen in enumerate(edges.kept):
            parameter = network[f"layers.{first + t}.weight"]
            flat = np.unique(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
            kept[parameter.name] = (parameter.shape, flat)
        first += block.bits + 1
    provenance: dict[str, Any] = {
        "construction": "powers of two by depth",
        "target": target.digest,
        "blocks": [block.bits + 1 for block in blocks],
        "bits": [block.bits for block in blocks],
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def rounded(target: Target, layer: int, block: Block) -> Ints:
    """The integers m nearest to 2^f W; InputError where one has more than B bits."""
    goals = np.rint(np.ldexp(target.weights[layer].astype(np.float64), block.shift))
    worst = float(np.abs(goals).max(initial=0.0))
    if worst >= 2.0**block.bits:
        raise InputError(
            f"layer {layer} has weights up to {worst:g} steps of 2^-{block.shift}, which need "
            f"{int(worst).bit_length()} bits; the block has {block.bits}"
        )
    return goals.astype(np.int64)


@dataclass
class _Edges:
    """The kept edges of one block, found from its last layer backwards."""

    network: Network
    first: int
    block: Block
    kept: list[list[Ints]] = field(default_factory=list)

    def build(self, goals: Ints) -> None:
        """Find all edges of the block."""
        block = self.block
        self.kept = [[] for _ in range(block.bits + 1)]
        j, k = (x.astype(np.int64) for x in np.nonzero(goals))
        m = goals[j, k]
        # (output, input, group, account, magnitude): a weight m adds to an account for each group
        terms = [
            (j, k, np.full(j.size, g), (m > 0) == (g == 1), np.abs(m)) for g in range(block.groups)
        ]
        jj, kk, gg, negative, size = (np.concatenate(x) for x in zip(*terms, strict=True))
        side = negative.astype(np.int64)
        top = block.bits - 1
        # the last layer: target neurons are the outputs themselves
        at = np.flatnonzero(size >> top & 1)
        chains = self._link(top + 1, jj[at], top, kk[at], gg[at], 1 - 2 * side[at])
        below = np.flatnonzero(size & ((1 << top) - 1))
        owed = np.unique(jj[below] * 2 + side[below])  # accounts that are not 0
        accounts = np.empty((0, 2), np.int64)  # (2 j + side, neuron), of layer t
        if owed.size:
            sources = block.account(owed // 2, owed % 2)
            sign = 1 - 2 * (owed % 2)
            accounts = np.column_stack([owed, self._one(top + 1, owed // 2, sources, sign)])
        for t in range(top, 0, -1):  # layer t + 1 of the block, whose accounts take bit t - 1
            chains_below = [self._double(t, chains)]
            number, copies = np.unique(accounts, axis=0).T if accounts.size else (jj[:0], jj[:0])
            # every needed copy of an account takes bit t - 1 from each input that has it
            at = np.flatnonzero(size >> (t - 1) & 1)
            order = np.argsort(jj[at] * 2 + side[at], kind="stable")
            at = at[order]
            keys = jj[at] * 2 + side[at]
            low, high = np.searchsorted(keys, number), np.searchsorted(keys, number, "right")
            copy = np.repeat(copies, high - low)
            start = np.repeat(low - np.concatenate([[0], np.cumsum(high - low)[:-1]]), high - low)
            member = at[np.arange(copy.size) + start] if copy.size else at[:0]
            plus = np.ones(member.size, np.int64)
            chains_below.append(self._link(t, copy, t - 1, kk[member], gg[member], plus))
            smaller = np.flatnonzero(size & ((1 << (t - 1)) - 1))
            owed = np.unique(jj[smaller] * 2 + side[smaller])
            carried = np.isin(number, owed)
            sources = block.account(number[carried] // 2, number[carried] % 2)
            ones = np.ones(int(carried.sum()), np.int64)
            found = self._one(t, copies[carried], sources, ones)
            accounts = np.column_stack([number[carried], found])
            chains = np.unique(np.concatenate(chains_below), axis=0)
        self._read(chains)

    def _units(self, layer: int, rows: Ints, sources: Ints) -> tuple[Ints, Ints]:
        """(flat indices, signs) of the edges from `sources` (n, s) to neurons `rows` (n,)."""
        name = f"layers.{self.first + layer}.weight"
        flat = rows[:, None] * self.network[name].shape[1] + sources
        return flat, self.network.units_at(name, flat).astype(np.int64)

    def _first(self, layer: int, flat: Ints, good: NDArray[np.bool_], times: int) -> Ints:
        """Keep the first `times` good edges of every row; the columns that they are in."""
        number = np.cumsum(good, axis=1)
        if (number[:, -1] < times).any():
            raise ConstructionError(
                f"a bundle before source layer {self.first + layer} has fewer than {times} live "
                "edges of the sign that is needed: draw another network, or wider bundles "
                "(theorem.network)"
            )
        chosen = good & (number <= times)
        self.kept[layer].append(flat[chosen])
        return np.nonzero(chosen)[1].reshape(-1, times)

    def _one(self, layer: int, rows: Ints, sources: Ints, sign: Ints) -> Ints:
        """One edge of the given sign from each bundle; the neurons that it comes from."""
        if not rows.size:
            return rows
        flat, units = self._units(layer, rows, sources)
        column = self._first(layer, flat, units == sign[:, None], 1)
        return np.take_along_axis(sources, column, 1)[:, 0]

    def _link(
        self, layer: int, rows: Ints, level: int, k: Ints, group: Ints, sign: Ints, times: int = 1
    ) -> Ints:
        """`times` edges from live neurons of chain (k, group): rows (k, group, neuron) of these."""
        if not rows.size:
            return np.empty((0, 3), np.int64)
        sources = self.block.chain(level, k, group)
        flat, units = self._units(layer, rows, sources)
        good = units == sign[:, None]
        if level == 0:  # live where the neuron's own weight has the sign of the group
            index = sources * self.block.inputs + k[:, None]
            own = self.network.units_at(f"layers.{self.first}.weight", index)
            good &= own == 1 - 2 * group[:, None]
        column = self._first(layer, flat, good, times)
        neurons = np.take_along_axis(sources, column, 1)
        return np.column_stack([np.repeat(k, times), np.repeat(group, times), neurons.reshape(-1)])

    def _double(self, level: int, chains: Ints) -> Ints:
        """Two edges +1 into every needed chain neuron of `level`, from the level below."""
        k, group, neuron = np.unique(chains, axis=0).T
        plus = np.ones(k.size, np.int64)
        return self._link(level, neuron, level - 1, k, group, plus, times=2)

    def _read(self, chains: Ints) -> None:
        """The first layer: one edge from its input to every neuron that is read."""
        k, _, neuron = np.unique(chains, axis=0).T
        self.kept[0].append(neuron * self.block.inputs + k)
