r"""A rigorous bound on the failure probability of random subset sums, step by step.

The covered fraction v of a window moves from step to step to some v' in [v, min(2v, 1)] whose mean
is at least :math:`v + D(v)`. Therefore the probability P_k(v) that k further samples leave the
fraction short of its goal satisfies P_{k+1}(v) <= the upper concave envelope of P_k over
[v, min(2v, 1)], read at v + D(v). Here P_k is kept as a non-increasing step function that is never
below the truth: every number is rounded outward. The proof, with the reason why no monotonicity
of P_k needs to be shown, is in docs/theorems/proofs.md (rss-dp).
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

Floats = NDArray[np.float64]
Drift = Callable[[Floats], Floats]
Table = tuple[Floats, Floats]  # the edges of the cells, and the bound on each cell
CELLS = 1500
LONGEST = 100_000  # steps after which the search for a length is given up
UP = 1 + 2.0**-49  # one step's sums have relative error below 10 * 2^-53
DOWN = 1 - 2.0**-49


def failure_curve(
    start: float,
    goal: float,
    drift: Drift,
    cells: int = CELLS,
) -> Iterator[tuple[float, Table]]:
    """Upper bounds on the failure probability after 0, 1, 2, ... samples, without end.

    Each comes with the whole table that it is read from.

    Args:
        start: The covered fraction before the first sample, in (0, 1).
        goal: Success is a covered fraction above 1 - goal.
        drift: Lower bounds on the mean growth D(v) at fractions v (a float array), accurate to a
            relative 2^-50, with v + D(v) increasing and D(v) <= v(1-v)/2.
        cells: Cells of the step function, equally long in log(v / (1-v)).
    """
    if not (0 < start < 1 and 0 < goal < 1):
        raise InputError(f"start and goal are fractions in (0, 1), got {start!r} and {goal!r}")
    edges = _edges(start, goal, cells)
    means = (edges[:-1] + np.maximum(drift(edges[:-1]), 0.0)) * DOWN
    # right ends of the windows: the first edge at or beyond min(2 v_{j+1}, 1)
    ends = np.searchsorted(edges, np.minimum(2.0 * edges[1:], 1.0), "left").astype(np.int64)
    last_bad = int(np.searchsorted(edges, (1.0 - goal) * UP, "left"))  # edges below this one fail
    state = (np.arange(edges.size - 1) < last_bad).astype(np.float64)
    step = _step()
    # `start` itself is an edge, or lies between edge 0 and edge 1: cell 0 speaks for it
    while True:
        yield float(min(1.0, state[0])), (edges, state)
        state = step(edges, means, ends, state)


def least_length(curve: Iterator[float], delta: float | Fraction) -> int:
    """The first index at which `curve` is at most `delta`."""
    for n, probability in enumerate(curve):
        if probability <= delta:
            return n
        if n >= LONGEST:
            break
    raise InputError(f"no length up to {LONGEST} has failure probability {float(delta)!r}")


def _edges(start: float, goal: float, cells: int) -> Floats:
    """Edges from just below `start` to 1, one of them just above 1 - goal."""
    low, high = math.log(start / (1 - start)), math.log((1 - goal) / goal)
    if high <= low:
        return np.array([start * DOWN, max((1 - goal) * UP, start), 1.0])
    inner = 1 / (1 + np.exp(-np.linspace(low, high, cells)))
    edges = np.concatenate([[start * DOWN], inner[1:-1], [(1 - goal) * UP, 1.0]])
    return np.unique(np.clip(edges, start * DOWN, 1.0))


def _sweep(edges: Floats, means: Floats, ends: Any, state: Floats) -> Floats:
    """One step for all cells; the same code with and without numba."""
    cells = state.size
    new = np.empty(cells)
    hull = np.empty(cells, np.int64)
    highest = 0.0
    for j in range(cells - 1, -1, -1):
        m = means[j]
        stop = ends[j]  # cells j .. stop - 1, each standing at its right edge
        # a chord of the upper hull over m; any slope gives a bound, the hull's gives the best
        count = 0
        for i in range(j, stop):
            while count >= 2:
                a, b = hull[count - 2], hull[count - 1]
                left = (state[b] - state[a]) * (edges[i + 1] - edges[a + 1])
                if left > (state[i] - state[a]) * (edges[b + 1] - edges[a + 1]):
                    break
                count -= 1
            if count == 1 and state[i] >= state[hull[0]]:
                count = 0
            hull[count] = i
            count += 1
        slope = 0.0
        for k in range(1, count):
            a, b = hull[k - 1], hull[k]
            if edges[a + 1] > m and k == 1:
                break
            slope = (state[b] - state[a]) / (edges[b + 1] - edges[a + 1])
            if edges[b + 1] > m:
                break
        best = 0.0
        for i in range(j, stop):
            best = max(best, state[i] - slope * (edges[i + 1] - m))
        highest = max(highest, best * UP)
        new[j] = highest
    return new


@functools.cache
def _step() -> Callable[..., Floats]:
    if importlib.util.find_spec("numba") is None:
        return _sweep
    from strongticket._jit import jit

    return jit(_sweep)
