"""`Tables`: what each hidden neuron can become, one row of exact outputs a way of pruning it.

A mask of the network picks one row of every neuron's table, and the pruned network's outputs on
the sample are the sum of the picked rows. Ways of pruning a neuron that give the same outputs
(all those behind a pruned output weight, say) share one row: the one of the least code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.optimal._integers import ROOM, Array, common_unit, integers, largest, wide
from strongticket.optimal._network import OneHidden
from strongticket.tickets import Mask

Layers = Literal["first", "output", "both"]
Integers = NDArray[np.int64]
MOST_ENTRIES = 1 << 22  # integers of one neuron's table,
MOST_IN_ALL = 1 << 26  # and of all tables: half a gibibyte, several where they are Python integers


@dataclass(frozen=True, eq=False)
class Tables:
    """The choice that a best mask is: one row of each table, their sum near the labels.

    Attributes:
        rows: for each table an integer array (rows, N), in units of `unit`.
        codes: for each table the code of each row, increasing; see `numbered`.
        bits: for each table the number of maskable weights that its codes stand for.
        labels: (N,) integers in the same units.
        unit: what one integer is worth.
        network: whose masks these are.
        whole_neurons: codes are 1 for a kept neuron and 0 for a pruned one.
        layers: which layers the codes mask.
        mask_biases: whether biases are masked with their layer.
    """

    rows: tuple[Array, ...]
    codes: tuple[Integers, ...]
    bits: tuple[int, ...]
    labels: Array
    unit: Fraction
    network: OneHidden
    whole_neurons: bool
    layers: Layers
    mask_biases: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of rows of each table."""
        return tuple(len(r) for r in self.rows)

    @property
    def combinations(self) -> int:
        """The number of distinct masks: one row of each table."""
        return math.prod(self.sizes)

    def part(self, kept: Sequence[Integers]) -> Tables:
        """The tables with these rows of each only."""
        rows = tuple(r[left] for r, left in zip(self.rows, kept, strict=True))
        codes = tuple(c[left] for c, left in zip(self.codes, kept, strict=True))
        return replace(self, rows=rows, codes=codes)

    def residuals(self, picks: Sequence[int]) -> Array:
        """Labels minus outputs where row picks[j] of table j is taken, as Python integers."""
        return wide(self.labels) - sum(wide(r[p]) for r, p in zip(self.rows, picks, strict=True))

    def numbered(self, picks: Sequence[int]) -> int:
        """The mask's number: the tables' codes side by side, the first table's bits lowest.

        Within a neuron the bits are its inputs in order, its bias, its output weight, as far as
        they are maskable; the output layer's bias comes last. A kept weight is a 1.
        """
        total, at = 0, 0
        for codes, bits, pick in zip(self.codes, self.bits, picks, strict=True):
            total |= int(codes[pick]) << at
            at += bits
        return total

    def mask(self, picks: Sequence[int]) -> Mask:
        """The mask, with the parameter names of `Network.mlp`."""
        net = self.network
        k, d = net.width, net.inputs
        first: Array = np.ones((k, d), np.bool_)
        output: Array = np.ones((1, k), np.bool_)
        bias: Array = np.ones(k, np.bool_)
        last: Array = np.ones(1, np.bool_)
        for j, (codes, bits, pick) in enumerate(zip(self.codes, self.bits, picks, strict=True)):
            code = [bool(int(codes[pick]) >> i & 1) for i in range(bits)]
            if j == k:
                last[:] = code or True
            elif self.whole_neurons:
                first[j, :] = bias[j] = output[0, j] = code[0]
            else:
                if self.layers != "output":
                    first[j], code = code[:d], code[d:]
                    if net.bias is not None and self.mask_biases:
                        bias[j], code = code[0], code[1:]
                if self.layers != "first":
                    output[0, j] = code[0]
        parts = {"layers.0.weight": first, "layers.1.weight": output}
        if net.bias is not None:
            parts["layers.0.bias"] = bias
        if net.output_bias is not None:
            parts["layers.1.bias"] = last
        return Mask.dense(dict(sorted(parts.items())))


