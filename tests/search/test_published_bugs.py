"""Bugs of published mask-search code, each held to be absent here.

P1 to P13 in the order in which they were found: what a density means, rounding, ties, controls
that do nothing, gradients without the weight, thresholds off by one, names for two algorithms,
NaN that is kept, code that needs a GPU.
"""

from __future__ import annotations

import ast
import inspect
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from search_methods import METHODS, searched
from search_models import batch, mlp, train
from torch import nn

import strongticket.search
from strongticket.errors import SearchError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import (
    ContinuousSparsification,
    EdgePopup,
    GemMiner,
    IteRand,
    MaskSearch,
    keep_count,
    select,
)

pytestmark = pytest.mark.filterwarnings("ignore::strongticket.search.CollapseWarning")


@pytest.mark.parametrize("density", [0.1, 0.3, 0.9])
def test_p1_density_is_the_fraction_kept_everywhere(density: float) -> None:
    """One implementation kept a fraction while searching and removed it when it exported."""
    model = mlp(10, 40, 10)
    search = EdgePopup(Network.sample(model, Normal(), 0), density)
    ticket = search.ticket()
    for found in (search.report().density, ticket.mask.density, 1 - ticket.mask.sparsity):
        assert found == pytest.approx(density)
    filled = ticket.into(mlp(10, 40, 10))
    kept = sum(int((p != 0).sum()) for p in filled.parameters())
    assert kept == keep_count(density, 800)


def test_p2_no_initial_scale_depends_on_a_density() -> None:
    """A scaled start used 1 - density for density. Scales here are a law's, said in numbers."""
    model = mlp(50, 400, 10)
    network = Network.sample(model, SignedConstant(), 0)
    assert network["0.weight"].law.scale == pytest.approx((2 / 50) ** 0.5)
    for density in (0.05, 0.95):
        EdgePopup(network, density)
        assert network["0.weight"].law.scale == pytest.approx((2 / 50) ** 0.5)


@pytest.mark.parametrize(
    ("density", "total", "kept"),
    [(0.9, 10, 9), (0.9, 1000, 900), (0.3, 10, 3), (0.7, 10, 7), (0.15, 10, 2), (0.001, 10, 1)],
)
def test_p3_counts_are_rounded_once_and_in_exact_arithmetic(
    density: float, total: int, kept: int
) -> None:
    """int((1 - 0.9) * 1000) is 99: float truncation kept 901 of 1,000."""
    assert keep_count(density, total) == kept
    assert keep_count(Fraction(repr(density)), total) == kept
    found = select({"w": torch.randn(total)}, {"w": kept})["w"]
    assert int(found.sum()) == kept


@pytest.mark.parametrize("ranking", ["abs", "raw"])
def test_p4_ties_are_broken_by_index(ranking: str) -> None:
    """A threshold keeps all, or none, of equal scores."""
    scores = {"w": torch.full((1000,), 0.25)}
    mask = select(scores, {"w": 300}, ranking)["w"]  # type: ignore[arg-type]
    assert mask.nonzero().reshape(-1).tolist() == list(range(300))


def test_p5_another_seed_is_another_mask() -> None:
    """A published shuffle() rebound a local name and changed nothing."""
    masks = []
    for seed in (0, 1):
        model = mlp(10, 40, 10)
        search = EdgePopup(Network.sample(model, Normal(), 0), score_seed=seed)
        masks.append(search.masks()["0.weight"])
    agree = float((masks[0] == masks[1]).float().mean())
    assert 0.35 < agree < 0.65


def test_p6_continuous_sparsification_ends_with_a_hard_mask() -> None:
    """What is left was measured by the underflow of a sigmoid, and the last step crashed."""
    x, y = batch(64, 10, 3)
    model = mlp(10, 60, 3)
    search = ContinuousSparsification(Network.sample(model, Normal(), 0), 30, lr=0.3)
    train(model, search, x, y, 40)  # beyond its total, too
    for name, mask in search.masks().items():
        assert torch.equal(mask, search.scores()[name] > 0)
        with search.evaluating():
            weights = dict(model.named_parameters())[name].detach().clone()
        frozen = torch.from_numpy(search.network.weights(name))
        assert torch.equal(weights, torch.where(mask, frozen, 0.0))
    assert 0 < search.ticket().mask.density < 1


