"""Paths, live units, effective weights and least cuts against networkx and plain loops."""

from __future__ import annotations

import itertools
import math

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from strongticket import MLP, Mask, Network, Ticket, Uniform, graph
from strongticket.errors import InputError
from strongticket.networks import relu_network
from strongticket.testing import oracles

Masks = dict[str, NDArray[np.bool_]]


@st.composite
def chains(draw: st.DrawFn, most: int = 5) -> Masks:
    """Masks of two to four layers, from nothing kept to everything."""
    widths = draw(st.lists(st.integers(1, most), min_size=2, max_size=5))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    density = draw(st.sampled_from([0.1, 0.3, 0.5, 0.8, 1.0]))
    return {
        f"layers.{i}.weight": random.random((b, a)) < density
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    }


def oracle(masks: Masks) -> networkx.DiGraph:
    """Nodes (layer, unit); an edge a kept connection."""
    found = networkx.DiGraph()
    for i, bits in enumerate(masks.values()):
        found.add_nodes_from((i, c) for c in range(bits.shape[1]))
        found.add_nodes_from((i + 1, r) for r in range(bits.shape[0]))
        found.add_edges_from(((i, c), (i + 1, r)) for r, c in np.argwhere(bits).tolist())
    return found


def least_cut(masks: Masks, of: str) -> int:
    """networkx's maximal flow between a super source and a super sink."""
    plain, found, depth = oracle(masks), networkx.DiGraph(), len(masks)
    found.add_nodes_from(["s", "t"])
    for node in plain:
        end = node[0] in (0, depth)
        inside = 1 if of == "units" or (of == "hidden units" and not end) else None
        found.add_edge((node, "in"), (node, "out"), **({} if inside is None else {"capacity": 1}))
        if node[0] == 0:
            found.add_edge("s", (node, "in"))
        if node[0] == depth:
            found.add_edge((node, "out"), "t")
    for a, b in plain.edges:
        found.add_edge((a, "out"), (b, "in"), **({"capacity": 1} if of == "weights" else {}))
    return int(networkx.maximum_flow_value(found, "s", "t"))


@given(chains())
def test_live_units_are_those_of_the_oracle(masks: Masks) -> None:
    found = graph.live(masks)
    wanted = oracles.live_neurons(list(masks.values()))
    assert [layer.tolist() for layer in found[1:-1]] == wanted[1:-1]
    plain = oracle(masks)
    ends = {n for n in plain if n[0] == len(masks)}
    starts = {n for n in plain if n[0] == 0}
    for unit, alive in enumerate(found[0]):
        assert alive == bool(networkx.descendants(plain, (0, unit)) & ends)
    for unit, alive in enumerate(found[-1]):
        assert alive == bool(networkx.ancestors(plain, (len(masks), unit)) & starts)


@given(chains())
def test_effective_weights_are_those_of_the_oracle(masks: Masks) -> None:
    found = graph.effective(masks)
    wanted = oracles.without_dead(masks)
    assert {name: entries.dense().tolist() for name, entries in found.items()} == wanted
    assert graph.paths(found) == graph.paths(masks)
    again = graph.effective(found)
    assert again == found


@given(chains(most=4))
def test_paths_are_counted_one_by_one(masks: Masks) -> None:
    plain, depth = oracle(masks), len(masks)
    walks = [
        path
        for a in plain
        if a[0] == 0
        for b in plain
        if b[0] == depth
        for path in networkx.all_simple_paths(plain, a, b)
    ]
    assert graph.paths(masks) == len(walks)
    through = graph.unit_paths(masks)
    for layer, counts in enumerate(through):
        for unit, count in enumerate(counts):
            assert count == sum((layer, unit) in walk for walk in walks)


@settings(max_examples=60)
@given(chains())
def test_the_bottleneck_is_networkx_s(masks: Masks) -> None:
    kinds: tuple[graph.Of, ...] = ("weights", "units", "hidden units")
    for of in kinds[: 2 if len(masks) == 1 else 3]:
        found = graph.min_cut(masks, of)
        assert found.size == least_cut(masks, of) == sum(found.places)
        assert len(found.places) == len(masks) + (of != "weights")
        if of == "hidden units":
            assert found.places[0] == found.places[-1] == 0
        if of != "weights":
            widths = [b.shape[1] for b in masks.values()] + [len(list(masks.values())[-1])]
            assert all(n <= width for n, width in zip(found.places, widths, strict=True))


def test_hidden_units_may_outnumber_inputs_and_outputs() -> None:
    masks = {"a": np.ones((4, 1), bool), "b": np.ones((5, 4), bool), "c": np.ones((2, 5), bool)}
    assert graph.min_cut(masks, "hidden units") == graph.Cut("hidden units", 4, (0, 4, 0, 0))
    assert graph.min_cut(masks, "units") == graph.Cut("units", 1, (1, 0, 0, 0))
    assert graph.min_cut(masks, "weights") == graph.Cut("weights", 4, (4, 0, 0))
    with pytest.raises(InputError, match="no hidden units"):
        graph.min_cut({"a": masks["a"]}, "hidden units")


