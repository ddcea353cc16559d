r"""Two layers for one: every target layer becomes two pruned random layers with a ReLU between.

For output j and input k, and for each sign group of the pool (neurons whose incoming weight a is
positive, or negative), choose a subset S of the group with

.. math:: \sum_{i \in S} b_{jki} a_{ki} \approx w_{jk}.

The pruned pair then maps y to :math:`w^+ y` for y >= 0 and to :math:`w^- y` for y < 0, both close
to w y. Inputs known to be non-negative need the positive group only. A bias is a subset sum over
hidden neurons that keep their own positive bias as their only input.

Source: the gadget of Malach et al. 2020 and Pensia et al. 2020, Lemmas 1 to 3; biases after
Fischer et al. 2021.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.activations import RELU
from strongticket.construct._pool import Pool, Window
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Mask, Ticket

Ints = NDArray[np.int64]
Objective = Callable[..., subsetsum.Subsets]
Progress = Callable[[str, int, int], None]

_CHUNK = 1 << 21  # candidates solved at once: 16 MB of products
_LARGEST_WINDOW = 24  # what the exact solvers take
_SMALLEST_WINDOW = 16
_OUTER = 6  # log2 of the shifted retries that a missing weight gets from each neighbour window


@dataclass(frozen=True)
class LayerAccuracy:
    """The accuracy that every weight, and every bias, of one target layer must reach."""

    weight: float
    bias: float | None = None

    def __post_init__(self) -> None:
        for value in (self.weight, self.bias):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"an accuracy must be finite and > 0, got {value!r}")


def two_layer(
    network: Network,
    target: Target,
    accuracy: Sequence[LayerAccuracy],
    *,
    objective: Objective = subsetsum.best,
    window: int | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Ticket:
    """Prune a random network of depth 2L until it is the target, weight by weight.

    `network` has widths (d_0, H_1, d_1, H_2, ...), H_l a multiple of d_{l-1} (+ 1 with a bias);
    `accuracy` gives one `LayerAccuracy` a target layer. Every weight reads the first `window`
    usable neurons of its pool (None: chosen from the accuracy, 16 to 24); only those that miss
    read further windows, the same for all outputs. `objective` is `subsetsum.best` (least
    error), `sparsest`, `lightest`, `within`, a partial of one, or a solver of the same form; it
    gets the accuracy where it has an argument `epsilon`. `progress` is called with (text, done,
    total).

    The ticket's provenance counts the width, the candidates read and the live neurons.
    Raises ConstructionError where a weight misses after the whole pool; with ``strict=False`` it
    keeps its best subset and is counted instead.
    """
    _check(network, target, accuracy, window)
    kept: dict[str, tuple[tuple[int, ...], Ints]] = {}
    reports = []
    for layer, wanted in enumerate(accuracy):
        pool = Pool(network, layer, target.biases[layer] is not None)
        nonnegative = layer > 0 or target.domain.nonnegative
        build = _Layer(pool, target, layer, wanted, objective, window)
        report = progress or (lambda *_: None)
        edges = np.concatenate(
            [build.solve(sign, strict, report) for sign in ((1,) if nonnegative else (1, -1))]
        )
        edges = np.sort(edges)
        hidden = np.unique(edges % pool.hidden)
        block = hidden // pool.size
        weights = hidden[block < pool.inputs] * pool.inputs + block[block < pool.inputs]
        kept[pool.second] = ((pool.outputs, pool.hidden), edges)
        kept[pool.first] = ((pool.hidden, pool.inputs), weights)
        if pool.bias in network.masked:
            kept[pool.bias] = ((pool.hidden,), hidden[block == pool.inputs])
        reports.append(
            {
                "pool": pool.size,
                "window": build.window,
                "candidates_read": pool.read,
                "live_neurons": int(hidden.size),
                "kept": int(edges.size + hidden.size),
                "missed": build.missed,
                "retried": build.retried,
            }
        )
    for name in network.masked:  # biases of even sub-layers: all pruned
        kept.setdefault(name, (network[name].shape, np.empty(0, np.int64)))
    provenance: dict[str, Any] = {
        "construction": "two layers for one",
        "objective": _name(objective),
        "target": target.digest,
        "layers": reports,
    }
    return Ticket(network, Mask.sparse(kept), provenance=provenance)


def _name(objective: Objective) -> str:
    """A verb's name, also behind a partial: a repr holds an address, and ids must repeat."""
    while isinstance(objective, functools.partial):
        objective = objective.func
    return str(getattr(objective, "__name__", type(objective).__name__))


