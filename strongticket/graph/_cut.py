r"""The bottleneck of a mask: the least that must go so that no path is left.

By the theorem of Ford and Fulkerson (max-flow, min-cut) and that of Menger, a least cut is as
large as the largest number of disjoint paths:

==============  ==================================================  ==============================
of              the least number of                                 is the most paths that share
==============  ==================================================  ==============================
"weights"       kept weights, removed                               no weight
"units"         units (inputs and outputs count), removed           no unit at all
"hidden units"  hidden units, removed                               no hidden unit
==============  ==================================================  ==============================

"units" is also the generic rank: the rank of :math:`W_L \cdots W_1` for almost all values of the
kept weights (Lindström; Gessel and Viennot), so a bound on what passes the linear network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError
from strongticket.graph._layered import Kept, Layered, layered

Of = Literal["weights", "units", "hidden units"]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """A least cut: its `size`, and how much of it lies in each layer.

    `places` has an entry for each layer of weights, or for each layer of units with the inputs
    first and the outputs last. Of all least cuts it is the one nearest to the inputs.
    """

    of: Of
    size: int
    places: tuple[int, ...]


def min_cut(kept: Kept, of: Of = "weights", layers: Sequence[str] | None = None) -> Cut:
    """The least number of weights or units that meet every path from an input to an output.

    Paths that begin in a bias do not count. Arguments as in `layered`. Raises InputError for
    "hidden units" of a single layer, which has none.
    """
    return cut_of(layered(kept, layers), of)


def cut_of(chain: Layered, of: Of) -> Cut:
    """`min_cut` of a chain that is read already."""
    if of not in ("weights", "units", "hidden units"):
        raise InputError(f"of is 'weights', 'units' or 'hidden units', got {of!r}")
    tables = [layer.table() for layer in chain.layers]
    if len(tables) == 1 and of != "units":
        if of == "hidden units":
            raise InputError("a network of one layer has no hidden units to cut")
        return Cut(of, chain.layers[0].kept, (chain.layers[0].kept,))
    edges = _weights(chain, tables) if of == "weights" else _units(chain, tables, of == "units")
    size, beyond = _flow(edges)
    count = len(tables) if of == "weights" else len(tables) + 1
    places = np.zeros(count, np.int64)
    crossing = ~beyond[edges.tail] & beyond[edges.head]
    np.add.at(places, edges.place[crossing], edges.capacity[crossing])
    assert int(places.sum()) == size, "the cut is as large as the flow"
    return Cut(of, size, tuple(places.tolist()))


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges between numbered nodes, source 0 and sink 1; `place` says what a cut one counts as."""

    nodes: int
    tail: Ints
    head: Ints
    capacity: Ints
    place: Ints


def _joined(nodes: int, parts: list[tuple[Any, Any, Any, int]]) -> _Edges:
    columns: list[list[Ints]] = [[], [], [], []]
    for part in parts:
        same = np.broadcast_arrays(*(np.asarray(value) for value in part))
        for column, array in zip(columns, same, strict=True):
            column.append(array.astype(np.int64).reshape(-1))
    tail, head, capacity, place = (np.concatenate(column) for column in columns)
    real = capacity > 0
    return _Edges(nodes, tail[real], head[real], capacity[real], place[real])


def _weights(chain: Layered, tables: list[Any]) -> _Edges:
    """One node a hidden unit: inputs are one with the source, outputs with the sink."""
    first = 2 + np.concatenate([[0], np.cumsum(chain.widths[1:-1])])
    last = len(tables) - 1
    parts: list[tuple[Any, Any, Any, int]] = [
        (0, first[0] + np.arange(chain.widths[1]), tables[0].sum(axis=1), 0),
        (first[last - 1] + np.arange(chain.widths[-2]), 1, tables[last].sum(axis=0), last),
    ]
    for i in range(1, last):
        row, column, count = _triples(tables[i])
        parts.append((first[i - 1] + column, first[i] + row, count, i))
    return _joined(int(first[-1]), parts)


def _units(chain: Layered, tables: list[Any], ends: bool) -> _Edges:
    """Two nodes a hidden unit with an edge of capacity 1 between; ends have one node."""
    widths = chain.widths
    infinite = 1 + min(widths) if ends else 1 + min(widths[1:-1])  # no least cut contains it
    entry: list[Ints] = []
    leave: list[Ints] = []
    node = 2
    parts: list[tuple[Any, Any, Any, int]] = []
    for i, width in enumerate(widths):
        units = node + np.arange(width)
        if i in (0, len(widths) - 1):
            entry.append(units)
            leave.append(units)
            capacity = 1 if ends else infinite
            parts.append((0, units, capacity, i) if i == 0 else (units, 1, capacity, i))
            node += width
        else:
            entry.append(units)
            leave.append(units + width)
            parts.append((units, units + width, 1, i))
            node += 2 * width
    for i, table in enumerate(tables):
        row, column, _ = _triples(table)
        parts.append((leave[i][column], entry[i + 1][row], infinite, 0))
    return _joined(node, parts)


def _triples(table: Any) -> tuple[Ints, Ints, Ints]:
    found = table.tocoo()
    return found.row.astype(np.int64), found.col.astype(np.int64), found.data


def _flow(edges: _Edges) -> tuple[int, NDArray[np.bool_]]:
    """The maximal flow, and which nodes lie beyond the cut nearest to the source."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    # No flow is larger than what leaves the source, so int32 will do for it.
    if int(edges.capacity[edges.tail == 0].sum()) >= 1 << 31:
        raise InputError("a bottleneck needs fewer than 2^31 kept weights in the first layer")
    beyond = np.ones(edges.nodes, np.bool_)
    beyond[0] = False
    if not edges.tail.size:
        return 0, beyond
    given = coo_array(
        (edges.capacity.astype(np.int32), (edges.tail, edges.head)), shape=(edges.nodes,) * 2
    ).tocsr()
    given.indices, given.indptr = given.indices.astype(np.int32), given.indptr.astype(np.int32)
    found = maximum_flow(given, 0, 1)
    left = csr_array(given - found.flow)
    left.eliminate_zeros()
    beyond[breadth_first_order(left, 0, return_predecessors=False)] = False
    return int(found.flow_value), beyond
