r"""The forms that neurons inside a block are, in exact integers: see `_collapse`.

A row of coefficients is that of :math:`(y^+_0, \dots, y^+_{n-1}, y^-_0, \dots, y^-_{n-1}, 1)`,
the middle part only where inputs may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
Whole = NDArray[Any]  # int64, or Python integers where 63 bits are not enough
_LARGEST = 1 << 27  # coefficients of one layer's live neurons, made at once


@dataclass(frozen=True)
class Forms:
    """The forms of a layer's live neurons `live`, out of `width`; those of all others are 0."""

    rows: Whole | None  # None: the inputs themselves
    live: Ints
    width: int
    reads: int
    signed: bool
    exponent: int

    @classmethod
    def inputs(cls, reads: int, *, signed: bool) -> Forms:
        """The forms y_k = y_k^+ - y_k^-, or y_k^+ where no input is negative."""
        return cls(None, np.arange(reads), reads, reads, signed, 0)

    def through(self, ticket: Ticket, layer: int) -> Forms:
        """The forms behind the kept weights and biases of a layer, before any ReLU."""
        network, mask = ticket.network, ticket.mask
        name, bias = f"layers.{layer}.weight", f"layers.{layer}.bias"
        width = network[name].shape[0]
        flat = mask[name].indices()
        rows, sources = np.divmod(flat, self.width)
        own = mask[bias].indices() if bias in mask else np.empty(0, np.int64)
        live = np.union1d(rows, own)
        if live.size * (2 * self.reads + 1) > _LARGEST:
            raise InputError(
                f"{live.size:,} live neurons of layers.{layer} in a block of {self.reads:,} inputs "
                "are more than collapsing makes at once, unless the block has two layers and each "
                "neuron inside that is read keeps one input"
            )
        slot = np.searchsorted(self.live, sources)
        fed = self.live[np.minimum(slot, self.live.size - 1)] == sources if self.live.size else []
        matrix = np.zeros((live.size, self.live.size), np.int64)
        if self.live.size:
            units = network.units_at(name, flat).astype(np.int64)
            matrix[np.searchsorted(live, rows[fed]), slot[fed]] = units[fed]
        made = self._sums(matrix)
        exponent = self.exponent + exponent_of(network, name)
        if own.size:
            grid = exponent_of(network, bias)
            made = _shifted(made, max(exponent - grid, 0))
            values = network.units_at(bias, own).astype(object) << max(grid - exponent, 0)
            constants = np.zeros(live.size, object)
            constants[np.searchsorted(live, own)] = values
            if _size(made) + _size(constants) >= 1 << 62:
                made = made.astype(object)
            made[:, -1] += constants.astype(made.dtype)
            exponent = min(exponent, grid)
        return Forms(made, live, width, self.reads, self.signed, exponent)

    def _sums(self, matrix: Ints) -> Whole:
        if self.rows is not None:
            return _product(matrix, self.rows)
        constants = np.zeros((len(matrix), 1), np.int64)
        return np.hstack([matrix, -matrix, constants] if self.signed else [matrix, constants])

    def rectified(self, name: str) -> Forms:
        """The forms behind the ReLU; InputError for a neuron of which that is not a form."""
        rows = self._made
        used = rows != 0
        n = self.reads
        reads = (used[:, :n] | used[:, n:-1] if self.signed else used[:, :n]).sum(1) + used[:, -1]
        mixed = (rows > 0).any(1) & (rows < 0).any(1) & (reads > 1)
        if mixed.any():
            neuron = int(self.live[np.flatnonzero(mixed)[0]])
            keeps = "two inputs" if int(reads[mixed][0]) == 2 else "inputs"
            raise InputError(
                f"hidden neuron {neuron} of {name} keeps {keeps} that pull it to both sides of 0; "
                "inside a block every hidden neuron keeps one input at the most, or a sum that "
                "is sure of its sign"
            )
        return replace(self, rows=np.maximum(rows, 0))

    def dense(self) -> tuple[Whole, Whole, Whole]:
        """W+ (width, reads), W- (width, reads) and the bias (width,) of all neurons."""
        n, rows = self.reads, self._made
        whole = np.zeros((self.width, rows.shape[1]), rows.dtype)
        whole[self.live] = rows
        minus = -whole[:, n:-1] if self.signed else np.zeros_like(whole[:, :n])
        return whole[:, :n], minus, whole[:, -1]

    @property
    def _made(self) -> Whole:
        assert self.rows is not None, "no layer yet"
        return self.rows


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


def _shifted(array: Whole, shift: int) -> Whole:
    if shift and _size(array) << shift >= 1 << 62:
        array = array.astype(object)
    return array << shift


def _product(a: Ints, b: Whole) -> Whole:
    """The exact product, in float64 where all its partial sums are below 2^53."""
    largest = int((np.abs(a) != 0).sum(1).max(initial=0)) * _size(a) * _size(b)
    if largest < 1 << 53:
        exact: Ints = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
        return exact
    small = largest < 1 << 62
    product: Whole = a @ b if small else a.astype(object) @ b.astype(object)
    return product
