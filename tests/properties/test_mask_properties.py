"""Properties 1 to 8: masks and subnetworks."""

from __future__ import annotations

import functools
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from property_tools import all_bits, losses, masked_outputs, one_hidden_layer, share

from strongticket import (
    Ball,
    Box,
    Mask,
    Network,
    SignedConstant,
    Target,
    Ticket,
    Uniform,
    optimal,
    subsetsum,
)
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.networks import relu_network
from strongticket.search import EdgePopup
from strongticket.testing import (
    architectures,
    masks,
    networks,
    neuron_masks,
    oracles,
    targets,
    tickets,
    two_layer_tickets,
)
from strongticket.verify import collapse

LOSSES = {"absolute": "mean absolute", "squared": "mean squared", "worst": "worst case"}
PLAIN = architectures(biases=False)
SIGNS = networks(PLAIN, st.just(SignedConstant(1.0)))


def neuron_numbers(k: int, d: int) -> list[int]:
    """The numbers of the weight masks that keep whole neurons, by number of the neuron mask."""
    found = []
    for kept in all_bits(k):
        bits = np.concatenate([np.repeat(kept, d), kept])
        found.append(int(bits @ (1 << np.arange(k * d + k))))
    return found


def features(w: Any, x: Any) -> Any:
    """The hidden layer's outputs, (m, k)."""
    return np.maximum(x @ w.T, 0)


@given(one_hidden_layer())
def test_1_weight_masks_are_never_worse_than_neuron_masks(case: Any) -> None:
    """Property 1: every neuron mask is a weight mask, so the best weight mask is no worse."""
    w, u, x, y = case
    k, d = w.shape
    weight = losses(masked_outputs(w, u, x, all_bits(k * d + k)) - y)
    neuron = losses((all_bits(k) * u) @ features(w, x).T - y)
    for name, by_weight in weight.items():
        assert (by_weight[neuron_numbers(k, d)] == neuron[name]).all()
        assert by_weight.min() <= neuron[name].min()
        best_weight, best_neuron = best_masks(case, name)
        assert best_weight.proved
        assert best_neuron.proved
        assert best_weight.loss == mean(by_weight.min(), name, y)
        assert best_neuron.loss == mean(neuron[name].min(), name, y)
        assert best_weight.loss <= best_neuron.loss


def best_masks(case: Any, name: str) -> tuple[optimal.Optimum, optimal.Optimum]:
    """What the package says is best: weight mask, neuron mask."""
    w, u, x, y = case
    network = optimal.OneHidden(w, u)
    return (
        optimal.best_weight_mask(network, x, y, loss=LOSSES[name]),
        optimal.best_neuron_mask(network, x, y, loss=LOSSES[name]),
    )


def mean(total: Any, name: str, y: Any) -> Fraction:
    """A loss of `property_tools.losses` as the package measures it."""
    return Fraction(int(total), 1 if name == "worst" else len(y))


def least_squares(columns: Any, y: Any) -> Fraction:
    """The exact least sum of squares of y - columns u over real u, by Gram-Schmidt."""
    rest, basis = [Fraction(int(v)) for v in y], []
    for column in columns.T:
        q = [Fraction(int(v)) for v in column]
        for b, square in basis:
            part = sum(s * t for s, t in zip(b, q, strict=True)) / square
            q = [s - part * t for s, t in zip(q, b, strict=True)]
        if square := sum(v * v for v in q):
            basis.append((q, square))
            part = sum(s * t for s, t in zip(q, rest, strict=True)) / square
            rest = [s - part * t for s, t in zip(rest, q, strict=True)]
    return sum((v * v for v in rest), Fraction(0))


@given(one_hidden_layer())
def test_2_neuron_masks_are_never_better_than_random_features(case: Any) -> None:
    """Property 2: a neuron mask is a choice of output coefficients among {0, u_j}."""
    w, u, x, y = case
    neuron = losses((all_bits(len(u)) * u) @ features(w, x).T - y)["squared"].min()
    fitted = least_squares(features(w, x), y)
    assert fitted <= int(neuron)
    network = optimal.OneHidden(w, u)
    free = optimal.fit_features(network, x, y)
    hull = optimal.fit_features(network, x, y, coefficients="mask")
    assert free.bound <= Fraction(fitted, len(y)) <= free.loss
    assert max(free.bound, hull.bound) <= mean(neuron, "squared", y)
    assert least_squares(features(w, x), features(w, x) @ u) == 0  # it can reach what is there