@dataclass(frozen=True)
class _Left:
    """Weights still to be solved, with the best subset so far: hidden neurons, -1 for none."""

    rows: Ints  # (M,) outputs
    blocks: Ints  # (M,) inputs
    error: Ints  # (M,) in grid steps
    hidden: Ints  # (M, n)

    def where(self, at: NDArray[Any]) -> _Left:
        return _Left(self.rows[at], self.blocks[at], self.error[at], self.hidden[at])

    def split(self, size: int) -> Iterator[_Left]:
        for low in range(0, self.rows.size, size):
            yield self.where(np.arange(low, min(low + size, self.rows.size)))

    def better(self, error: Ints, hidden: Ints) -> _Left:
        """The smaller error of the two, with its subset."""
        width = max(hidden.shape[1], self.hidden.shape[1])
        old, new = _widened(self.hidden, width), _widened(hidden, width)
        gain = error < self.error
        return _Left(
            self.rows,
            self.blocks,
            np.minimum(error, self.error),
            np.where(gain[:, None], new, old),
        )

    def edges(self, width: int) -> Ints:
        """Flat indices row * width + hidden neuron of all kept edges."""
        flat: Ints = (self.rows[:, None] * width + self.hidden)[self.hidden >= 0]
        return flat

    @staticmethod
    def join(parts: Sequence[_Left]) -> _Left:
        width = max(p.hidden.shape[1] for p in parts)
        return _Left(
            np.concatenate([p.rows for p in parts]),
            np.concatenate([p.blocks for p in parts]),
            np.concatenate([p.error for p in parts]),
            np.concatenate([_widened(p.hidden, width) for p in parts]),
        )


def _widened(hidden: Ints, width: int) -> Ints:
    return np.pad(hidden, ((0, 0), (0, width - hidden.shape[1])), constant_values=-1)


