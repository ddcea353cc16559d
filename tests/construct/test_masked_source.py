"""Tickets inside sources that are pruned, or locked, at random: the source is obeyed exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from strongticket import Ball, Box, Mask, Network, Target, Ticket, Uniform, certify, philox
from strongticket.construct import LayerAccuracy, RandomSource, masked_two_layer
from strongticket.errors import ConstructionError, InputError
from strongticket.subsetsum import sparsest

AIM = [LayerAccuracy(2e-3, 2e-3)] * 2
SOURCES = [
    RandomSource(),
    RandomSource(0.5, 0.5),
    RandomSource(1.0, 0.4),
    RandomSource(1.0, 1.0, 0.2),
    RandomSource(1.0, 0.6, 0.1),
]


def target(domain: Any, biased: bool) -> Target:
    rng = np.random.default_rng(4)
    first = rng.uniform(-0.35, 0.35, (3, 2)).astype(np.float32)
    first[1, 1] = 0.0
    second = rng.uniform(-0.35, 0.35, (2, 3)).astype(np.float32)
    bias = rng.uniform(-0.3, 0.3, 3).astype(np.float32) if biased else None
    return Target([(first, bias), (second, None)], domain)


def network(pool: int, biased: bool, seed: int = 2) -> Network:
    widths = (2, pool * (2 + biased), 3, 3 * pool, 2)
    return Network.mlp(widths, biases=[biased, False, False, False], laws=Uniform(1.0), seed=seed)


@pytest.mark.parametrize("source", SOURCES, ids=str)
@pytest.mark.parametrize(
    ("domain", "biased"), [(Box(0, 1), True), (Box(-1, 1), True), (Ball(1.0), False)], ids=str
)
def test_the_source_is_obeyed_and_the_target_reached(
    source: RandomSource, domain: Any, biased: bool
) -> None:
    net, wanted = network(400, biased), target(domain, biased)
    ticket = masked_two_layer(net, wanted, AIM, source)
    source.require(ticket)
    assert certify(ticket, wanted).bound <= 0.05
    for name in ticket.mask:  # the words, read here a second time
        words = philox.words(2, philox.stream("source", name), 0, net[name].numel)
        kept = np.zeros(net[name].numel, bool)
        kept[ticket.mask[name].indices()] = True
        first = name in ("layers.0.weight", "layers.0.bias", "layers.2.weight")
        density = source.first if first else source.second
        assert (words[kept] < density * 2**32).all()
        if not first:
            assert kept[words < source.locked * 2**32].all()


def test_the_source_is_the_seed_s() -> None:
    source, wanted = RandomSource(0.5, 0.5), target(Box(0, 1), False)
    a, b = (masked_two_layer(network(400, False, seed), wanted, AIM, source) for seed in (1, 1))
    assert a.ticket_id == b.ticket_id
    indices = np.arange(6000)
    first, second = (
        source.exists(network(400, False, seed), "layers.1.weight", indices[:2400], False)
        for seed in (1, 2)
    )
    assert 0.4 < first.mean() < 0.6
    assert 0.4 < (first == second).mean() < 0.6


def test_the_source_does_not_depend_on_the_weights() -> None:
    net = network(400, False)
    units = net.units("layers.1.weight", 0, 2400)
    here = RandomSource(1.0, 0.5).exists(net, "layers.1.weight", np.arange(2400), False)
    assert abs(np.corrcoef(units, here)[0, 1]) < 0.1
    assert np.array_equal(
        RandomSource(1.0, 0.5, 0.1).exists(net, "layers.1.weight", np.arange(2400), False), here
    )


def test_chances_are_exact() -> None:
    assert RandomSource(0.5, 0.75, 0.0).chances == (Fraction(1, 2), Fraction(3, 4), 0)
    first, free, locked = RandomSource(1.0, 0.7, 0.1).chances
    assert first == 1
    assert locked == Fraction(int(0.1 * 2**32), 2**32)
    assert free + locked == Fraction(int(0.7 * 2**32), 2**32)


def test_a_ticket_that_disobeys_is_refused() -> None:
    source, wanted = RandomSource(1.0, 0.6, 0.1), target(Box(0, 1), False)
    ticket = masked_two_layer(network(300, False), wanted, AIM, source)
    name = "layers.1.weight"
    kept = ticket.mask[name].indices()
    fixed = source.all_fixed(ticket.network, name)
    every = np.arange(ticket.network[name].numel)
    absent = every[~source.exists(ticket.network, name, every, False)]

    def changed(flat: Any) -> Ticket:
        parts = {n: (e.shape, e.indices()) for n, e in ticket.mask.items()}
        parts[name] = (parts[name][0], np.sort(flat))
        return Ticket(ticket.network, Mask.sparse(parts))

    with pytest.raises(InputError, match=f"prunes 1 locked weights of {name}"):
        source.require(changed(np.setdiff1d(kept, fixed[:1])))
    with pytest.raises(InputError, match=f"keeps 1 weights of {name} that the random source"):
        source.require(changed(np.append(kept, absent[0])))
    with pytest.raises(InputError, match="keeps"):
        RandomSource(0.5, 0.6).require(ticket)


def test_objectives_are_asked() -> None:
    source, wanted = RandomSource(1.0, 0.8), target(Box(0, 1), False)
    best = masked_two_layer(network(200, False), wanted, AIM, source)
    few = masked_two_layer(network(200, False), wanted, AIM, source, objective=sparsest)
    assert few.mask.kept < best.mask.kept
    assert certify(few, wanted).bound <= 0.05


def test_misses_are_errors_or_counted() -> None:
    source, wanted = RandomSource(0.5, 0.5), target(Box(0, 1), False)
    with pytest.raises(ConstructionError, match="in a pool of 20 neurons an input, thinned by"):
        masked_two_layer(network(20, False), wanted, AIM, source)
    ticket = masked_two_layer(network(20, False), wanted, AIM, source, strict=False)
    source.require(ticket)
    assert sum(part["missed"] for part in ticket.provenance["layers"]) > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first": 0.0}, r"density first must lie in \[2\^-32, 1\], got 0.0"),
        ({"second": 1.5}, "density second must lie"),
        ({"second": float("nan")}, "density second must lie"),
        ({"first": "half"}, "density first must lie"),
        ({"locked": 1.0}, r"locked must lie in \[0, second = 1.0\)"),
        ({"locked": -0.1}, "locked must lie"),
        ({"first": 0.5, "locked": 0.1}, "locked weights need whole first sub-layers"),
    ],
)
def test_sources_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RandomSource(**given)


def test_weights_that_miss_every_window_are_tried_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    source, wanted = RandomSource(1.0, 0.9), target(Box(0, 1), False)
    fine = [LayerAccuracy(1e-5, 1e-5)] * 2
    ticket = masked_two_layer(network(60, False), wanted, fine, source)
    source.require(ticket)
    monkeypatch.setattr("strongticket.construct._masked_source._OUTER", 0)
    with pytest.raises(ConstructionError, match="missed their accuracy"):
        masked_two_layer(network(60, False), wanted, fine, source)
