"""Scores against brute force: finite differences, a whole Hessian, conservation."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from pruning_models import batch, convnet, mlp, snapshot
from torch import Tensor, nn

from strongticket import pruning
from strongticket.errors import InputError, SearchError
from strongticket.search import keep_count, select

F = nn.functional


def smooth(*widths: int, seed: int = 0) -> nn.Sequential:
    model = mlp(*widths, seed=seed).double()
    for at, module in enumerate(model):
        if isinstance(module, nn.ReLU):
            model[at] = nn.Tanh()
    return model


SCORES: dict[str, Any] = {
    "magnitude": lambda model, data, **o: pruning.magnitude(model, **o),
    "random": lambda model, data, **o: pruning.random_scores(model, 1, **o),
    "gradient": pruning.gradient,
    "snip": pruning.snip,
    "grasp": pruning.grasp,
    "synflow": lambda model, data, **o: pruning.synflow(model, data[0], 0.1, rounds=3, **o),
}


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("mode", [True, False])
def test_a_model_is_left_bit_for_bit_as_it_was(name: str, mode: bool) -> None:
    # Published codes score a copy that they re-initialise, or leave gradients behind.
    model = convnet().train(mode)
    model[0].bias.requires_grad_(False)
    model[4].eval()  # a mode of its own
    model[10].weight.grad = torch.ones(3, 20)
    before = snapshot(model)
    data = batch(8, 2, 10, 10)
    scores = SCORES[name](model, data)
    assert snapshot(model) == before
    assert {n: tuple(s.shape) for n, s in scores.items()} == {
        "0.weight": (6, 2, 3, 3),
        "4.weight": (5, 6, 3, 3),
        "10.weight": (3, 20),
    }
    assert all(s.dtype == torch.float32 and not s.requires_grad for s in scores.values())
    only = SCORES[name](model, data, include=["4.*", "10.*"], exclude=["10.*"])
    assert list(only) == ["4.weight"]
    with pytest.raises(InputError, match=r"leave no parameter|must match"):
        SCORES[name](model, data, include=["nothing"])


def test_snip_is_the_derivative_by_the_mask() -> None:
    model, (x, y) = smooth(4, 5, 3), batch(7, 4)
    scores = pruning.snip(model, (x.double(), y))

    def loss_at(name: str, index: int, mask: float) -> Tensor:
        weights = {n: p.detach().clone() for n, p in model.named_parameters()}
        weights[name].view(-1)[index] *= mask
        return F.cross_entropy(torch.func.functional_call(model, weights, (x.double(),)), y)

    for name, score in scores.items():
        for i in range(score.numel()):
            slope = (loss_at(name, i, 1 + 1e-5) - loss_at(name, i, 1 - 1e-5)) / 2e-5
            assert abs(float(slope.abs()) - float(score.view(-1)[i])) < 1e-8


def test_gradient_is_the_gradient() -> None:
    model, data = mlp(4, 5, 3), batch(7, 4)
    scores = pruning.gradient(model, data)
    F.cross_entropy(model(data[0]), data[1]).backward()
    for name, p in model.named_parameters():
        if p.dim() > 1:
            assert torch.equal(scores[name], p.grad.abs())


@pytest.mark.parametrize("temperature", [1.0, 200.0])
def test_grasp_is_weight_times_hessian_times_gradient(temperature: float) -> None:
    model, (x, y) = smooth(3, 4, 3), batch(9, 3)
    x = x.double()
    names = [n for n, p in model.named_parameters() if p.dim() > 1]
    shapes = [dict(model.named_parameters())[n].shape for n in names]
    sizes = [s.numel() for s in shapes]

    def loss(flat: Tensor) -> Tensor:
        parts = [p.reshape(s) for p, s in zip(flat.split(sizes), shapes, strict=True)]
        out = torch.func.functional_call(model, dict(zip(names, parts, strict=True)), (x,))
        return F.cross_entropy(out / temperature, y)

    flat = torch.cat([dict(model.named_parameters())[n].detach().flatten() for n in names])
    gradient = torch.autograd.functional.jacobian(loss, flat)
    hessian = torch.autograd.functional.hessian(loss, flat)
    wanted = flat * (hessian @ gradient)
    scores = pruning.grasp(model, (x, y), temperature=temperature)
    found = torch.cat([scores[n].flatten() for n in names]).double()
    assert (found - wanted).abs().max() < 1e-6 * wanted.abs().max()
    assert wanted.min() < 0 < wanted.max()  # so that the sign is tested too


def test_grasp_keeps_what_preserves_the_gradient() -> None:
    # Removing the weights with the lowest scores leaves a larger gradient than removing the best.
    model, (x, y) = smooth(6, 8, 3, seed=1), batch(40, 6)
    scores = pruning.grasp(model, (x.double(), y), temperature=1.0)

    def norm_without(masks: dict[str, Tensor]) -> float:
        weights = {n: p.detach().clone() for n, p in model.named_parameters()}
        for name, mask in masks.items():
            weights[name] *= 1 - 0.01 * (~mask)  # a first-order statement, so a small step
        leaves = [weights[n].requires_grad_() for n in masks]
        out = torch.func.functional_call(model, weights, (x.double(),))
        grads = torch.autograd.grad(F.cross_entropy(out, y), leaves)
        return float(sum((g**2).sum() for g in grads))

    best = select(scores, 36, "raw")
    worst = select({n: -s for n, s in scores.items()}, 36, "raw")
    assert norm_without(best) > norm_without(worst)


def test_synaptic_flow_is_conserved() -> None:
    model = mlp(7, 9, 8, 3, bias=False)
    flows = pruning.synaptic_flow(model, torch.zeros(1, 7))
    sums = [float(f.sum()) for f in flows.values()]
    r = torch.ones(1, 7, dtype=torch.float64)
    for p in model.parameters():
        r = r @ p.detach().abs().double().T
    assert max(sums) - min(sums) < 1e-12 * max(sums)
    assert abs(sums[0] - float(r.sum())) < 1e-12 * sums[0]
    into, out = flows["0.weight"].sum(1), flows["2.weight"].sum(0)  # unit by unit as well
    assert torch.allclose(into, out, rtol=1e-12, atol=0)


def test_synaptic_flow_by_paths() -> None:
    # A weight's flow is the sum of the products of magnitudes over the paths through it.
    model = mlp(3, 4, 2, bias=False)
    a, b = (p.detach().abs().double() for p in model.parameters())
    flows = pruning.synaptic_flow(model, torch.zeros(1, 3))
    for h in range(4):
        for i in range(3):
            paths = sum(a[h, i] * b[o, h] for o in range(2))
            assert torch.isclose(flows["0.weight"][h, i], paths, rtol=1e-12)


def test_synflow_needs_no_data_and_no_sign() -> None:
    model = convnet()
    first = pruning.synflow(model, torch.randn(5, 2, 10, 10), 0.1, rounds=4)
    for p in model.parameters():
        p.data.neg_()
    again = pruning.synflow(model, torch.zeros(1, 2, 10, 10), 0.1, rounds=4)
    assert all(torch.equal(first[n], again[n]) for n in first)


@pytest.mark.parametrize("rounds", [1, 2, 7])
def test_synflow_rounds_against_a_loop_written_out(rounds: int) -> None:
    model = mlp(6, 10, 10, 4, bias=False)
    weights = [p.detach().abs().double() for p in model.parameters()]
    total = sum(w.numel() for w in weights)
    masks = [torch.ones_like(w) for w in weights]
    for t in range(1, rounds + 1):
        leaves = [(w * m).requires_grad_() for w, m in zip(weights, masks, strict=True)]
        out = torch.ones(1, 6, dtype=torch.float64)
        for leaf in leaves:
            out = out @ leaf.T
        grads = torch.autograd.grad(out.sum(), leaves)
        flow = torch.cat([(w * g).detach().flatten() for w, g in zip(leaves, grads, strict=True)])
        keep = keep_count(0.05 ** (t / rounds), total)
        mask = torch.zeros(total, dtype=torch.float64)
        mask[flow.argsort(descending=True, stable=True)[:keep]] = 1
        parts = mask.split([w.numel() for w in weights])
        masks = [p.reshape(w.shape) for p, w in zip(parts, weights, strict=True)]
    scores = pruning.synflow(model, torch.zeros(1, 6), 0.05, rounds=rounds)
    kept = select(scores, keep_count(0.05, total), "raw")
    assert sum(int(m.sum()) for m in kept.values()) == keep_count(0.05, total)
    for found, wanted in zip(kept.values(), masks, strict=True):
        assert torch.equal(found.double(), wanted)
    if rounds > 1:  # what an earlier round removed ranks below what a later one did
        values = torch.cat([s.flatten() for s in scores.values()])
        assert sorted({float(v) for v in values if v < 0}) == [
            float(t - 1 - rounds) for t in range(1, rounds + 1)
        ]


def test_synflow_does_not_collapse_a_layer_where_one_ranking_does() -> None:
    # The point of the iterations: at few weights no layer is emptied.
    model = mlp(20, 100, 100, 5, bias=False)
    scores = pruning.synflow(model, torch.zeros(1, 20), 0.003)
    total = sum(s.numel() for s in scores.values())
    kept = select(scores, keep_count(0.003, total), "raw")
    assert all(mask.any() for mask in kept.values())
    assert model(torch.randn(3, 20)).shape == (3, 5)


def test_random_scores_are_a_function_of_the_seed() -> None:
    model = mlp(5, 6, 3)
    first, again, other = (pruning.random_scores(model, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert all(float(s.min()) >= 0 and float(s.max()) < 1 for s in first.values())


def test_tied_weights_are_scored_once_and_stay_tied() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4, bias=False)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.b(torch.tanh(self.a(x))))

    model, data = Tied(), batch(6, 4, classes=4)
    scores = pruning.snip(model, data)
    assert list(scores) == ["a.weight"]
    F.cross_entropy(model(data[0]), data[1]).backward()
    wanted = (model.a.weight.grad * model.a.weight).abs().detach()
    assert torch.allclose(scores["a.weight"], wanted)


class Reader(nn.Module):
    """Tokens, attention, a layer norm: flows that may be negative, inputs that are no ones."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embed = nn.Embedding(7, 8)
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
            self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        e = self.embed(x)
        return self.out(self.norm(e + self.attend(e, e, e)[0]).mean(1))


