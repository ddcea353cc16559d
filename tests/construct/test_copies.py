"""Copies instead of a second layer: every effective weight, the masses, the layout, the errors."""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

from strongticket import subsetsum
from strongticket.construct import LayerAccuracy, copies, source_widths, two_layer
from strongticket.errors import ConstructionError, InputError, WidthError
from strongticket.laws import Normal, Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.theorems import _copies_exact
from strongticket.theorems._copies_plan import Layers
from strongticket.theorems._plan import Norms
from strongticket.tickets import Ticket
from strongticket.verify import certify, collapse

BEST = functools.partial(subsetsum.best, backend="numpy")
LIGHT = functools.partial(subsetsum.lightest, backend="numpy")
DOMAINS = [Box(0, 1), Box(-1, 0.5), Ball(2.0)]


def make(widths, domain, *, biases=True, seed: int = 0) -> Target:
    rng = np.random.default_rng(seed)
    flags = [biases] * (len(widths) - 1) if isinstance(biases, bool) else biases
    return Target(
        [
            (
                rng.uniform(-0.5, 0.5, (b, a)).astype(np.float32),
                rng.uniform(-0.5, 0.5, b).astype(np.float32) if flag else None,
            )
            for (a, b), flag in zip(itertools.pairwise(widths), flags, strict=True)
        ],
        domain,
    )


def source(target: Target, pool: int = 140, count: int = 30, seed: int = 5) -> Network:
    return Network.mlp(
        source_widths(target, pool, [count] * (target.depth - 1)),
        laws=[Uniform(1.0), Uniform(4.0), *[Uniform(2.0)] * (target.depth - 1)],
        seed=seed,
        biases=[any(b is not None for b in target.biases)] + [False] * target.depth,
    )


def build(target: Target, accuracy: float = 3e-3, **options) -> Ticket:
    options = {"objective": LIGHT, "first": BEST, "window": 10, **options}
    network = options.pop("network", None) or source(target)
    return copies(network, target, [LayerAccuracy(accuracy)] * target.depth, **options)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize(
    "biases", [True, False, (True, False, False), (False, True, False), (False, False, True)]
)
def test_every_effective_weight_is_within_the_accuracy(biases, domain) -> None:
    target = make((2, 3, 2, 1), domain, biases=biases)
    ticket = build(target)
    layers = _copies_exact.read(ticket, target)
    assert max(layer.error for layer in layers) <= Fraction(3e-3)
    said = [Fraction(report["mass"]) for report in ticket.provenance["layers"][1:]]
    assert [layer.mass for layer in layers[1:]] == said


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_the_recursion_bounds_every_copy_and_the_certificate_holds(domain) -> None:
    target = make((2, 3, 2, 1), domain)
    ticket = build(target)
    sums = Layers.of(target, Fraction(1), Norms.of(target)).sums
    bounds = _copies_exact.recursion(target, _copies_exact.read(ticket, target), sums)
    ends = (domain.low, domain.high) if isinstance(domain, Box) else (-1.25, 0.5, 1.5)
    worst = Fraction(0)
    for x in itertools.product(map(Fraction, ends), repeat=2):
        found = _copies_exact.deviations(ticket, target, x)
        assert all(a <= b for a, b in zip(found, bounds, strict=True))
        worst = max(worst, found[-1])
    certificate = certify(ticket, target)
    assert worst <= certificate.exact_bound
    if isinstance(domain, Box):  # the certificate knows the errors neuron by neuron
        assert certificate.exact_bound <= bounds[-1]


def test_the_module_computes_what_the_fractions_say() -> None:
    target = make((2, 3, 1), Box(-1, 1))
    ticket = build(target)
    x = [Fraction(1, 2), Fraction(-3, 4)]
    exact = float(_copies_exact.outputs(ticket, x)[-1][0])
    given = torch.tensor([[float(v) for v in x]])
    for module in (ticket.module(), ticket.compact()):
        assert abs(float(module(given)[0, 0]) - exact) < 1e-4
    assert abs(float(target(given.numpy())[0, 0]) - exact) < 0.05


