"""Mixed-integer programmes by cvxpy with HiGHS: what a solver claims, held to its own mask.

One binary a row of a table, one row a table. The solver's objective and bound are never passed on
unchecked: the mask is evaluated exactly, and a claim that the evaluation refutes is an error.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from strongticket.errors import ClaimError, InputError
from strongticket.optimal._branch import without_hope
from strongticket.optimal._floats import Floats, Scaled, measures
from strongticket.optimal._losses import Loss
from strongticket.optimal._methods import MILP, Answer
from strongticket.optimal._tables import Tables

TOLERANCE = 1e-9  # HiGHS's feasibility tolerances, least that it takes is 1e-10
_TANGENTS = 5  # of each square, before the first programme


@dataclass(frozen=True, eq=False)
class Solved:
    """What the solver says.

    Attributes:
        status: "optimal", or why it stopped.
        objective: the value that it claims for its choice.
        bound: the lower bound that it claims.
        nodes: its count.
        weights: the binaries of each table, None where it has no choice.
    """

    status: str
    objective: float
    bound: float
    nodes: int
    weights: list[Floats] | None


def solve(tables: Tables, loss: Loss, method: MILP) -> Answer:
    """The solver's best mask and its bound; the better of it and a descent's.

    Raises InputError where cvxpy or HiGHS is missing, and ClaimError for an answer that its own
    mask, or another mask, refutes.
    """
    end = time.monotonic() + method.time_limit
    cp = _cvxpy()
    scaled = Scaled.of(tables)
    if not 2.0**-300 < scaled.scale < 2.0**300:
        raise InputError(
            "method=MILP() computes in floats and needs residuals between 2^-300 and 2^300; scale "
            "weights, points and labels, or use method=BranchAndBound() or Exhaustive()"
        )
    starts = [[0] * len(tables.rows), [len(r) - 1 for r in tables.rows]]
    descents = (scaled.descend(p, loss, pairs=True) for p in starts)
    best = min(descents, key=_measure(tables, loss))
    # Rows that only worse masks use are left out of the programme: exact bounds say which.
    reached = _measure(tables, loss)(best)
    left_in, sure = without_hope(tables, loss, reached, method.time_limit / 4)
    best = tuple(int(np.searchsorted(r, p)) for r, p in zip(left_in, best, strict=True))
    tables = tables.part(left_in)
    scaled = Scaled.of(tables)
    # Binaries within the tolerance of integers and rows within it move a residual by no more.
    slack = TOLERANCE * (sum(tables.sizes) + len(tables.rows) + 2)
    tangents = _first_tangents(scaled, best) if loss is Loss.MEAN_SQUARED else []
    bound, nodes, cut, finished = _scaled(tables, scaled, sure, loss), 0, {best}, False
    while True:
        left = end - time.monotonic()
        if left <= 0:
            break
        solved = _highs(cp, scaled, loss, tangents, left)
        nodes += solved.nodes
        if solved.status not in ("optimal", "user_limit"):
            raise ClaimError(
                f"HiGHS stopped with {solved.status!r} on a programme that every mask satisfies; "
                "use method=Exhaustive() or BranchAndBound(), or bring weights, points and labels "
                "to similar sizes"
            )
        if not math.isnan(solved.bound):
            bound = max(bound, solved.bound)
        chosen = _picks(solved, tables.sizes)
        if chosen is None and solved.status == "optimal":
            raise ClaimError(
                "HiGHS calls its answer optimal, and it takes no row of some table; its answer is "
                "refused. Use method=BranchAndBound() or Exhaustive()"
            )
        if chosen is not None:
            _hold(scaled, loss, tangents, solved, chosen, slack)
            best = min(best, chosen, key=_measure(tables, loss))
        _check_bound(bound, _scaled_loss(tables, scaled, best, loss), loss, slack)
        if chosen is None or solved.status != "optimal":
            break
        if not tangents or chosen in cut:
            finished = True
            break
        cut.add(chosen)
        tangents.append(scaled.residuals(chosen))
    name = "HiGHS" if loss is not Loss.MEAN_SQUARED else "HiGHS, by outer approximation"
    stopped = "" if finished else ", stopped early by its time limit"
    # Within its tolerances a solver's bound may lie above the loss; a loss bounds them all.
    bound = min(bound, _scaled_loss(tables, scaled, best, loss))
    picks = [int(r[p]) for r, p in zip(left_in, best, strict=True)]
    return Answer(picks, scaled.loss(bound, loss), 0, nodes, name + stopped)


def _cvxpy() -> Any:
    instead = (
        "install it (python -m pip install cvxpy highspy), or use method=BranchAndBound() or "
        "Exhaustive(), which need neither"
    )
    try:
        import cvxpy
    except ImportError as error:
        raise InputError(f"method=MILP() needs cvxpy, which is missing; {instead}") from error
    known = cvxpy.installed_solvers()
    if "HIGHS" not in known:
        raise InputError(f"cvxpy has no HiGHS here, only {', '.join(known)}; {instead}")
    return cvxpy


def _highs(
    cp: Any, scaled: Scaled, loss: Loss, tangents: Sequence[Floats], seconds: float
) -> Solved:
    """Build the programme and let HiGHS solve it."""
    n = len(scaled.labels)
    choices = [cp.Variable(len(rows), boolean=True) for rows in scaled.rows]
    made = sum(rows.T @ z for rows, z in zip(scaled.rows, choices, strict=True))
    residual = scaled.labels - made
    size = cp.Variable() if loss is Loss.WORST_CASE else cp.Variable(n)
    limits = [cp.sum(z) == 1 for z in choices]
    if tangents:  # r^2 >= 2 a r - a^2 for every a
        limits += [size >= 2 * cp.multiply(a, residual) - a * a for a in tangents]
    else:
        limits += [size >= residual, size >= -residual]
    goal = size if loss is Loss.WORST_CASE else cp.sum(size) / n
    problem = cp.Problem(cp.Minimize(goal), limits)
    try:
        with warnings.catch_warnings():  # of a time limit, which the status says as well
            warnings.simplefilter("ignore", UserWarning)
            problem.solve(
                solver=cp.HIGHS,
                mip_rel_gap=0.0,
                mip_abs_gap=0.0,
                mip_feasibility_tolerance=TOLERANCE,
                primal_feasibility_tolerance=TOLERANCE,
                dual_feasibility_tolerance=TOLERANCE,
                time_limit=float(seconds),
            )
    except cp.error.SolverError as error:
        raise ClaimError(
            f"HiGHS failed: {error}; use method=Exhaustive() or BranchAndBound()"
        ) from error
    info = problem.solver_stats.extra_stats
    values = [z.value for z in choices]
    usable = all(v is not None and np.isfinite(v).all() for v in values)
    return Solved(
        str(problem.status),
        float(info.objective_function_value),
        float(info.mip_dual_bound),
        max(int(info.mip_node_count), 0),
        [np.asarray(v, np.float64) for v in values] if usable else None,
    )


def _first_tangents(scaled: Scaled, best: Sequence[int]) -> list[Floats]:
    """Points between the least and the greatest residual that there can be, and the best's."""
    low = scaled.labels - sum(r.max(axis=0) for r in scaled.rows)
    high = scaled.labels - sum(r.min(axis=0) for r in scaled.rows)
    inner = np.linspace(0, 1, _TANGENTS + 2)[1:-1]
    return [scaled.residuals(best), *(low + (high - low) * part for part in inner)]


