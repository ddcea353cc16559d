"""What of a mask lies on a path from an input or a constant to an output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strongticket.graph._layered import Kept, Layered, layered
from strongticket.tickets import Mask, Ticket

Bits = NDArray[np.bool_]


def fed(chain: Layered) -> list[Bits]:
    """Units by layer, ends included, to which a path leads from an input or a kept bias."""
    found = [np.ones(chain.widths[0], np.bool_)]
    for i, layer in enumerate(chain.layers):
        here = layer.constant.copy()
        if chain.always_on and i + 1 < len(chain.layers):
            here[:] = True
        here[layer.row[found[-1][layer.column]]] = True
        found.append(here)
    return found


def read(chain: Layered) -> list[Bits]:
    """Units by layer, ends included, from which a path leads to an output."""
    found = [np.ones(chain.widths[-1], np.bool_)]
    for layer in reversed(chain.layers):
        here = np.zeros(layer.d_in, np.bool_)
        here[layer.column[found[-1][layer.row]]] = True
        found.append(here)
    return found[::-1]


def live(kept: Kept, layers: Sequence[str] | None = None, *, always_on: bool = False) -> list[Bits]:
    """Which units are on a path from an input or a kept bias to an output, layer by layer.

    The first entry is of the inputs, the last of the outputs; arguments as in `layered`. A hidden
    unit that is not live is dead: it gives 0 for every input, or nothing reads it.
    """
    chain = layered(kept, layers, always_on=always_on)
    return [a & b for a, b in zip(fed(chain), read(chain), strict=True)]


def effective_indices(chain: Layered) -> list[NDArray[np.int64]]:
    """Of each layer the flat indices of kept weights that lie on a path."""
    below, above = fed(chain), read(chain)
    return [
        layer.index[below[i][layer.column] & above[i + 1][layer.row]]
        for i, layer in enumerate(chain.layers)
    ]


def effective(kept: Kept, layers: Sequence[str] | None = None, *, always_on: bool = False) -> Mask:
    """The mask without the weights and biases that no output depends on.

    A weight is effective if it lies on a path of kept weights from an input or a kept bias to an
    output: the pruned network computes the same function with the effective weights alone.
    Arguments as in `layered`; a bias that the mask holds is cut to the units that are read. What
    is not part of the chain is left out.
    """
    chain = layered(kept, layers, always_on=always_on)
    above = read(chain)
    source = kept.mask if isinstance(kept, Ticket) else kept
    shapes = {layer.name: tuple(source[layer.name].shape) for layer in chain.layers}
    found = {}
    for i, (layer, index) in enumerate(zip(chain.layers, effective_indices(chain), strict=True)):
        found[layer.name] = (shapes[layer.name], index)
        if layer.bias is not None:
            stays = np.flatnonzero(layer.constant & above[i + 1])
            found[layer.bias] = ((layer.d_out,), stays)
    return Mask.sparse(found)
