r"""The largest difference of small networks: HiGHS looks for it, exact arithmetic proves it.

For a target with one hidden layer on a Box, with x = x' + x'' (x' >= 0 >= x''), the variables are
the inputs, :math:`h = \sigma(z)` and :math:`\hat h = \sigma(\hat z)`; z and :math:`\hat z` are
linear in the inputs, and every output's difference :math:`\hat W_2 \hat h - W_2 h` is linear.

`maximum` does three things. HiGHS, by cvxpy, solves the mixed-integer programme of each output and
sign, a binary for every sign that may change; of its answer only the input is used, and evaluated
exactly. Then a branch and bound of our own over the same signs proves an upper bound: each node is
a linear programme whose multipliers, whatever solver proposes them, are rounded to short dyadic
numbers and evaluated in integers. By weak duality, for rows A v <= b and variables in [l, u],

.. math:: \max c v \le y b + \sum_k \max\bigl((c - y A)_k l_k, (c - y A)_k u_k\bigr)
    \quad\text{for every } y \ge 0,

so a wrong multiplier makes a bad bound and no false one. Signs are kept or split, never guessed:
the leaves cover all inputs. What is not searched when time ends keeps its node's bound.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from strongticket.errors import InputError
from strongticket.targets import Box, Target
from strongticket.tickets import Ticket
from strongticket.verify._align import check_shapes
from strongticket.verify._attack import Attack, _distance, attack
from strongticket.verify._collapse import Collapsed, collapse
from strongticket.verify._milp import cvxpy, highs
from strongticket.verify._relaxation import Programme, Signs

_LARGEST = 64  # hidden neurons


@dataclass(frozen=True)
class Maximum:
    """sup |g - f| lies between `attack.exact_distance` and `exact_bound`, both proved.

    `claimed` is HiGHS's own value, for comparison only. `nodes` of the branch and bound were
    solved; `finished` says whether the two ends met within the gap that was asked for.
    """

    attack: Attack
    exact_bound: Fraction
    claimed: float
    nodes: int
    finished: bool


def maximum(
    ticket: Ticket,
    target: Target,
    *,
    gap: float = 1e-3,
    time_limit: float = 120.0,
    layers: Sequence[Collapsed] | None = None,
) -> Maximum:
    """Enclose the largest output error of a small network over a Box.

    For one hidden layer of up to 64 neurons; the work grows with the number of signs that may
    change. Stops where upper and lower bound are within the relative `gap`, or after `time_limit`
    seconds with the best proved so far. Needs cvxpy with HiGHS.
    """
    layers = collapse(ticket) if layers is None else layers
    check_shapes(layers, target)
    if not isinstance(target.domain, Box):
        raise InputError("maximum needs a Box; on a Ball use SPECTRAL")
    if target.depth != 2 or target.widths[1] > _LARGEST:
        raise InputError(
            f"maximum is for one hidden layer of up to {_LARGEST} neurons, got widths "
            f"{target.widths}; use SPECTRAL"
        )
    if any(layer.copy_of is not None for layer in layers):
        raise InputError("maximum knows no copies of neurons; use SPECTRAL")
    if not (0 <= gap < math.inf and time_limit > 0):
        raise InputError(
            f"maximum needs a finite gap >= 0 and time_limit > 0, got {gap=}, {time_limit=}"
        )
    cp = cvxpy()
    end = time.monotonic() + time_limit
    programme = Programme(target, layers)
    best = attack(ticket, target, layers=layers, starts=100, steps=60)
    claimed = 0.0
    goals = [(j, s) for j in range(target.widths[-1]) for s in (1, -1)]
    for goal in goals:
        value, x = highs(cp, programme, goal, (end - time.monotonic()) / (2 * len(goals)))
        claimed = max(claimed, value)
        if x is not None:
            x = np.clip(x, target.domain.low, target.domain.high)
            found = Attack(x, _distance(target, layers, x))
            best = max(best, found, key=lambda a: a.exact_distance)
    return _prove(programme, goals, best, claimed, gap, end)


def _prove(
    programme: Programme,
    goals: list[tuple[int, int]],
    best: Attack,
    claimed: float,
    gap: float,
    end: float,
) -> Maximum:
    """Best first, until no node is above the lower bound and the gap, or time is over."""
    enough = best.exact_distance * (1 + Fraction(gap))
    count, nodes, bound = itertools.count(), 0, enough
    free: Signs = programme.known
    heap: list[tuple[float, int, Fraction, tuple[int, int], Signs]] = []
    for goal in goals:
        heapq.heappush(heap, (-math.inf, next(count), programme.worst(goal), goal, free))
    finished = True
    while heap:
        _, _, upper, goal, signs = heapq.heappop(heap)
        if upper <= enough:
            continue
        if time.monotonic() >= end:
            bound, finished = max([bound, upper, *(entry[2] for entry in heap)]), False
            break
        nodes += 1
        upper, open_sign = programme.bound(goal, signs, upper)
        if upper <= enough:
            continue
        if open_sign is None:  # every sign is fixed: nothing to split
            bound = max(bound, upper)
            continue
        for sign in (1, -1):
            child = (*signs[:open_sign], sign, *signs[open_sign + 1 :])
            heapq.heappush(heap, (-float(upper), next(count), upper, goal, child))
    if bound == enough and best.exact_distance == 0:
        bound = Fraction(0)
    return Maximum(best, bound, claimed, nodes, finished and bound <= enough)
