"""The quantized law: every unit equally likely, exactly; the same from torch and from its spec."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from strongticket import laws, philox
from strongticket.errors import InputError
from strongticket.laws import Grid
from strongticket.networks import Network

EXTREME = np.array([0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1], np.uint32)
ALL = [Grid(1.0, 1), Grid(2.0**-7, 4), Grid(0.5, 128), Grid(2.0**-20, 1 << 24)]


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_numpy_and_torch_make_the_same_units(law: Grid) -> None:
    words = np.concatenate([EXTREME, philox.words(3, philox.stream("weights", "t"), 0, 5000)])
    units = law.units(words)
    assert units.dtype == np.int32
    there = torch.from_numpy(words.astype(np.int64))
    np.testing.assert_array_equal(law.torch_units(there).numpy(), units)
    np.testing.assert_array_equal(law.torch_weights(there).numpy(), law.weights(words))
    np.testing.assert_array_equal(law.units(~words), -units)
    assert (units != 0).all()
    assert units.min() == -law.largest
    assert units.max() == law.largest
    for unit, weight in zip(units[:9].tolist(), law.weights(words)[:9].tolist(), strict=True):
        assert Fraction(weight) == unit * Fraction(2) ** law.exponent


@pytest.mark.parametrize("largest", [1, 2, 8, 64])
def test_every_unit_is_equally_likely(largest: int) -> None:
    """One word in each of the 2^12 equal parts of [0, 2^32): each unit comes equally often."""
    words = (np.arange(1 << 12, dtype=np.uint64) << np.uint64(20)).astype(np.uint32)
    found, counts = np.unique(Grid(1.0, largest).units(words), return_counts=True)
    assert found.tolist() == [*range(-largest, 0), *range(1, largest + 1)]
    assert set(counts.tolist()) == {(1 << 12) // (2 * largest)}


def test_one_step_is_a_sign() -> None:
    assert Grid(1.0, 1).units(EXTREME).tolist() == [-1, -1, -1, 1, 1]


@pytest.mark.parametrize("law", ALL, ids=repr)
def test_spec_round_trip(law: Grid) -> None:
    assert laws.from_spec(law.spec()) == law
    network = Network.mlp((2, 3, 1), laws=law, seed=5)
    again = Network.from_spec(network.spec())
    assert again == network
    assert again["layers.0.weight"].law == law


@pytest.mark.parametrize("name", ["grid", "grid3", "grid0", "grid016", "grid33554432", "grid-4"])
def test_foreign_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="a law's specification names one of"):
        laws.from_spec({"law": name, "scale": "0x1.0000000000000p+0"})


@pytest.mark.parametrize(
    ("scale", "largest", "message"),
    [
        (0.3, 4, "power of two as its scale"),
        (None, 4, "its step, a power of two; got None"),
        (1.0, 3, r"power of two in \[1, 2\^24\].*got 3"),
        (1.0, 0, "got 0"),
        (1.0, 1 << 25, "got 33554432"),
        (1.0, 4.0, "got 4.0"),
        (1.0, True, "got True"),
    ],
)
def test_bad_values(scale: float | None, largest: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Grid(scale, largest)