def _picks(solved: Solved, sizes: Sequence[int]) -> tuple[int, ...] | None:
    """The rows that the binaries choose, None where they choose none."""
    if solved.weights is None or (solved.status != "optimal" and math.isinf(solved.objective)):
        return None
    if tuple(len(w) for w in solved.weights) != tuple(sizes):
        return None
    if any(not w.max() > 0.5 for w in solved.weights):
        return None
    return tuple(int(w.argmax()) for w in solved.weights)


def _hold(
    scaled: Scaled,
    loss: Loss,
    tangents: Sequence[Floats],
    solved: Solved,
    picks: Sequence[int],
    slack: float,
) -> None:
    """Refuse an objective that is not its choice's own, as far as the tolerances allow one."""
    residual = scaled.residuals(picks)
    if tangents:
        value = float(np.max([2 * a * residual - a * a for a in tangents], axis=0).mean())
    else:
        value = float(measures(residual[None, :], loss)[0])
    if not abs(value - solved.objective) <= 2 * slack:
        raise ClaimError(
            f"HiGHS claims the {loss} loss {scaled.loss(solved.objective, loss):.9g} for a mask "
            f"whose loss, evaluated again, is {scaled.loss(value, loss):.9g}; its answer is "
            "refused. Use method=BranchAndBound() or Exhaustive()"
        )
    if solved.status == "optimal" and not solved.bound >= value - 2 * slack:
        raise ClaimError(
            f"HiGHS calls a mask of loss {scaled.loss(value, loss):.9g} optimal, and its own "
            f"bound is {scaled.loss(solved.bound, loss):.9g}; its answer is refused. Use "
            "method=BranchAndBound() or Exhaustive()"
        )


def _check_bound(bound: float, reached: float, loss: Loss, slack: float) -> None:
    """Refuse a lower bound above the exact loss of a mask."""
    if bound > reached + 2 * slack:
        raise ClaimError(
            f"HiGHS claims that no mask has a {loss} loss below {bound:.9g} times the scale, and "
            f"one has {reached:.9g} (evaluated exactly); its answer is refused. Use "
            "method=BranchAndBound() or Exhaustive()"
        )


def _measure(tables: Tables, loss: Loss) -> Callable[[Sequence[int]], int]:
    return lambda picks: loss.measure(tables.residuals(picks))


def _scaled_loss(tables: Tables, scaled: Scaled, picks: Sequence[int], loss: Loss) -> float:
    """The exact loss of a choice, in the solver's own scale."""
    return _scaled(tables, scaled, _measure(tables, loss)(picks), loss)


def _scaled(tables: Tables, scaled: Scaled, measure: Fraction | int, loss: Loss) -> float:
    """The loss of a measure, in the solver's own scale."""
    exact = loss.of_measure(measure, len(tables.labels), tables.unit)
    power = 2 if loss is Loss.MEAN_SQUARED else 1
    return float(exact / scaled.scale**power)
