"""Best masks are as hard to find as subset sums: the reduction held to every mask."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from strongticket.optimal import Loss, masked_loss
from strongticket.optimal.hardness import SubsetSum, mask_of, subset_of, to_pruning, to_subset_sum
from strongticket.theorems._evidence import SHOWS_CASE, SHOWS_CASES, Effort, Row, algebra
from strongticket.theorems._sampling import nearest
from strongticket.theorems._theorem import Theorem
from strongticket.tickets import Mask


@dataclass(frozen=True, kw_only=True)
class BestMask(Theorem):
    """The least loss over masks is the distance of the nearest subset sum."""

    def rows(self, effort: Effort, false_width: bool = False) -> Iterator[Row]:
        """Every mask of small instances; large instances solved on one side, held on the other."""
        random = np.random.default_rng(0)
        trials = effort.trials(6, 40)
        instances = []
        for _ in range(trials):
            numbers = tuple(int(a) for a in random.integers(-20, 21, 3))
            instances.append(SubsetSum(numbers, int(random.integers(-30, 31))))
        if false_width:
            planted = [SubsetSum((3, 5, 7 + i), 15 + i) for i in range(trials)]
            yield self._every_mask(planted, drop=1)
            return
        yield self._every_mask(instances)
        yield self._back(instances)
        for n in (16, 22)[: effort.pick(1, 2)]:
            yield self._large(n, random)

    def _every_mask(self, instances: Sequence[SubsetSum], drop: int = 0) -> Row:
        """All weight masks and all neuron masks of the network, against all subsets."""
        equal = 0
        for instance in instances:
            n = len(instance.numbers)
            subsets = [[j for j in range(n) if s >> j & 1] for s in range(1 << n)]
            distance = min(instance.distance(subset) for subset in subsets)
            made = SubsetSum(instance.numbers[: n - drop], instance.goal)
            equal += _least(made, weights=True) == _least(made, weights=False) == distance
        name = "least loss over all weight masks and all neuron masks"
        if drop:
            name = "false on purpose: a network without the last number"
        return Row(
            "algebra",
            name,
            "the distance of the nearest subset sum",
            f"equal in {equal} of {len(instances)} instances, exactly",
            equal < len(instances),
            SHOWS_CASES,
        )

    def _back(self, instances: Sequence[SubsetSum]) -> Row:
        """To a network, back to a subset sum, and from masks to subsets."""
        good = 0
        for instance in instances:
            pruning = to_pruning(instance)
            same = to_subset_sum(pruning.network, pruning.x, pruning.y) == (instance, Fraction(1))
            n = len(instance.numbers)
            kept = [tuple(j for j in range(n) if s >> j & 1) for s in range(1 << n)]
            good += same and all(subset_of(mask_of(s, n)) == s for s in kept)
        name = "both ways: instance to network to instance, subset to mask to subset"
        return algebra(name, (good == len(instances), f"{good} instances"), SHOWS_CASES)

    def _large(self, n: int, random: np.random.Generator) -> Row:
        """A planted instance of n numbers of 40 bits, solved as a subset sum."""
        numbers = random.integers(1, 1 << 40, n)
        goal = int(numbers[random.random(n) < 0.5].sum())
        answer = nearest(numbers[None, :], np.array([goal]))
        instance = SubsetSum(tuple(int(a) for a in numbers), goal)
        pruning = to_pruning(instance)
        mask = mask_of(np.flatnonzero(answer.mask[0]).tolist(), n)
        loss = masked_loss(pruning.network, mask, pruning.x, pruning.y, Loss.MEAN_ABSOLUTE)
        return Row(
            "construction",
            f"{n} numbers of 40 bits with a solution: the solver's subset as a mask",
            "loss 0",
            f"loss {loss}, exactly",
            loss != 0,
            SHOWS_CASE,
        )


def _least(instance: SubsetSum, *, weights: bool) -> Fraction:
    """The least loss by trying every mask on the real network, one by one."""
    pruning, n = to_pruning(instance), len(instance.numbers)
    found = []
    for bits in itertools.product((False, True), repeat=2 * n if weights else n):
        first = np.array(bits[:n])[:, None]
        last = np.array(bits[n:] if weights else bits)[None, :]
        mask = Mask.dense({"layers.0.weight": first, "layers.1.weight": last})
        found.append(masked_loss(pruning.network, mask, pruning.x, pruning.y, Loss.MEAN_ABSOLUTE))
    return min(found)
