"""3. Effective weights: the subset sums of every block of layers, exactly.

Between two blocks all is non-negative (a ReLU), before the first one nothing is. Let y be what a
block reads. A neuron inside it is a form: a sum of coefficients times y_k^+ = max(y_k, 0),
y_k^- = max(-y_k, 0) and 1. Its ReLU is the form of the positive parts of the coefficients, where
it depends on one y_k alone or is constant, or where its coefficients all have one sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._errors import RefutedError, UnreadableError
from ._file import LARGEST, need_keys, unpack, unpack_ints
from ._weights import Parameter

Parameters = dict[str, Parameter]
Kept = dict[str, Any]  # the kept flat indices of every parameter, int64
ONE = -1  # the form's key of the constant; 2 k is that of y_k^+, 2 k + 1 that of y_k^-


@dataclass
class Effective:
    """A block as one layer: for each output {input: weight}, integers times 2^exponent."""

    plus: list[dict[int, int]]
    minus: list[dict[int, int]]
    bias: list[int]
    exponent: int


def collapse(
    i: int, stored: dict[str, Any], layers: range, parameters: Parameters, kept: Kept
) -> Effective:
    """Block i, which is `layers` of the network; its kept indices are put into `kept`."""
    if len(layers) == 2 and "masks" not in stored:
        return _pair(i, stored, layers[0], parameters, kept)
    need_keys(stored, "masks")
    names = [f"layers.{n}.{kind}" for n in layers for kind in ("weight", "bias")]
    need_keys(stored["masks"], " ".join(name for name in names if name in parameters))
    forms: dict[int, dict[int, int]] | None = None
    exponent = 0
    for n in layers:
        weight, bias = f"layers.{n}.weight", f"layers.{n}.bias"
        for name in (weight, bias):
            if name in parameters:
                kept[name] = _indices(stored["masks"][name], parameters[name])
        made: dict[int, dict[int, int]] = {}
        reads = parameters[weight].shape[1]
        units = parameters[weight].units(kept[weight]).tolist()
        for index, unit in zip(kept[weight].tolist(), units, strict=True):
            row, source = divmod(index, reads)
            form = made.setdefault(row, {})
            for key, c in _form(forms, source, signed=layers[0] == 0).items():
                form[key] = form.get(key, 0) + unit * c
        exponent += parameters[weight].exponent
        if bias in parameters and len(kept[bias]):
            exponent = _add_bias(made, exponent, parameters[bias], kept[bias])
        forms = made
        if n != layers[-1]:
            forms = {row: _relu(form, f"neuron {row} of layers.{n}") for row, form in made.items()}
    assert forms is not None
    outputs = [forms.get(j, {}) for j in range(parameters[f"layers.{layers[-1]}.weight"].shape[0])]
    return Effective(
        plus=[{key >> 1: c for key, c in f.items() if key >= 0 and not key & 1} for f in outputs],
        minus=[{key >> 1: -c for key, c in f.items() if key >= 0 and key & 1} for f in outputs],
        bias=[f.get(ONE, 0) for f in outputs],
        exponent=exponent,
    )


def _form(forms: dict[int, dict[int, int]] | None, source: int, signed: bool) -> dict[int, int]:
    if forms is not None:
        return forms.get(source, {})  # nothing kept: the neuron is 0
    return {2 * source: 1, 2 * source + 1: -1} if signed else {2 * source: 1}


def _add_bias(
    forms: dict[int, dict[int, int]], exponent: int, parameter: Parameter, kept: Any
) -> int:
    """Add kept biases, on the finer of the two grids, whose exponent is returned."""
    finer = min(exponent, parameter.exponent)
    for form in forms.values():
        for key in form:
            form[key] <<= exponent - finer
    for row, unit in zip(kept.tolist(), parameter.units(kept).tolist(), strict=True):
        form = forms.setdefault(row, {})
        form[ONE] = form.get(ONE, 0) + (unit << (parameter.exponent - finer))
    return finer


def _relu(form: dict[int, int], where: str) -> dict[int, int]:
    form = {key: c for key, c in form.items() if c}
    signs = {c > 0 for c in form.values()}
    if len(signs) == 2 and len({key >> 1 for key in form}) > 1:
        raise RefutedError(f"{where} is not sure of its sign: its ReLU is no effective weight")
    return {key: c for key, c in form.items() if c > 0}


def _indices(text: str, parameter: Parameter) -> Any:
    gaps = unpack_ints(text, parameter.numel)
    indices = np.cumsum(gaps) - 1
    if (gaps < 1).any() or (len(indices) and indices[-1] >= parameter.numel):
        raise RefutedError(f"the kept weights of {parameter.name} are no increasing list of its")
    return indices


def _pair(
    i: int, stored: dict[str, str], start: int, parameters: Parameters, kept: Kept
) -> Effective:
    """Two layers for one, every hidden neuron with one input: as above, at the speed of int64."""
    need_keys(stored, "hidden inputs kept")
    first, bias, second = (
        f"layers.{start}.weight",
        f"layers.{start}.bias",
        f"layers.{start + 1}.weight",
    )
    width, d_in = parameters[first].shape
    d_out = parameters[second].shape[0]
    gaps, inputs = unpack_ints(stored["hidden"], width), unpack_ints(stored["inputs"], width)
    hidden = np.cumsum(gaps) - 1
    if len(hidden) != len(inputs) or (gaps < 1).any() or (len(hidden) and hidden[-1] >= width):
        raise RefutedError(f"layer {i}: the live hidden neurons are no increasing list")
    if ((inputs < 0) | (inputs > d_in)).any() or ((inputs == d_in).any() and bias not in kept):
        raise RefutedError(f"layer {i}: a hidden neuron reads an input that there is not")
    size = -(-d_out * len(hidden) // 8)
    if size > LARGEST or d_out * (d_in + 1) > LARGEST:
        raise UnreadableError(f"this checker takes layers of up to {LARGEST:,} weights")
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
    # Units are at most 2^24, so these products fit; so do their sums, by the next two lines.
    products = parameters[second].units(kept[second]) * incoming[slot]
    terms = int(np.bincount(rows * (d_in + 1) + inputs[slot]).max(initial=0))
    if int(np.abs(products).max(initial=0)) * terms >= 1 << 63:
        raise RefutedError(f"layer {i}: a subset sum has more terms than 63 bits are sure to hold")
    sums = np.zeros((2, d_out, d_in + 1), np.int64)
    np.add.at(sums, ((incoming[slot] < 0).astype(int), rows, inputs[slot]), products)
    plus, minus = ([dict(enumerate(row)) for row in g[:, :d_in].tolist()] for g in sums)
    # A neuron that reads its own negative bias is 0.
    exponent = parameters[first].exponent + parameters[second].exponent
    return Effective(plus, minus, sums[0, :, d_in].tolist(), exponent)
