"""The golden-ratio greedy: its bins, its invariant, and the networks it prunes."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from strongticket import Ball, Box, Network, SignedConstant, Target, Uniform
from strongticket.construct import LayerAccuracy
from strongticket.construct._golden import edges, golden, greedy, worst_residual
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import LogUniform
from strongticket.verify import collapse


def test_edges_are_the_powers_of_the_golden_ratio_rounded_down() -> None:
    with mp.workdps(60):
        gamma = (mp.sqrt(5) - 1) / 2
        assert [int(mp.floor(mp.mpf(2) ** 24 * gamma**i)) for i in range(35)] == list(edges(34))


def in_bins(draw: st.DrawFn, k: int) -> list[int]:
    """One unit in every bin, top bin first."""
    found = edges(k)
    return [draw(st.integers(b + 1, a)) for a, b in itertools.pairwise(found)]


@st.composite
def samples(draw: st.DrawFn) -> tuple[int, list[int], list[int], int]:
    k = draw(st.integers(1, 25))
    more = draw(st.lists(st.integers(-(1 << 24), 1 << 24), max_size=8))
    goal = draw(st.integers(0, int((1 << 24) * 1.6180339887)))
    return k, in_bins(draw, k), more, goal


@given(samples())
def test_every_goal_ends_below_the_last_digit(
    given_: tuple[int, list[int], list[int], int],
) -> None:
    """Property 17, digit by digit; more samples, of any sign, in any place do no harm."""
    k, bins, more, goal = given_
    left = goal
    for i, x in enumerate(bins):  # after digit i at most s gamma^i
        left -= x if x <= left else 0
        assert 0 <= left <= edges(k)[i]
    mask, rest = greedy(np.array([bins]), np.array([goal]), k)
    assert rest[0] == left == goal - int((mask * np.array(bins)).sum())
    shuffled = np.array([more + bins[::-1]])
    mask, rest = greedy(shuffled, np.array([goal]), k)
    assert 0 <= rest[0] <= edges(k)[k - 1]
    assert rest[0] == goal - int((mask * shuffled).sum())
    assert (shuffled[mask] > 0).all()


@given(st.lists(st.integers(1, 40), max_size=8), st.integers(0, 60))
def test_the_worst_residual_is_that_of_some_goal(sizes: list[int], most: int) -> None:
    def rest(goal: int) -> int:
        for x in sizes:
            goal -= x if x <= goal else 0
        return goal

    assert worst_residual(np.array(sizes, np.int64), most) == max(map(rest, range(most + 1)))


def net(pools: tuple[int, int], biased: bool = False, seed: int = 0, cells: int = 9242) -> Network:
    blocks = 3 if biased else 2
    laws = [SignedConstant(1.0), LogUniform(0.5, cells)] * 2
    widths = (2, blocks * pools[0], 2, blocks * pools[1], 1)
    return Network.mlp(widths, laws=laws, seed=seed, biases=[biased, False] * 2)


def target(domain: Box | Ball, biased: bool = False) -> Target:
    first = np.array([[0.8, -0.3], [0.0, 0.11]], np.float32)
    second = np.array([[-0.77, 0.5]], np.float32)
    shifts = [np.array([0.25, -0.4], np.float32), np.array([0.03], np.float32)]
    pairs = zip((first, second), shifts if biased else (None, None), strict=True)
    return Target(list(pairs), domain)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("domain", [Box(-1.0, 1.0), Box(0.0, 1.0)], ids=str)
def test_the_ticket_is_the_target_within_the_accuracy(domain: Box, biased: bool) -> None:
    wanted, eta = target(domain, biased), 0.002
    ticket = golden(net((600, 600), biased), wanted, [LayerAccuracy(eta, eta)] * 2, digits=13)
    for i, layer in enumerate(collapse(ticket)):
        unit = Fraction(2) ** layer.exponent
        groups = [layer.plus] + ([layer.minus] if i == 0 and domain.low < 0 else [])
        for effective in groups:
            for found, w in zip(effective.ravel(), wanted.weights[i].ravel(), strict=True):
                rest = abs(Fraction(float(w))) - abs(int(found) * unit)
                assert 0 <= rest <= Fraction(eta)  # the greedy never goes beyond the weight
                assert int(found) * float(w) >= 0
        if biased:
            for found, b in zip(layer.bias, wanted.biases[i], strict=True):  # type: ignore[arg-type]
                assert abs(int(found) * unit - Fraction(float(b))) <= Fraction(eta)
    report = ticket.provenance["layers"][0]
    assert report["candidates_read"] <= report["pool"] == 600
    assert report["kept"] == sum(ticket.mask[f"layers.{i}.weight"].kept for i in (0, 1)) + (
        ticket.mask["layers.0.bias"].kept if biased else 0
    )


def test_few_neurons_are_read_and_more_only_for_those_that_miss() -> None:
    wanted = target(Box(0.0, 1.0))
    accuracy = [LayerAccuracy(0.05)] * 2
    ticket = golden(net((100_000, 100_000)), wanted, accuracy, digits=6)
    assert ticket.provenance["layers"][0]["candidates_read"] < 5_000
    small = golden(net((300, 300)), wanted, accuracy, digits=6, window=4)
    assert small.mask.kept > 0


def test_a_miss_is_an_error_that_names_the_weight_unless_asked_not_to_be() -> None:
    wanted, accuracy = target(Box(0.0, 1.0)), [LayerAccuracy(1e-4)] * 2
    with pytest.raises(ConstructionError, match=r"weight \(\d, \d\) = .*wanted within"):
        golden(net((6, 6)), wanted, accuracy)
    assert golden(net((6, 6)), wanted, accuracy, strict=False).mask.kept > 0


def test_bad_input_is_refused() -> None:
    wanted, accuracy = target(Box(0.0, 1.0)), [LayerAccuracy(0.05)] * 2
    with pytest.raises(WidthError, match="even widths"):
        golden(Network.mlp((2, 4, 1), laws=Uniform(1.0), seed=0), wanted, accuracy)
    with pytest.raises(InputError, match="need the laws SignedConstant"):
        golden(Network.mlp((2, 4, 2, 4, 1), laws=Uniform(1.0), seed=0), wanted, accuracy)
    with pytest.raises(InputError, match="as many accuracies"):
        golden(net((6, 6)), wanted, accuracy[:1])
    with pytest.raises(InputError, match="digits must be"):
        golden(net((6, 6)), wanted, accuracy, digits=35)
    with pytest.raises(InputError, match="finer than the grid"):
        golden(net((6, 6)), wanted, [LayerAccuracy(1e-9)] * 2)
