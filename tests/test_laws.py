"""Laws: exact units, symmetric and with the right distribution, the same from torch."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy import stats

from strongticket import laws, philox
from strongticket.errors import InputError
from strongticket.laws import Law, Normal, SignedConstant, Uniform, _normal

ALL = [
    Uniform(),
    Uniform(0.125),
    Normal(1.0),
    Normal(0.3),
    SignedConstant(0.5),
    SignedConstant(0.3),
]
EXTREME = np.array(
    [0, 1, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 256, (1 << 32) - 1],
    np.uint32,
)
WORDS = st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=30).map(
    lambda found: np.array(found, np.uint32)
)


def drawn(count: int = 200_000) -> np.ndarray:
    return philox.words(11, philox.stream("weights", "test"), 0, count)


@pytest.mark.parametrize("law", ALL, ids=repr)
@given(words=WORDS)
def test_weights_are_units_on_the_grid_rounded_once(law: Law, words: np.ndarray) -> None:
    units, weights = law.units(words), law.weights(words)
    assert units.dtype == np.int32
    assert weights.dtype == np.float32
    for unit, weight in zip(units.tolist(), weights.tolist(), strict=True):
        exact = unit * Fraction(law.scale or 0) / (1 << law.grid)
        if law.exponent is None:
            assert weight == float(np.float32(float(exact)))
        else:
            assert Fraction(weight) == exact == unit * Fraction(2) ** law.exponent
    np.testing.assert_array_equal(law.weights_of(units), weights)


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_torch_makes_the_same_weights(law: Law) -> None:
    words = np.concatenate([EXTREME, drawn(20_000)])
    there = torch.from_numpy(words.astype(np.int64))
    np.testing.assert_array_equal(law.torch_units(there).numpy(), law.units(words))
    made = law.torch_weights(there)
    assert made.dtype == torch.float32
    np.testing.assert_array_equal(made.numpy(), law.weights(words))


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_a_word_and_its_complement_mirror(law: Law) -> None:
    words = np.concatenate([EXTREME, drawn(5_000)])
    np.testing.assert_array_equal(law.units(~words), -law.units(words))


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-3, 1.0, 2.0**100])
def test_uniform_units_are_odd_and_fill_the_open_interval(scale: float) -> None:
    law = Uniform(scale)
    units = law.units(np.concatenate([EXTREME, drawn(5_000)]))
    assert (units % 2 == 1).all()  # so never zero
    assert units.min() == 1 - (1 << 24)
    assert units.max() == (1 << 24) - 1
    weights = law.weights_of(units)
    assert np.isfinite(weights).all()
    np.testing.assert_array_equal(weights.astype(np.float64), units * (scale * 2.0**-24))


def test_uniform_units_of_known_words() -> None:
    words = np.array([0, 1 << 8, 1 << 31, (1 << 32) - 1], np.uint32)
    assert Uniform().units(words).tolist() == [-16777215, -16777213, 1, 16777215]


def test_signed_constant_is_the_top_bit() -> None:
    assert SignedConstant(1.0).units(EXTREME).tolist() == [1] * 5 + [-1] * 4


# Fixed words: the p-values below never change. A true law fails with probability 1e-4.
@pytest.mark.parametrize(
    ("law", "distribution"),
    [
        (Uniform(2.0), stats.uniform(-2, 4)),
        (Normal(1.0), stats.norm()),
        (Normal(0.3), stats.norm(scale=0.3)),
    ],
    ids=("uniform", "normal", "normal, narrow"),
)
def test_distribution(law: Law, distribution) -> None:
    assert stats.kstest(law.weights(drawn()), distribution.cdf).pvalue > 1e-4


def test_distribution_test_can_fail() -> None:
    wrong = stats.norm(scale=1.02)
    assert stats.kstest(Normal(1.0).weights(drawn()), wrong.cdf).pvalue < 1e-4


def test_signs_are_balanced() -> None:
    positive = int((SignedConstant(1.0).units(drawn()) > 0).sum())
    assert stats.binomtest(positive, 200_000).pvalue > 1e-4


def normal_quantile(v: int) -> float:
    """The deviate whose upper tail is (v - 1/2) / 2^32, by mpmath."""
    with mp.workdps(40):
        tail = (mp.mpf(v) - mp.mpf(1) / 2) / mp.mpf(2) ** 32
        return float(mp.sqrt(2) * mp.erfinv(1 - 2 * tail))


def test_normal_table_holds_normal_quantiles() -> None:
    """Every octave, its ends and points inside; 2e-6 covers rounding and interpolation."""
    rng = np.random.default_rng(0)
    octaves = [1 << o for o in range(32)]
    inside = [int(rng.integers(1 << o, 2 << o)) for o in range(31) for _ in range(6)]
    ends = [(2 << o) - 1 for o in range(31)]
    worst = 0.0
    for v in octaves + inside + ends:
        word = v - 1  # positive half
        made = float(Normal(1.0).weights(np.array([word], np.uint32))[0])
        worst = max(worst, abs(made - normal_quantile(v)))
    assert worst < 2e-6


def test_normal_is_monotone_in_the_word() -> None:
    """Over a whole stretch of words at each octave border, where cells change."""
    for octave in range(2, 31):
        words = np.arange(max(0, (1 << octave) - 2000), (1 << octave) + 2000).astype(np.uint32)
        assert (np.diff(Normal(1.0).units(words)) <= 0).all()


def test_changed_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_normal, "_NORMAL_TABLE_SHA256", "0" * 64)
    _normal._normal_table.cache_clear()
    with pytest.raises(InputError, match=r"normal20\.i32.*install strongticket again"):
        Normal(1.0).units(EXTREME)
    monkeypatch.undo()
    _normal._normal_table.cache_clear()


@pytest.mark.parametrize("law", [Normal(), SignedConstant()], ids=repr)
def test_scale_from_fan_in(law: Law) -> None:
    fixed = law.at((7, 3, 2, 2))
    assert fixed.scale == float(np.float32(math.sqrt(2 / 12)))
    assert fixed.at((1, 1)) is fixed  # a fixed scale stays
    assert Uniform(0.5).at((9, 9)) == Uniform(0.5)
    with pytest.raises(InputError, match=r"fan-in, which shape \(7,\) has not"):
        law.at((7,))
    with pytest.raises(InputError, match=r"no scale yet: call at\(shape\) first"):
        law.weights(EXTREME)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(0.3), "power of two.*got 0.3"),
        (lambda: Uniform(None), "power of two; got None"),
        (lambda: Uniform(0.0), r"2\^-100"),
        (lambda: Uniform(-1.0), "got -1.0"),
        (lambda: Uniform(2.0**-149), r"2\^-100"),
        (lambda: Uniform(2.0**101), r"2\^100"),
        (lambda: Normal(1e39), "got 1e\\+39"),
        (lambda: Normal(float("nan")), "got nan"),
        (lambda: SignedConstant(float("inf")), "got inf"),
        (lambda: Normal("wide"), "got 'wide'"),
    ],
)
def test_bad_scales(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_scale_is_rounded_to_float32_once() -> None:
    assert Normal(0.1).scale == float(np.float32(0.1))
    assert Normal(0.1) == Normal(float(np.float32(0.1)))
    assert Normal(0.1).exponent is None
    assert Normal(0.25).exponent == -22
    assert Uniform(2.0).exponent == -23


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_spec_round_trip(law: Law) -> None:
    assert laws.from_spec(law.spec()) == law
    assert "scale" not in law.latex  # LaTeX of the law itself
    assert f"{law.scale:g}" in law.latex


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"law": "uniform"},
        {"law": "cauchy", "scale": "0x1.0p+0"},
        {"law": "uniform", "scale": "zz"},
        {"law": "uniform", "scale": 1.0},
        {"law": "uniform", "scale": None},
        {"law": "uniform", "scale": "0x1.8p+0"},
        {"law": "uniform", "scale": "1"},  # not the canonical spelling
        {"law": "uniform", "scale": "0x1p+9999"},
        {"law": "uniform", "scale": "nan"},
        {"law": "uniform", "scale": "0x1.0000000000000p+0", "more": 1},
        {"law": "normal", "scale": "0x1.999999999999ap-4"},  # not a float32
    ],
)
def test_foreign_specs_are_refused(spec) -> None:
    with pytest.raises(InputError, match="a law's specification names one of"):
        laws.from_spec(spec)
