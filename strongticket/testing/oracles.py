"""Slow, plain and exact: what the fast code is held to. Python's integers and fractions only.

Nothing here shares an algorithm with the rest of strongticket. All of it is exponential in
something, and refuses sizes at which that would hurt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from strongticket.errors import InputError

if TYPE_CHECKING:
    from strongticket.targets import Target
    from strongticket.tickets import Ticket

Layer = tuple[Sequence[Sequence[Any]] | NDArray[Any], Sequence[Any] | NDArray[Any] | None]
_MOST = 20


def exact(value: Any) -> Fraction:
    """A number (int, float, Fraction, NumPy) as the rational that it is."""
    return Fraction(value.item() if hasattr(value, "item") else value)


def subset_sums(candidates: Sequence[Any]) -> list[Fraction]:
    """The sums of all 2^n subsets in the order of mask numbers (candidate j at weight 2^j)."""
    items, unit = _integers(candidates)
    return [Fraction(total, unit) for total in _sums(items)]


def distances(candidates: Sequence[Any], target: Any) -> list[Fraction]:
    """The exact distance of every subset's sum to the target, by mask number."""
    (goal, *items), unit = _integers([target, *candidates])
    return [Fraction(abs(goal - total), unit) for total in _sums(items)]


def _integers(values: Sequence[Any]) -> tuple[list[int], int]:
    """The values times their least common denominator, and that."""
    fractions = [exact(value) for value in values]
    unit = math.lcm(*(value.denominator for value in fractions))
    return [value.numerator * (unit // value.denominator) for value in fractions], unit


def _sums(items: Sequence[int]) -> list[int]:
    if len(items) > _MOST:
        raise InputError(f"all subsets are listed up to n = {_MOST}, got n = {len(items)}")
    sums = [0]
    for item in items:
        sums += [total + item for total in sums]
    return sums


def distance(candidates: Sequence[Any], target: Any, mask: Sequence[Any]) -> Fraction:
    """The exact distance of one subset's sum to the target."""
    kept = [exact(a) for a, m in zip(candidates, mask, strict=True) if m]
    return abs(exact(target) - sum(kept, Fraction(0)))


def best_distance(
    candidates: Sequence[Any], target: Any, size: int | None = None
) -> Fraction | None:
    """The least distance of any subset, or of any with exactly `size` candidates (None: none)."""
    found = enumerate(distances(candidates, target))
    sized = [d for number, d in found if size is None or number.bit_count() == size]
    return min(sized, default=None)


def least_size(candidates: Sequence[Any], target: Any, epsilon: Any) -> int | None:
    """The size of the smallest subset within epsilon; None where there is none."""
    limit = exact(epsilon)
    found = enumerate(distances(candidates, target))
    return min((number.bit_count() for number, d in found if d <= limit), default=None)


def coverage(candidates: Sequence[Any], radius: Any) -> Fraction:
    r"""The least :math:`\eta` such that every :math:`|z| \le R` is within it of a subset sum.

    The farthest z lies half-way between two neighbouring sums, or at an end of [-R, R].
    """
    sums, end = sorted(set(subset_sums(candidates))), exact(radius)
    places = [-end, end]
    for a, b in pairwise(sums):
        low, high = max(a, -end), min(b, end)
        if low <= high:
            places.append(min(max((a + b) / 2, low), high))
    return max(min(abs(place - total) for total in sums) for place in places)


def keep_count(density: float | Fraction, total: int) -> int:
    r"""How many of `total` weights a density keeps: :math:`\max(1, \lfloor d n + 1/2 \rfloor)`.

    Round half up, exactly; a float counts as the shortest decimal that prints it.
    """
    share = density if isinstance(density, Fraction) else Fraction(repr(float(density)))
    if not 0 < share <= 1 or total < 1:
        raise InputError(f"needed 0 < density <= 1 of total >= 1, got {density!r} of {total!r}")
    return max(1, math.floor(2 * share * total + 1) // 2)


def all_masks(n: int) -> Iterator[tuple[bool, ...]]:
    """Every mask of n weights in the order of mask numbers."""
    if n > _MOST:
        raise InputError(f"all masks are listed up to n = {_MOST}, got n = {n}")
    for number in range(1 << n):
        yield tuple(bool((number >> j) & 1) for j in range(n))


def count_masks(total: int, kept: int | None = None) -> int:
    """How many masks `total` weights have, or those among them that keep exactly `kept`."""
    return 1 << total if kept is None else math.comb(total, kept)


def forward(layers: Sequence[Layer], x: Sequence[Any]) -> list[Fraction]:
    """The outputs of a ReLU network at one input, exactly.

    Args:
        layers: (W, b or None) pairs, W of shape (d_out, d_in); ReLU between, none after the last.
        x: the input, (d_0,).
    """
    y = [exact(value) for value in x]
    for i, (weight, bias) in enumerate(layers):
        out = []
        for j, row in enumerate(weight):
            total = Fraction(0) if bias is None else exact(bias[j])
            for w, v in zip(row, y, strict=True):
                total += exact(w) * v
            out.append(total if i == len(layers) - 1 else max(total, Fraction(0)))
        y = out
    return y


def layers_of(network: Ticket | Target) -> list[Layer]:
    """The (W, b or None) pairs of a target, or of a ticket with its pruned weights 0."""
    from strongticket.networks import MLP
    from strongticket.tickets import Ticket

    if not isinstance(network, Ticket):
        return list(zip(network.weights, network.biases, strict=True))
    architecture = network.network.architecture
    if not isinstance(architecture, MLP):
        raise InputError("layers_of needs a ticket of a Network.mlp")

    def masked(name: str) -> Any:
        return network.network.weights(name) * network.mask[name].dense()

    return [
        (masked(f"layers.{i}.weight"), masked(f"layers.{i}.bias") if biased else None)
        for i, biased in enumerate(architecture.biases)
    ]


def live_neurons(masks: Sequence[Any]) -> list[list[bool]]:
    """Which neurons of a network without biases matter, layer by layer, ends included.

    A hidden neuron lives if a path of kept weights leads to it from an input, and one from it to
    an output. Inputs and outputs always count as living.

    Args:
        masks: kept entries of every weight array, (d_out, d_in), in layer order.
    """
    sizes = [len(masks[0][0]), *(len(mask) for mask in masks)]
    fed = [[True] * sizes[0]]
    for mask in masks:
        fed.append([any(m and f for m, f in zip(row, fed[-1], strict=True)) for row in mask])
    read = [[True] * sizes[-1]]
    for mask in reversed(masks):
        columns = zip(*mask, strict=True)
        read.insert(0, [any(m and r for m, r in zip(c, read[0], strict=True)) for c in columns])
    alive = [[a and b for a, b in zip(f, r, strict=True)] for f, r in zip(fed, read, strict=True)]
    return [[True] * sizes[0], *alive[1:-1], [True] * sizes[-1]]


def without_dead(masks: Mapping[str, Any]) -> dict[str, list[list[bool]]]:
    """The masks less every weight into or out of a dead neuron; same function, no more edges.

    Args:
        masks: parameter name -> kept entries (d_out, d_in), in layer order; no biases.
    """
    alive = live_neurons(list(masks.values()))
    return {
        name: [
            [bool(m) and after and before for m, before in zip(row, alive[i], strict=True)]
            for row, after in zip(mask, alive[i + 1], strict=True)
        ]
        for i, (name, mask) in enumerate(masks.items())
    }


def digits(values: Sequence[Any], target: Any) -> tuple[list[bool], list[Fraction]]:
    """Greedy digits: take each value that still fits; the mask, and what is left after each.

    Args:
        values: positive numbers, one of each digit's bin, the largest bin first.
        target: at least 0.
    """
    left, mask, rest = exact(target), [], []
    for value in map(exact, values):
        mask.append(left >= value)
        left -= value if mask[-1] else Fraction(0)
        rest.append(left)
    return mask, rest