@given(one_hidden_layer(), st.lists(st.integers(-4, 4), min_size=4, max_size=4))
def test_3_a_wider_source_is_never_worse(case: Any, extra: list[int]) -> None:
    """Property 3: with one more neuron the best loss does not grow, by masks extended by 0."""
    w, u, x, y = case
    k, d = w.shape
    wider = np.vstack([w, extra[:d]])
    longer = np.append(u, extra[3])
    bits = all_bits(k * d + k)
    zeros = np.zeros((len(bits), d), np.int64)
    padded = np.hstack([bits[:, : k * d], zeros, bits[:, k * d :], zeros[:, :1]])
    narrow = masked_outputs(w, u, x, bits)
    assert (masked_outputs(wider, longer, x, padded) == narrow).all()
    if (k + 1) * (d + 1) <= 12:
        wide = losses(masked_outputs(wider, longer, x, all_bits((k + 1) * (d + 1))) - y)
        for name, values in losses(narrow - y).items():
            assert wide[name].min() <= values.min()
            best_wide, _ = best_masks((wider, longer, x, y), name)
            assert best_wide.loss == mean(wide[name].min(), name, y)
            assert best_wide.loss <= best_masks(case, name)[0].loss


@given(networks(PLAIN).flatmap(lambda n: st.tuples(st.just(n), masks(n))), st.randoms())
def test_4_masking_is_idempotent_and_commutes_with_renaming(case: Any, random: Any) -> None:
    """Property 4: M * M = M, and hidden neurons may be renamed before or after masking."""
    network, mask = case
    ticket = Ticket(network, mask)
    names = list(network.masked)
    moves = [list(range(s)) for s in network.architecture.widths]
    for move in moves[1:-1]:
        random.shuffle(move)
    for i, name in enumerate(names):
        bits, frozen = mask[name].dense(), network.weights(name)
        assert np.array_equal(bits & bits, bits)
        assert np.array_equal((frozen * bits) * bits, frozen * bits)
        place = np.ix_(moves[i + 1], moves[i])
        assert np.array_equal((frozen * bits)[place], frozen[place] * bits[place])
        assert ticket.kept_weights(name).tobytes() == frozen[bits].tobytes()
    x = [Fraction(j - 1, 4) for j in range(network.architecture.widths[0])]
    layers = oracles.layers_of(ticket)
    renamed = [(w[np.ix_(moves[i + 1], moves[i])], None) for i, (w, _) in enumerate(layers)]
    assert oracles.forward(layers, x) == oracles.forward(renamed, x)


@share(0.1)
@given(networks(architectures(biases=False, max_depth=2)), st.integers(1, 20), st.integers(0, 3))
def test_4_a_search_never_changes_a_frozen_weight(network: Network, k: int, steps: int) -> None:
    """Property 4: before and after a search, what is kept is bit for bit what was drawn."""
    model = relu_network(network.architecture)
    laws = network["layers.0.weight"].law
    drawn = Network.sample(model, laws, network.seed)
    before = {n: drawn.weights(n) for n in drawn.masked}
    search = EdgePopup(drawn, density=k / 20, backend="torch")
    for _ in range(steps):
        search.zero_grad()
        model(torch.ones(2, network.architecture.widths[0])).square().sum().backward()
        search.step()
    bits = search.masks()
    for name, parameter in model.named_parameters():
        kept = bits[name].numpy()
        assert parameter.detach().numpy()[kept].tobytes() == before[name][kept].tobytes()
        assert not parameter.detach().numpy()[~kept].any()
    assert search.ticket().network.digest == drawn.digest


@share(0.5)
@given(tickets(SIGNS), st.integers(-3, 3))
def test_5_clean_up_leaves_the_function_and_lowers_the_edges(ticket: Ticket, x0: int) -> None:
    """Property 5: dead neurons go, the function stays; no edge is added."""
    x = [x0 + j for j in range(ticket.network.architecture.widths[0])]
    bits = {n: ticket.mask[n].dense() for n in ticket.network.masked}
    clean = {n: np.array(m, np.bool_) for n, m in oracles.without_dead(bits).items()}
    cleaned = Ticket(ticket.network, Mask.dense(clean))
    wanted = oracles.forward(oracles.layers_of(ticket), x)
    assert oracles.forward(oracles.layers_of(cleaned), x) == wanted
    assert cleaned.mask.kept <= ticket.mask.kept
    with torch.no_grad():  # signs times integers: exact in float32
        for module in (ticket.module(), ticket.compact(), cleaned.compact()):
            out = module(torch.tensor([x], dtype=torch.float32))
            assert [Fraction(v) for v in out[0].tolist()] == wanted


