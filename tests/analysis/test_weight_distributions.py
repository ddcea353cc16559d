"""Distributions of kept weights: moments against scipy, and what tells one lump from two."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from strongticket import Mask, Network, SignedConstant, Ticket, Uniform
from strongticket.analysis import distribution, distributions
from strongticket.errors import InputError


def lumps(n: int, width: float) -> np.ndarray:
    random = np.random.default_rng(1)
    return random.choice([-1.0, 1.0], n) * random.normal(1, width, n)


def test_the_moments_are_scipy_s() -> None:
    w = np.random.default_rng(0).gamma(2.0, size=500) - 1
    found = distribution(w)
    assert found.skewness == pytest.approx(stats.skew(w, bias=False))
    assert found.kurtosis == pytest.approx(stats.kurtosis(w, bias=False))
    n = w.size
    wanted = (found.skewness**2 + 1) / (found.kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
    assert found.sarle == pytest.approx(wanted)
    assert (found.count, found.mean, found.deviation) == (500, w.mean(), w.std())
    assert found.negative == (w < 0).mean()


def test_one_lump_and_two() -> None:
    random = np.random.default_rng(0)
    normal, uniform = random.normal(0, 0.3, 20_000), random.uniform(-2, 2, 20_000)
    for w, sarle, centre, gap in ((normal, 1 / 3, 0.264, 0.0186), (uniform, 5 / 9, 0.25, 0.02)):
        found = distribution(w)
        assert found.sarle == pytest.approx(sarle, abs=0.02)
        assert found.centre == pytest.approx(centre, abs=0.01)
        assert found.gap == pytest.approx(gap, abs=0.004)
    assert not distribution(normal).bimodal
    two = distribution(lumps(20_000, 0.15))
    assert two.bimodal
    assert two.sarle > 0.85
    assert two.centre < 0.01
    assert two.gap > 0.5
    pruned = distribution(normal[np.abs(normal) > 0.3])  # by magnitude
    assert pruned.bimodal
    atoms = distribution(np.array([-1.0, 1.0] * 5000))
    assert (atoms.sarle, atoms.centre, atoms.gap) == (pytest.approx(1.0, abs=0.01), 0.0, 1.0)


def test_scale_and_sign_change_nothing() -> None:
    w = lumps(999, 0.4)
    one, other = distribution(w), distribution(-1024 * w)
    for name in ("kurtosis", "sarle", "centre", "gap"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
    assert one.counts == other.counts[::-1]


def test_the_histogram_counts_every_weight() -> None:
    found = distribution([-1.0, -0.25, 0.25, 0.3, 1.0], bins=4)
    assert found.edges == (-1.0, -0.5, 0.0, 0.5, 1.0)
    assert found.counts == (1, 1, 2, 1)
    assert distribution([-3.0, 0.1], bins=2, limit=1.0).counts == (0, 1)


def test_too_few_weights_have_no_shape() -> None:
    for w in ([], [1.0], [0.1] * 9, [0.0] * 9):
        found = distribution(w)
        assert math.isnan(found.sarle)
        assert not found.bimodal
        assert found.count == len(w) == sum(found.counts)


def test_of_a_ticket_and_of_a_state() -> None:
    network = Network.mlp((7, 9, 3), laws=(Uniform(), SignedConstant()), seed=2)
    random = np.random.default_rng(0)
    bits = {p.name: random.random(p.shape) < 0.6 for p in network.parameters}
    ticket = Ticket(network, Mask.dense(bits))
    found = distributions(ticket)
    weights = {name: network.weights(name) for name in bits}
    assert set(found) == {*bits, "all"}
    for name in bits:
        assert found[name] == distribution(weights[name][bits[name]])
    assert found["all"].count == ticket.mask.kept
    assert found["layers.1.weight"].gap == 1.0
    state = {name: torch.from_numpy(w.copy()) for name, w in weights.items()}
    assert distributions(bits, state) == found
    masks = {name: torch.from_numpy(b) for name, b in bits.items()}
    only = distributions(masks, state, only=["layers.0.weight"], bins=8, limit=2.0)
    assert only["all"] == only["layers.0.weight"]
    moved = {name: w + 1 for name, w in state.items()}
    assert distributions(ticket, moved)["all"].mean == pytest.approx(
        found["all"].mean + 1, abs=1e-5
    )


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="1 are not"):
        distribution([1.0, np.nan])
    with pytest.raises(InputError, match="bins"):
        distribution([1.0], bins=0)
    with pytest.raises(InputError, match="limit"):
        distribution([1.0], limit=-1.0)
    with pytest.raises(InputError, match="need state="):
        distributions({"a": np.ones(2, bool)})
    with pytest.raises(InputError, match="must hold a"):
        distributions({"a": np.ones(2, bool)}, {"a": np.ones(3)})
    with pytest.raises(InputError, match="no kept weights of 'b'"):
        distributions({"a": np.ones(2, bool)}, {"a": np.ones(2)}, only=["b"])