class _Layer:
    """One target layer: its weights (and bias, as a last column) solved window by window."""

    def __init__(
        self,
        pool: Pool,
        target: Target,
        layer: int,
        accuracy: LayerAccuracy,
        objective: Objective,
        window: int | None,
    ) -> None:
        self.pool, self.layer, self.objective, self.accuracy = pool, layer, objective, accuracy
        # `best` knows no accuracy; a partial of a verb, or a user's own solver, says it by name.
        self.aims = "epsilon" in inspect.signature(objective).parameters
        columns = target.weights[layer].astype(np.float64)
        bias = target.biases[layer]
        limits = np.full(columns.shape[1], accuracy.weight)
        if bias is not None:
            columns = np.column_stack([columns, bias.astype(np.float64)])
            limits = np.append(limits, accuracy.bias or accuracy.weight)
        self.values = columns
        grid = columns * 2.0**-pool.exponent  # exact: a power of two
        if np.abs(grid).max(initial=0.0) >= 2.0**61:
            raise InputError(
                f"layer {layer} has weights up to {np.abs(columns).max():g}, far beyond the "
                "products of two random weights; use laws of a larger scale"
            )
        self.goals = np.rint(grid).astype(np.int64)
        # Rounding the target to the grid may cost half a step: leave room for one.
        steps = np.floor(limits * 2.0**-pool.exponent)
        exact = (grid == self.goals).all()
        if not exact and steps.min() < 1:
            raise InputError(
                f"layer {layer} asks for an accuracy of {limits.min():g}, finer than the grid "
                f"2^{pool.exponent} of products of two random weights"
            )
        self.limits = np.minimum(steps - (not exact), 2.0**61).astype(np.int64)
        spread = 2.0 ** (pool.exponent + 48)  # the largest product
        bits = math.ceil(math.log2(max(spread / accuracy.weight, 1.0))) + 4
        chosen = min(max(bits, _SMALLEST_WINDOW), _LARGEST_WINDOW) if window is None else window
        self.window = min(chosen, pool.size)
        self.missed = self.retried = 0

    def solve(self, sign: int, strict: bool, progress: Progress) -> Ints:
        """Kept flat indices of the second source layer for one sign group, unsorted."""
        group = "positive" if sign > 0 else "negative"
        rows, blocks = np.nonzero(self.goals)
        if sign < 0:  # a bias needs no negative group
            rows, blocks = rows[blocks < self.pool.inputs], blocks[blocks < self.pool.inputs]
        left = _Left(
            rows,
            blocks,
            np.abs(self.goals[rows, blocks]),  # the empty subset
            np.full((rows.size, 0), -1),
        )
        total, number, solved = rows.size, 0, 0
        done: list[Ints] = []
        while left.rows.size and (window := self.pool.window(number, self.window, sign)):
            misses = []
            for part in left.split(max(1, _CHUNK // self.window)):
                misses.append(self._settle(part, *self._attempt(part, window, None), done))
                text = f"construct layer {self.layer + 1}, {group} group: window {number + 1}"
                solved += part.rows.size - misses[-1].rows.size
                progress(text, solved, total)
            left = _Left.join(misses)
            if number == 0:
                self.retried += left.rows.size
            number += 1
        left = self._shifted(sign, number, left, done)
        if left.rows.size and strict:
            self._fail(left.rows, left.blocks, left.error, number)
        self.missed += left.rows.size
        return np.concatenate([*done, left.edges(self.pool.hidden)])

    def _shifted(self, sign: int, windows: int, left: _Left, done: list[Ints]) -> _Left:
        """Last resort for the few that missed: fix a subset of one window, solve in the next."""
        for number in range(windows - 1):
            fixed = self.pool.window(number, self.window, sign)
            window = self.pool.window(number + 1, self.window, sign)
            assert fixed is not None
            assert window is not None
            for outer in range(1, 1 << min(_OUTER, self.window)):
                if not left.rows.size:
                    return left
                bits = (outer >> np.arange(fixed.neurons.shape[1])) & 1 == 1
                error, hidden = self._attempt(left, window, (fixed, bits))
                left = self._settle(left, error, hidden, done)
        return left

    def _attempt(
        self, left: _Left, window: Window, fixed: tuple[Window, NDArray[np.bool_]] | None
    ) -> tuple[Ints, Ints]:
        """Errors (M,) and kept hidden neurons (M, n), -1 for none, of one solve."""
        products, hidden = self._products(left, window)
        goals = self.goals[left.rows, left.blocks]
        if fixed is not None:
            shift, extra = self._products(left, fixed[0])
            extra = np.where(fixed[1], extra, -1)
            goals = goals - (shift * (extra >= 0)).sum(1)
        if self.aims:
            answer = self.objective(products, goals, epsilon=self.limits[left.blocks])
        else:
            answer = self.objective(products, goals)
        # A neuron that is not there has product 0 and must not be kept.
        kept = np.where(answer.mask, hidden, -1)
        error = np.abs((products * (kept >= 0)).sum(1) - goals)
        return error, kept if fixed is None else np.concatenate([kept, extra], axis=1)

    def _products(self, left: _Left, window: Window) -> tuple[Ints, Ints]:
        """Products of two weights (M, n), and their hidden neurons (M, n), -1 for none."""
        neurons = window.neurons[left.blocks]
        outgoing = self.pool.outgoing(left.rows, neurons, left.blocks)
        hidden = left.blocks[:, None] * self.pool.size + neurons
        return window.units[left.blocks] * outgoing, np.where(neurons >= 0, hidden, -1)

    def _settle(self, left: _Left, error: Ints, hidden: Ints, done: list[Ints]) -> _Left:
        """Move the weights that are accurate enough to `done`; return the others."""
        hit = error <= self.limits[left.blocks]
        done.append(
            _Left(left.rows[hit], left.blocks[hit], error[hit], hidden[hit]).edges(self.pool.hidden)
        )
        return left.better(error, hidden).where(~hit)

    def _fail(self, rows: Ints, blocks: Ints, best: Ints, windows: int) -> None:
        worst = int(np.argmax(best))
        row, block = int(rows[worst]), int(blocks[worst])
        bias = block == self.pool.inputs
        what = f"bias {row}" if bias else f"weight ({row}, {block})"
        unit = 2.0**self.pool.exponent
        raise ConstructionError(
            f"{rows.size} weight(s) of layer {self.layer} missed their accuracy after the whole "
            f"pool of {self.pool.size} neurons an input ({windows} windows of {self.window}). "
            f"The worst is {what} = {self.values[row, block]:.9g}: wanted within "
            f"{self.limits[block] * unit:.3g}, reached {best[worst] * unit:.3g}. Use a wider "
            "network (the theorem's width), a larger epsilon, or strict=False and let the "
            "certificate judge."
        )


def _check(
    network: Network, target: Target, accuracy: Sequence[LayerAccuracy], window: int | None
) -> None:
    architecture = network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("the construction prunes a Network.mlp, not a user's model")
    if {architecture.activation, target.activation} != {RELU}:
        raise InputError(
            "two layers for one is about ReLU networks; the target has "
            f"{target.activation}, the random network {architecture.activation}: use "
            "strongticket.construct.copies"
        )
    if architecture.depth != 2 * target.depth or len(accuracy) != target.depth:
        raise WidthError(
            f"a target of depth {target.depth} needs a random network of depth "
            f"{2 * target.depth} and {target.depth} accuracies; got depth {architecture.depth} "
            f"and {len(accuracy)}"
        )
    if window is not None and not 1 <= window <= _LARGEST_WINDOW:
        raise InputError(f"window must be from 1 to {_LARGEST_WINDOW}, got {window}")
    if architecture.widths[::2] != target.widths:
        raise WidthError(
            f"the random network's even widths {architecture.widths[::2]} must be the target's "
            f"{target.widths}"
        )
