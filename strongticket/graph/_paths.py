"""How many paths of kept weights lead from the inputs to the outputs, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from strongticket.graph._layered import Kept, Layered, layered

_BITS = 24  # of a limb: limb times kept weights of a row stays far below 2^63
_LIMB = (1 << _BITS) - 1


def paths(kept: Kept, layers: Sequence[str] | None = None) -> int:
    r"""The number of paths of kept weights from any input to any output.

    With :math:`K_i` the number of kept weights from unit to unit of layer i, it is the sum of all
    entries of :math:`K_L \cdots K_1`, a Python int of any size; `log_paths` is its logarithm.
    Paths that begin in a bias do not count. Arguments as in `layered`.
    """
    return sum(forward(layered(kept, layers))[-1])


def log_paths(count: int) -> float:
    """The natural logarithm of a number of paths; minus infinity of 0."""
    return math.log(count) if count else -math.inf


def unit_paths(kept: Kept, layers: Sequence[str] | None = None) -> list[list[int]]:
    """The number of input-output paths through every unit, layer by layer, ends included."""
    chain = layered(kept, layers)
    below, above = forward(chain), backward(chain)
    return [[a * b for a, b in zip(x, y, strict=True)] for x, y in zip(below, above, strict=True)]


def forward(chain: Layered) -> list[list[int]]:
    """The number of paths from the inputs to every unit."""
    found = [[1] * chain.widths[0]]
    for layer in chain.layers:
        found.append(_product(layer.table(), found[-1]))
    return found


def backward(chain: Layered) -> list[list[int]]:
    """The number of paths from every unit to the outputs."""
    found = [[1] * chain.widths[-1]]
    for layer in reversed(chain.layers):
        found.append(_product(layer.table().T.tocsr(), found[-1]))
    return found[::-1]


def _product(table: Any, values: list[int]) -> list[int]:
    """A sparse int64 array times a vector of non-negative integers of any size."""
    limbs = max(1, -(-max(values).bit_length() // _BITS))
    split = np.array(
        [[(value >> (_BITS * k)) & _LIMB for k in range(limbs)] for value in values], np.int64
    )
    parts = (table @ split).tolist()  # each below 2^24 times the weights of a row: exact
    return [sum(part << (_BITS * k) for k, part in enumerate(row)) for row in parts]
