"""Exact tickets in pruned sources with trainable weights: every target edge finds a copy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.theorems import _restated_sources
from strongticket.theorems._evidence import (
    RECOMPUTES,
    SHOWS_CASE,
    SHOWS_CASES,
    Effort,
    Row,
    algebra,
    failures,
)
from strongticket.theorems._theorem import Theorem

Bits = NDArray[np.bool_]


def source_edges(seed: int, name: str, shape: tuple[int, ...], kappa: float) -> Bits:
    """A random mask: each entry True with probability kappa, rounded down to 2^-32."""
    count = int(np.prod(shape))
    words = philox.words(seed, philox.stream("source", name), 0, count)
    return (words.astype(np.uint64) < int(Fraction(kappa) * (1 << 32))).reshape(shape)


@dataclass(frozen=True, kw_only=True)
class Realisable(Theorem):
    """Each of E (target edge, output copy) pairs misses all rho input copies: (1 - kappa)^rho."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """The count recomputed; exact tickets; failures over seeds; what no rho can beat."""
        pairs, kappa, delta = 600, 0.25, 0.05
        trials = effort.trials(200, 2000)
        rho = self.bound(E=pairs, kappa=kappa, delta=delta)
        if false_width:  # a third: hundreds of pairs then miss every copy
            failed = self._missing(pairs, rho // 3, kappa, trials)
            yield failures(f"false on purpose: rho = {rho // 3}", delta, failed, trials)
            return
        least = _restated_sources.least_copies(self.bound)
        yield algebra("rho is the least with E (1 - kappa)^rho <= delta", least, RECOMPUTES)
        yield algebra(
            "below the necessary number an independent source fails more often than delta",
            _restated_sources.necessary_copies(self.bound),
            SHOWS_CASES,
        )
        for density in self.extremal["kappa"]:
            yield self._exact(density)
        failed = self._missing(pairs, rho, kappa, trials)
        name = f"{pairs} pairs, kappa {kappa:g}, rho = {rho}: some pair has no copy"
        yield failures(name, delta, failed, trials)

    def _missing(self, pairs: int, rho: int, kappa: float, trials: int) -> int:
        failed = 0
        for seed in range(trials):
            here = source_edges(seed, "check copies", (pairs, max(1, rho)), kappa)
            failed += not here.any(1).all()
        return failed

    def _exact(self, kappa: float) -> Row:
        """A 4-6-5-2 target in a source of rho copies of every neuron, equal at every point."""
        widths, delta = (4, 6, 5, 2), 0.01
        edges = [a * b for a, b in itertools.pairwise(widths)]
        rho, asked = 1, 0
        while asked != rho:  # more copies are more pairs; from below, so the least that is enough
            asked, rho = rho, self.bound(E=self._pairs(edges, rho), kappa=kappa, delta=delta)
        random = np.random.default_rng(0)
        target = [random.integers(-9, 10, (b, a)) for a, b in itertools.pairwise(widths)]
        copies = [rho] * (len(widths) - 1) + [1]
        x = random.integers(-9, 10, (widths[0], 64))
        wanted, given = x, x
        plain, copied = x, np.repeat(x, rho, axis=0)
        used = 0
        for i, w in enumerate(target):
            shape = (w.shape[0] * copies[i + 1], w.shape[1] * rho)
            here = source_edges(1, f"check layer {i} {kappa:g}", shape, kappa)
            weights = self._weights(w, here, copies[i + 1], rho)
            used += int(np.count_nonzero(weights))
            plain, copied = w @ plain, weights @ copied
            wanted, given = plain, copied
            plain, copied = np.maximum(plain, 0), np.maximum(copied, 0)
        equal = np.array_equal(wanted, given)
        return Row(
            "construction",
            f"target {'-'.join(map(str, widths))} in a source of density {kappa:g}",
            f"rho = {rho} copies realise it exactly",
            f"{used} edges of the source used, outputs at 64 integer points "
            f"{'equal' if equal else 'differ'}",
            not equal,
            SHOWS_CASE,
        )

    @staticmethod
    def _pairs(edges: list[int], rho: int) -> int:
        """(target edge, output copy) pairs: rho copies of every hidden neuron, one of an output."""
        return sum(edges[:-1]) * rho + edges[-1]

    @staticmethod
    def _weights(w: NDArray[np.int64], here: Bits, outputs: int, rho: int) -> NDArray[np.int64]:
        """The first copy that is connected carries the weight; a pair without one gets none."""
        made = np.zeros(here.shape, np.int64)
        for (j, i), value in np.ndenumerate(w):
            for copy in range(outputs):
                row = j * outputs + copy
                found = np.flatnonzero(here[row, i * rho : (i + 1) * rho])
                if found.size:
                    made[row, i * rho + found[0]] = value
        return made