def test_a_kept_bias_of_zero_feeds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network.mlp((2, 3, 1), laws=Uniform(), seed=0, biases=(True, False))
    bits = {p.name: np.ones(p.shape, bool) for p in network.parameters}
    bits["layers.0.weight"][:] = False
    ticket = Ticket(network, Mask.dense(bits))
    assert graph.live(ticket)[1].all()
    plain = Ticket.kept_weights

    def zeros(self: Ticket, name: str) -> NDArray[np.float32]:
        found = plain(self, name).copy()
        if name.endswith("bias"):
            found[1] = 0
        return found

    monkeypatch.setattr(Ticket, "kept_weights", zeros)
    assert graph.live(ticket)[1].tolist() == [True, False, True]
    assert ticket.compact().layers[1].in_features == 2


@settings(max_examples=40)
@given(chains())
def test_the_unit_cut_is_the_generic_rank(masks: Masks) -> None:
    random = np.random.default_rng(0)
    product: NDArray[np.float64] = np.eye(next(iter(masks.values())).shape[1])
    for bits in masks.values():
        product = (bits * random.uniform(0.5, 1.5, bits.shape)) @ product
    assert graph.min_cut(masks, "units").size == np.linalg.matrix_rank(product, tol=1e-9)


def test_a_cut_lies_where_the_neck_is() -> None:
    masks = {
        "a": np.ones((6, 5), bool),
        "b": np.zeros((6, 6), bool),
        "c": np.ones((5, 6), bool),
    }
    masks["b"][0, :4] = True
    masks["b"][1, 5] = True
    assert graph.min_cut(masks) == graph.Cut("weights", 5, (0, 5, 0))
    assert graph.min_cut(masks, "units").size == 2
    report = graph.report(masks)
    assert (report.weight_cut.size, report.unit_cut.size, report.hidden_cut.size) == (5, 2, 2)
    cut_units = graph.min_cut(masks, "hidden units")
    assert cut_units.places == (0, 1, 1, 0)  # unit 5 below, unit 0 above


def test_the_removal_of_compact(seed: int = 4) -> None:
    for density in (0.02, 0.1, 0.3):
        network = Network.mlp(
            (12, 20, 16, 3), laws=Uniform(), seed=seed, biases=(True, False, True)
        )
        random = np.random.default_rng(seed)
        bits = {p.name: random.random(p.shape) < density for p in network.parameters}
        ticket = Ticket(network, Mask.dense(bits))
        layers = list(ticket.compact().layers)
        sizes = [
            len(layer.bias) if hasattr(layer, "index") else layer.out_features for layer in layers
        ]
        live = graph.live(ticket)
        assert sizes[:-1] == [int(layer.sum()) for layer in live[1:-1]]
        report = graph.report(ticket)
        assert report.dead_units == 36 - sum(sizes[:-1])
        stripped = graph.effective(ticket)
        thin = Ticket(network, Mask({name: stripped[name] for name in network.masked}))
        x = torch.rand(9, 12)
        assert torch.equal(thin.module()(x), ticket.module()(x))


def test_biases_and_sigmoids_feed_units() -> None:
    bits = {
        "layers.0.weight": np.array([[0, 0], [1, 0], [0, 0]], bool),
        "layers.0.bias": np.array([1, 0, 0], bool),
        "layers.1.weight": np.array([[1, 1, 1]], bool),
    }
    for activation, wanted in (("relu", [True, True, False]), ("sigmoid", [True] * 3)):
        network = Network.mlp(
            (2, 3, 1), laws=Uniform(), seed=0, biases=(True, False), activation=activation
        )
        ticket = Ticket(network, Mask.dense(bits))
        assert graph.live(ticket)[1].tolist() == wanted
        assert graph.effective(ticket)["layers.1.weight"].dense().tolist() == [wanted]
        assert graph.effective(ticket)["layers.0.bias"].dense().tolist() == [True, False, False]
        assert graph.paths(ticket) == 1  # those from constants do not count
    unread = {**bits, "layers.1.weight": np.array([[0, 1, 1]], bool)}
    assert not graph.effective(unread)["layers.0.bias"].kept
    report = graph.report(bits)
    assert [(u.width, u.live, u.unfed, u.unread) for u in report.units] == [
        (2, 1, 0, 1),
        (3, 2, 1, 0),
        (1, 1, 0, 0),
    ]
    assert (report.dead_inputs, report.dead_units, report.dead_outputs) == (1, 1, 0)


