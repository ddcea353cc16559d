r"""Upper bounds of spectral norms in floats, rounded outward.

With G = T T', every c with :math:`c I - G \succeq 0` gives :math:`\|T\|_2^2 \le c`. A Cholesky
factor L of c I - G, wherever it comes from, proves that: by Gershgorin the residual
R = c I - G - L L' is positive semidefinite where no row's off-diagonal magnitudes exceed its
diagonal entry, and L L' always is. What floats round in G and in R is bounded a priori (`gamma`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A sum of fewer than 2^20 non-negative terms, of a few factors each, is above its rounded value by
# less than this factor: 2^20 roundings of 2^-53 are 2^-33.
GROW = 1 + 2.0**-30
_MARGIN = 1 + 2.0**-10  # of squared norms: room for a checker that rounds the matrix to 21 bits
_ROWS = 4096  # of a Gram matrix that is worth its factor


def gamma(terms: int) -> float:
    r"""Above :math:`\gamma_{n+8}`, the relative error of an n-term sum of products in any order.

    The 8 are for factors that were themselves rounded, or multiplied once more. Source: Higham,
    Accuracy and Stability of Numerical Algorithms, section 3.1.
    """
    unit = (terms + 8) * 2.0**-53
    return unit / (1 - unit) * GROW


def spectral_norm(matrix: Floats) -> float:
    """An upper bound of the largest singular value of any matrix within 4 roundings of `matrix`.

    The least of the Frobenius norm, the root of 1-norm times max-norm, and the bound of a factor.
    """
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    matrix = matrix[matrix.any(1)]
    top = float(np.abs(matrix).max(initial=0.0))
    if top == 0:
        return 0.0
    _, exponent = np.frexp(top)
    scaled = np.ldexp(matrix, -int(exponent))  # entries up to 1: squares do not overflow
    size = np.abs(scaled)
    square = min(float((size * size).sum()), float(size.sum(0).max()) * float(size.sum(1).max()))
    if 1 < len(scaled) <= _ROWS:
        square = min(square, _by_factor(scaled, square))
    return float(np.ldexp(np.sqrt(square * _MARGIN) * GROW, int(exponent)))


def _by_factor(scaled: Floats, otherwise: float) -> float:
    """An upper bound of the squared norm, `otherwise` where no factor proves one."""
    n = scaled.shape[1]
    size = np.abs(scaled)
    gram = scaled @ scaled.T
    rounded = gamma(n) * float((size @ size.sum(0)).max()) * GROW  # of G, in the max-norm
    c = float(np.linalg.eigvalsh(gram)[-1]) * (1 + 2.0**-20)
    shifted = c * np.eye(len(gram)) - gram
    try:
        factor = np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return otherwise
    residual = np.abs(shifted - factor @ factor.T)
    diagonal = np.diag(shifted - factor @ factor.T)
    wide = np.abs(factor)
    # Of L L', of the subtraction and of c I - G, each entry's error; then Gershgorin's rows.
    error = gamma(len(gram)) * (wide @ wide.sum(0)) + 2.0**-50 * np.abs(shifted).sum(1)
    spread = residual.sum(1) - np.diag(residual) + error * GROW
    if not (diagonal >= spread * GROW).all():
        # Not positive semidefinite as it stands; a larger c makes up for what is missing.
        c += float((spread * GROW - diagonal).max()) * GROW
    return (c + rounded) * GROW
