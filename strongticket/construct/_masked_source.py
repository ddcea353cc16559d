r"""Two layers for one inside a random network that is pruned, or frozen, at random beforehand.

A `RandomSource` is a random mask of the network itself, a function of its seed: every weight is
pruned away, free or locked by a random word of its own. A ticket keeps no pruned weight and every
locked one. Locked weights are those of second sub-layers: a locked weight of a first sub-layer
would give its hidden neuron a second input, and the gadget would be no gadget any more. So that
every locked weight reads a neuron that is alive, all hidden neurons then keep their one input.

Source: Gadhikar, Mukherjee, Burkholz 2023 (pruned sources), Otsuka et al. 2024 (frozen parts);
proofs with constants: docs/theorems/proofs-random-sources.md.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox, subsetsum
from strongticket.construct._layers import CHUNK, Built, Goals, assemble
from strongticket.construct._two_layer import LayerAccuracy, Objective, _check
from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]
_WORDS = 1 << 32
_LEAST_WINDOW, _MOST_WINDOW = 14, 20
_OUTER = 6  # a weight that missed gets 63 shifts from the next so many candidates
_SCANNED = 1 << 22  # words of a source looked at together
REACHED = Fraction(3, 8)  # of the largest product: half of the window that small sums serve


@dataclass(frozen=True)
class RandomSource:
    """Which weights of a random network exist, and which are locked, before anything is searched.

    Each weight (and bias) of a first sub-layer exists with probability `first`, each of a second
    one with probability `second`; a fraction `locked` of all weights of the second sub-layers is
    locked (that includes none that do not exist). Probabilities are rounded down to multiples of
    2^-32: `chances` has the exact ones. Word i of the stream ("source", parameter) decides on
    weight i, whatever the weight is.
    """

    first: float = 1.0
    second: float = 1.0
    locked: float = 0.0

    def __post_init__(self) -> None:
        for name in ("first", "second"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 1 / _WORDS <= value <= 1):
                raise InputError(f"the density {name} must lie in [2^-32, 1], got {value!r}")
        if not (isinstance(self.locked, int | float) and 0 <= self.locked < self.second):
            raise InputError(
                f"locked must lie in [0, second = {self.second!r}): some weights must be left to "
                f"choose; got {self.locked!r}"
            )
        if self.locked and self.first < 1:
            raise InputError(
                "locked weights need whole first sub-layers (first = 1): a locked weight that "
                f"reads a pruned neuron is no part of a two-layers-for-one ticket; got first = "
                f"{self.first!r}"
            )

    @property
    def chances(self) -> tuple[Fraction, Fraction, Fraction]:
        """Exact probabilities: a first weight exists; a second is free; a second is locked."""
        first, second, locked = (Fraction(t, _WORDS) for t in self._thresholds)
        return first, second - locked, locked

    @property
    def _thresholds(self) -> tuple[int, int, int]:
        """Words below these: first exists, second exists, second is locked."""
        values = (self.first, self.second, self.locked)
        first, second, locked = (math.floor(Fraction(v) * _WORDS) for v in values)
        return first, second, locked

    def exists(self, network: Network, name: str, indices: Ints, first: bool) -> Bits:
        """Whether the weights of these flat indices exist."""
        least = self._thresholds[0 if first else 1]
        return self._words(network, name, indices) < least

    def fixed(self, network: Network, name: str, indices: Ints) -> Bits:
        """Whether the weights of these flat indices, of a second sub-layer, are locked."""
        return self._words(network, name, indices) < self._thresholds[2]

    def all_fixed(self, network: Network, name: str) -> Ints:
        """The flat indices of all locked weights of a second sub-layer, increasing."""
        total, found = network[name].numel, [np.empty(0, np.int64)]
        if self._thresholds[2]:
            for low in range(0, total, _SCANNED):
                count = min(_SCANNED, total - low)
                words = philox.words(network.seed, philox.stream("source", name), low, count)
                found.append(np.flatnonzero(words < self._thresholds[2]) + low)
        return np.concatenate(found)

    def require(self, ticket: Ticket) -> None:
        """Raise InputError unless the ticket keeps only what exists and everything locked."""
        for name in ticket.mask:
            layer = int(name.split(".")[1])
            kept, first = ticket.mask[name].indices(), layer % 2 == 0
            foreign = ~self.exists(ticket.network, name, kept, first)
            if foreign.any():
                raise InputError(
                    f"the ticket keeps {int(foreign.sum())} weights of {name} that the random "
                    f"source does not have, the first at {int(kept[foreign][0])}"
                )
            if not first and name.endswith("weight"):
                lost = np.setdiff1d(self.all_fixed(ticket.network, name), kept)
                if lost.size:
                    raise InputError(
                        f"the ticket prunes {lost.size} locked weights of {name}, the first at "
                        f"{int(lost[0])}"
                    )

    @staticmethod
    def _words(network: Network, name: str, indices: Ints) -> NDArray[np.uint64]:
        stream = philox.stream("source", name)
        return philox.words_at(network.seed, stream, indices).astype(np.uint64)


def masked_two_layer(
    network: Network,
    target: Target,
    accuracy: Sequence[LayerAccuracy],
    source: RandomSource,
    *,
    objective: Objective = subsetsum.best,
    strict: bool = True,
) -> Ticket:
    """Prune what `source` leaves of a network of depth 2L until it is the target.

    `network`, `target`, `accuracy` and `objective` as for `two_layer`. With locked weights the
    whole pool is alive: their sum is taken off the target, further free weights are kept one by
    one until the rest is small, and a window of free weights does the remainder. Raises
    ConstructionError where a weight misses its accuracy with every window of the pool; with
    ``strict=False`` it keeps its best subset and is counted instead.
    """
    _check(network, target, accuracy, None)
    built = []
    for layer, wanted in enumerate(accuracy):
        build = _Source(Goals.of(network, target, layer, wanted), source, objective)
        signs = (1,) if layer > 0 or target.domain.nonnegative else (1, -1)
        edges = np.concatenate([build.solve(sign, strict) for sign in signs])
        pool = build.goals.pool
        live = np.arange(pool.hidden) if source.locked else np.unique(edges % pool.hidden)
        fixed = source.all_fixed(network, pool.second)
        report = {"candidates_read": build.read, "missed": build.missed, "locked": int(fixed.size)}
        built.append(Built(pool, np.sort(np.concatenate([edges, fixed])), live, report))
    provenance = "two layers for one in a random source"
    return assemble(network, target, built, provenance)


class _Source:
    """One target layer: its weights solved in what the source leaves of the pool."""

    def __init__(self, goals: Goals, source: RandomSource, objective: Objective) -> None:
        self.goals, self.source, self.objective = goals, source, objective
        self.aims = "epsilon" in inspect.signature(objective).parameters
        pool = goals.pool
        span = 2.0**48 / max(1, int(goals.limits.min()))
        self.window = min(max(math.ceil(math.log2(span)) + 4, _LEAST_WINDOW), _MOST_WINDOW)
        self.bound = int(REACHED * (1 << 48))
        self.read = self.missed = 0
        self.incoming = np.empty((pool.blocks, 0), np.int64)

    def look(self, count: int) -> None:
        """Read the incoming weights of the first `count` neurons of every block: 0 if pruned."""
        pool, network = self.goals.pool, self.goals.pool.network
        number = np.arange(self.read, count)
        hidden = np.arange(pool.inputs)[:, None] * pool.size + number
        flat = hidden * pool.inputs + np.arange(pool.inputs)[:, None]
        units = network.units_at(pool.first, flat).astype(np.int64)
        units *= self.source.exists(network, pool.first, flat, True)
        if pool.blocks > pool.inputs:
            own = pool.inputs * pool.size + number
            more = network.units_at(pool.bias, own).astype(np.int64)
            more *= self.source.exists(network, pool.bias, own, True)
            units = np.concatenate([units, more[None]])
        self.incoming = np.concatenate([self.incoming, units], axis=1)
        self.read = count

    def solve(self, sign: int, strict: bool) -> Ints:
        """Flat indices of the free weights that one sign group keeps."""
        pool, goals, done = self.goals.pool, self.goals, []
        rows, columns = np.divmod(np.arange(pool.outputs * pool.blocks), pool.blocks)
        wanted = goals.goals[rows, columns] != 0
        if sign < 0:
            wanted &= columns < pool.inputs
        if self.source.locked:  # what is 0 must undo its locked weights, too
            wanted = columns < (pool.blocks if sign > 0 else pool.inputs)
        rows, columns = rows[wanted], columns[wanted]
        first, free, _ = self.source.chances
        count = math.ceil(self.window * 2 / (first * free)) + 32
        count = pool.size if self.source.locked else min(pool.size, count)
        errors = np.empty(0, np.int64)
        while rows.size:
            if count > self.read:
                self.look(count)
            late, errors = [], np.empty(0, np.int64)
            for part in self._parts(rows.size, count):
                edges, missed, error = self._part(rows[part], columns[part], sign, count)
                done.append(edges)
                late.append(np.flatnonzero(missed) + part.start)
                errors = np.concatenate([errors, error[missed]])
            left = np.concatenate(late)
            if count == pool.size or not left.size:
                if left.size and strict:
                    why = f"in a pool of {pool.size} neurons an input, thinned by {self.source}"
                    goals.fail(rows[left], columns[left], errors, why)
                self.missed += left.size
                break
            rows, columns, count = rows[left], columns[left], min(pool.size, 4 * count)
        return np.concatenate([np.empty(0, np.int64), *done])

    @staticmethod
    def _parts(total: int, width: int) -> Iterator[slice]:
        size = max(1, CHUNK // width)
        for low in range(0, total, size):
            yield slice(low, min(low + size, total))

    def _part(self, rows: Ints, columns: Ints, sign: int, count: int) -> tuple[Ints, Bits, Ints]:
        """(kept edges, which weights missed, their errors). A miss is kept where no more is."""
        pool = self.goals.pool
        incoming = self.incoming[columns, :count]
        incoming = np.where(incoming * sign > 0, incoming, 0)
        hidden = columns[:, None] * pool.size + np.arange(count)
        flat = rows[:, None] * pool.hidden + hidden
        products = incoming * pool.network.units_at(pool.second, flat)
        free = (incoming != 0) & self.source.exists(pool.network, pool.second, flat, False)
        aims, limits = self.goals.goals[rows, columns].copy(), self.goals.limits[columns]
        if self.source.locked:
            fixed = self.source.fixed(pool.network, pool.second, flat)
            free &= ~fixed
            aims -= (products * fixed).sum(1)
        order = np.argsort(~free, axis=1, kind="stable")
        available = free.sum(1)
        errors = np.abs(aims)
        chosen = np.zeros(free.shape, np.bool_)
        for outer in range(1 << _OUTER):
            for start in range(0, int(available.max(initial=0)), self.window):
                left = np.flatnonzero((errors > limits) & (start < available))
                if not left.size:
                    continue
                slots = order[left, start : start + self.window + _OUTER]
                kept, error = self._attempt(
                    products[left], free[left], slots, aims[left], limits[left], outer
                )
                better = error < errors[left]
                chosen[left[better]], errors[left[better]] = kept[better], error[better]
            if count < pool.size or not (errors > limits).any():
                break  # before fixing subsets of the next few, look at more of the pool
        missed = errors > limits
        last = count == pool.size
        return flat[chosen & (~missed | last)[:, None]], missed, errors

    def _attempt(
        self, products: Ints, free: Bits, slots: Ints, aims: Ints, limits: Ints, outer: int
    ) -> tuple[Bits, Ints]:
        """Free weights outside `slots` until the rest is small, then the best subset of them.

        The last few slots, beyond the window, are kept or not as the bits of `outer` say.
        """
        number = np.arange(len(aims))
        kept = np.zeros(free.shape, np.bool_)
        slots, beyond = slots[:, : self.window], slots[:, self.window :]
        bits = (outer >> np.arange(beyond.shape[1])) & 1 == 1
        fixed = np.take_along_axis(free, beyond, 1) & bits
        kept[number[:, None], beyond] = fixed
        rest = aims - (np.take_along_axis(products, beyond, 1) * fixed).sum(1)
        outside = free.copy()
        outside[number[:, None], slots] = False
        outside[number[:, None], beyond] = False
        far = np.flatnonzero(np.abs(rest) > self.bound)
        if far.size:
            self._reach(products, outside, rest, kept, far)
        inside = np.take_along_axis(products * free, slots, 1)
        answer = self.solve_batch(inside, rest, limits)
        usable = np.take_along_axis(free, slots, 1) & answer.mask
        kept[number[:, None], slots] = usable
        return kept, np.abs((inside * usable).sum(1) - rest)

    def solve_batch(self, candidates: Ints, aims: Ints, limits: Ints) -> subsetsum.Subsets:
        """The objective, told the accuracy where it asks for one."""
        if self.aims:
            return self.objective(candidates, aims, epsilon=limits)
        return self.objective(candidates, aims)

    def _reach(self, products: Ints, outside: Bits, rest: Ints, kept: Bits, far: Ints) -> None:
        """Keep weights of the rest's sign, none larger than twice the bound, until it is small."""
        mine, out, left = products[far], outside[far], rest[far]
        taken = np.zeros(mine.shape, np.bool_)
        for t in range(mine.shape[1]):
            x = mine[:, t]
            use = out[:, t] & (np.abs(left) > self.bound) & (np.sign(x) == np.sign(left))
            use &= np.abs(x) <= 2 * self.bound
            taken[:, t] = use
            left -= np.where(use, x, 0)
        rest[far] = left
        kept[far] |= taken
