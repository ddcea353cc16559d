r"""Finding the best mask is as hard as subset sum: the reduction, both ways, exact on both sides.

`to_pruning` makes of integers :math:`a_1, \dots, a_n` and a goal T the network
:math:`x \mapsto \sum_j a_j \max(0, 1 \cdot x)` with the sample (1, T). A neuron passes
:math:`a_j` on exactly where both of its weights stay, so the losses of weight masks and of neuron
masks are alike

.. math:: \min_{\text{masks}} |T - f(1)|
          = \min_{S \subseteq [n]} \Bigl|T - \sum_{j \in S} a_j\Bigr| ,

and a mask of loss 0 is a solution. `to_subset_sum` reads the neuron pruning of any network on one
point as a subset sum. Theorem and proof: "Best masks are hard to find" in
docs/theorems/proofs.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.optimal._feature_bounds import Problem
from strongticket.optimal._integers import Array, common_unit, integers, wide
from strongticket.optimal._losses import sample
from strongticket.optimal._network import OneHidden
from strongticket.tickets import Mask


@dataclass(frozen=True)
class SubsetSum:
    """Is `goal` the sum of some of the `numbers`? All are integers of any size."""

    numbers: tuple[int, ...]
    goal: int

    def __post_init__(self) -> None:
        values: tuple[object, ...] = (*self.numbers, self.goal)
        if not self.numbers or not all(
            isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values
        ):
            raise InputError(
                f"a subset sum needs one integer at least and an integer goal, got "
                f"{self.numbers!r} and {self.goal!r}"
            )
        object.__setattr__(self, "numbers", tuple(int(v) for v in self.numbers))
        object.__setattr__(self, "goal", int(self.goal))

    def distance(self, subset: Iterable[int]) -> int:
        """How far the sum of the numbers at these indices is from the goal; 0 for a solution."""
        chosen = _indices(subset, len(self.numbers))
        return abs(self.goal - sum(self.numbers[j] for j in chosen))


@dataclass(frozen=True, eq=False)
class Pruning:
    """A best-mask problem: a frozen network, points (N, d) and labels (N,)."""

    network: OneHidden
    x: Array
    y: Array


def to_pruning(instance: SubsetSum) -> Pruning:
    """The network and the one point whose masks of loss 0 are the solutions of `instance`."""
    n = len(instance.numbers)
    output, label = np.empty(n, object), np.empty(1, object)
    output[:], label[:] = list(instance.numbers), [instance.goal]
    network = OneHidden(np.ones((n, 1), np.int64), output)
    return Pruning(network, np.ones((1, 1), np.int64), label)


def subset_of(mask: Mask) -> tuple[int, ...]:
    """The neurons that pass anything on in the network of `to_pruning`: the mask's subset."""
    first, last = mask["layers.0.weight"].dense(), mask["layers.1.weight"].dense()
    if first.ndim != 2 or first.shape[1] != 1 or last.shape != (1, len(first)):
        raise InputError(
            f"a mask of shapes (n, 1) and (1, n) is needed, got {first.shape} and {last.shape}"
        )
    return tuple(np.flatnonzero(first[:, 0] & last[0]).tolist())


def mask_of(subset: Iterable[int], n: int) -> Mask:
    """The neuron mask of a subset of n numbers, given by their indices."""
    kept = np.zeros(n, np.bool_)
    kept[_indices(subset, n)] = True
    return Mask.dense({"layers.0.weight": kept[:, None], "layers.1.weight": kept[None, :]})


def to_subset_sum(network: OneHidden | Network, x: object, y: object) -> tuple[SubsetSum, Fraction]:
    """(instance, unit): neuron pruning on a single point is this subset sum, times the unit.

    The loss of the best neuron mask (mean absolute or worst case; there is one point) is exactly
    the unit times the distance of the nearest subset, whose indices are the neurons kept.

    Raises InputError for a sample of more than one point.
    """
    frozen = OneHidden.of(network)
    points, labels = sample(x, y, frozen.inputs)
    if len(labels) != 1:
        raise InputError(
            f"one point makes one subset sum, got {len(labels)}; more points ask for a vector "
            "subset sum, see strongticket.subsetsum.vector"
        )
    problem = Problem.of(frozen, points, labels)
    v, uv = integers(frozen.output)
    unit = common_unit(problem.unit * uv, problem.label_unit)
    made = problem.features[0] * wide(v) * int(problem.unit * uv / unit)
    goal = int(problem.labels[0]) * int(problem.label_unit / unit)
    return SubsetSum(tuple(int(a) for a in made), goal), unit


def _indices(subset: Iterable[int], n: int) -> list[int]:
    chosen = sorted(int(j) for j in subset)
    if len(set(chosen)) < len(chosen) or not all(0 <= j < n for j in chosen):
        raise InputError(f"a subset is different indices below {n}, got {chosen}")
    return chosen
