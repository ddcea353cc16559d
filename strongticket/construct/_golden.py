r"""The golden-ratio greedy: subset sums of log-uniform weights in linear time.

With :math:`\gamma = (\sqrt 5 - 1)/2`, so :math:`\gamma^2 + \gamma = 1`, the bins
:math:`J_i = [s\gamma^{i+1}, s\gamma^i]`, i = 0, ..., k - 1, lie side by side. Let every bin hold a
sample. Whoever walks through the samples bin by bin, largest first, and subtracts each that is at
most what is left of :math:`0 \le w \le s/\gamma`, is left with at most :math:`s\gamma^{k-1}`.

Source: the mechanism of Orseau, Hutter, Rivasplata 2020 (arXiv 2006.12156); bins of one random
sign, as gadgets of depth 2, with our own constants (docs/theorems/proofs-orseau2020.md).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from strongticket.construct._assemble import Pair, assemble
from strongticket.construct._pool import Pool
from strongticket.construct._two_layer import LayerAccuracy
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import LogUniform, SignedConstant
from strongticket.networks import MLP, Network
from strongticket.targets import Target
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
Progress = Callable[[str, int, int], None]
MOST_DIGITS = 34  # 2^24 gamma^34 is about 1.3: below that there is no unit left
_CHUNK = 1 << 20  # candidates sorted at once


@functools.cache
def edges(k: int) -> tuple[int, ...]:
    r"""floor(2^24 gamma^i), i = 0, ..., k: the largest unit of every bin, exact.

    :math:`(-\gamma)^i = (L_i - F_i \sqrt 5)/2` with Lucas and Fibonacci numbers; all but i = 0 are
    irrational, so no unit lies on an edge.
    """
    fibonacci, lucas, found = (0, 1), (2, 1), []
    for i in range(k + 1):
        root = math.isqrt(5 * fibonacci[0] ** 2 << 2 * (24 + 40))
        found.append(abs((lucas[0] << 64) - root - (i % 2 == 0 and i > 0)) >> 41)
        fibonacci = (fibonacci[1], sum(fibonacci))
        lucas = (lucas[1], sum(lucas))
    return tuple(found)


def greedy(candidates: Ints, goals: Ints, digits: int) -> tuple[NDArray[np.bool_], Ints]:
    """Subsets (M, n) of integer candidates, and what they leave of the goals (M,), both >= 0.

    One pass in the order of the golden bins, so in time linear in n (the bins' numbers are sorted
    by radix). Candidates that are not > 0 are never taken. Units are those of a law of scale 1.
    """
    bins = np.array(edges(digits)[::-1])
    # bin 0 is the topmost; what lies below all bins comes last
    digit = (digits - np.searchsorted(bins, candidates, side="left")).astype(np.uint8)
    order = np.argsort(digit, axis=1, kind="stable")
    sizes = np.ascontiguousarray(np.take_along_axis(candidates, order, 1).T)
    left, taken = goals.copy(), np.empty(sizes.shape, np.bool_)
    for size, take in zip(sizes, taken, strict=True):
        np.logical_and(size > 0, size <= left, out=take)
        left -= size * take
    mask = np.zeros(candidates.shape, np.bool_)
    np.put_along_axis(mask, order, taken.T, 1)
    return mask, left


def worst_residual(samples: Ints, most: int) -> int:
    """The largest residual of the greedy over all goals 0, ..., most, samples in its order; exact.

    Goals left after a sample are all of 0, ..., R for some R, or fewer: a sample x <= R leaves
    those below x, and those from x on less x.
    """
    left = most
    for x in samples.tolist():
        if 0 < x <= left:
            left = max(x - 1, left - x)
    return left


def golden(
    network: Network,
    target: Target,
    accuracy: Sequence[LayerAccuracy],
    *,
    digits: int | Sequence[int] = 25,
    window: int | None = None,
    strict: bool = True,
    progress: Progress | None = None,
) -> Ticket:
    """Prune a network of signs and log-uniform weights down to the target, by the greedy.

    `network` has depth 2L and widths (d_0, H_1, d_1, ...), H_l a multiple of d_{l-1} (+ 1 with a
    bias); weights +1 or -1 (`SignedConstant(1.0)`) in random layers 0, 2, ..., `LogUniform` in the
    others. A hidden neuron of sign a passes inputs of that sign on, so the weight of an input and
    its sign is a subset sum of log-uniform weights. `digits` is the number k of bins, of all
    layers or of each; every weight first reads `window` usable neurons (None: 8 k), and only those
    that miss read twice, four times, ... as many.

    Raises ConstructionError where a weight misses after the whole pool; with ``strict=False`` it
    keeps what the greedy found.
    """
    architecture = network.architecture
    if not isinstance(architecture, MLP) or architecture.widths[::2] != target.widths:
        raise WidthError(
            f"the construction needs a Network.mlp of depth {2 * target.depth} whose even widths "
            f"are the target's {target.widths}, got {getattr(architecture, 'widths', architecture)}"
        )
    counts = (digits,) * target.depth if isinstance(digits, int) else tuple(digits)
    if len(accuracy) != target.depth or len(counts) != target.depth:
        raise InputError(f"a target of depth {target.depth} needs as many accuracies and digits")
    if not all(1 <= k <= MOST_DIGITS for k in counts):
        raise InputError(f"digits must be from 1 to {MOST_DIGITS}, got {counts}")
    pairs = []
    for layer, (wanted, k) in enumerate(zip(accuracy, counts, strict=True)):
        laws = [network[f"layers.{2 * layer + i}.weight"].law for i in (0, 1)]
        if laws[0] != SignedConstant(1.0) or not isinstance(laws[1], LogUniform):
            raise InputError(
                f"random layers {2 * layer} and {2 * layer + 1} need the laws SignedConstant(1.0) "
                f"and LogUniform, got {laws[0]} and {laws[1]}"
            )
        pool = Pool(network, layer, target.biases[layer] is not None)
        nonnegative = layer > 0 or target.domain.nonnegative
        found = []
        for sign in (1,) if nonnegative else (1, -1):
            text = f"construct layer {layer + 1}, {'positive' if sign > 0 else 'negative'} group"
            build = _Group(pool, target, layer, wanted, k, sign)
            found.append(build.solve(window or 8 * k, strict, text, progress))
        flat = np.concatenate(found)
        reads = flat % pool.hidden // pool.size
        report = {"pool": pool.size, "digits": k, "candidates_read": pool.read}
        sizes = (pool.inputs, pool.hidden, pool.outputs)
        pairs.append(Pair(layer, sizes, flat, reads, report))
    return assemble(network, target, "golden-ratio greedy", pairs)


class _Group:
    """All weights (and biases) of one target layer for one sign of their inputs."""

    def __init__(
        self, pool: Pool, target: Target, layer: int, wanted: LayerAccuracy, digits: int, sign: int
    ) -> None:
        self.pool, self.layer, self.digits, self.sign = pool, layer, digits, sign
        values = target.weights[layer].astype(np.float64)
        limits = np.full(values.shape[1], wanted.weight)
        bias = target.biases[layer]
        if bias is not None and sign > 0:  # a bias needs no negative group
            values = np.column_stack([values, bias.astype(np.float64)])
            limits = np.append(limits, wanted.bias or wanted.weight)
        self.values, unit = values, 2.0**-pool.exponent
        grid = np.abs(values) * unit  # exact: a power of two
        if grid.max(initial=0.0) >= 2.0**52:
            raise InputError(f"layer {layer} has weights far beyond the random ones; scale the law")
        # The greedy takes integers off |w| rounded down; the fraction stays part of the residual.
        self.goals = np.floor(grid).astype(np.int64)
        steps = np.floor(np.minimum(limits * unit, 2.0**52)) - (grid != self.goals)
        self.limits = steps.astype(np.int64)
        if (self.limits < 0).any():
            raise InputError(
                f"layer {layer} asks for an accuracy of {limits.min():g}, finer than the grid "
                f"2^{pool.exponent} of the random weights"
            )

    def solve(self, window: int, strict: bool, text: str, progress: Progress | None) -> Ints:
        """Kept flat indices, unsorted."""
        rows, blocks = np.nonzero(self.goals > self.limits)  # the empty subset serves the others
        total, kept, size = rows.size, [np.empty(0, np.int64)], window
        left = self.goals[rows, blocks]
        while rows.size and (view := self.pool.window(0, size, self.sign)):
            misses: list[tuple[Ints, Ints, Ints]] = []
            whole = view.neurons.shape[1] < size or size >= self.pool.size
            for low in range(0, rows.size, max(1, _CHUNK // view.neurons.shape[1])):
                part = slice(low, low + max(1, _CHUNK // view.neurons.shape[1]))
                j, k = rows[part], blocks[part]
                neurons = view.neurons[k]
                signs = np.where(self.values[j, k] < 0, -1, 1) * self.sign
                b = self.pool.outgoing(j, neurons, k) * signs[:, None]
                mask, rest = greedy(np.where(neurons >= 0, b, 0), self.goals[j, k], self.digits)
                good = rest <= self.limits[j, k]
                chosen = mask & (good[:, None] | (whole and not strict))
                flat = (j * self.pool.hidden + k * self.pool.size)[:, None] + neurons
                kept.append(flat[chosen])
                misses.append((j[~good], k[~good], rest[~good]))
                if progress:
                    done = total - rows.size + low + int(good.sum())
                    progress(f"{text}: {size} neurons an input", done, total)
            rows, blocks, left = (np.concatenate(parts) for parts in zip(*misses, strict=True))
            if whole:
                break
            size *= 2
        if rows.size and strict:
            self._fail(rows, blocks, left)
        return np.concatenate(kept)

    def _fail(self, rows: Ints, blocks: Ints, left: Ints) -> None:
        worst = int(np.argmax(left))
        j, k = int(rows[worst]), int(blocks[worst])
        what = f"bias {j}" if k == self.pool.inputs else f"weight ({j}, {k})"
        unit = 2.0**self.pool.exponent
        raise ConstructionError(
            f"{rows.size} weight(s) of layer {self.layer} missed their accuracy after the whole "
            f"pool of {self.pool.size} neurons an input. The worst is {what} = "
            f"{self.values[j, k]:.9g}: wanted within {self.limits[j, k] * unit:.3g}, the greedy "
            f"leaves {left[worst] * unit:.3g}. Use the theorem's width, a larger scale, a larger "
            "epsilon, or strict=False and let the certificate judge."
        )
