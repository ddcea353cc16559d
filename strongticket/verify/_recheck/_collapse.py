"""3. Effective weights: the subset sums, exactly, on one grid with the target's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._errors import RefutedError, UnreadableError
from ._file import LARGEST, need_keys, unpack, unpack_ints
from ._weights import Parameter


@dataclass
class Layer:
    """One layer of target and ticket on a common grid: Python integers times 2^exponent."""

    w: list[list[int]]
    plus: list[list[int]]
    minus: list[list[int]]
    b: list[int]
    b_hat: list[int]
    exponent: int


def collapse(
    i: int,
    stored: dict[str, str],
    parameters: dict[str, Parameter],
    widths: list[int],
    kept: dict[str, Any],
    target: tuple[Any, Any],
) -> Layer:
    need_keys(stored, "hidden inputs kept")
    d_in, width, d_out = widths[2 * i : 2 * i + 3]
    first, bias = f"layers.{2 * i}.weight", f"layers.{2 * i}.bias"
    second = f"layers.{2 * i + 1}.weight"
    gaps, inputs = unpack_ints(stored["hidden"], width), unpack_ints(stored["inputs"], width)
    hidden = np.cumsum(gaps) - 1
    if len(hidden) != len(inputs) or (gaps < 1).any() or (len(hidden) and hidden[-1] >= width):
        raise RefutedError(f"layer {i}: the live hidden neurons are no increasing list")
    if ((inputs < 0) | (inputs > d_in)).any() or ((inputs == d_in).any() and bias not in kept):
        raise RefutedError(f"layer {i}: a hidden neuron reads an input that there is not")
    size = -(-d_out * len(hidden) // 8)
    if size > LARGEST:
        raise UnreadableError(f"this checker takes layers of up to {8 * LARGEST:,} live weights")
    packed = np.frombuffer(unpack(stored["kept"], size + 1), np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    if len(packed) != size or bits[d_out * len(hidden) :].any():
        raise RefutedError(f"layer {i}: the kept bits have not the size of the layer")

    reads = inputs < d_in
    kept[first] = hidden[reads] * d_in + inputs[reads]
    incoming = np.empty(len(hidden), np.int64)
    incoming[reads] = parameters[first].units(kept[first])
    if bias in kept:
        kept[bias] = hidden[~reads]
        incoming[~reads] = parameters[bias].units(kept[bias])
        if parameters[bias].exponent != parameters[first].exponent:
            raise RefutedError(f"layer {i}: weights and biases lie on different grids")
    rows, slot = np.nonzero(bits[: d_out * len(hidden)].reshape(d_out, len(hidden)))
    kept[second] = rows * width + hidden[slot]
    products = parameters[second].units(kept[second]) * incoming[slot]
    # Units are below 2^24, so a product is below 2^48 and this many of them fit 63 bits.
    if len(products) >= 1 << 15 and max(np.bincount(rows * (d_in + 1) + inputs[slot])) >= 1 << 15:
        raise RefutedError(f"layer {i}: a subset sum has more terms than 63 bits are sure to hold")
    sums = np.zeros((2, d_out, d_in + 1), np.int64)
    np.add.at(sums, ((incoming[slot] < 0).astype(int), rows, inputs[slot]), products)
    return on_one_grid(sums, parameters[first].exponent + parameters[second].exponent, target)


def on_one_grid(sums: Any, exponent: int, target: tuple[Any, Any]) -> Layer:
    w, b = target
    b = np.zeros(len(w), np.float32) if b is None else b
    every = np.concatenate([w.ravel(), b]).astype(np.float64)
    mantissa, shift = np.frexp(every)
    whole = (mantissa * (1 << 24)).astype(np.int64)  # float32: 24 bits, exact
    shift = shift.astype(np.int64) - 24
    grid = int(min(exponent, 0, shift[whole != 0].min(initial=exponent)))
    ints = [int(m) << int(s) for m, s in zip(whole, np.maximum(shift - grid, 0), strict=True)]
    d_out, d_in = w.shape
    up = exponent - grid
    plus, minus = (
        [[int(v) << up for v in row] for row in sums[group, :, :d_in]] for group in (0, 1)
    )
    return Layer(
        w=[ints[j * d_in : (j + 1) * d_in] for j in range(d_out)],
        plus=plus,
        minus=minus,
        b=ints[d_out * d_in :],
        b_hat=[int(v) << up for v in sums[0, :, d_in]],
        exponent=grid,
    )
