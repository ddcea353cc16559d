"""Exact products of integer matrices, roots rounded up, and norms that a factor proves."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import RefutedError

Big = np.ndarray[Any, Any]  # object arrays of Python integers


def product(a: Big, b: Big) -> Big:
    """The matrix product, by floats that hold every integer in it.

    Integers are cut into limbs of k bits, with n 2^2k <= 2^53 for sums of n products: no float sum
    of such products is rounded, in whatever order it is taken.
    """
    bits = max((53 - a.shape[1].bit_length()) // 2, 1)
    total = np.zeros((a.shape[0], b.shape[1]), object)
    right = _limbs(b, bits)
    for i, x in enumerate(_limbs(a, bits)):
        for j, y in enumerate(right):
            total = total + ((x @ y).astype(np.int64).astype(object) << (bits * (i + j)))
    return total


def _limbs(a: Big, bits: int) -> list[Big]:
    sign, rest, found = np.where(a < 0, -1.0, 1.0), np.abs(a), []
    if a.size and int(rest.max()) < 1 << 62:
        rest = rest.astype(np.int64)
    mask = (1 << bits) - 1
    while a.size and rest.any():
        found.append((rest & mask).astype(np.float64) * sign)
        rest = rest >> bits
    return found


def root_up(value: Fraction) -> Fraction:
    """An upper bound of a square root, within a factor 1 + 2^-60, of few digits."""
    if value <= 0:
        return Fraction(0)
    size = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    shift = 2 * (64 - size)
    scaled = value.numerator << shift if shift >= 0 else value.numerator
    below = value.denominator if shift >= 0 else value.denominator << -shift
    root = math.isqrt(scaled // below + 1) + 1
    return Fraction(root, 1 << (shift // 2)) if shift >= 0 else Fraction(root << (-shift // 2))


def check_norm(matrix: Big, exponents: Any, claimed: Fraction) -> None:
    """Refuse a spectral norm that is not proved to be at most `claimed`.

    Row i of the matrix is integers times 2^exponents[i]. All is divided by a power of two that
    leaves entries of at most 1, and rounded to integers T of some 20 bits, which moves the norm by
    no more than the Frobenius norm of the roundings. Then c = (what is left of the claim)^2 must be
    at least the Frobenius norm's square, or 1-norm times max-norm, or c I - T T' must be positive
    semidefinite: that is so if it is L L' + R with every diagonal entry of R at least the sum of
    its row's other magnitudes. A float routine proposes L; the rest is integers.
    """
    if claimed < 0:
        raise RefutedError("a norm that the certificate claims is negative")
    if not matrix.any():
        return
    floats, top = _in_floats(matrix, exponents)
    floats = floats if floats.shape[0] <= floats.shape[1] else floats.T
    floats = floats[floats.any(1)]
    bits = min(20, (53 - floats.shape[1].bit_length()) // 2)
    rounded = np.rint(np.ldexp(floats, bits))
    off = Fraction(51, 100) * (math.isqrt(int(np.count_nonzero(floats))) + 1)
    left = claimed * Fraction(2) ** (bits - top) - off
    limit = int(left * left) if left > 0 else -1
    whole = rounded.astype(np.int64).astype(object)
    size = np.abs(whole)
    if limit >= min((size * size).sum(), size.sum(0).max() * size.sum(1).max()):
        return
    gram = (rounded @ rounded.T).astype(np.int64).astype(object)  # below n 2^2 bits <= 2^53: exact
    rest = np.diag(np.full(len(gram), limit, object)) - gram
    # L is of a little less than c I - T T', so that R has a diagonal.
    less = (rest - np.diag(np.full(len(gram), limit >> 12, object))).astype(np.float64)
    try:
        factor = np.linalg.cholesky(less)
    except np.linalg.LinAlgError:
        raise RefutedError("a norm is larger than the certificate says") from None
    fine = 8  # more bits for the factor's entries
    units = np.rint(np.ldexp(factor, fine)).astype(np.int64).astype(object)
    residual = (rest << 2 * fine) - product(units, units.T)
    if (2 * np.diag(residual) < np.abs(residual).sum(1)).any():
        raise RefutedError("a norm is not proved to be as small as the certificate says")


def _in_floats(matrix: Big, exponents: Any) -> tuple[Big, int]:
    """The matrix over 2^top as floats up to 1, one of them 1/2 or more.

    Every one is within 2^-53 of its size, and 2^-900, of the true entry, whatever the exponents.
    """
    lengths = np.array([int(v).bit_length() for v in np.abs(matrix).max(1)])
    top = int((lengths + exponents)[lengths > 0].max())
    down = np.maximum(lengths - 1000, 0)  # more bits than a float's exponent counts
    if down.any():
        matrix = matrix >> down.astype(object)[:, None]
    shift = np.maximum(exponents + down - top, -3000)
    return np.ldexp(matrix.astype(np.float64), shift[:, None]), top
