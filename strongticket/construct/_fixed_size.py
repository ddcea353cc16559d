r"""Two layers for one with exactly k kept weights a target weight: a ticket of a stated density.

The first 2k usable hidden neurons of an input's pool are paired, and of each pair exactly one
outgoing weight is kept. So every weight of the target costs exactly k weights of the second
sub-layer in each sign group, whatever its value. Pairs outside a window of w pairs are decided
one by one so that the rest stays near 0; in the window any w of the 2w candidates are taken, the
best such subset of all, which can only be better than one of each pair.

Source: fixed-size subsets are those of Natale et al. 2024; pairing is ours
(docs/theorems/proofs-natale2024.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strongticket import subsetsum
from strongticket.construct._layers import Built, Goals, assemble
from strongticket.construct._pool import Window
from strongticket.construct._two_layer import LayerAccuracy, _check
from strongticket.errors import ConstructionError, InputError
from strongticket.networks import Network
from strongticket.targets import Target
from strongticket.tickets import Ticket

Ints = NDArray[np.int64]
PAIRS = 9  # of a window: 18 candidates, 48,620 subsets of 9
SWAPS, FEW = 32, 64  # a weight that missed in all windows tries so many swaps, if so few missed


def fixed_size_two_layer(
    network: Network,
    target: Target,
    accuracy: Sequence[LayerAccuracy],
    sizes: Sequence[int],
    *,
    strict: bool = True,
) -> Ticket:
    """Prune a network of depth 2L with exactly `sizes[l]` subset members for every weight.

    `network` and `accuracy` as for `two_layer`; every weight (and bias) of target layer l, zero or
    not, keeps exactly ``sizes[l]`` weights of the second sub-layer in each of its sign groups, so
    that the density of that sub-layer is known beforehand. Raises ConstructionError where a block
    has fewer than 2 k usable neurons, or where a weight misses its accuracy with every window;
    with ``strict=False`` the weight keeps its best subset and is counted instead.
    """
    _check(network, target, accuracy, None)
    if len(sizes) != target.depth or any(
        isinstance(k, bool) or not isinstance(k, int) or k < 1 for k in sizes
    ):
        raise InputError(f"sizes needs one whole number >= 1 a target layer, got {sizes!r}")
    built = []
    for layer, (wanted, size) in enumerate(zip(accuracy, sizes, strict=True)):
        goals = Goals.of(network, target, layer, wanted)
        signs = (1,) if layer > 0 or target.domain.nonnegative else (1, -1)
        found = [_group(goals, sign, size, strict) for sign in signs]
        edges = np.sort(np.concatenate([edges for edges, _ in found]))
        live = np.unique(edges % goals.pool.hidden)
        missed = sum(count for _, count in found)
        report = {"size": size, "candidates_read": goals.pool.read, "missed": missed}
        built.append(Built(goals.pool, edges, live, report))
    return assemble(network, target, built, "two layers for one, subsets of a fixed size")


def _group(goals: Goals, sign: int, size: int, strict: bool) -> tuple[Ints, int]:
    """Kept flat indices of one sign group, and how many weights missed."""
    pool = goals.pool
    window = pool.window(0, 2 * size, sign)
    blocks = pool.blocks if sign > 0 else pool.inputs
    if window is None or window.neurons.shape[1] < 2 * size or (window.neurons[:blocks] < 0).any():
        raise ConstructionError(
            f"layer {goals.layer} keeps {size} weights for each of the target's and needs "
            f"{2 * size} hidden neurons of one sign an input; a pool of {pool.size} has fewer "
            "for some input. Use a wider network (the theorem's width) or smaller sizes"
        )
    done, missed = [], 0
    for rows, columns in goals.rows(sign, 2 * size):
        chosen, errors = _solved(goals, window, rows, columns, size)
        late = errors > goals.limits[columns]
        if late.any() and strict:
            goals.fail(rows[late], columns[late], errors[late], f"with subsets of {size}")
        missed += int(late.sum())
        hidden = columns[:, None] * pool.size + np.take_along_axis(
            window.neurons[columns], chosen, 1
        )
        done.append((rows[:, None] * pool.hidden + hidden).reshape(-1))
    return np.concatenate(done), missed


def _solved(
    goals: Goals, window: Window, rows: Ints, columns: Ints, size: int
) -> tuple[Ints, Ints]:
    """(chosen candidates (M, size), errors (M,)): the best over the windows that are needed."""
    pool = goals.pool
    neurons = window.neurons[columns]
    products = window.units[columns] * pool.outgoing(rows, neurons, columns)
    aims, limits = goals.goals[rows, columns], goals.limits[columns]
    chosen = np.zeros((rows.size, size), np.int64)
    errors = np.full(rows.size, np.iinfo(np.int64).max)
    inside = min(PAIRS, size)
    starts = range(0, size - inside + 1, inside)
    turns = (*starts, *(-start - 1 for start in starts))  # once from each end
    for swapped in (-1, *range(min(SWAPS, size - inside))):
        for turn in turns:
            left = np.flatnonzero(errors > limits)
            if not left.size or (swapped >= 0 and left.size > FEW):
                return chosen, errors
            picked, error = _attempt(products[left], aims[left], size, inside, turn, swapped)
            better = error < errors[left]
            chosen[left[better]], errors[left[better]] = picked[better], error[better]
    return chosen, errors


def _attempt(
    products: Ints, aims: Ints, size: int, inside: int, turn: int, swapped: int = -1
) -> tuple[Ints, Ints]:
    """One choice outside the window that `turn` names, then the best of fixed size inside.

    Of the pair number `swapped` the worse one is taken: what follows makes up for it, and the
    window has another sum to meet.
    """
    start = turn if turn >= 0 else size - inside + turn + 1
    order = [t for t in range(size) if not start <= t < start + inside]
    picked: list[Ints] = []
    rest = aims.copy()
    for t in order if turn >= 0 else order[::-1]:
        pair = products[:, 2 * t : 2 * t + 2]
        which = np.argmin(np.abs(rest[:, None] - pair), axis=1) ^ (len(picked) == swapped)
        rest -= np.take_along_axis(pair, which[:, None], 1)[:, 0]
        picked.append(2 * t + which)
    slots = slice(2 * start, 2 * (start + inside))
    answer = subsetsum.fixed_size(products[:, slots], rest, inside)
    errors = np.abs((answer.mask * products[:, slots]).sum(1) - rest)
    within = np.nonzero(answer.mask)[1].reshape(len(aims), inside) + 2 * start
    outside = np.array(picked, np.int64).reshape(len(picked), len(aims)).T
    return np.concatenate([outside, within], axis=1), errors
