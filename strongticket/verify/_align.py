"""A target's layer and the ticket's effective layer on one grid, copies added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.activations import RELU
from strongticket.errors import InputError
from strongticket.targets import Target
from strongticket.verify._collapse import Collapsed

Big = NDArray[Any]  # object arrays of Python integers
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Aligned:
    """Target layer i beside the ticket's: Python integers times 2^exponent, exponent <= 0.

    `w` (d_i, d_{i-1}) and `b` (d_i,) are the target's. The other arrays have a row for each of the
    ticket's neurons that somebody reads: `plus` and `minus` (rows, d_{i-1}) its weights, added up
    over the copies of each target input, `b_hat` (rows,) its bias and its weights from the constant
    1; `carry` (rows, n) the weights of the n single neurons that it reads. `wanted` and
    `wanted_bias` are the weights and bias of the target neuron that each row stands for, `copy_of`
    its number (d_i: the constant 1).

    Without copies `wanted` is `w`, `carry` is `plus`, and `copy_of` None.
    """

    w: Big
    b: Big
    plus: Big
    minus: Big
    carry: Big
    b_hat: Big
    wanted: Big
    wanted_bias: Big
    copy_of: Ints | None
    exponent: int

    def of_copies(self, values: Big, one: int) -> Big:
        """Values (d_i,) of the target's neurons for each row; that of the constant is `one`."""
        if self.copy_of is None:
            return values
        return np.append(values, one)[self.copy_of]


def align(target: Target, layers: Sequence[Collapsed]) -> tuple[Aligned, ...]:
    """All layers, aligned; the neurons between two of them that nobody reads are left out."""
    read: list[Ints | None] = [None] * len(layers)
    for i in range(len(layers) - 1, 0, -1):
        if layers[i - 1].copy_of is not None:
            later = layers[i].plus if read[i] is None else layers[i].plus[read[i]]
            read[i - 1] = np.flatnonzero((later != 0).any(0))
    found = []
    for i in range(len(layers)):
        below = None if i == 0 else layers[i - 1].copy_of
        found.append(_align(target, layers[i], i, below, read[i - 1] if i else None, read[i]))
    return tuple(found)


def _align(
    target: Target,
    layer: Collapsed,
    i: int,
    below: Ints | None,
    columns: Ints | None,
    rows: Ints | None,
) -> Aligned:
    w, b, exponent = target_on_grid(target, i, min(layer.exponent, 0))
    shift = layer.exponent - exponent
    parts = (layer.plus, layer.minus, layer.bias)
    plus, minus, b_hat = ((a if rows is None else a[rows]).astype(object) << shift for a in parts)
    carry = plus
    if below is not None:
        assert columns is not None
        carry = plus[:, columns]
        d = target.widths[i]
        total = np.zeros((d + 1, len(carry)), object)
        np.add.at(total, below[columns], carry.T)  # column d: the constant 1
        plus = minus = total[:d].T
        b_hat = b_hat + total[d]
    if layer.copy_of is None:
        return Aligned(w, b, plus, minus, carry, b_hat, w, b, None, exponent)
    copy_of = layer.copy_of if rows is None else layer.copy_of[rows]
    wanted = np.vstack([w, np.zeros((1, w.shape[1]), object)])[copy_of]
    wanted_bias = np.append(b, 1 << -exponent)[copy_of]
    return Aligned(w, b, plus, minus, carry, b_hat, wanted, wanted_bias, copy_of, exponent)


def target_on_grid(target: Target, i: int, floor: int) -> tuple[Big, Big, int]:
    """W and b of target layer i as Python integers times 2^e, the largest such e <= `floor`."""
    w, grid = to_grid(target.weights[i], floor)
    bias = target.biases[i]
    b, b_grid = to_grid(np.zeros(len(w), np.float32) if bias is None else bias, grid)
    return w << (grid - b_grid), b, b_grid


def to_grid(array: NDArray[np.float32], floor: int = 0) -> tuple[Big, int]:
    """A float32 array as Python integers times 2^e, with the largest such e at most `floor`."""
    mantissa, exponent = np.frexp(array.astype(np.float64))
    whole = (mantissa * (1 << 24)).astype(np.int64)
    exponent = exponent.astype(np.int64) - 24
    least = min(int(exponent[whole != 0].min(initial=floor)), floor)
    shift = np.where(whole != 0, exponent - least, 0)
    if int(shift.max(initial=0)) <= 37:  # 24 + 37 bits fit int64, at its speed
        return (whole << shift).astype(object), least
    return whole.astype(object) << shift.astype(object), least


def check_shapes(layers: Sequence[Collapsed], target: Target) -> None:
    """InputError unless the effective layers, their copies named, are those of the target."""
    widths = [layers[0].plus.shape[1], *(len(layer.plus) for layer in layers)]
    for i, layer in enumerate(layers[: target.depth]):
        d = target.widths[i + 1]
        if layer.copy_of is None:
            continue
        if int(layer.copy_of.max(initial=0)) > d:
            raise InputError(
                f"provenance['copies'][{i}] names target neuron {int(layer.copy_of.max())}; the "
                f"target has {d} there, and {d} itself means the constant 1"
            )
        widths[i + 1] = d
    if tuple(widths) != target.widths:
        raise InputError(
            f"the ticket collapses to a network of widths {tuple(widths)}, the target has "
            f"{target.widths}"
        )
    if target.activation != RELU:
        raise InputError(
            f"effective weights are those of a ReLU network; the target has {target.activation}"
        )