@given(targets(), st.data())
def test_6_a_rescaled_neuron_computes_the_same(target: Target, data: st.DataObject) -> None:
    """Property 6: incoming weights and bias times lambda, outgoing divided by it."""
    layers = [[np.array(w, object), b] for w, b in oracles.layers_of(target)]
    layers = [[_rational(w), None if b is None else _rational(b)] for w, b in layers]
    x = [Fraction(1 - j, 2) for j in range(target.widths[0])]
    before = oracles.forward(layers, x)
    for i in range(target.depth - 1):
        factor = data.draw(st.fractions(Fraction(1, 8), 8, max_denominator=8))
        j = data.draw(st.integers(0, target.widths[i + 1] - 1))
        layers[i][0][j] *= factor
        if layers[i][1] is not None:
            layers[i][1][j] *= factor
        layers[i + 1][0][:, j] /= factor
    assert oracles.forward(layers, x) == before


def _rational(array: Any) -> Any:
    return np.array([Fraction(float(v)) for v in np.ravel(array)], object).reshape(np.shape(array))


@given(networks().flatmap(lambda n: st.one_of(masks(n), neuron_masks(n)).map(lambda m: (n, m))))
def test_7_sparsity_is_one_minus_kept_over_total(case: Any) -> None:
    """Property 7: the total is every masked weight and bias, dead or not, and nothing else."""
    network, mask = case
    total = sum(int(np.prod(network[n].shape)) for n in network.masked)
    kept = sum(int(mask[n].dense().sum()) for n in network.masked)
    assert (mask.total, mask.kept) == (total, kept)
    assert mask.density == kept / total
    assert mask.sparsity == 1.0 - kept / total
    for name in network.masked:
        assert mask[name].kept == mask[name].indices().size


@given(two_layer_tickets())
def test_7_gadget_edges_are_outgoing_plus_used_incoming(ticket: Ticket) -> None:
    """Property 7: what a gadget keeps is its outgoing weights and the neurons they need."""
    second = sum(int(layer.kept.sum()) for layer in collapse(ticket))
    first = sum(layer.hidden.size for layer in collapse(ticket))
    assert ticket.mask.kept == first + second


@share(0.2)
@given(
    targets(
        st.sampled_from((Box(0.0, 1.0), Box(-1.0, 1.0), Ball(1.0))),
        architectures=architectures(max_depth=2, max_width=2),
        largest=0.5,
    ),
    st.integers(0, 1000),
)
def test_8_a_construction_is_a_seed_and_a_mask(target: Target, seed: int) -> None:
    """Property 8: the ticket's file gives it back, and its weights are the seed's."""
    widths, biases, laws = [target.widths[0]], [], []
    for i, bias in enumerate(target.biases):
        widths += [30 * (target.widths[i] + (bias is not None)), target.widths[i + 1]]
        biases += [bias is not None, False]
        laws += [Uniform(2.0), Uniform(1.0)]
    network = Network.mlp(widths, laws=laws, seed=seed, biases=biases)
    nearest = functools.partial(subsetsum.best, backend="numpy")
    accuracy = [LayerAccuracy(0.05, 0.05)] * target.depth
    ticket = two_layer(network, target, accuracy, objective=nearest, window=8, strict=False)
    assert sum(layer["kept"] for layer in ticket.provenance["layers"]) == ticket.mask.kept
    again = Network.from_spec(network.spec())
    for name in network.masked:
        bits = ticket.mask[name].dense()
        assert bits.dtype == np.bool_
        assert again.weights(name)[bits].tobytes() == ticket.kept_weights(name).tobytes()


@share(0.2)
@given(tickets())
def test_8_saved_and_loaded_is_the_same_ticket(ticket: Ticket) -> None:
    """Property 8: round trip through the file."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = Ticket.load(ticket.save(Path(folder) / "ticket.safetensors"))
    assert loaded == ticket
    assert (loaded.ticket_id, loaded.kept_digest) == (ticket.ticket_id, ticket.kept_digest)
