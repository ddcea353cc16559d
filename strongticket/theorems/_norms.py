"""Upper bounds on the norms of a target's layers, rigorous: every rounding error is counted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from strongticket.targets import Box, Domain

UP = 1 + 2.0**-40  # far above the rounding errors that it covers, far below anything that matters


def domain_radius(domain: Domain) -> float:
    """The largest norm of an input: max norm for a `Box`, Euclidean norm for a `Ball`."""
    return float(domain.radius)


def operator_norm(matrix: NDArray[np.floating], domain: Domain) -> float:
    """An upper bound on the operator norm that goes with the domain's norm."""
    return row_sum_norm(matrix) if isinstance(domain, Box) else spectral_norm(matrix)


def vector_norm(vector: NDArray[np.floating], domain: Domain) -> float:
    """An upper bound on the vector norm that goes with the domain."""
    if isinstance(domain, Box):
        return float(np.abs(vector).max(initial=0.0))
    squares = math.fsum(float(x) ** 2 for x in vector)  # squares of float32 are exact
    return math.sqrt(squares) * UP if squares else 0.0


def row_sum_norm(matrix: NDArray[np.floating]) -> float:
    """The largest absolute row sum: the operator norm for max norms; exact, then rounded up."""
    sums = [math.fsum(row) for row in np.abs(matrix.astype(np.float64)).tolist()]
    worst = max(sums, default=0.0)
    return math.nextafter(worst, math.inf) if worst else 0.0


def spectral_norm(matrix: NDArray[np.floating]) -> float:
    r"""An upper bound on the largest singular value, whatever the decomposition's quality.

    With any U, S, V: :math:`\|W\| \le \|U\| \|S\| \|V\| + \|W - USV\|_F` and
    :math:`\|U\|^2 \le 1 + \|U^\top U - I\|_F`. Products in float64 err by at most
    :math:`\gamma_k \|A\|_F \|B\|_F`.
    """
    w = matrix.astype(np.float64)
    if not w.any():
        return 0.0
    u, s, v = np.linalg.svd(w, full_matrices=False)
    gamma = 4 * (max(w.shape) + 4) * 2.0**-53

    def size(a: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(a)) * UP

    eye = np.eye(s.size)
    u_norm = math.sqrt(1 + size(u.T @ u - eye) + gamma * (size(u) ** 2 + s.size))
    v_norm = math.sqrt(1 + size(v @ v.T - eye) + gamma * (size(v) ** 2 + s.size))
    us = u * s
    rest = size(w - us @ v) + gamma * (size(us) * size(v) + size(w))
    return float((u_norm * float(s[0]) * v_norm + rest) * UP)