def tables_of(
    network: OneHidden,
    x: Array,
    y: Array,
    *,
    layers: Layers,
    mask_biases: bool,
    whole_neurons: bool,
) -> Tables:
    """The tables of all weight masks on `layers`, or of all neuron masks."""
    if layers not in get_args(Layers):
        raise InputError(f"layers must be 'first', 'output' or 'both', got {layers!r}")
    k, d = network.width, network.inputs
    net_bits = d + (network.bias is not None and mask_biases)
    size = 1 << (0 if layers == "output" or whole_neurons else net_bits)
    if size * len(y) > MOST_ENTRIES:
        raise InputError(
            f"a neuron with {net_bits} maskable incoming weights can be pruned in {size:,} ways, "
            f"and {len(y)} points make that {size * len(y):,} numbers, more than the "
            f"{MOST_ENTRIES:,} that are kept; mask fewer inputs (layers='output', or "
            "best_neuron_mask), give fewer points, or search for a mask instead"
        )
    ways = 2 if whole_neurons else size
    if k * ways * len(y) > MOST_IN_ALL:
        raise InputError(
            f"{k} neurons, each pruned in {ways:,} ways, on {len(y):,} points make "
            f"{k * ways * len(y):,} numbers, more than the {MOST_IN_ALL:,} that are kept; give "
            "fewer points, mask fewer inputs, or search for a mask instead"
        )
    columns = network.weights if network.bias is None else _beside(network.weights, network.bias)
    points = x if network.bias is None else _beside(x, np.ones(len(x), np.int64))
    (w, uw), (p, up), (v, uv) = integers(columns), integers(points), integers(network.output)
    t, ut = integers(y)
    units = [uw * up * uv, ut]
    c, uc = (None, ut) if network.output_bias is None else integers(network.output_bias)
    unit = common_unit(*units, uc)
    # Every integer below is a part of such a sum of magnitudes; zeros count as ones, since what
    # they are multiplied by has to fit as well.
    sizes = [max(1, largest(part)) for part in (w, p, v, t)]
    reach = k * columns.shape[1] * math.prod(sizes[:3]) * int(uw * up * uv / unit)
    reach += sizes[3] * int(ut / unit)
    reach += 0 if c is None else largest(c) * int(uc / unit)
    kind = np.dtype(np.int64 if reach < 1 << ROOM else object)
    w, p, v, t = (part.astype(kind) for part in (w, p, v, t))
    v = v * int(uw * up * uv / unit)
    made = []
    for j in range(k):
        terms = w[j] * p  # (N, d) or (N, d + 1)
        made.append(
            _whole(terms, v[j]) if whole_neurons else _pruned(terms, v[j], d, layers, mask_biases)
        )
    if c is not None:
        constant = np.full((1, len(y)), int(c[0]) * int(uc / unit), kind)
        free = not whole_neurons and layers != "first" and mask_biases
        both = np.concatenate([constant * 0, constant]) if free else constant
        made.append((*_distinct(both, np.arange(len(both))), int(free)))
    rows, codes, bits = zip(*made, strict=True)
    labels = t * int(ut / unit)
    return Tables(rows, codes, bits, labels, unit, network, whole_neurons, layers, mask_biases)


def _beside(matrix: Array, column: Array) -> Array:
    """`column` as a further column, exactly: floats and integers meet as Fractions."""
    if matrix.dtype != column.dtype and not (column == 1).all():
        matrix, column = matrix.astype(object), column.astype(object)
    return np.concatenate([matrix, column.astype(matrix.dtype)[:, None]], axis=1)


def _whole(terms: Array, output: int) -> tuple[Array, Integers, int]:
    full = np.maximum(terms.sum(axis=1), 0) * output
    return (*_distinct(np.stack([full * 0, full]), np.arange(2)), 1)


def _pruned(
    terms: Array, output: int, inputs: int, layers: Layers, mask_biases: bool
) -> tuple[Array, Integers, int]:
    """All ways of pruning one neuron: (rows, codes, number of bits)."""
    free = 0 if layers == "output" else terms.shape[1] if mask_biases else inputs
    sums = terms[:, free:].sum(axis=1)[None, :]
    for i in range(free):
        sums = np.concatenate([sums, sums + terms[:, i]])
    values = np.maximum(sums, 0) * output
    codes = np.arange(len(values))
    if layers == "first":
        return (*_distinct(values, codes), free)
    off = np.zeros_like(values[:1])
    codes = np.concatenate([np.zeros(1, np.int64), codes + (1 << free)])
    return (*_distinct(np.concatenate([off, values]), codes), free + 1)


def _distinct(values: Array, codes: Integers) -> tuple[Array, Integers]:
    """The first of all equal rows; codes increase, so the one with the least code."""
    seen: dict[object, int] = {}
    for i, key in enumerate(_keys(values)):
        seen.setdefault(key, i)
    first = np.fromiter(seen.values(), np.int64, len(seen))
    return values[first], codes[first]


def _keys(values: Array) -> Iterator[object]:
    for row in np.ascontiguousarray(values):
        yield tuple(row) if values.dtype == object else row.tobytes()
