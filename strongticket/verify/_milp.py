"""HiGHS, by cvxpy, on the mixed-integer programme of one goal: it proposes an input.

Nothing that it claims is believed; `strongticket.verify.maximum` evaluates the input exactly.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import ClaimError, InputError
from strongticket.verify._relaxation import Programme

Floats = NDArray[np.float64]


def cvxpy() -> Any:
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


def highs(
    cp: Any, programme: Programme, goal: tuple[int, int], seconds: float
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
