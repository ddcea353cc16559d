"""Random signs: counts and powers of two, exact in integers, certified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strongticket.construct import Block, binary_doubling, binary_mean
from strongticket.construct._binary_doubling import rounded
from strongticket.errors import ConstructionError, InputError
from strongticket.laws import SignedConstant, Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Ticket
from strongticket.verify import certify, recheck


def target(domain: Any = None, steps: int = 16) -> Target:
    rng = np.random.default_rng(1)
    layers = [
        ((rng.integers(-steps + 1, steps, s) / steps).astype(np.float32), None)
        for s in ((3, 2), (2, 3))
    ]
    return Target(layers, domain or Box(-1.0, 1.0))


def outputs(ticket: Ticket, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A plain forward pass of dense masked matrices; small integers in float64 are exact."""
    y = x.T
    names = list(ticket.mask)
    for i, name in enumerate(names):
        y = (ticket.network.weights(name).astype(float) * ticket.mask[name].dense()) @ y
        y = np.maximum(y, 0) if i < len(names) - 1 else y
    return y.T


def mean_network(pool: int = 160, seed: int = 0) -> Network:
    laws = [SignedConstant(1.0), SignedConstant(1 / 16)] * 2
    return Network.mlp((2, 2 * pool, 3, 3 * pool, 2), laws=laws, seed=seed)


def blocks(bundle: int = 14, groups: int = 2, bits: int = 4) -> tuple[Block, ...]:
    return (Block(2, 3, bits, bundle, groups, 4), Block(3, 2, bits, bundle, 1, 4))


def deep_network(layout: tuple[Block, ...], seed: int = 0) -> Network:
    widths, laws = [layout[0].inputs], []
    for block in layout:
        widths += [*block.interior, block.outputs]
        laws += [SignedConstant(1.0)] * block.bits + [SignedConstant(2.0**-block.shift)]
    return Network.mlp(widths, laws=laws, seed=seed)


POINTS = np.random.default_rng(0).integers(-8, 9, (60, 2)).astype(float)


def test_counts_equal_the_target_on_their_grid() -> None:
    wanted = target()
    ticket = binary_mean(mean_network(), wanted)
    np.testing.assert_array_equal(outputs(ticket, POINTS), wanted(POINTS))
    assert certify(ticket, wanted).exact_bound == 0
    kept = sum(np.abs(np.rint(w * 16)).sum() for w in wanted.weights)
    first = 2 * np.abs(np.rint(wanted.weights[0] * 16)).sum()  # both signs
    assert ticket.mask["layers.1.weight"].kept == first
    assert ticket.mask["layers.3.weight"].kept == kept - first / 2


@pytest.mark.parametrize("bits", [4, 5, 7])
def test_two_seeds_give_one_function(bits: int, tmp_path: Any) -> None:
    """Property 30: exact in integers, and independent of the signs that were drawn."""
    wanted = target(Ball(2.0))
    layout = blocks(bits=bits)
    tickets = [binary_doubling(deep_network(layout, seed), wanted, layout) for seed in (3, 4)]
    for ticket in tickets:
        np.testing.assert_array_equal(outputs(ticket, POINTS), wanted(POINTS))
        certificate = certify(ticket, wanted, 0.5)
        assert certificate.exact_bound == 0
        assert recheck(certificate.save(tmp_path / "deep.proof"), wanted).bound == 0
    assert tickets[0].mask != tickets[1].mask


def test_inputs_without_a_sign_need_one_group() -> None:
    wanted = target(Box(0.0, 1.0))
    layout = blocks(groups=1)
    ticket = binary_doubling(deep_network(layout), wanted, layout)
    np.testing.assert_array_equal(outputs(ticket, np.abs(POINTS)), wanted(np.abs(POINTS)))
    assert (outputs(ticket, POINTS) != wanted(POINTS)).any()


def test_one_bit_is_two_layers() -> None:
    wanted = Target([(np.array([[1, -1], [0, 1]], np.float32), None)], Box(-1, 1))
    layout = (Block(2, 2, 1, 8, 2, 0),)
    ticket = binary_doubling(deep_network(layout), wanted, layout)
    assert ticket.network.architecture.widths == (2, 48, 2)  # type: ignore[union-attr]
    np.testing.assert_array_equal(outputs(ticket, POINTS), wanted(POINTS))


def test_a_target_of_zeros_keeps_nothing() -> None:
    wanted = Target([(np.zeros((3, 2)), None), (np.zeros((2, 3)), None)], Box(-1, 1))
    layout = blocks()
    assert binary_doubling(deep_network(layout), wanted, layout).mask.kept == 0
    assert binary_mean(mean_network(), wanted).mask.kept == 0


def test_rounding_to_bits() -> None:
    block = Block(1, 1, 3, 1, 1, 2)
    one = Target([(np.array([[1.7]], np.float32), None)], Box(0, 1))
    assert rounded(one, 0, block).tolist() == [[7]]
    with pytest.raises(InputError, match="need 4 bits; the block has 3"):
        rounded(Target([(np.array([[2.0]]), None)], Box(0, 1)), 0, block)


def test_what_is_not_there_is_said() -> None:
    wanted = target()
    with pytest.raises(ConstructionError, match="pools have 2 neurons"):
        binary_mean(mean_network(pool=2), wanted)
    with pytest.raises(ConstructionError, match=r"needs .* products of its sign"):
        binary_mean(mean_network(pool=16), wanted)
    narrow = blocks(bundle=1)
    with pytest.raises(ConstructionError, match=r"fewer than . live edges"):
        binary_doubling(deep_network(narrow), wanted, narrow)
    uniform = Network.mlp((2, 40, 3, 60, 2), laws=Uniform(1.0), seed=0)
    with pytest.raises(InputError, match="needs laws SignedConstant"):
        binary_mean(uniform, wanted)
    with pytest.raises(InputError, match="the blocks need a network of widths"):
        binary_doubling(mean_network(), wanted, blocks())
    biased = Target([(np.ones((3, 2)), np.ones(3)), (np.ones((2, 3)), None)], Box(0, 1))
    with pytest.raises(InputError, match="without biases"):
        binary_mean(mean_network(), biased)
