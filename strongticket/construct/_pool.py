r"""The pool of one source layer pair: random hidden neurons, read window by window.

Block k of the hidden layer holds the N neurons that may read input k (and block d_in, where the
target layer has a bias, the N neurons whose own bias is their only input). Neuron i of block k is
hidden neuron h = k N + i. It serves a sign group when its incoming weight has that sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError, WidthError
from strongticket.networks import MLP, Network

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """`size` usable neurons of every block: (blocks, size); -1 (and unit 0) where none is left."""

    neurons: Ints
    units: Ints


class Pool:
    """The hidden layer between source layers 2l and 2l + 1, for target layer l."""

    def __init__(self, network: Network, layer: int, has_bias: bool) -> None:
        architecture = network.architecture
        assert isinstance(architecture, MLP)
        self.network = network
        self.inputs, self.hidden, self.outputs = architecture.widths[2 * layer : 2 * layer + 3]
        self.blocks = self.inputs + has_bias
        self.first = f"layers.{2 * layer}.weight"
        self.bias = f"layers.{2 * layer}.bias"
        self.second = f"layers.{2 * layer + 1}.weight"
        if has_bias and not architecture.biases[2 * layer]:
            raise WidthError(
                f"target layer {layer} has a bias, so source layer {2 * layer} needs biases"
            )
        if self.hidden % self.blocks:
            raise WidthError(
                f"source layer {2 * layer} must have a multiple of {self.blocks} neurons, one "
                f"pool an input{' and one for the bias' if has_bias else ''}; it has {self.hidden}"
            )
        self.size = self.hidden // self.blocks
        exponents = (network[self.first].law.exponent, network[self.second].law.exponent)
        if None in exponents:
            raise InputError(
                f"the laws of {self.first} and {self.second} need power-of-two scales, so that "
                "products of two weights stay on one dyadic grid"
            )
        if has_bias and network[self.bias].law != network[self.first].law:
            raise InputError(f"{self.first} and {self.bias} need one law, to lie on one grid")
        self.exponent = int(exponents[0] or 0) + int(exponents[1] or 0)
        self._incoming = np.empty((self.blocks, 0), np.int64)

    @property
    def read(self) -> int:
        """How many neurons of every block have been looked at."""
        return self._incoming.shape[1]

    def window(self, number: int, size: int, sign: int) -> Window | None:
        """Usable neurons number * size, ... of every block; None where no block has any left.

        `sign` 0 takes neurons of both signs.
        """
        wanted = (number + 1) * size
        while True:
            usable = self._incoming * sign > 0 if sign else self._incoming != 0
            if self.read == self.size or usable.sum(1).min() >= wanted:
                break
            self._look(min(self.size, max(2 * wanted + 32, 2 * self.read)))
        order = np.argsort(~usable, axis=1, kind="stable")[:, number * size : wanted]
        found = np.take_along_axis(usable, order, 1)
        if not found.any():
            return None
        units = np.where(found, np.take_along_axis(self._incoming, order, 1), 0)
        return Window(np.where(found, order, -1), units)

    def outgoing(self, rows: Ints, neurons: Ints, blocks: Ints) -> Ints:
        """Units of the weights from `neurons` (..., n) of `blocks` (...) to outputs `rows`."""
        hidden = blocks[..., None] * self.size + np.maximum(neurons, 0)
        return self.network.units_at(self.second, rows[..., None] * self.hidden + hidden).astype(
            np.int64
        )

    def _look(self, count: int) -> None:
        number = np.arange(self.read, count)
        block = np.arange(self.inputs)[:, None]
        hidden = block * self.size + number
        more = self.network.units_at(self.first, hidden * self.inputs + block)
        if self.blocks > self.inputs:
            biases = self.network.units_at(self.bias, self.inputs * self.size + number)
            more = np.concatenate([more, biases[None]])
        self._incoming = np.concatenate([self._incoming, more.astype(np.int64)], axis=1)
