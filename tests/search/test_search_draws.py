"""Words of a search: parts of a stream, comparisons on the host, and logistic noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from strongticket.search import draws
from strongticket.search.gate import Moment
from strongticket.search.soft import Draw, HardConcreteGate
from strongticket.search.written import _shut

HOST = torch.device("cpu")


def wide(words: Tensor) -> Tensor:
    """As they come from another device."""
    return torch.from_numpy(words.numpy().astype(np.int64))


@pytest.mark.parametrize("start", [0, 1, 5, 64, 999])
def test_a_part_of_the_words(start: int) -> None:
    every = draws.words(3, "sample 1", "w", 1000, HOST)
    part = draws.words(3, "sample 1", "w", 1000 - start, HOST, start)
    np.testing.assert_array_equal(part.numpy(), every.numpy()[start:])


def test_gates_of_a_part_are_a_part_of_the_gates() -> None:
    scores, at = torch.linspace(-3, 3, 1000), Moment(step=7, seed=2)
    for gate in (Draw(), HardConcreteGate()):
        whole = gate.of("w", scores, at)
        part = gate.of("w", scores[128:640], at.part("w", 128, 640))
        assert torch.equal(part, whole[128:640])


def test_comparisons_are_exact() -> None:
    half = 0.5
    words = torch.tensor([0, 2**31 - 1, 2**31, 2**32 - 1], dtype=torch.int64)
    host = torch.from_numpy(words.numpy().astype(np.uint32))
    for chance in (half, torch.full((4,), half)):
        for drawn in (words, host):
            assert draws.below(drawn, chance).tolist() == [True, True, False, False]
    for chance in (2.0**-32, torch.full((4,), 2.0**-32)):
        assert draws.below(host, chance).tolist() == [True, False, False, False]
    assert not draws.below(host, torch.zeros(4)).any()
    assert draws.below(host, torch.ones(4)).all()


def test_logistic_noise_is_the_logit_of_the_word() -> None:
    words = draws.words(0, "sample 0", "w", 200_000, HOST)
    ends = torch.from_numpy(np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], np.uint32))
    for drawn in (words, ends):
        u = (drawn.numpy().astype(np.float64) + 0.5) * 2.0**-32
        wanted = np.log(u) - np.log1p(-u)
        found = draws.logistic(drawn)
        assert found.dtype == torch.float32
        # A rounding of u and one of the logit, of numbers up to 22.9; near 0 of log u = 0.7.
        np.testing.assert_allclose(found.numpy(), wanted, rtol=2.0**-21, atol=2.0**-22)
        assert torch.equal(found, draws.logistic(wide(drawn)))
    low, *_, high = draws.logistic(ends).tolist()
    assert low == -high
    assert high == pytest.approx(math.log(2**33 - 1))


def test_the_slope_is_the_derivative_of_the_gate_in_force() -> None:
    gate = HardConcreteGate()
    scores = torch.linspace(-4, 4, 4001)
    at = Moment(step=3, seed=1)
    in_force = gate.of("w", scores, at)
    u = (draws.words(1, "sample 3", "w", 4001, HOST).numpy().astype(np.float64) + 0.5) * 2.0**-32
    noise = torch.from_numpy(np.log(u) - np.log1p(-u))
    exact = scores.double().requires_grad_()
    z = (((noise + exact) / gate.temperature).sigmoid() * 1.2 - 0.1).clamp(0, 1)
    z.sum().backward()
    assert exact.grad is not None
    for moment in (at, Moment(gates={"w": in_force})):  # the second has no noise to draw again
        slope = gate.slope("w", scores, moment)
        torch.testing.assert_close(slope.double(), exact.grad, rtol=0, atol=1e-6)
        assert torch.equal(slope == 0, (in_force == 0) | (in_force == 1))
    assert 100 < int((in_force == 0).sum()) < 3900


def test_closing_weights_is_filling_with_zeros() -> None:
    weights = torch.tensor([1.5, -2.0, -0.0, 1e-45, torch.nan, torch.inf, 3.0, -1.0])
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        for pattern in (0b10110100, 0, 0xFF):
            closed = torch.tensor([bool(pattern >> i & 1) for i in range(8)])
            given = weights.to(dtype)
            found, wanted = _shut(given, closed), given.masked_fill(closed, 0)
            assert found.dtype == dtype
            same = found.view(torch.uint8) == wanted.view(torch.uint8)
            assert bool(same.all())
            assert torch.equal(given.view(torch.uint8), weights.to(dtype).view(torch.uint8))


def test_a_share_of_a_word_counts_the_word() -> None:
    drawn = torch.from_numpy(np.array([0, 1, 2], np.uint32))
    for share, wanted in ((0.0, 0), (0.5, 1), (1.0, 1), (1.5, 2)):
        chance = share * 2.0**-32
        for probability in (chance, torch.full((3,), chance, dtype=torch.float64)):
            assert int(draws.below(drawn, probability).sum()) == wanted
            assert int(draws.below(drawn.to(torch.int64), probability).sum()) == wanted
