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
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import ClaimError, InputError
from strongticket.targets import Box, Target
from strongticket.tickets import Ticket
from strongticket.verify._align import align, check_shapes
from strongticket.verify._attack import Attack, _distance, attack
from strongticket.verify._collapse import Collapsed, collapse

Big = NDArray[Any]
Floats = NDArray[np.float64]
Signs = tuple[int, ...]  # of every z, then every z-hat, then every input: 1, -1, or 0 for either
_BITS = 30  # of the rounded multipliers
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
    cp = _cvxpy()
    end = time.monotonic() + time_limit
    programme = _Programme(target, layers)
    best = attack(ticket, target, layers=layers, starts=100, steps=60)
    claimed = 0.0
    goals = [(j, s) for j in range(target.widths[-1]) for s in (1, -1)]
    for goal in goals:
        value, x = _highs(cp, programme, goal, (end - time.monotonic()) / (2 * len(goals)))
        claimed = max(claimed, value)
        if x is not None:
            x = np.clip(x, target.domain.low, target.domain.high)
            found = Attack(x, _distance(target, layers, x))
            best = max(best, found, key=lambda a: a.exact_distance)
    return _prove(programme, goals, best, claimed, gap, end)


def _prove(
    programme: _Programme,
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


class _Programme:
    """Rows, bounds and goals of the relaxation, in integers times 2^exponent."""

    def __init__(self, target: Target, layers: Sequence[Collapsed]) -> None:
        assert isinstance(target.domain, Box)
        first, second = align(target, layers)
        ends = [Fraction(target.domain.low), Fraction(target.domain.high)]
        bits = max(f.denominator for f in ends).bit_length() - 1
        low, high = (int(f * (1 << bits)) for f in ends)
        d, m = target.widths[0], target.widths[1]
        self.d, self.m, self.exponent = d, m, first.exponent - bits
        # Inputs in units of 2^-bits, hidden values in units of 2^exponent.
        self.z = np.hstack([first.w, first.w])
        self.z_hat = np.hstack([first.plus, first.minus])
        self.b, self.b_hat = first.b << bits, first.b_hat << bits
        self.low = [max(low, 0)] * d + [min(low, 0)] * d
        self.high = [max(high, 0)] * d + [min(high, 0)] * d
        self.ends, self.unit = (low, high), 2.0**-bits
        pairs = ((self.z, self.b), (self.z_hat, self.b_hat))
        ranges = [_range(rows, b, self.low, self.high) for rows, b in pairs]
        self.ranges = [*ranges[0], *ranges[1]]
        self.hidden_low = [0] * (2 * m)
        self.hidden_high = [max(u, 0) for _, u in self.ranges]
        self.of_h, self.of_h_hat = second.w, second.plus
        shift = -self.exponent
        self.constant = (second.b_hat - second.b) << shift
        self.goal_exponent = self.exponent + second.exponent
        signs = [1 if lo >= 0 else -1 if up <= 0 else 0 for lo, up in self.ranges]
        inputs = [0 if low < 0 < high and (first.plus != first.minus).any() else 2] * d
        self.known: Signs = (*signs, *inputs)

    def worst(self, goal: tuple[int, int]) -> Fraction:
        """A first bound: every variable at its worse end."""
        c, constant = self.goal(goal)
        high = [*self.high, *self.hidden_high]
        low = [*self.low, *self.hidden_low]
        total = sum(max(a * lo, a * up) for a, lo, up in zip(c, low, high, strict=True))
        return self.value(constant + total)

    def goal(self, goal: tuple[int, int]) -> tuple[list[int], int]:
        """Coefficients of all variables (inputs, h, h-hat), and the constant."""
        j, s = goal
        c = [0] * (2 * self.d) + [-s * int(v) for v in self.of_h[j]]
        return [*c, *(s * int(v) for v in self.of_h_hat[j])], s * int(self.constant[j])

    def value(self, ints: int | Fraction) -> Fraction:
        """Integers of the goal as a number."""
        return Fraction(ints) * Fraction(2) ** self.goal_exponent

    def rows(self, signs: Signs) -> tuple[list[list[int]], list[int], list[int], list[int]]:
        """Rows A v <= b and bounds of v that hold for all inputs with these signs."""
        d, m = self.d, self.m
        low, high = [*self.low, *self.hidden_low], [*self.high, *self.hidden_high]
        found: list[list[int]] = []
        right: list[int] = []

        def row(inputs: Any, at: int, factor: int, limit: int) -> None:
            entries = [int(v) for v in inputs] + [0] * (2 * m)
            if factor:
                entries[2 * d + at] = factor
            found.append(entries)
            right.append(limit)

        for at, (lo, up) in enumerate(self.ranges):
            own = (self.z, self.b) if at < m else (self.z_hat, self.b_hat)
            line, b, sign = own[0][at % m], int(own[1][at % m]), signs[at]
            if sign == -1:
                high[2 * d + at] = 0
                row(line, at, 0, -b)  # z <= 0
                continue
            row(line, at, -1, -b)  # h >= z
            if sign == 1:
                row(-line, at, 1, b)  # h <= z, and h >= 0
            else:
                row(-line * up, at, up - lo, up * (b - lo))  # h <= u (z - l) / (u - l)
        for k in range(d):
            sign, (lo, up) = signs[2 * m + k], self.ends
            if sign == 1:
                low[d + k] = 0
            elif sign == -1:
                high[k] = 0
            elif lo < 0 < up:
                entries = [0] * (2 * d)
                entries[k], entries[d + k] = -lo, -up  # x' / u + x'' / l <= 1
                row(entries, 0, 0, -lo * up)
        # h and h-hat of one neuron: h-hat - h lies between 0 and z-hat - z.
        gaps = _range(self.z_hat - self.z, self.b_hat - self.b, self.low, self.high)
        for i, (lo, up) in enumerate(gaps):
            lo, up = min(lo, 0), max(up, 0)
            if not up - lo:
                continue
            line, b = self.z_hat[i] - self.z[i], int(self.b_hat[i] - self.b[i])
            # (u - l) (h-hat - h) <= u (dz - l), and >= l (u - dz)
            for factor, limit, slope in ((1, up * (b - lo), -up), (-1, -lo * (up - b), -lo)):
                row(line * slope, 0, 0, limit)
                found[-1][2 * d + i] = -factor * (up - lo)
                found[-1][2 * d + m + i] = factor * (up - lo)
        return found, right, low, high

    def bound(
        self, goal: tuple[int, int], signs: Signs, upper: Fraction
    ) -> tuple[Fraction, int | None]:
        """The node's exact bound, at most `upper`, and the sign to split next (None: none left)."""
        a, b, low, high = self.rows(signs)
        c, constant = self.goal(goal)
        y, v = _linear_programme(a, b, low, high, c)
        if v is None:  # no input has these signs, if 0 <= y b - y A v is exactly impossible
            if _weak_duality(a, b, low, high, [0] * len(c), y) < 0:
                return Fraction(-1), None
            return upper, self._split(signs, np.zeros(len(c)))
        exact = _weak_duality(a, b, low, high, c, y)
        return min(upper, self.value(exact + constant)), self._split(signs, v)

    def _split(self, signs: Signs, v: Floats) -> int | None:
        """The undecided sign whose ReLU the relaxed solution breaks most."""
        d, m = self.d, self.m
        x = v[: 2 * d]
        worst, chosen = -1.0, None
        for at, sign in enumerate(signs):
            if sign:
                continue
            if at >= 2 * m:
                k = at - 2 * m
                broken = min(abs(x[k]), abs(x[d + k])) / max(-self.ends[0], self.ends[1])
            else:
                lo, up = self.ranges[at]
                line, b = (self.z, self.b) if at < m else (self.z_hat, self.b_hat)
                z = float(np.dot(line[at % m].astype(np.float64), x)) + float(b[at % m])
                broken = abs(v[2 * d + at] - max(z, 0.0)) / max(float(up - lo), 1.0)
                weight = np.abs((self.of_h if at < m else self.of_h_hat)[:, at % m]).max()
                broken *= float(weight) * float(up - lo)
                broken *= 2.0 ** min(max(self.goal_exponent, -900), 900)
            if broken > worst:
                worst, chosen = broken, at
        return chosen


def _range(rows: Big, b: Big, low: list[int], high: list[int]) -> list[tuple[int, int]]:
    """Of every row's values: x' and x'' share an input, and both ranges hold 0 where it matters."""
    half = rows.shape[1] // 2
    found = []
    for row, constant in zip(rows.tolist(), b.tolist(), strict=True):
        lo = up = constant
        for k in range(half):
            p, q = row[k], row[half + k]
            ends = [p * low[k] + q * low[half + k], p * high[k] + q * high[half + k]]
            if low[half + k] < 0 < high[k]:
                ends.append(0)
            lo, up = lo + min(ends), up + max(ends)
        found.append((lo, up))
    return found


def _linear_programme(
    a: list[list[int]], b: list[int], low: list[int], high: list[int], c: list[int]
) -> tuple[Floats, Floats | None]:
    """Multipliers and a solution of max c v, by HiGHS in floats; None for it where there is none.

    Rows and variables are scaled to about 1 by powers of two.
    """
    from scipy.optimize import linprog

    size = [max(abs(lo), abs(up)).bit_length() for lo, up in zip(low, high, strict=True)]
    rows = np.array(
        [[math.ldexp(v, s) if v else 0.0 for v, s in zip(r, size, strict=True)] for r in a]
    )
    scale = np.maximum(np.abs(rows).max(1), 1e-300)
    sides = np.array([float(v) for v in b]) / scale
    goal = np.array([math.ldexp(v, s) if v else 0.0 for v, s in zip(c, size, strict=True)])
    most = max(float(np.abs(goal).max()), 1e-300)
    limits = [
        (math.ldexp(lo, -s), math.ldexp(up, -s)) for lo, up, s in zip(low, high, size, strict=True)
    ]
    solved = linprog(
        -goal / most, A_ub=rows / scale[:, None], b_ub=sides, bounds=limits, method="highs"
    )
    if solved.x is None:
        return _phase_one(rows / scale[:, None], sides, limits, scale), None
    y = np.maximum(-solved.ineqlin.marginals, 0.0) * most / scale
    return y, np.ldexp(solved.x, size)


def _phase_one(rows: Floats, sides: Floats, limits: list[Any], scale: Floats) -> Floats:
    """Multipliers that prove rows inconsistent, whose least violation is positive."""
    from scipy.optimize import linprog

    matrix = np.hstack([rows, -np.ones((len(rows), 1))])
    cost = np.zeros(matrix.shape[1])
    cost[-1] = 1.0
    solved = linprog(cost, A_ub=matrix, b_ub=sides, bounds=[*limits, (0, None)], method="highs")
    if solved.x is None or solved.fun <= 0:
        return np.zeros(len(rows))
    return np.asarray(np.maximum(-solved.ineqlin.marginals, 0.0) / scale)


def _weak_duality(
    a: list[list[int]],
    b: list[int],
    low: list[int],
    high: list[int],
    c: list[int],
    y: Floats,
) -> Fraction:
    """An upper bound of c v for the multipliers y, rounded to short dyadic numbers, exactly."""
    short = [_short(float(v)) for v in y]
    bits = max((f.denominator.bit_length() - 1 for f in short), default=0)
    units = [int(f * (1 << bits)) for f in short]
    used = [(u, row, limit) for u, row, limit in zip(units, a, b, strict=True) if u]
    rest = [v << bits for v in c]
    total = 0
    for u, row, limit in used:
        total += u * limit
        for k, v in enumerate(row):
            if v:
                rest[k] -= u * v
    for r, lo, up in zip(rest, low, high, strict=True):
        total += r * (up if r > 0 else lo)
    return Fraction(total, 1 << bits)


def _short(value: float) -> Fraction:
    """A non-negative multiplier with few bits."""
    if not (0 < value < math.inf):
        return Fraction(0)
    mantissa, exponent = math.frexp(value)
    return Fraction(int(mantissa * (1 << _BITS))) * Fraction(2) ** (exponent - _BITS)


def _cvxpy() -> Any:
    instead = (
        "install it (python -m pip install cvxpy highspy), or use SPECTRAL, which needs neither"
    )
    try:
        import cvxpy
    except ImportError as error:
        raise InputError(f"maximum needs cvxpy, which is missing; {instead}") from error
    if "HIGHS" not in cvxpy.installed_solvers():
        raise InputError(f"maximum needs HiGHS, which cvxpy does not have here; {instead}")
    return cvxpy


def _highs(
    cp: Any, programme: _Programme, goal: tuple[int, int], seconds: float
) -> tuple[float, Floats | None]:
    """HiGHS's value of one goal, and the input it is at; (0, None) where it found none."""
    if seconds <= 0:
        return 0.0, None
    d, m = programme.d, programme.m
    a, b, low, high = programme.rows(programme.known)
    scale = [
        2.0 ** -max(abs(lo), abs(up), 1).bit_length() for lo, up in zip(low, high, strict=True)
    ]
    rows = np.array([[float(v) / s for v, s in zip(r, scale, strict=True)] for r in a])
    norm = np.maximum(np.abs(rows).max(1), 1e-300)
    v = cp.Variable(len(low))
    limits = [
        rows / norm[:, None] @ v <= np.array([float(r) for r in b]) / norm,
        v >= np.array([lo * s for lo, s in zip(low, scale, strict=True)]),
        v <= np.array([up * s for up, s in zip(high, scale, strict=True)]),
    ]
    open_signs = [at for at, sign in enumerate(programme.known) if not sign]
    phase = cp.Variable(max(len(open_signs), 1), boolean=True)
    for n, at in enumerate(open_signs):
        if at >= 2 * m:
            k = at - 2 * m
            limits += [v[k] <= high[k] * scale[k] * phase[n]]
            limits += [v[d + k] >= low[d + k] * scale[d + k] * (1 - phase[n])]
            continue
        lo, up = programme.ranges[at]
        line, c = (programme.z, programme.b) if at < m else (programme.z_hat, programme.b_hat)
        own = scale[2 * d + at]
        z = np.array([float(w) * own / s for w, s in zip(line[at % m], scale, strict=False)])
        limits += [v[2 * d + at] <= float(up) * own * phase[n]]
        limits += [
            v[2 * d + at]
            <= z @ v[: 2 * d] + float(c[at % m]) * own - float(lo) * own * (1 - phase[n])
        ]
    coefficients, constant = programme.goal(goal)
    weights = np.array([float(w) / s for w, s in zip(coefficients, scale, strict=True)])
    top = max(float(np.abs(weights).max()), 1e-300)
    problem = cp.Problem(cp.Maximize(weights / top @ v), limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            problem.solve(solver=cp.HIGHS, time_limit=float(seconds))
    except cp.error.SolverError as error:
        raise ClaimError(f"HiGHS failed: {error}; use SPECTRAL") from error
    if v.value is None:
        return 0.0, None
    value = float(programme.value(int(top * float(problem.value)) + constant))
    x = (v.value[:d] / scale[:d] + v.value[d : 2 * d] / scale[d : 2 * d]) * programme.unit
    return value, np.asarray(x, np.float64)
