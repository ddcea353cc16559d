"""Random subset sums under the paper's name: Gaussian laws, reach, certified constants."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats

from strongticket import Normal, check, philox
from strongticket.errors import InputError
from strongticket.theorems import THEOREMS, _kappa, dacunha2022
from strongticket.theorems.dacunha2022 import NORMAL, NORMAL_PRODUCT, REACH, RECALLED


def test_the_paper_s_name_reaches_the_whole_family() -> None:
    keys = [t.key.partition("_")[2] for t in check.matching("dacunha2022")]
    assert keys == [
        *("r1", "r1plus", "r1plus_whole", "dp", "product", "counting"),
        *("recalled", "normal", "normal_product", "reach"),
    ]
    assert all(t in THEOREMS for t in check.matching("dacunha2022"))
    assert "recalled" in RECALLED.title
    with pytest.raises(InputError, match="leaves C unspecified"):
        RECALLED.bound(C=1, epsilon=0.1, delta=0.1)


def quadrature(density: Any, window: float) -> float:
    """Kappa of R2+ for a density, numerically."""

    def drift(v: float) -> float:
        def inner(s: float) -> float:
            middle = window / 3 < s < window / 2
            floor = density(window / 2) if middle else density(s)
            return float(floor * min(s, v * window, window - v * window, window - s))

        points = sorted({window / 3, window / 2, v * window, window - v * window})
        return float(integrate.quad(inner, 0, window, points=points, limit=200)[0]) / window

    return min(drift(v) / (v * (1 - v)) for v in np.linspace(0.01, 0.5, 20))


@pytest.mark.parametrize(
    ("density", "window", "values", "kappa"),
    [
        (lambda s: math.exp(-s * s / 2) / math.sqrt(2 * math.pi), 2.0, _kappa.normal_floor, 0.46),
        (lambda s: (2 - s) / 4, 2.0, _kappa.triangle_floor, 0.477),
        (lambda s: special.k0(s) / math.pi, 1.5, _kappa.normal_product_floor(4e-6), 0.33),
    ],
    ids=["normal", "triangle", "normal product"],
)
def test_growth_constants_against_quadrature(
    density: Any, window: float, values: Any, kappa: float
) -> None:
    exact = quadrature(density, window)
    assert kappa <= exact <= kappa + 0.002
    holds, _ = _kappa.at_least(Fraction(kappa), window, values)
    assert holds
    assert not _kappa.at_least(Fraction(exact), window, values)[0]  # a lower bound, strictly


def test_floors_are_below_their_densities() -> None:
    x = np.linspace(0.01, 1.4, 60)
    product = special.k0(x) / math.pi
    floor = _kappa.normal_product_floor(4e-6)(x)
    assert (floor <= product).all()
    assert (floor >= 0.99 * product - 0.001).all()
    j = 1 << 12
    grid = (np.arange(-j, j) + 0.5) / j
    half = -np.log(np.abs(grid)) / 2
    both = np.convolve(half, half) / j
    at = np.interp(x, (np.arange(both.size) - (both.size - 1) / 2) / j, both)
    found = _kappa.difference_floor()(x)
    assert (found <= at + 1e-4).all()
    assert (found >= 0.98 * at - 0.005).all()


def test_no_deviate_is_farther_off_than_the_bins_are_moved() -> None:
    claimed = _kappa.normal_error()
    assert claimed < dacunha2022.DEVIATE < 2.5 * claimed
    index = np.unique(np.geomspace(1 << 18, 1 << 31, 400_001).astype(np.uint64))
    deviate = np.abs(Normal(1.0).units((index - 1).astype(np.uint32))) * 2.0**-20
    ends = np.stack([-special.ndtri(v * 2.0**-32) for v in (index.astype(float), index - 1.0)])
    apart = np.maximum(np.abs(ends[0] - deviate), np.abs(ends[1] - deviate))
    assert ends.max() > special.ndtri(1 - 0.5 / _kappa.BINS)
    assert claimed / 4 < apart.max() <= claimed


def test_the_deviate_s_distance_is_a_bound() -> None:
    claimed = _kappa.normal_distance()
    words = philox.words(0, philox.stream("test", "normal"), 0, 1 << 20)
    units = np.sort(Normal(1.0).units(words)) * 2.0**-20
    assert claimed < 6e-7
    assert stats.kstest(units, "norm").statistic < claimed + 2e-3
    # every word of a coarse comb: the law's own quantiles, not a sample's
    comb = np.arange(1 << 12, 1 << 32, 1 << 20, dtype=np.uint64).astype(np.uint32)
    deviate = Normal(1.0).units(comb) * 2.0**-20
    low = (comb & np.uint32(0x7FFFFFFF)).astype(float)
    tail = np.where(comb >> np.uint32(31) == 1, 2.0**31 - low, low + 1) * 2.0**-32
    exact = np.where(comb >> np.uint32(31) == 1, special.ndtri(tail), -special.ndtri(tail))
    assert np.abs(stats.norm.cdf(deviate) - stats.norm.cdf(exact)).max() <= claimed


def test_widths_by_hand() -> None:
    # NORMAL at 0.01: (2/0.01 - 1)^2 / 0.01 = 3960100, ln = 15.1917; rho = 1 - (0.46 - .00072)/2
    assert NORMAL.width(0.01, 0.01) == math.ceil(15.1917 / -math.log(1 - 0.45928 / 2))
    # product: (150 - 1)^2 / 0.01 = 2220100, ln = 14.6131; rho = 1 - (0.33 - .00054)/4
    assert NORMAL_PRODUCT.width(0.01, 0.01) == math.ceil(14.6131 / -math.log(1 - 0.32946 / 4))
    # REACH: log_{4/3}(16 / (1e-4 1e-4)) + 1 = 73.66 + 1
    assert REACH.width(0.01, 0.01) == 75
    for theorem in (NORMAL, NORMAL_PRODUCT, REACH):
        with pytest.raises(InputError, match="eta must lie in"):
            theorem.width(1e-9, 0.1)


@pytest.mark.parametrize("theorem", [NORMAL, REACH], ids=lambda t: t.key)
def test_wrong_constants_are_noticed(theorem: Any) -> None:
    from dataclasses import replace

    import sympy

    eta, delta = (sympy.Symbol(n, positive=True) for n in ("eta", "delta"))
    for change in (0.97, 1.03):
        wrong = replace(theorem.bound, expression=theorem.bound.expression * change)
        rows = list(replace(theorem, bound=wrong).restated_rows())
        assert any(row.refuted for row in rows)
    del eta, delta
    shorter = replace(theorem, reach=lambda eta: Fraction(2))
    assert any(row.refuted for row in shorter.restated_rows())


def test_the_module_names_its_theorems() -> None:
    assert dacunha2022.R1.key == "dacunha2022_r1"
