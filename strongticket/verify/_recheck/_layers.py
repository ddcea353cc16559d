"""Target and ticket, layer by layer, on a common grid; copies of a neuron added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._collapse import Effective
from ._errors import UnreadableError
from ._file import LARGEST

Copies = list[int] | None  # the target neuron that each neuron stands for; None: its own number


@dataclass
class Layer:
    """One layer of target and ticket on a common grid: Python integers times 2^exponent.

    `w` (d_out, d_in) and `b` are the target's. `plus`, `minus` and `b_hat` have one row for each of
    the ticket's neurons: weights of the target's inputs, added up over copies, the constant 1 in
    the bias. `carry` has for each row the (neuron below, weight) pairs, `wanted` and `wanted_bias`
    what the row should be: row copy_of[j] of w and b, or 0 and 1 for the constant 1.

    Without copies `copy_of` is None, `wanted` is `w`, and `carry` is `plus` with its indices.
    """

    w: list[list[int]]
    b: list[int]
    plus: list[list[int]]
    minus: list[list[int]]
    b_hat: list[int]
    carry: list[list[tuple[int, int]]]
    wanted: list[list[int]]
    wanted_bias: list[int]
    copy_of: Copies
    exponent: int


def on_one_grid(
    blocks: list[Effective], targets: list[tuple[Any, Any]], copies: list[Copies]
) -> list[Layer]:
    """All layers; `copies[i]` are those of block i's outputs, the last None.

    A copy that no neuron reads has no part in the outputs: it gets no row.
    """
    layers: list[Layer] = []
    numbers: list[int] | None = None
    for i in reversed(range(len(blocks))):
        below = copies[i - 1] if i else None
        layer, numbers = _layer(blocks[i], targets[i], below, copies[i], numbers)
        layers.append(layer)
    return layers[::-1]


def _layer(
    block: Effective,
    target: tuple[Any, Any],
    below: Copies,
    above: Copies,
    rows: list[int] | None,
) -> tuple[Layer, list[int] | None]:
    """A layer whose outputs are `rows` (None: all), and the neurons below that it reads."""
    w, b, exponent = _integers(*target, block.exponent)
    d_in, up = len(w[0]), block.exponent - exponent
    rows = list(range(len(block.bias))) if rows is None else rows
    if len(rows) * (d_in + 1) > LARGEST:
        raise UnreadableError(f"this checker takes layers of up to {LARGEST:,} weights")
    weights = [[(c, v << up) for c, v in block.plus[j].items()] for j in rows]
    b_hat = [block.bias[j] << up for j in rows]
    read = None
    if below is None:
        plus = [_spread(row, d_in) for row in weights]
        minus = [_spread([(k, v << up) for k, v in block.minus[j].items()], d_in) for j in rows]
    else:
        read = sorted({c for row in weights for c, v in row if v})
        place = {c: n for n, c in enumerate(read)}
        plus = minus = [_spread([(below[c], v) for c, v in row], d_in + 1) for row in weights]
        b_hat = [own + row.pop() for own, row in zip(b_hat, plus, strict=True)]
        weights = [[(place[c], v) for c, v in row if v] for row in weights]
    wanted, wanted_bias, stands = w, b, None
    if above is not None:
        stands = [above[j] for j in rows]
        extended, one = [*w, [0] * d_in], [*b, 1 << -exponent]
        wanted, wanted_bias = [extended[t] for t in stands], [one[t] for t in stands]
    layer = Layer(w, b, plus, minus, b_hat, weights, wanted, wanted_bias, stands, exponent)
    return layer, read


def _spread(pairs: list[tuple[int, int]], size: int) -> list[int]:
    row = [0] * size
    for k, v in pairs:
        row[k] += v
    return row


def _integers(w: Any, b: Any, exponent: int) -> tuple[list[list[int]], list[int], int]:
    """W and b as integers times 2^e, with the largest e that is at most 0 and `exponent`."""
    b = np.zeros(len(w), np.float32) if b is None else b
    every = np.concatenate([w.ravel(), b]).astype(np.float64)
    mantissa, shift = np.frexp(every)
    whole = (mantissa * (1 << 24)).astype(np.int64)  # float32: 24 bits, exact
    shift = shift.astype(np.int64) - 24
    grid = int(min(exponent, 0, shift[whole != 0].min(initial=exponent)))
    shifts = np.maximum(shift - grid, 0).tolist()
    ints = [m << s for m, s in zip(whole.tolist(), shifts, strict=True)]
    d_out, d_in = w.shape
    return [ints[j * d_in : (j + 1) * d_in] for j in range(d_out)], ints[d_out * d_in :], grid
