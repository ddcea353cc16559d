"""Edge-popup against a plain reference, and in every place an optimizer is used."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from search_models import batch, mlp, oracle, search_of, train
from torch import Tensor, nn

from strongticket.laws import SignedConstant, Uniform
from strongticket.networks import Network
from strongticket.search import EdgePopup, keep_count, select


class TopK(torch.autograd.Function):
    """The reference: a sort-based mask whose backward pass is the identity."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, keep: int) -> Tensor:
        order = torch.sort(scores.reshape(-1), descending=True, stable=True).indices
        mask = torch.zeros(scores.numel())
        mask[order[:keep]] = 1.0
        return mask.reshape(scores.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_the_reference(ranking: str, backend: str, nesterov: bool) -> None:
    x, y = batch(64, 30, 5)
    model = mlp(30, 80, 60, 5)
    options: dict[str, Any] = {"lr": 0.2, "momentum": 0.9, "weight_decay": 1e-3}
    search = search_of(
        model, density=0.4, ranking=ranking, backend=backend, nesterov=nesterov, **options
    )
    frozen = [torch.from_numpy(search.network.weights(n)) for n in search.network.masked]
    scores = [s.clone().requires_grad_() for s in search.scores().values()]
    keeps = [keep_count(0.4, w.numel()) for w in frozen]
    reference = torch.optim.SGD(scores, nesterov=nesterov, **options)

    def effective() -> list[Tensor]:
        ranked = [s.abs() if ranking == "abs" else s for s in scores]
        masks = [TopK.apply(s, keep) for s, keep in zip(ranked, keeps, strict=True)]
        return [w * m for w, m in zip(frozen, masks, strict=True)]

    for _ in range(6):
        reference.zero_grad()
        hidden = x
        weights = effective()
        for weight in weights[:-1]:
            hidden = torch.relu(hidden @ weight.T)
        loss = nn.functional.cross_entropy(hidden @ weights[-1].T, y)
        loss.backward()
        reference.step()
        (came,) = train(model, search, x, y, 1)
        assert came == pytest.approx(loss.item(), rel=1e-6)
        for parameter, weight in zip(model.parameters(), effective(), strict=True):
            assert int(((parameter != 0) != (weight != 0)).sum()) == 0
            assert torch.equal(parameter.detach(), weight.detach())


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.0}, {"nesterov": True, "weight_decay": 0.01}, {"refresh": 3}]
)
def test_both_backends_give_the_same_bits(
    scope: str, ranking: str, options: dict[str, Any]
) -> None:
    x, y = batch(32, 17, 4)
    seen = []
    for backend in ("numba", "torch"):
        model = mlp(17, 41, 4, bias=True)
        search = search_of(
            model, density=0.3, lr=0.5, scope=scope, ranking=ranking, backend=backend, **options
        )
        losses = train(model, search, x, y, 25)
        state = [t for s in search.state.values() for t in s.values()]
        seen.append((losses, [*state, *(p.detach() for p in model.parameters())]))
    assert seen[0][0] == seen[1][0]
    for one, other in zip(seen[0][1], seen[1][1], strict=True):
        assert torch.equal(one.view(torch.int32), other.view(torch.int32))


def test_a_search_learns_what_random_masks_do_not() -> None:
    x, y = batch(400, 10, 4)
    test_x, test_y = batch(1000, 10, 4, seed=1)
    model = mlp(10, 64, 64, 4)
    network = Network.sample(model, SignedConstant(), seed=0)
    search = EdgePopup(network, 0.5, lr=0.3)
    train(model, search, x, y, 120)
    found = float((model(test_x).argmax(1) == test_y).float().mean())
    weights = {n: torch.from_numpy(network.weights(n)) for n in network.masked}
    by_chance = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        scores = {n: torch.rand(w.shape, generator=generator) for n, w in weights.items()}
        masks = select(scores, {n: keep_count(0.5, w.numel()) for n, w in weights.items()})
        with torch.no_grad():
            pruned = {n: w * masks[n] for n, w in weights.items()}
            out = torch.func.functional_call(model, pruned, test_x)
            by_chance.append(float((out.argmax(1) == test_y).float().mean()))
    assert found > 0.8
    assert max(by_chance) < 0.6