def test_a_target_of_one_layer_is_two_layers_for_one() -> None:
    target = make((3, 2), Box(-1, 1))
    network = source(target)
    mine = build(target, network=network, first=BEST, window=10)
    accuracy = [LayerAccuracy(3e-3)]
    other = two_layer(network, target, accuracy, objective=BEST, window=10)
    assert mine.mask == other.mask
    assert mine.provenance["blocks"] == [2]
    assert mine.provenance["copies"] == []


def test_copies_that_nobody_reads_keep_nothing() -> None:
    target = make((2, 3, 2, 1), Box(0, 1))
    ticket = build(target)
    for layer in (1, 2):
        rows = np.flatnonzero(ticket.mask[f"layers.{layer}.weight"].dense().any(1))
        read = np.flatnonzero(ticket.mask[f"layers.{layer + 1}.weight"].dense().any(0))
        assert set(rows) <= set(read)
        reports = ticket.provenance["layers"]
        assert reports[layer - 1]["units"] == read.size


def test_accuracies_may_depend_on_the_masses_above() -> None:
    target = make((2, 3, 2, 1), Box(0, 1))
    asked = []

    def accuracy(layer: int, amplification: Fraction) -> LayerAccuracy:
        asked.append((layer, amplification))
        return LayerAccuracy(3e-3)

    ticket = copies(source(target), target, accuracy, objective=LIGHT, first=BEST, window=10)
    masses = [Fraction(report["mass"]) for report in ticket.provenance["layers"][1:]]
    assert asked == [(2, Fraction(1)), (1, masses[1]), (0, masses[1] * masses[0])]


def test_lightest_is_never_heavier_than_nearest() -> None:
    for seed in range(5):
        target = make((2, 3, 2), Box(0, 1), seed=seed)
        network = source(target, seed=seed)
        light, near = (
            [
                r["mass"]
                for r in build(target, network=network, objective=o).provenance["layers"][1:]
            ]
            for o in (LIGHT, BEST)
        )
        assert light[0] <= near[0]


def test_zero_weights_keep_nothing() -> None:
    w = np.array([[0.5, 0.0]], np.float32)
    target = Target([(np.eye(2, dtype=np.float32) / 2, None), (w, None)], Box(0, 1))
    ticket = build(target)
    collapsed = collapse(ticket)[1]
    assert np.count_nonzero(collapsed.plus) > 0
    columns = ticket.mask["layers.2.weight"].indices() % 60
    assert (columns < 30).all()  # only copies of neuron 0


def test_what_does_not_fit_is_refused() -> None:
    target = make((2, 3, 2), Box(0, 1))
    network = source(target)
    accuracy = [LayerAccuracy(3e-3)] * 2
    with pytest.raises(WidthError, match="depth 3"):
        copies(Network.mlp((2, 6, 2), laws=Uniform(), seed=0), target, accuracy)
    with pytest.raises(WidthError, match="multiple of 4 wide: copies of 3 neurons and of a const"):
        bad = Network.mlp((2, 6, 10, 2), laws=Uniform(), seed=0, biases=[True, False, False])
        copies(bad, target, accuracy)
    with pytest.raises(WidthError, match="inputs"):
        copies(Network.mlp((3, 6, 4, 2), laws=Uniform(), seed=0), target, accuracy)
    with pytest.raises(InputError, match="2 accuracies"):
        copies(network, target, accuracy[:1])
    with pytest.raises(InputError, match="power-of-two"):
        laws = [Uniform(), Uniform(), Normal(0.3)]
        odd = Network.mlp(network.architecture.widths, laws=laws, seed=0, biases=[1, 0, 0])
        copies(odd, target, accuracy)
    with pytest.raises(ConstructionError, match="missed their accuracy"):
        build(target, accuracy=1e-6, network=source(target, pool=20, count=8))
    with pytest.raises(InputError, match="activation"):
        layers = list(zip(target.weights, target.biases, strict=True))
        copies(network, Target(layers, Box(0, 1), activation="tanh"), accuracy)
    with pytest.raises(InputError, match="numbers of copies"):
        source_widths(target, 10, [3, 3])
