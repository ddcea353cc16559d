r"""The forms that neurons inside a block are, in exact integers: see `_collapse`.

The coefficients of a form are those of :math:`(y^+_0, \dots, y^+_{n-1}, y^-_0, \dots, y^-_{n-1},
1)`, numbered in this order; the middle part only where inputs may be negative. Most neurons of a
deep block have few, so only those that are not 0 are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
Whole = NDArray[Any]  # int64, or Python integers where 63 bits are not enough
_LARGEST = 1 << 27  # coefficients of one layer
_MOST = 1 << 31  # products that they are sums of
_CHUNK = 1 << 22  # of both, made at once


@dataclass(frozen=True)
class Forms:
    """The forms of a layer's live neurons `live`, out of `width`; those of all others are 0.

    The coefficients `keys[ends[i] : ends[i + 1]]` of live neuron i, in increasing order, are
    `values` times 2^`exponent`, never 0.
    """

    live: Ints
    ends: Ints
    keys: Ints
    values: Whole
    width: int
    reads: int
    signed: bool
    exponent: int

    @classmethod
    def inputs(cls, reads: int, *, signed: bool) -> Forms:
        """The forms y_k = y_k^+ - y_k^-, or y_k^+ where no input is negative."""
        each = np.arange(reads)
        keys = np.stack([each, reads + each], 1).ravel() if signed else each
        values = np.tile([1, -1], reads) if signed else np.ones(reads, np.int64)
        ends = np.arange(reads + 1) * (1 + signed)
        return cls(each, ends, keys, values, reads, reads, signed, 0)

    @property
    def size(self) -> int:
        """Coefficients that a form may have; the last is the constant's."""
        return self.reads * (1 + self.signed) + 1

    def through(self, ticket: Ticket, layer: int) -> Forms:
        """The forms behind the kept weights and biases of a layer, before any ReLU."""
        network, mask = ticket.network, ticket.mask
        name, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        flat = mask[name].indices()
        units = network.units_at(name, flat).astype(np.int64)
        rows, sources = np.divmod(flat, self.width)
        own = mask[bias].indices() if bias in mask else np.empty(0, np.int64)
        live = np.union1d(rows, own)
        fed = np.isin(sources, self.live)  # all others read a neuron that is 0
        rows, units = np.searchsorted(live, rows[fed]), units[fed]
        slots = np.searchsorted(self.live, sources[fed])
        exponent = self.exponent + exponent_of(network, name)
        grid = exponent_of(network, bias) if own.size else exponent
        constants = network.units_at(bias, own).astype(np.int64) if own.size else own
        terms = int(np.bincount(rows).max(initial=0))
        most = (terms * _size(units) * _size(self.values)) << max(exponent - grid, 0)
        most += _size(constants) << max(grid - exponent, 0)
        kind = np.int64 if most < 1 << 62 else object
        values = self.values.astype(kind)
        units = units.astype(kind) << max(exponent - grid, 0)
        constants = constants.astype(kind) << max(grid - exponent, 0)

        lengths = np.diff(self.ends)[slots]
        found = []
        for first, last in _chunks(rows, lengths, live.size, self.size):
            a, b = np.searchsorted(rows, [first, last])
            at, edge = _spread(self.ends[slots[a:b]], lengths[a:b])
            total = np.zeros((last - first) * self.size, kind)
            place = (rows[a:b][edge] - first) * self.size + self.keys[at]
            np.add.at(total, place, units[a:b][edge] * values[at])
            neurons = np.searchsorted(live, own) - first
            inside = (neurons >= 0) & (neurons < last - first)
            np.add.at(total, neurons[inside] * self.size + self.size - 1, constants[inside])
            there = np.flatnonzero(total)
            found.append((there // self.size + first, there % self.size, total[there]))
            if sum(len(keys) for _, keys, _ in found) > _LARGEST or lengths.sum() > _MOST:
                raise InputError(
                    f"{live.size:,} live neurons of layers.{layer} in a block of {self.reads:,} "
                    "inputs are more than collapsing makes at once, unless the block has two "
                    "layers and each neuron inside that is read keeps one input"
                )
        none = np.empty(0, np.int64)
        at, keys, values = (np.concatenate([none, *(part[k] for part in found)]) for k in range(3))
        ends = np.searchsorted(at, np.arange(live.size + 1)).astype(np.int64)
        exponent, width = min(exponent, grid), network[name].shape[0]
        return Forms(live, ends, keys, values, width, self.reads, self.signed, exponent)

    def rectified(self, name: str) -> Forms:
        """The forms behind the ReLU; InputError for a neuron of which that is not a form."""
        counts = np.diff(self.ends)
        rows = np.repeat(np.arange(self.live.size), counts)
        inputs = np.where(self.keys == self.size - 1, self.reads, self.keys % max(self.reads, 1))
        other = inputs != inputs[np.repeat(self.ends[:-1], counts)]  # than the row's first
        up = self.values > 0
        several, above, below = (
            np.bincount(rows[which], minlength=self.live.size) > 0 for which in (other, up, ~up)
        )
        mixed = several & above & below
        if mixed.any():
            row = int(np.flatnonzero(mixed)[0])
            read = np.unique(inputs[self.ends[row] : self.ends[row + 1]]).size
            raise InputError(
                f"hidden neuron {int(self.live[row])} of {name} keeps "
                f"{'two inputs' if read == 2 else 'inputs'} that pull it to both sides of 0; "
                "inside a block every hidden neuron keeps one input at the most, or a sum that "
                "is sure of its sign"
            )
        ends = np.concatenate([[0], np.cumsum(up)])[self.ends]
        return replace(self, ends=ends, keys=self.keys[up], values=self.values[up])

    def dense(self) -> tuple[Whole, Whole, Whole]:
        """W+ (width, reads), W- (width, reads) and the bias (width,) of all neurons."""
        n = self.reads
        whole = np.zeros((self.width, self.size), self.values.dtype)
        whole[np.repeat(self.live, np.diff(self.ends)), self.keys] = self.values
        minus = -whole[:, n:-1] if self.signed else np.zeros_like(whole[:, :n])
        return whole[:, :n], minus, whole[:, -1]


def exponent_of(network: Network, name: str) -> int:
    """The e with weight = unit * 2^e; InputError where the law's scale is no power of two."""
    exponent = network[name].law.exponent
    if exponent is None:
        raise InputError(
            f"the law of {name} needs a power-of-two scale, so that its weights lie on one grid; "
            f"got {network[name].law}"
        )
    return exponent


def _size(array: Whole) -> int:
    return max(int(array.max(initial=0)), -int(array.min(initial=0)))


def _spread(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """starts[i], starts[i] + 1, ..., lengths[i] of them, for every i; and which i each is of."""
    which = np.repeat(np.arange(len(lengths)), lengths)
    before = np.cumsum(lengths) - lengths
    return starts[which] + np.arange(len(which)) - before[which], which


def _chunks(rows: Ints, lengths: Ints, count: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows of at most _CHUNK products and _CHUNK sums, one row at the least."""
    products = np.cumsum(np.bincount(rows, lengths, minlength=count)).astype(np.int64)
    first = 0
    while first < count:
        done = int(products[first - 1]) if first else 0
        last = int(np.searchsorted(products, done + _CHUNK, side="right"))
        last = min(max(last, first + 1), first + max(_CHUNK // size, 1), count)
        yield first, last
        first = last