def test_p7_a_bias_has_a_mask_of_its_own_or_none() -> None:
    """A bias was masked by its layer's weights; layer lists were hard-coded by architecture."""
    model = nn.Sequential(nn.Conv1d(2, 5, 3), nn.Flatten(), nn.Linear(10, 3), nn.Embedding(4, 3))
    search = GemMiner(Network.sample(model, Normal(), 0), 0.5, 60)
    assert set(search.masks()) == {"0.weight", "2.weight", "3.weight"}
    assert all(float(p.abs().sum()) == 0 for n, p in model.named_parameters() if "bias" in n)


@pytest.mark.parametrize("name", [n for n in METHODS if "rows" not in n])
def test_p8_the_score_gradient_has_the_weight_in_it(name: str) -> None:
    """A published layer gave the scores G where the formula says G W."""
    model = mlp(8, 24, 3)
    search = searched(name, model, momentum=0.0, weight_decay=0.0, **_plain(name))
    frozen = torch.from_numpy(search.network.weights("2.weight"))
    before = search.scores()["2.weight"].clone()
    still = _still(search, before)
    model[2].weight.grad = torch.full((3, 24), 0.1)
    search.step()
    moved = search.scores()["2.weight"] - still
    factor = -moved / (0.1 * frozen)
    used = factor.abs() > 1e-3
    assert used.any()
    # What is left once W is divided out does not depend on W; G alone would leave 1 / W.
    logs = torch.stack([factor[used].abs().log(), frozen[used].abs().log()])
    spread = float(logs[0].std())
    assert spread < 0.02 or abs(float(torch.corrcoef(logs)[0, 1])) < 0.4


def _plain(name: str) -> dict[str, bool]:
    return {"nesterov": False} if name in ("signed", "continuous") else {}


def _still(search: MaskSearch, before: torch.Tensor) -> torch.Tensor:
    """Where the scores would be without a gradient of the loss: the penalty alone."""
    if search.method.penalty is None:
        return before
    slope = search.method.penalty.gradient("2.weight", before, search._moment())
    return before - slope * search.param_groups[0]["lr"]


@pytest.mark.parametrize("keep", [1, 5, 50, 99, 100])
def test_p9_as_many_are_kept_as_was_said(keep: int) -> None:
    """Keeping what is strictly above sorted[n] prunes one more, and all ties."""
    scores = torch.from_numpy(np.random.default_rng(0).permutation(100).astype(np.float32))
    mask = select({"w": scores}, {"w": keep}, "raw")["w"]
    assert int(mask.sum()) == keep
    assert scores[mask].min() == 100 - keep


def test_p10_two_rankings_have_two_names() -> None:
    """IteRand ranks by the value of a score, edge-popup by its magnitude; both say so."""
    network = Network.sample(model := mlp(10, 40, 10), Normal(), 0)
    edge, rand = EdgePopup(network, 0.3), IteRand(network, 0.3)
    assert (edge.method.ranking, rand.method.ranking) == ("abs", "raw")
    assert not torch.equal(edge.masks()["0.weight"], rand.masks()["0.weight"])
    assert rand.masks()["0.weight"].sum() == 120
    assert float(rand.scores()["0.weight"][rand.masks()["0.weight"]].min()) > 0
    assert float(edge.scores()["0.weight"][edge.masks()["0.weight"]].min()) < 0
    assert rand.ticket().provenance["ranking"] == "raw"
    assert model is network.model


@pytest.mark.parametrize("name", METHODS)
def test_p11_nan_is_an_error_not_the_largest_score(name: str) -> None:
    """NaN sorts last, so a NaN score was kept."""
    model = mlp(8, 24, 3)
    search = searched(name, model)
    model[2].weight.grad = torch.zeros(3, 24)
    search.scores()["2.weight"].view(-1)[1] = float("nan")
    with pytest.raises(SearchError, match=r"'2\.weight' must be finite"):
        search.step()
    with pytest.raises(SearchError, match=r"'2\.weight' must be finite"):
        select(search.scores(), 3)


def test_p12_no_argument_is_called_by_a_word_for_its_contrary() -> None:
    """An example's --sparsity was a density; prune_rate meant either."""
    kinds = [k for _, k in inspect.getmembers(strongticket.search, inspect.isclass)]
    searches = [k for k in kinds if issubclass(k, MaskSearch)]
    assert len(searches) == 10
    for kind in searches:
        for word in ("sparsity", "prune_rate", "keep_rate", "prune", "k"):
            assert word not in inspect.signature(kind).parameters


def test_p13_nothing_needs_a_gpu() -> None:
    """Reference code called .cuda() whatever the machine."""
    for path in Path(strongticket.search.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.Attribute) and node.attr in ("cuda", "is_available"))