def test_synaptic_flow_of_tokens_and_through_a_layer_norm() -> None:
    model, tokens = Reader(), torch.arange(6).reshape(2, 3)
    flow = pruning.synaptic_flow(model, tokens)
    assert all(bool((f >= 0).all()) for f in flow.values())
    assert bool((flow["embed.weight"][6] == 0).all())  # a token that is not given
    wide = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for p in wide.parameters():
            p.copy_(p.abs())
    wide(tokens).sum().backward()
    for name, p in wide.named_parameters():
        if name in flow:
            torch.testing.assert_close(flow[name], (p.grad * p.detach()).abs())
    scores = pruning.synflow(model, tokens, 0.2, rounds=5)
    total = sum(s.numel() for s in scores.values())
    masks = select(scores, keep_count(0.2, total), "raw")
    assert sum(int(m.sum()) for m in masks.values()) == keep_count(0.2, total)


def test_bad_input() -> None:
    model, (x, y) = mlp(4, 5, 3), batch(7, 4)
    with pytest.raises(SearchError, match="must be finite"):
        pruning.snip(model, (x * float("nan"), y))
    with pytest.raises(InputError, match="temperature"):
        pruning.grasp(model, (x, y), temperature=0.0)
    with pytest.raises(InputError, match="rounds"):
        pruning.synflow(model, x, 0.5, rounds=0)
    with pytest.raises(InputError, match="density"):
        pruning.synflow(model, x, 0.0)

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = mlp(4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.inner(x), x

    with pytest.raises(InputError, match="one tensor, got a tuple"):
        pruning.snip(Two(), (x, y))