def test_channels_are_units_and_kernel_entries_connections() -> None:
    random = np.random.default_rng(2)
    masks = {
        "first": random.random((4, 3, 3, 3)) < 0.1,
        "second": random.random((5, 4, 3, 3)) < 0.1,
        "head": random.random((2, 5 * 4)) < 0.3,  # behind a flattened 5 x 2 x 2
    }
    tables = [
        masks["first"].sum((2, 3)),
        masks["second"].sum((2, 3)),
        masks["head"].reshape(2, 5, 4).sum(2),
    ]
    assert graph.paths(masks) == int((tables[2] @ tables[1] @ tables[0]).sum())
    live = oracles.live_neurons([t > 0 for t in tables])
    assert [u.tolist() for u in graph.live(masks)[1:-1]] == live[1:-1]
    kept = graph.effective(masks)
    for name, i in (("first", 0), ("second", 1)):
        alive = np.outer(live[i + 1], live[i])
        assert (kept[name].dense() == masks[name] & alive[:, :, None, None]).all()
    flow = networkx.DiGraph()
    flow.add_nodes_from("st")
    for i, table in enumerate(tables):
        for (r, c), count in np.ndenumerate(table):
            flow.add_edge((i, c), (i + 1, r), capacity=int(count))
    flow.add_edges_from([("s", (0, c)) for c in range(3)] + [((3, r), "t") for r in range(2)])
    assert graph.min_cut(masks).size == networkx.maximum_flow_value(flow, "s", "t")


def test_paths_of_any_size_are_exact() -> None:
    depth, width = 70, 30
    masks = {f"l{i}": np.ones((width, width), bool) for i in range(depth)}
    masks["l3"][0, 0] = False
    count = width ** (depth + 1) - width ** (depth - 1)
    assert graph.paths(masks) == count
    report = graph.report(masks)
    assert report.log_paths == pytest.approx(math.log(count))
    assert "10^104.8" in repr(report)


def test_collapsed_and_disconnected_layers_are_named() -> None:
    masks = {"a": np.ones((3, 2), bool), "b": np.zeros((2, 3), bool)}
    report = graph.report(masks)
    assert report.collapsed == ("b",)
    assert not report.connected
    assert (report.paths, report.log_paths, report.effective) == (0, -math.inf, 0)
    assert (report.kept, report.total, report.dead_outputs) == (6, 12, 2)
    assert "b COLLAPSED" in repr(report)
    assert "DISCONNECTED" in repr(report)
    single = graph.report({"a": np.eye(3, dtype=bool)})
    assert single.hidden_cut is None
    assert (single.weight_cut.size, single.unit_cut.size, single.paths) == (3, 3, 3)


def test_all_kinds_of_masks_say_the_same() -> None:
    model = relu_network(MLP((6, 8, 2), (False, False)))
    network = Network.sample(model, Uniform(), seed=1)
    random = np.random.default_rng(0)
    bits = {p.name: random.random(p.shape) < 0.3 for p in network.parameters}
    mask = Mask.dense(bits)
    sparse = Mask.sparse({n: (b.shape, np.flatnonzero(b)) for n, b in bits.items()})
    tensors = {name: torch.from_numpy(b) for name, b in bits.items()}
    wanted = graph.report(bits)
    for kept in (mask, sparse, tensors, Ticket(network, mask)):
        assert graph.report(kept) == wanted
    backwards = dict(reversed(bits.items()))
    assert graph.report(backwards, layers=list(bits)) == wanted


def test_a_user_s_model_must_say_its_chain() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    network = Network.sample(model, Uniform(), seed=1)
    mask = Mask.dense({p.name: np.ones(p.shape, bool) for p in network.parameters})
    with pytest.raises(InputError, match="needs layers="):
        graph.report(Ticket(network, mask))
    assert graph.report(Ticket(network, mask), ["0.weight", "2.weight"]).paths == 24


@pytest.mark.parametrize(
    ("kept", "layers", "message"),
    [
        ({"a": np.ones((3, 2), bool), "b": np.ones((2, 4), bool)}, None, "reads 4 units"),
        ({"a": np.ones((4, 2, 3, 3), bool), "b": np.ones((4, 1, 3, 3), bool)}, None, "grouped"),
        ({"a": np.ones((3, 2))}, None, "must be bool"),
        ({"a": np.ones(3, bool)}, None, "two or more dimensions, got none"),
        ({"a": np.ones((3, 2), bool)}, ["b"], "'b' is none of"),
        ({"a": np.ones((3, 2), bool)}, ["a", "a"], "once"),
        ({"a.weight": np.ones((3, 2), bool), "a.bias": np.ones(2, bool)}, None, r"shape \(3,\)"),
        ({"a": np.ones((0, 2), bool)}, None, "no weights"),
        ([np.ones((3, 2), bool)], None, "mapping"),
    ],
)
def test_what_is_no_chain_is_refused(kept: object, layers: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph.report(kept, layers)


def test_a_kind_of_cut_that_is_none() -> None:
    with pytest.raises(InputError, match="of is"):
        graph.min_cut({"a": np.ones((3, 2), bool)}, "edges")


def test_wide_layers_have_a_bottleneck_too() -> None:
    # Edges that no cut contains must not use up what int32 can count.
    masks = {f"layer {i}": np.zeros((1500, 1500), bool) for i in range(3)}
    for i, mask in enumerate(masks.values()):
        mask[: 1000 + 100 * i] = True
    assert graph.min_cut(masks, "units") == graph.Cut("units", 1000, (0, 1000, 0, 0))
    assert graph.min_cut(masks, "hidden units").size == 1000
