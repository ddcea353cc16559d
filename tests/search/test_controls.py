"""Controls: exact counts, what each one keeps and what it changes, and the table of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from search_models import mlp

from strongticket.errors import InputError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import MLP, Network, relu_network
from strongticket.search import EdgePopup
from strongticket.search import controls as c
from strongticket.tickets import Mask, Reading, Ticket


def bits(density: float = 0.3) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "layers.0.weight": rng.random((20, 12)) < density,
        "layers.1.weight": rng.random((4, 20)) < density,
    }


def ticket() -> Ticket:
    network = Network.mlp((12, 20, 4), laws=Normal(), seed=3)
    return Ticket(network, Mask.dense(bits()))


SAME_COUNTS = [
    c.random_mask,
    c.shuffled,
    lambda kept, seed: c.shuffled(kept, seed, within="outputs"),
    lambda kept, seed: c.shuffled(kept, seed, within="inputs"),
    lambda kept, seed: c.shuffled(kept, seed, within="units"),
]


@pytest.mark.parametrize("control", SAME_COUNTS)
def test_counts_stay_and_the_mask_changes(control: Any) -> None:
    # A published shuffle rebinds a local name and so changes nothing.
    old = bits()
    new = control(old, 1)
    assert set(new) == set(old)
    for name in old:
        assert new[name].shape == old[name].shape
        assert new[name].sum() == old[name].sum()
        assert not np.array_equal(new[name], old[name])
        assert np.array_equal(new[name], control(old, 1)[name])
        assert not np.array_equal(new[name], control(old, 2)[name])
    assert all(np.array_equal(old[n], bits()[n]) for n in old)  # what was given is left alone


def test_every_kind_gets_the_same_mask_back_in_its_kind() -> None:
    arrays = c.shuffled(bits(), 5)
    tensors = c.shuffled({n: torch.from_numpy(b) for n, b in bits().items()}, 5)
    mask = c.shuffled(Mask.dense(bits()), 5)
    whole = c.shuffled(ticket(), 5)
    assert isinstance(mask, Mask)
    assert isinstance(whole, Ticket)
    assert whole.network == ticket().network
    assert whole.provenance["control_of"] == ticket().ticket_id
    for name, wanted in arrays.items():
        assert np.array_equal(tensors[name].numpy(), wanted)
        assert np.array_equal(mask[name].dense(), wanted)
        assert np.array_equal(whole.mask[name].dense(), wanted)


def test_sparse_masks_are_taken() -> None:
    sparse = Mask.sparse({"x": ((50, 40), np.arange(0, 2000, 7))})
    assert c.random_mask(sparse, 1).kept == sparse.kept


def test_what_each_shuffle_keeps() -> None:
    old = bits()["layers.0.weight"]
    by_output = c.shuffled({"x": old}, 1, within="outputs")["x"]
    assert np.array_equal(by_output.sum(1), old.sum(1))
    assert not np.array_equal(by_output.sum(0), old.sum(0))
    by_input = c.shuffled({"x": old}, 1, within="inputs")["x"]
    assert np.array_equal(by_input.sum(0), old.sum(0))
    units = c.shuffled({"x": old}, 1, within="units")["x"]
    assert sorted(units.sum(0)) == sorted(old.sum(0))
    assert sorted(units.sum(1)) == sorted(old.sum(1))
    # The graph is the same one under other names, so the table has the same singular values.
    assert np.array_equal(np.linalg.svd(units)[1].round(6), np.linalg.svd(old)[1].round(6))


def test_a_random_mask_is_uniform() -> None:
    # Every entry is kept in 600 of 2000 draws, up to 6 standard deviations.
    kept = sum(
        c.random_mask({"x": np.arange(10) < 3}, seed)["x"].astype(int) for seed in range(2000)
    )
    assert np.abs(kept - 600).max() < 6 * np.sqrt(2000 * 0.21)


@pytest.mark.parametrize("control", SAME_COUNTS)
def test_layers_are_permuted_on_streams_of_their_own(control: Any) -> None:
    one = (np.arange(100) % 7 < 3).reshape(10, 10)
    both = control({"x": one, "y": one}, 1)
    assert not np.array_equal(both["x"], both["y"])
    assert np.array_equal(both["y"], control({"y": one}, 1)["y"])


def test_redrawn_weights_have_the_same_mask_and_law() -> None:
    old, new = ticket(), c.redrawn(ticket(), 4)
    assert new.mask == old.mask
    assert [p.law for p in new.network.parameters] == [p.law for p in old.network.parameters]
    assert not np.array_equal(
        new.kept_weights("layers.0.weight"), old.kept_weights("layers.0.weight")
    )
    with pytest.raises(InputError, match="another seed"):
        c.redrawn(ticket(), 3)


def test_inverted_keeps_the_worst() -> None:
    scores = {"x": torch.tensor([[3.0, -5.0, 1.0, 0.5]])}
    kept = {"x": np.array([[True, True, False, False]])}
    assert c.inverted(scores, kept)["x"].tolist() == [[False, True, False, True]]
    assert c.inverted(scores, kept, "abs")["x"].tolist() == [[False, False, True, True]]
    with pytest.raises(InputError, match="ranking is"):
        c.inverted(scores, kept, "best")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="must name"):
        c.inverted({"y": scores["x"]}, kept)
    with pytest.raises(InputError, match="shape"):
        c.inverted({"x": scores["x"][0]}, kept)


@pytest.mark.parametrize("ranking", ["abs", "raw"])
def test_inverted_ranks_as_the_search_did(ranking: Any) -> None:
    model = relu_network(MLP((6, 9, 3), (False, False)))
    network = Network.sample(model, SignedConstant(), seed=0)
    search = EdgePopup(network, density=0.4, ranking=ranking)
    worst = c.inverted(search.scores(), search.ticket())
    for name, score in search.scores().items():
        rank = (score.abs() if ranking == "abs" else score).numpy()
        kept = worst.mask[name].dense()
        assert rank[kept].max() <= rank[~kept].min()
        assert not (kept & search.masks()[name].numpy()).any()


def test_rearranged_moves_the_values_along() -> None:
    masks = {n: torch.from_numpy(b) for n, b in bits().items()}
    weights = {n: torch.randn(m.shape) for n, m in masks.items()} | {"bias": torch.ones(4)}
    before = {n: w.clone() for n, w in weights.items()}
    new_masks, new_weights = c.rearranged(masks, weights, 1)
    assert torch.equal(new_weights["bias"], weights["bias"])
    for name, mask in masks.items():
        assert torch.equal(new_weights[name] != 0, new_masks[name])
        assert not torch.equal(new_masks[name], mask)
        old, new = weights[name][mask], new_weights[name][new_masks[name]]
        assert torch.equal(old.sort().values, new.sort().values)
        assert not torch.equal(old, new)  # not merely in the old order
        assert torch.equal(weights[name], before[name])
    with pytest.raises(InputError, match="must hold"):
        c.rearranged(masks, {}, 1)


def test_the_table_evaluates_every_control() -> None:
    seen: list[bytes] = []

    def evaluate(model: torch.nn.Module) -> float:
        weights = torch.cat([p.detach().flatten() for p in model.parameters()])
        seen.append(weights.numpy().tobytes())
        return float((weights != 0).sum())

    scores = {n: torch.randn(b.shape) for n, b in bits().items()}
    table = c.controls(ticket(), evaluate, scores=scores, seeds=(1, 2))
    kept = float(ticket().mask.kept)
    assert [row.name for row in table.rows] == [
        "ticket",
        "random mask",
        "shuffled",
        "shuffled outputs",
        "units permuted",
        "re-drawn weights",
        "inverted",
    ]
    assert all(set(row.values) == {kept} for row in table.rows)
    assert len(seen) == len(set(seen)) == 12  # no two of them are the same network
    assert "units permuted" in repr(table)
    assert table["ticket"].mean == kept
    assert table["shuffled"].spread == 0.0
    with pytest.raises(InputError, match="no control"):
        table["shuffle"]


def test_the_table_of_a_user_s_own_model() -> None:
    class Own(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = mlp(6, 5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.inner(x))

    model = Own()
    network = Network.sample(model, SignedConstant(), 0)
    own = Ticket(
        network,
        Mask.dense(
            {n: np.random.default_rng(0).random(network[n].shape) < 0.5 for n in network.masked}
        ),
    )
    before = [p.clone() for p in model.parameters()]
    table = c.controls(
        own, lambda m: float((m(torch.ones(1, 6)) ** 2).sum().detach()), model=model, seeds=(1,)
    )
    assert len({row.values for row in table.rows}) > 2
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with pytest.raises(InputError, match="need model="):
        c.controls(own, lambda m: 0.0)
    with pytest.raises(InputError, match="one seed"):
        c.controls(own, lambda m: 0.0, model=model, seeds=())


@pytest.mark.parametrize(
    ("kept", "says"),
    [({}, "got none"), ({"x": np.ones(3)}, "must be bool")],
)
def test_bad_masks(kept: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        c.shuffled(kept, 1)


def test_bad_within() -> None:
    with pytest.raises(InputError, match="within is"):
        c.shuffled(bits(), 1, within="rows")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two axes"):
        c.shuffled({"x": np.ones(3, np.bool_)}, 1, within="units")


def with_numbers() -> Ticket:
    network = Network.mlp((7, 9, 3), laws=Normal(), seed=2)
    rng = np.random.default_rng(1)
    bits = {n: rng.random(network[n].shape) < 0.4 for n in network.masked}
    rounds = {n: rng.integers(0, 5, int(b.sum())) for n, b in bits.items()}
    multiples = {n: rng.choice([-1, 1, 2, 3], int(b.sum())) for n, b in bits.items()}
    return Ticket(network, Mask.dense(bits), reading=Reading(rounds, multiples))


def spread(ticket: Ticket, name: str) -> NDArray[np.int64]:
    """The multiples at their places, 0 where nothing is kept."""
    found = np.zeros(ticket.mask[name].shape, np.int64)
    found[ticket.mask[name].dense()] = ticket.reading.multiples[name]
    return found


def test_what_a_ticket_does_to_its_weights_moves_with_them() -> None:
    made = with_numbers()
    for name in made.mask:
        old = spread(made, name)
        drawn = spread(c.random_mask(made, 4), name)
        assert sorted(drawn.flat) == sorted(old.flat)
        assert drawn[drawn != 0].tolist() != old[old != 0].tolist()  # not in index order again
        rows = spread(c.shuffled(made, 4, within="outputs"), name)
        assert [sorted(r) for r in rows] == [sorted(r) for r in old]
        units = spread(c.shuffled(made, 4, within="units"), name)
        assert sorted(map(sorted, units)) == sorted(map(sorted, old))
        assert sorted(map(sorted, units.T)) == sorted(map(sorted, old.T))
    moved = c.shuffled(made, 4)
    both = [
        sorted(zip(t.reading.rounds[n], t.reading.multiples[n], strict=True))
        for t in (made, moved)
        for n in sorted(t.mask)
    ]
    assert both[: len(both) // 2] == both[len(both) // 2 :]


def test_no_inverted_control_where_pruned_weights_are_not_known() -> None:
    made = with_numbers()
    scores = {name: torch.rand(entries.shape) for name, entries in made.mask.items()}
    with pytest.raises(InputError, match="no inverted control; leave scores out"):
        c.inverted(scores, made)
    binary = replace(made, reading=Reading(gain="binary"))
    assert c.inverted(scores, binary).reading == binary.reading