@pytest.mark.parametrize("density", [0.03, 0.15, 0.5, 0.9])
def test_the_count_is_exact_in_every_layer_after_every_step(density: float) -> None:
    x, y = batch(32, 12, 3)
    model = mlp(12, 30, 3)
    search = search_of(model, density=density, lr=1.0)
    for _ in range(5):
        for parameter in model.parameters():
            kept = int((parameter != 0).sum())
            assert kept == keep_count(density, parameter.numel())
        train(model, search, x, y, 1)


def test_global_scope_keeps_the_largest_of_all() -> None:
    x, y = batch(32, 12, 3)
    model = mlp(12, 30, 20, 3)
    search = search_of(model, density=0.1, scope="global", lr=0.5)
    train(model, search, x, y, 4)
    assert search.keep == keep_count(0.1, sum(p.numel() for p in model.parameters()))
    scores = [s.numpy() for s in search.scores().values()]
    wanted = oracle(scores, search.keep, "abs")  # type: ignore[arg-type]
    for parameter, mask in zip(model.parameters(), wanted, strict=True):
        np.testing.assert_array_equal((parameter != 0).numpy(), mask)


def test_density_one_keeps_everything() -> None:
    x, y = batch(16, 6, 3)
    for scope in ("layer", "global"):
        model = mlp(6, 9, 3)
        search = search_of(model, density=1.0, scope=scope)
        train(model, search, x, y, 3)
        for name, parameter in model.named_parameters():
            wanted = torch.from_numpy(search.network.weights(name))
            assert torch.equal(parameter.detach(), wanted)


def test_a_density_for_each_parameter() -> None:
    model = mlp(10, 20, 5)
    search = search_of(model, density={"0.weight": 0.25, "2.weight": 1.0})
    assert search.keep == {"0.weight": 50, "2.weight": 100}
    assert [layer.kept for layer in search.report().layers] == [50, 100]


def test_initial_scores_are_kaiming_uniform_and_have_a_seed_of_their_own() -> None:
    first = search_of(mlp(100, 400, 5), score_seed=1).scores()["0.weight"]
    again = search_of(mlp(100, 400, 5), seed=5, score_seed=1).scores()["0.weight"]
    other = search_of(mlp(100, 400, 5), score_seed=2).scores()["0.weight"]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.0999 < float(first.abs().max()) < 0.1
    assert abs(float(first.mean())) < 5 * 0.1 / (3 * 40000) ** 0.5
    assert float(first.std()) == pytest.approx(0.1 / 3**0.5, rel=0.02)
    torch.manual_seed(123)
    assert torch.equal(search_of(mlp(100, 400, 5), score_seed=1).scores()["0.weight"], first)


def test_scores_share_no_word_with_weights_of_the_same_seed() -> None:
    model = mlp(30, 50, 5)
    search = EdgePopup(Network.sample(model, Uniform(), 7), score_seed=7)
    weights, scores = search.network.weights("0.weight"), search.scores()["0.weight"].numpy()
    assert abs(np.corrcoef(weights.reshape(-1), scores.reshape(-1))[0, 1]) < 0.15


def test_a_search_takes_nothing_from_torch_random_numbers() -> None:
    model = mlp(5, 6, 2)
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    x, y = batch(8, 5, 2)
    search = search_of(model)
    train(model, search, x, y, 2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_schedulers_drive_the_groups() -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 12, 3)
    search = search_of(model, lr=1.0, groups=[{"params": ["2.*"], "lr": 0.25}])
    assert [g["lr"] for g in search.param_groups] == [0.25, 1.0]
    scheduler = torch.optim.lr_scheduler.StepLR(search, step_size=1, gamma=0.5)
    train(model, search, x, y, 1)
    scheduler.step()
    assert [g["lr"] for g in search.param_groups] == [0.125, 0.5]
    for group in search.param_groups:
        group["lr"] = 0.0
    before = {n: s.clone() for n, s in search.scores().items()}
    train(model, search, x, y, 3)
    for name, score in search.scores().items():
        assert torch.equal(score, before[name])


def test_a_group_moves_at_its_own_rate() -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 12, 3)
    search = search_of(model, lr=1.0, groups=[{"params": ["2.*"], "lr": 0.0}])
    before = {n: s.clone() for n, s in search.scores().items()}
    train(model, search, x, y, 1)
    after = search.scores()
    assert torch.equal(after["2.weight"], before["2.weight"])
    assert not torch.equal(after["0.weight"], before["0.weight"])


