"""A mask as layers of units: which kept weights lead from which unit to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.tickets import Entries, Mask, Ticket

Bits = NDArray[np.bool_]
Indices = NDArray[np.int64]
Kept = Ticket | Mask | Mapping[str, Any]
"""A ticket, a mask, or boolean arrays or tensors by parameter name."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The kept weights of one layer: weight `index` leads from unit `column` to unit `row`.

    Attributes:
        name: the weight's parameter name.
        total: the number of weights, kept or not.
        d_in: units that the layer reads.
        d_out: units that it gives.
        index: flat indices of the kept weights (C order), increasing.
        row: of each, the unit that it leads to.
        column: of each, the unit that it reads.
        constant: (d_out,) where a kept bias feeds a unit.
        bias: the bias's parameter name, or None.
    """

    name: str
    total: int
    d_in: int
    d_out: int
    index: Indices
    row: Indices
    column: Indices
    constant: Bits
    bias: str | None = None

    @property
    def kept(self) -> int:
        """The number of kept weights."""
        return self.index.size

    def table(self) -> Any:
        """Kept weights from unit to unit, a sparse (d_out, d_in) array of int64 counts."""
        from scipy.sparse import coo_array

        ones = np.ones(self.kept, np.int64)
        found = coo_array((ones, (self.row, self.column)), shape=(self.d_out, self.d_in)).tocsr()
        found.sum_duplicates()
        return found


@dataclass(frozen=True, eq=False)
class Layered:
    """A chain of layers. `always_on`: hidden units that nothing feeds still give a constant."""

    layers: tuple[Layer, ...]
    always_on: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the input, of every hidden layer, of the output."""
        return (self.layers[0].d_in, *(layer.d_out for layer in self.layers))


def layered(kept: Kept, layers: Sequence[str] | None = None, *, always_on: bool = False) -> Layered:
    r"""Read a mask as a chain of fully connected or convolution layers.

    Units are the entries of a linear layer's input and output, and the channels of a convolution,
    whose weight has shape (out, in, ...): each kept kernel entry is a connection of its own. A
    linear layer behind a flattened image of C channels reads :math:`C \cdot HW` entries, of
    which HW consecutive ones are one unit.

    Args:
        kept: a ticket, a mask, or boolean arrays (or tensors) by parameter name.
        layers: the weights' names in the order of the chain; by default all parameters of two or
            more dimensions, in the order in which they come. A ticket of a user's own model needs
            it: strongticket does not know its forward pass. An entry "x.bias" beside "x.weight"
            is that layer's bias.
        always_on: hidden units give a constant other than 0 without any input, as a sigmoid
            does. A ticket of a `Network.mlp` says so itself.

    Raises InputError for what is no chain: branches, grouped convolutions.
    """
    found = _entries(kept)
    zero_bias: dict[str, Bits] = {}
    if isinstance(kept, Ticket):
        architecture = kept.network.architecture
        if isinstance(architecture, MLP):
            always_on = always_on or architecture.activation.at_zero != 0
            for name, entries in found.items():
                if len(entries.shape) == 1:
                    zero_bias[name] = kept.kept_weights(name) == 0
        elif layers is None:
            raise InputError(
                "the graph of a ticket of your own model needs layers=: the names of the weights "
                f"in the order in which the input passes them, out of {sorted(found)}"
            )
    names = [n for n, e in found.items() if len(e.shape) > 1] if layers is None else list(layers)
    if not names:
        raise InputError("a graph needs the mask of one weight of two or more dimensions, got none")
    if len(set(names)) < len(names):
        raise InputError(f"layers must name each weight once, got {names}")
    chain: list[Layer] = []
    for name in names:
        if name not in found or len(found[name].shape) < 2:
            raise InputError(
                f"layers must name masked weights of two or more dimensions, {name!r} is none of "
                f"{sorted(n for n, e in found.items() if len(e.shape) > 1)}"
            )
        chain.append(_layer(name, found, zero_bias, chain[-1] if chain else None))
    return Layered(tuple(chain), always_on)


def _layer(
    name: str, found: Mapping[str, Entries], zero_bias: Mapping[str, Bits], before: Layer | None
) -> Layer:
    entries = found[name]
    d_out, reads = entries.shape[:2]
    if min(entries.shape) < 1:
        raise InputError(f"{name} of shape {entries.shape} has no weights")
    repeat = 1
    if before is not None:
        repeat, rest = divmod(reads, before.d_out)
        if rest or (repeat > 1 and len(entries.shape) > 2):
            raise InputError(
                f"{name} of shape {entries.shape} reads {reads} units, and {before.name} gives "
                f"{before.d_out}: these are no two layers in a row (branches and grouped "
                "convolutions are not followed); give layers= or other masks"
            )
    index = entries.indices()
    row, rest_of = np.divmod(index, entries.total // d_out)
    column = rest_of // (entries.total // d_out // reads) // repeat
    constant, bias = np.zeros(d_out, np.bool_), None
    beside = name.removesuffix("weight") + "bias"
    if name.endswith("weight") and beside in found:
        bias = beside
        if found[bias].shape != (d_out,):
            raise InputError(f"{bias} must have shape {(d_out,)}, got {found[bias].shape}")
        fed = found[bias].indices()
        if bias in zero_bias:
            fed = fed[~zero_bias[bias]]
        constant[fed] = True
    return Layer(name, entries.total, reads // repeat, d_out, index, row, column, constant, bias)


def _entries(kept: Kept) -> dict[str, Entries]:
    if isinstance(kept, Ticket):
        return dict(kept.mask)
    if isinstance(kept, Mask):
        return dict(kept)
    if not isinstance(kept, Mapping):
        raise InputError(
            f"a graph is of a Ticket, a Mask or a mapping of boolean arrays, got {kept!r:.80}"
        )
    found = {}
    for name, given in kept.items():
        if isinstance(given, Entries):
            found[name] = given
            continue
        bits = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if bits.dtype != np.bool_:
            raise InputError(f"the mask of {name} must be bool, got {bits.dtype}")
        found[name] = Entries(bits.shape, bits=bits)
    return found
