"""The log-uniform law: integers only, the same from torch, intervals counted exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from mpmath import mp
from scipy import stats

from strongticket import laws, philox
from strongticket.errors import InputError
from strongticket.laws import LogUniform
from strongticket.laws._log_uniform import MOST_CELLS, _powers
from strongticket.networks import Network

EXTREME = np.array([0, 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1], np.uint32)
ALL = [LogUniform(), LogUniform(0.25, 1), LogUniform(2.0, 7110), LogUniform(1.0, MOST_CELLS)]


def drawn(count: int) -> np.ndarray:
    return philox.words(3, philox.stream("weights", "t"), 0, count)


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_numpy_and_torch_make_the_same_units_and_complements_mirror(law: LogUniform) -> None:
    words = np.concatenate([EXTREME, drawn(20_000)])
    units = law.units(words)
    assert units.dtype == np.int32
    there = torch.from_numpy(words.astype(np.int64))
    np.testing.assert_array_equal(law.torch_units(there).numpy(), units)
    np.testing.assert_array_equal(law.torch_weights(there).numpy(), law.weights(words))
    np.testing.assert_array_equal(law.units(~words), -units)
    np.testing.assert_array_equal(law.units(words[:9].reshape(3, 3)).ravel(), units[:9])
    assert np.abs(units).max() <= 1 << 24
    assert np.abs(units).min() >= 2
    for unit, weight in zip(units[:9].tolist(), law.weights(words)[:9].tolist(), strict=True):
        assert Fraction(weight) == unit * Fraction(2) ** law.exponent


def test_the_table_is_the_powers_rounded_down() -> None:
    table, steps = _powers()
    with mp.workdps(60):
        exact = [int(mp.floor(mp.mpf(2) ** (30 - mp.mpf(j) / 1024))) for j in range(1025)]
    np.testing.assert_array_equal(table, exact[:-1])
    np.testing.assert_array_equal(table - steps, exact[1:])


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_units_are_the_powers_rounded_and_never_increase(law: LogUniform) -> None:
    """Within half a unit, and the interpolation's 2^-23 of it, of 2^24 2^(-t octaves)."""
    words = np.sort(np.concatenate([[0, (1 << 31) - 1], drawn(5_000) >> 1])).astype(np.uint32)
    units = law.units(words).astype(np.int64)
    assert (np.diff(units) <= 0).all()
    exact = 2.0 ** (24 - words / 2**31 * law.octaves)
    assert (np.abs(units - exact) <= 0.5 + exact * 2.0**-23).all()


def test_counting_words_is_counting_words() -> None:
    law = LogUniform(1.0, 3000)
    words = np.arange(0, 1 << 31, 1 << 12, dtype=np.uint64).astype(np.uint32)
    units = law.units(words)
    for low, high in ((1, 1 << 24), (3_000_000, 9_000_000), (16_777_216, 16_777_216), (1, 2)):
        found = np.count_nonzero((units >= low) & (units <= high)) << 12
        assert abs(found - law.count(low, high)) <= 1 << 13
    assert law.count(1, 1 << 24) == 1 << 31
    at = law._first_below(5_000_000)  # the exact edge, by the words on both sides of it
    before, after = law.units(np.array([at - 1, at], np.uint32))
    assert after < 5_000_000 <= before


def test_magnitudes_are_log_uniform() -> None:
    law = LogUniform(1.0, 8 * 1024)
    weights = law.weights(drawn(100_000))
    position = -np.log2(np.abs(weights.astype(np.float64))) / law.octaves
    assert stats.kstest(position, "uniform").pvalue > 1e-6
    assert stats.binomtest(int((weights > 0).sum()), weights.size).pvalue > 1e-6


def test_bad_laws_and_specifications_are_refused() -> None:
    for scale, cells in ((None, 1), (0.3, 1), (1.0, 0), (1.0, MOST_CELLS + 1), (1.0, 2.0)):
        with pytest.raises(InputError, match="LogUniform needs"):
            LogUniform(scale, cells)  # type: ignore[arg-type]
    for law in ALL:
        assert laws.from_spec(law.spec()) == law
        network = Network.mlp((2, 3, 1), laws=law, seed=0)
        assert Network.from_spec(network.spec()) == network
    for name in ("log_uniform", "log_uniform0", "log_uniform01", "log_uniform99999999999"):
        with pytest.raises(InputError, match="log_uniform<cells>"):
            laws.from_spec({"law": name, "scale": (1.0).hex()})
    assert "LogU" in LogUniform().latex