def test_gradients_accumulate_until_zero_grad() -> None:
    x, y = batch(32, 8, 3)
    whole, parts = mlp(8, 12, 3), mlp(8, 12, 3)
    one, other = search_of(whole, lr=0.5), search_of(parts, lr=0.5)
    train(whole, one, x, y, 1)
    other.zero_grad()
    for low in (0, 16):
        half = slice(low, low + 16)
        (nn.functional.cross_entropy(parts(x[half]), y[half]) / 2).backward()
    other.step()
    for a, b in zip(one.scores().values(), other.scores().values(), strict=True):
        torch.testing.assert_close(a, b)
    other.zero_grad()
    assert all(p.grad is None for p in parts.parameters())


def test_a_closure_is_called_with_gradients_on_and_its_loss_returned() -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 12, 3)
    search = search_of(model)

    def closure() -> float:
        search.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss.item()

    before = search.scores()["0.weight"].clone()
    assert search.step(closure) == pytest.approx(closure(), abs=1.0)
    assert not torch.equal(search.scores()["0.weight"], before)


def test_weight_decay_shrinks_scores_and_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Linear(12, 3))
    search = search_of(model, lr=0.1, momentum=0.0, weight_decay=0.5)
    before = {n: s.clone() for n, s in search.scores().items()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    weights = {n: p.detach().clone() for n, p in model.named_parameters()}
    search.step()
    for name, score in search.scores().items():
        torch.testing.assert_close(score, before[name] * 0.95)
    for name, parameter in model.named_parameters():  # the ranking is what it was
        assert torch.equal(parameter.detach(), weights[name])


def test_a_parameter_without_a_gradient_keeps_its_scores() -> None:
    model = mlp(8, 12, 3)
    search = search_of(model, weight_decay=0.5)
    before = search.scores()["0.weight"].clone()
    model[2].weight.grad = torch.ones(3, 12)
    search.step()
    assert torch.equal(search.scores()["0.weight"], before)


def test_a_zero_score_has_no_sign() -> None:
    for backend in ("numba", "torch"):
        model = mlp(3, 2)
        search = search_of(model, density=0.5, lr=1.0, momentum=0.0, backend=backend)
        scores = search.scores()["0.weight"]
        scores.copy_(torch.tensor([[0.0, 1.0, -1.0], [-0.0, 2.0, -2.0]]))
        model[0].weight.grad = torch.ones(2, 3)
        search.step()
        weights = torch.from_numpy(search.network.weights("0.weight"))
        wanted = torch.tensor([[0.0, 1.0, -1.0], [0.0, 2.0, -2.0]])
        wanted = wanted - weights * wanted.sign()
        assert torch.equal(scores, wanted)


def test_tied_weights_have_one_mask() -> None:
    model = nn.Sequential(nn.Linear(6, 6, bias=False), nn.ReLU(), nn.Linear(6, 6, bias=False))
    model[2].weight = model[0].weight
    search = search_of(model, density=0.5)
    x, y = batch(16, 6, 6)
    train(model, search, x, y, 3)
    assert list(search.masks()) == ["0.weight"]
    assert model[2].weight is model[0].weight
    assert search.ticket().mask.kept == 18


class Wrapped(nn.Module):
    """What ``torch.compile`` leaves of a model: its names get a prefix."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._orig_mod = model

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._orig_mod(x)
        return out


@pytest.mark.parametrize("compiled", [Wrapped, lambda m: torch.compile(m, backend="eager")])
def test_a_compiled_model_is_searched_under_its_plain_names(compiled: Any) -> None:
    x, y = batch(16, 8, 3)
    plain, inner = mlp(8, 12, 3), mlp(8, 12, 3)
    wrapped = compiled(inner)
    one, other = search_of(plain), search_of(wrapped)
    train(plain, one, x, y, 3)
    train(wrapped, other, x, y, 3)
    assert list(other.masks()) == ["0.weight", "2.weight"]
    for a, b in zip(plain.parameters(), inner.parameters(), strict=True):
        assert torch.equal(a, b)
    assert other.ticket() == one.ticket()


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # dynamo looks at what is no leaf
def test_compiled_submodules_are_searched_under_their_plain_names() -> None:
    x, y = batch(16, 8, 3)
    layers = (nn.Linear(8, 12), nn.BatchNorm1d(12), nn.Linear(12, 3))
    plain, inner = nn.Sequential(*layers), nn.Sequential(*copy.deepcopy(layers))
    inner[0] = torch.compile(inner[0], backend="eager")
    inner[1] = torch.compile(inner[1], backend="eager")
    one, other = search_of(plain), search_of(inner)
    train(plain, one, x, y, 3)
    train(inner, other, x, y, 3)
    assert list(other.masks()) == ["0.weight", "2.weight"]
    assert other.ticket() == one.ticket()
    assert other.ticket().ticket_id == one.ticket().ticket_id
    filled = one.ticket().into(inner).eval()
    assert torch.equal(filled(x), plain.eval()(x))


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_sparse_gradients_are_those_of_a_dense_embedding(backend: str) -> None:
    words = torch.tensor([[1, 2, 2], [5, 0, 1]])
    y = torch.tensor([0, 1])
    seen = []
    for sparse in (False, True):
        model = nn.Sequential(nn.Embedding(7, 6, sparse=sparse), nn.Flatten(), nn.Linear(18, 2))
        search = search_of(model, backend=backend, weight_decay=0.01)
        train(model, search, words, y, 4)
        assert model[0].weight.grad.is_sparse is sparse
        seen.append(search)
    for one, other in zip(seen[0].scores().values(), seen[1].scores().values(), strict=True):
        assert torch.equal(one, other)
    assert seen[0].ticket() == seen[1].ticket()


@pytest.mark.parametrize("channels_last", [False, True])
def test_convolutions_and_norms(channels_last: bool) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    x = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    y = torch.arange(8) % 4
    if channels_last:
        model, x = (
            model.to(memory_format=torch.channels_last),
            x.contiguous(memory_format=torch.channels_last),
        )
    seen = []
    for backend in ("numba", "torch"):
        search = search_of(model, density=0.4, backend=backend)
        model[1].reset_running_stats()
        seen.append(train(model, search, x, y, 4))
        flat = model[0].weight.detach().contiguous().reshape(-1)
        mask = search.masks()["0.weight"].reshape(-1)
        wanted = torch.from_numpy(search.network.weights("0.weight")).reshape(-1) * mask
        assert torch.equal(flat, wanted)
    assert seen[0] == seen[1]
    ticket = search.ticket()
    assert set(ticket.buffers) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
    assert ticket.buffers["1.num_batches_tracked"] == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_scores_are_float32_whatever_the_model_is(dtype: torch.dtype) -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 16, 3).to(dtype)
    search = search_of(model, density=0.5, lr=0.3)
    losses = train(model, search, x.to(dtype), y, 10)
    assert losses[-1] < losses[0]
    for score in search.scores().values():
        assert score.dtype == torch.float32
    for parameter in model.parameters():
        assert parameter.dtype == dtype
        assert int((parameter != 0).sum()) == keep_count(0.5, parameter.numel())
    search.ticket()


def test_between_two_selections_the_mask_stays() -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 40, 3)
    search = search_of(model, density=0.5, lr=2.0, refresh=3)
    masks, scores = [], []
    for _ in range(6):
        train(model, search, x, y, 1)
        masks.append(model[0].weight != 0)
        scores.append(search.scores()["0.weight"].clone())
        assert int(masks[-1].sum()) == 160
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(scores[0], scores[1])
    assert not torch.equal(masks[1], masks[2])
    assert torch.equal(masks[2], masks[4])


def test_an_old_graph_notices_that_the_weights_changed() -> None:
    x, y = batch(16, 8, 3)
    for backend in ("numba", "torch"):
        model = mlp(8, 12, 3)
        search = search_of(model, backend=backend)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward(retain_graph=True)
        search.step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_evaluation_is_the_plain_model() -> None:
    model = mlp(8, 12, 3)
    forwards = [m.forward for m in model]
    search_of(model)
    assert [m.forward for m in model] == forwards
    assert [type(m) for m in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert list(model.state_dict()) == ["0.weight", "2.weight"]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model)


def test_a_new_search_may_follow_an_old_one() -> None:
    model = mlp(8, 12, 3)
    network = Network.sample(model, Uniform(), seed=0)
    first = EdgePopup(network, 0.2)
    second = EdgePopup(network, 0.7)
    assert second.report().density == pytest.approx(0.7, abs=0.01)
    with pytest.raises(Exception, match="no longer holds what the search wrote last"):
        first.ticket()


def test_autocast_and_a_gradient_scaler() -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 16, 3)
    search = search_of(model, lr=0.3)
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    losses = []
    for _ in range(8):
        search.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(search)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert search.steps == 8
