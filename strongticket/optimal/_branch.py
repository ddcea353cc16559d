"""Branch and bound of our own: best first, rational dual bounds, small nodes exhausted."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.optimal._duals import evaluate
from strongticket.optimal._exhaustive import least
from strongticket.optimal._floats import Floats, Scaled
from strongticket.optimal._intervals import possible
from strongticket.optimal._losses import Loss
from strongticket.optimal._methods import Answer, BranchAndBound
from strongticket.optimal._relaxations import relax
from strongticket.optimal._tables import Tables

Rows = NDArray[np.int64]
Node = tuple[Rows, ...]  # the rows that are left to each table
_LEAF = 1 << 30  # residuals of a leaf: about a second, within which time limits are kept


@dataclass
class _Search:
    """The best choice so far, and what the search has cost."""

    tables: Tables
    scaled: Scaled
    loss: Loss
    picks: tuple[int, ...]
    measure: int
    examined: int = 0
    nodes: int = 0
    heap: list[tuple[float, int, Fraction, Node]] = field(default_factory=list)

    def offer(self, picks: Sequence[int]) -> None:
        """Take a choice, improved by a descent, if it is better than the best."""
        better = self.scaled.descend(picks, self.loss, pairs=True)
        measure = self.loss.measure(self.tables.residuals(better))
        self.examined += 1
        if measure < self.measure:
            self.picks, self.measure = better, measure

    def exhaust(self, node: Node) -> None:
        """Look at every choice of a small node."""
        rows = [r[left] for r, left in zip(self.tables.rows, node, strict=True)]
        found = least(rows, self.tables.labels, self.loss, below=self.measure)
        self.examined += found.examined
        if found.picks is not None:
            chosen = zip(node, found.picks, strict=True)
            self.picks = tuple(int(left[pick]) for left, pick in chosen)
            self.measure = found.measure


def branch_and_bound(tables: Tables, loss: Loss, method: BranchAndBound) -> Answer:
    """The best mask with a rational bound: equal to its loss unless time or nodes ran out."""
    end = math.inf if method.time_limit is None else time.monotonic() + method.time_limit
    most = math.inf if method.nodes is None else method.nodes
    leaf = min(method.leaf, max(1, _LEAF // len(tables.labels)))
    first = tuple(0 for _ in tables.rows)
    search = _Search(tables, Scaled.of(tables), loss, first, loss.measure(tables.residuals(first)))
    search.offer(first)
    search.offer([len(r) - 1 for r in tables.rows])
    order = itertools.count()
    root: Node = tuple(np.arange(len(r)) for r in tables.rows)
    search.heap = [(0.0, next(order), Fraction(0), root)]
    most_measure = max(search.measure, 1)  # fixed, so that the heap's keys are comparable floats
    stopped: Fraction | None = None
    while search.heap:
        _, _, bound, node = heapq.heappop(search.heap)
        if bound >= search.measure:
            continue
        if _size(node) <= leaf:
            search.exhaust(node)
            continue
        if search.nodes >= most or time.monotonic() >= end:
            stopped = min([bound, *(entry[2] for entry in search.heap)])
            break
        for child_bound, child in _children(search, node, bound, leaf, end):
            key = float(child_bound / most_measure)
            heapq.heappush(search.heap, (key, next(order), child_bound, child))
    name = "branch and bound" if stopped is None else "branch and bound that was stopped"
    limit = None
    if stopped is not None and stopped < search.measure:
        limit = loss.of_measure(stopped, len(tables.labels), tables.unit)
    return Answer(search.picks, limit, search.examined, search.nodes, name)


def _children(
    search: _Search, node: Node, bound: Fraction, leaf: int, end: float
) -> Iterator[tuple[Fraction, Node]]:
    """What is left of a node: nothing, the node made smaller, or its two halves."""
    tables, scaled, loss = search.tables, search.scaled, search.loss
    rows = [r[left] for r, left in zip(tables.rows, node, strict=True)]
    inside = possible(rows, tables.labels, loss, search.measure)
    if inside is None:
        return
    node = _part(node, inside)
    if _size(node) <= leaf:
        yield bound, node
        return
    search.nodes += 1
    rows = [r[left] for r, left in zip(tables.rows, node, strict=True)]
    floats = [r[left] for r, left in zip(scaled.rows, node, strict=True)]
    relaxed = relax(floats, scaled.labels, loss, end - time.monotonic())
    if relaxed is None:
        middle = [np.full(len(left), 1 / len(left)) for left in node]
        yield from _halves(node, floats, middle, bound)
        return
    multipliers, weights = relaxed
    dual = evaluate(multipliers, rows, tables.labels, loss)
    bound = max(bound, dual.measure)
    search.offer([int(left[w.argmax()]) for left, w in zip(node, weights, strict=True)])
    if bound >= search.measure:
        return
    kept = tuple(dual.survivors(j, search.measure) for j in range(len(node)))
    if any(k.size == 0 for k in kept):
        return
    node = _part(node, kept)
    if _size(node) <= leaf:
        yield bound, node
        return
    floats = [f[k] for f, k in zip(floats, kept, strict=True)]
    weights = [w[k] for w, k in zip(weights, kept, strict=True)]
    yield from _halves(node, floats, weights, bound)


def without_hope(tables: Tables, loss: Loss, reached: int, seconds: float) -> tuple[Node, Fraction]:
    """The rows of each table that a choice of measure up to `reached` can use, by exact bounds.

    Ranges and the dual bound of one relaxation after another, as at the root of the search; the
    greatest of these bounds, on the measure of every choice, comes with them.
    """
    end = time.monotonic() + seconds
    scaled = Scaled.of(tables)
    node: Node = tuple(np.arange(len(r)) for r in tables.rows)
    before, bound = 0, Fraction(0)
    while _size(node) != before and time.monotonic() < end:
        before = _size(node)
        rows = [r[left] for r, left in zip(tables.rows, node, strict=True)]
        inside = possible(rows, tables.labels, loss, reached + 1)
        assert inside is not None, "what was reached is gone"
        node = _part(node, inside)
        rows = [r[left] for r, left in zip(tables.rows, node, strict=True)]
        floats = [r[left] for r, left in zip(scaled.rows, node, strict=True)]
        relaxed = relax(floats, scaled.labels, loss, end - time.monotonic())
        if relaxed is not None:
            dual = evaluate(relaxed[0], rows, tables.labels, loss)
            # Of the rows that are left; a choice with another row has a measure above `reached`.
            bound = max(bound, min(dual.measure, Fraction(reached)))
            node = _part(node, [dual.survivors(j, reached + 1) for j in range(len(node))])
    return node, bound


def _part(node: Node, kept: Sequence[Rows]) -> Node:
    return tuple(left[k] for left, k in zip(node, kept, strict=True))


def _size(node: Node) -> int:
    return math.prod(len(left) for left in node)


def _halves(
    node: Node, rows: Sequence[Floats], weights: Sequence[Floats], bound: Fraction
) -> Iterator[tuple[Fraction, Node]]:
    """Two nodes: the rows of the most undecided table on this side and that of a plane.

    The plane parts the two rows of greatest weight, so that neither node keeps the relaxation.
    """
    doubt = [
        _spread(r, w) if len(left) > 1 else -1.0
        for left, r, w in zip(node, rows, weights, strict=True)
    ]
    j = int(np.argmax(doubt))
    order = np.argsort(-weights[j], kind="stable")
    apart = rows[j][order[1]] - rows[j][order[0]]
    place = rows[j] @ apart
    far = place > (place[order[0]] + place[order[1]]) / 2
    if far.all() or not far.any():  # rows that differ by less than floats tell apart
        far = np.arange(len(far)) >= len(far) // 2
    for side in (~far, far):
        yield bound, (*node[:j], node[j][side], *node[j + 1 :])


def _spread(rows: Floats, weights: Floats) -> float:
    """How far the rows lie from their mean: what there is to lose by taking one of them."""
    part = np.maximum(weights, 0) + 2.0**-40
    part /= part.sum()
    return float(part @ ((rows - part @ rows) ** 2).sum(axis=1))
