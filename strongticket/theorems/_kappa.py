r"""The growth constant of R2+ certified for any law whose density has a lower bound on a mesh.

The theorem wants :math:`\kappa = \inf_v D(v) / (v(1-v))`. D is linear and monotone in the density,
so a step function below the density gives a number below kappa. On a mesh of J cells D is exact at
the nodes v = i / J (the integrand is linear on every cell), and D(v) / v does not increase on
(0, 1/2]: on a cell [v1, v2] the ratio is at least (D(v2) / v2) / (1 - v1).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket.theorems._algebra import Finding

Floats = NDArray[np.float64]

CELLS = 6 * 1024  # a multiple of 6: a third and a half of the window are nodes
BINS = 4096  # of equal probability, for the magnitude of a normal weight
DOWN = 1 - 2.0**-30  # far more than the roundings of some thousand positive terms


def growth(values: Floats) -> float:
    """A lower bound on kappa from `values`: the density, or less, at i / J of the window, i >= 1.

    The values belong to an even density that does not increase in |x|; so each bounds it on the
    cell that ends there. Rounding is covered by the factor `DOWN`.
    """
    cells = values.size
    if cells % 6 or not (np.diff(values) <= 0).all() or values[-1] < 0:
        raise AssertionError("values on 6 k cells that do not increase")
    step = values.copy()
    step[cells // 3 : cells // 2] = values[cells // 2 - 1]  # (1/3, 1/2): the value at 1/2
    nodes = np.arange(cells + 1) / cells
    least, before = math.inf, 0.0
    # sums over s < v, v <= s < 1 - v, s >= 1 - v: cumulative moments give every v at once
    middle = (nodes[1:] + nodes[:-1]) / 2
    mass = np.concatenate([[0.0], np.cumsum(step)]) / cells
    rise = np.concatenate([[0.0], np.cumsum(step * middle)]) / cells
    fall = np.concatenate([[0.0], np.cumsum(step * (1 - middle))]) / cells
    for i in range(1, cells // 2 + 1):
        v = nodes[i]
        drift = rise[i] + v * (mass[cells - i] - mass[i]) + fall[cells] - fall[cells - i]
        least = min(least, float(drift / v / (1 - before)))
        before = float(v)
    return least * DOWN


def at_least(kappa: Fraction, window: float, values: Callable[[Floats], Floats]) -> Finding:
    """Whether kappa is certified for a density on [-window, window] in units of the samples.

    `values` gives lower bounds on the density at the points it is asked about. The drift is in
    units of the window, so the density is multiplied by its length.
    """
    points = np.arange(1, CELLS + 1) / CELLS * window
    floor = np.minimum.accumulate(values(points)) * window
    found = growth(floor)
    return found >= float(kappa), f"kappa >= {found:.6f} on {CELLS} cells"


@functools.cache
def product_steps(cells: int) -> Floats:
    """The density of the grid's product of two uniform weights, given a > 0, at i / cells.

    With a on the grid it is the sum of 1 / c over the odd c from i 2^24 / cells on: a lower bound
    for all smaller |x|. i = 1, ..., cells - 1 (at 1 it is 0).
    """
    if (1 << 24) % cells:
        raise AssertionError("cells must divide 2^24")
    odd = 2.0 * np.arange(1 << 23) + 1.0
    sums = np.cumsum(1.0 / odd[::-1])[::-1]
    first = ((1 << 24) // cells * np.arange(1, cells)) // 2  # odd c = 2 k + 1 >= i 2^24 / cells
    return np.append(sums[first] * (1 - 2.0**-28), 0.0)


def difference_floor(cells: int = 1024) -> Callable[[Floats], Floats]:
    """Lower bounds on the density of the difference of two such products, given both a > 0.

    The convolution of two even step functions below the density is linear between multiples of
    1 / cells, and lies below the convolution of the densities itself.
    """
    half = product_steps(cells)
    both = np.concatenate([half[::-1], half])  # on [-1, 1], cell by cell
    # frequency-free and all terms positive: the rounding error stays relative
    nodes = np.convolve(both, both) / cells * DOWN
    zero = 2 * cells - 1  # index of x = 0

    def at(points: Floats) -> Floats:
        grid = np.arange(nodes.size - zero) / cells
        return np.interp(points, grid, nodes[zero:], right=0.0) * DOWN

    return at


def triangle_floor(points: Floats) -> Floats:
    """The density (2 - |x|) / 4 of the difference of two uniform weights on [-1, 1]."""
    return np.maximum(2 - points, 0.0) / 4 * DOWN


def normal_floor(points: Floats) -> Floats:
    """The standard normal density."""
    return np.exp(-(points**2) / 2) / math.sqrt(2 * math.pi) * DOWN


def normal_product_floor(shift: float, bins: int = BINS) -> Callable[[Floats], Floats]:
    r"""Lower bounds on :math:`E\, \varphi(x/|a|)/|a|`, a within `shift` of a normal deviate.

    The deviate is put into bins of equal probability by the exact quantiles. As a function of |a|
    the term rises up to |a| = |x| and then falls, so on a bin it is least at an end; the two bins
    at the extremes are left out.
    """
    from scipy import special

    edges = special.ndtri(0.5 + 0.5 * np.arange(1, bins) / bins)  # |a|, ascending
    low, high = edges[:-1] - shift, edges[1:] + shift
    low, high = low * (1 - 2.0**-40), high * (1 + 2.0**-40)

    def at(points: Floats) -> Floats:
        x = points[:, None]
        found = np.empty(points.size)
        for start in range(0, points.size, 256):
            part = x[start : start + 256]
            ends = [np.exp(-((part / a) ** 2) / 2) / a for a in (low, high)]
            found[start : start + 256] = np.minimum(*ends).sum(1)
        return found / bins / math.sqrt(2 * math.pi) * DOWN

    return at


def normal_distance() -> float:
    """A bound on the Kolmogorov distance of the toolkit's unit deviate from the normal law.

    It is the deviate's error times the largest density, cell by cell of its table. Tails below
    2^-24 differ by less than themselves.
    """
    worst = max(float((error * density).max()) for error, density, _ in _normal_cells())
    return max(2.0**-23, worst) * (1 + 2.0**-20)


def normal_error(bins: int = BINS) -> float:
    """A bound on |deviate - normal deviate that it stands for|, but for the outermost bin."""
    from scipy import special

    most = float(special.ndtri(1 - 0.5 / bins))
    worst = max(float(error[low <= most].max(initial=0.0)) for error, _, low in _normal_cells())
    return worst * (1 + 2.0**-20)


def _normal_cells() -> Iterator[tuple[Floats, Floats, Floats]]:
    r"""For the cells of every octave of the table: error, largest density, least deviate.

    A word with tail index v stands for the probabilities ((v-1) 2^-32, v 2^-32]. Within a cell of
    the table the deviate is linear in v but for half a unit of rounding, the exact quantile z(p)
    has second derivative z / phi(z)^2; so their difference is bounded by the errors at the cell's
    ends, the curvature and the rounding. Quantiles are scipy's, in double precision.
    """
    from scipy import special

    from strongticket.laws._normal import _normal_table

    table = _normal_table().astype(np.float64) * 2.0**-20
    for octave in range(8, 31):
        v = 2.0**octave * (1 + np.arange(257) / 256)
        outer, inner = -special.ndtri((v - 1) * 2.0**-32), -special.ndtri(v * 2.0**-32)
        ends = np.maximum(np.abs(table[octave] - outer), np.abs(table[octave] - inner))
        density = np.exp(-(inner**2) / 2) / math.sqrt(2 * math.pi)
        step = 2.0 ** (octave - 8 - 32)
        # on a cell p grows, z falls, the density grows: the extremes are at the ends
        curve = step**2 / 8 * outer[:-1] / density[:-1] ** 2
        error = np.maximum(ends[:-1], ends[1:]) + curve + 2.0**-21
        yield error, density[1:], inner[1:]


@functools.cache
def product_moments(window: Fraction) -> tuple[float, float]:
    """Mean, rounded down, and mean square, rounded up, of X where 0 < X <= window, else 0.

    X = b relu(a) with a, b uniform on the grid: for each of the 2^23 positive a the odd b up to
    window / a are summed in closed form. Terms are positive, so the roundings stay relative.
    """
    a = 2.0 * np.arange(1 << 23) + 1.0
    most = np.minimum(np.floor(float(window) * 2.0**48 / a), 2.0**24 - 1)
    count = np.floor((most + 1) / 2)
    mean = float((a * count**2).sum()) * 2.0**-96
    square = float((a**2 * count * (4 * count**2 - 1) / 3).sum()) * 2.0**-144
    return mean * (1 - 2.0**-20), square * (1 + 2.0**-20)


@functools.cache
def pair_moments(theta: float, window: float, cells: int = 512) -> tuple[float, float]:
    r"""Bounds on E exp(-theta X) and on E exp(-theta max'(X, X')) for products given a > 0.

    max' is the larger of two where they differ by at most `window`, else the first of the two. The
    density is ln(1/|x|) / 2 and its distribution function elementary; on cells every exponential
    is taken at the lower end, a pair that may differ by the window or more counts as one that
    does. The grid's product is within 2^-23 of the continuous one that it stands for, far less than
    a cell.
    """
    edges = np.arange(-cells, cells + 1) / cells
    size = np.abs(edges)
    half = (size - size * np.log(np.where(size > 0, size, 1.0))) / 2
    chance = np.diff(0.5 + np.sign(edges) * half)
    low = np.exp(-theta * edges[:-1])
    number = np.arange(2 * cells)
    apart = np.abs(np.subtract.outer(number, number)) + 1 >= window * cells
    both = np.where(apart, np.add.outer(low, low) / 2, np.minimum.outer(low, low))
    grid = math.exp(theta * 2.0**-22) / DOWN
    return float(chance @ low) * grid, float(chance @ both @ chance) * grid
