"""The second front end: masks at every forward, many masks at once, gradients by closed form."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from search_models import batch, mlp, saved_and_loaded, train
from torch import Tensor, nn

from strongticket.errors import InputError, SearchError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, keep_count
from strongticket.search.functional import Masked
from strongticket.search.gate import Gate
from strongticket.search.gated import Soft
from strongticket.search.gates import TopK
from strongticket.search.scores import Start
from strongticket.search.soft import Draw, HardConcreteGate
from strongticket.tickets import Ticket


def masked(model: nn.Module, gate: Gate | None = None, **options: Any) -> Masked:
    return Masked(Network.sample(model, Normal(), 0), gate, **options)


def weights_of(module: Masked, name: str = "0.weight") -> Tensor:
    return torch.from_numpy(module.network.weights(name))


def descend(module: Masked, optimizer: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    x, y = batch(32, 8, 3, seed)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()


def test_many_masks_at_once_are_the_loop() -> None:
    model = mlp(8, 16, 3)
    module = masked(model, Draw(), sample_seed=5)
    x, _ = batch(6, 8, 3)
    many = module.sampled(32, x)
    assert many.shape == (32, 6, 3)
    assert module.forwards == 32
    module.forwards = 0
    looped = torch.stack([module(x) for _ in range(32)])
    torch.testing.assert_close(many, looped)
    assert torch.stack([(many[0] != other).any() for other in many[1:]]).all()
    module.forwards = 0
    torch.testing.assert_close(module.sampled(32, x, chunk=5), looped)
    gradients = []
    for outputs in (many, looped):
        module.zero_grad()
        (outputs**2).sum().backward()
        gradients.append([score.grad.clone() for score in module.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
        assert one.any()


def test_a_population_of_masks_is_the_loop_over_tickets() -> None:
    model = mlp(8, 16, 3, bias=True)
    module = masked(model)
    x, _ = batch(32, 8, 3)
    generator = torch.Generator().manual_seed(0)
    shapes = {name: mask.shape for name, mask in module.masks().items()}
    masks = {n: torch.rand(32, *s, generator=generator) < 0.4 for n, s in shapes.items()}
    many = module.under(masks, x)
    own = module.under(masks, x, each=True)
    for i in range(32):
        other = copy.deepcopy(model)
        with torch.no_grad():
            for name, mask in masks.items():
                other.get_parameter(name).mul_(mask[i])
        torch.testing.assert_close(many[i], other(x))
        torch.testing.assert_close(own[i], other(x[i : i + 1])[0])


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # a loop, but right
@pytest.mark.parametrize("kind", ["attention", "conv", "lstm"])
def test_a_population_over_other_modules(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    model: nn.Module
    if kind == "attention":
        model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        x = torch.randn(3, 4, 8, generator=generator)
    elif kind == "conv":
        model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ReLU())
        x = torch.randn(3, 2, 5, 5, generator=generator)
    else:
        model = Last()
        x = torch.randn(3, 4, 6, generator=generator)
    module = masked(model).train(kind == "attention")  # its fast path has no batching rule
    masks = {
        n: torch.rand(4, *m.shape, generator=generator) < 0.6 for n, m in module.masks().items()
    }
    if kind == "lstm":  # torch has no batching rule for it: said, not computed wrongly
        with pytest.raises((InputError, RuntimeError)):
            module.under(masks, x)
        return
    many = module.under(masks, x)
    for i in range(4):
        other = copy.deepcopy(model)
        with torch.no_grad():
            for name, mask in masks.items():
                other.get_parameter(name).mul_(mask[i])
        torch.testing.assert_close(many[i], other(x))


class Last(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.lstm(x)[0]
        return found


def neuron(n: int = 7) -> tuple[Masked, Tensor, Tensor, Tensor]:
    """A linear neuron under Bernoulli masks: (module, x, weights, probabilities)."""
    module = masked(nn.Sequential(nn.Linear(n, 1, bias=False)), start=Start("normal", 0.0, 1.0))
    x = torch.randn(1, n, generator=torch.Generator().manual_seed(1))
    return module, x, weights_of(module)[0], module.scores()["0.weight"][0].sigmoid()


def test_the_expected_loss_over_all_masks_by_closed_form() -> None:
    module, x, w, p = neuron()
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=7)))
    f = module.under({"0.weight": every[:, None, :]}, x).reshape(-1)
    chance = p.clone().requires_grad_()
    odds = (every * chance + (1 - every) * (1 - chance)).prod(1)
    loss = (odds * f**2).sum()
    a = w * x[0]
    mean = (a * p).sum()
    torch.testing.assert_close(loss, mean**2 + (a**2 * p * (1 - p)).sum())
    (gradient,) = torch.autograd.grad(loss, chance)
    torch.testing.assert_close(gradient, 2 * mean * a + a**2 * (1 - 2 * p))


def test_the_gradient_of_draws_by_closed_form() -> None:
    """G W σ'(S) at each draw; its mean is the gradient at the mean network."""
    module, x, w, p = neuron()
    draws = 500
    f = module.sampled(draws, x).reshape(-1)
    (f**2).sum().backward()
    slope = w * x[0] * p * (1 - p)
    (score,) = module.parameters()
    torch.testing.assert_close(score.grad[0], 2 * f.detach().sum() * slope, rtol=1e-4, atol=1e-4)
    deviation = (
        float((f.detach() - (w * x[0] * p).sum()).sum())
        / (draws * float(((w * x[0]) ** 2 * p * (1 - p)).sum())) ** 0.5
    )
    assert abs(deviation) < 4.9  # p = 1e-6 where the draws have the probabilities p


def test_soft_masks_have_the_gradients_of_autograd() -> None:
    model = mlp(8, 16, 3)
    module = masked(model, Soft(2.0))
    x, y = batch(32, 8, 3)
    nn.functional.cross_entropy(module(x), y).backward()
    scores = {n: s.clone().requires_grad_() for n, s in module.scores().items()}
    weights = {n: weights_of(module, n) * (2.0 * s).sigmoid() for n, s in scores.items()}
    outputs = torch.func.functional_call(model, weights, (x,))
    torch.testing.assert_close(module(x), outputs)
    nn.functional.cross_entropy(outputs, y).backward()
    for mine, wanted in zip(module.parameters(), scores.values(), strict=True):
        torch.testing.assert_close(mine.grad, wanted.grad)


@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("structure", [None, "rows"])
def test_top_k_is_the_first_front_end(scope: Any, ranking: Any, structure: Any) -> None:
    x, y = batch(64, 8, 3)
    one, other = mlp(8, 24, 3, bias=True), mlp(8, 24, 3, bias=True)
    options: dict[str, Any] = {"scope": scope, "structure": structure, "score_seed": 3}
    search = EdgePopup(
        Network.sample(one, Normal(), 0), 0.3, 0.5, 0.9, 1e-3, ranking=ranking, **options
    )
    module = masked(other, TopK(ranking), density=0.3, **options)
    optimizer = torch.optim.SGD(module.parameters(), 0.5, 0.9, weight_decay=1e-3, foreach=False)
    for _ in range(15):
        train(one, search, x, y, 1)
        train(module, optimizer, x, y, 1)
        for name, mask in search.masks().items():
            assert torch.equal(mask, module.masks()[name])
    for name, score in search.scores().items():
        torch.testing.assert_close(score, module.scores()[name], rtol=1e-5, atol=1e-6)


GATES: dict[str, tuple[Callable[[], Gate], dict[str, Any]]] = {
    "draw": (Draw, {}),
    "threshold": (lambda: Draw("threshold"), {"gain": "inverse density"}),
    "soft": (lambda: Soft(3.0), {}),
    "hard": (HardConcreteGate, {}),
    "top-k": (TopK, {"density": 0.3}),
    "binary": (TopK, {"density": 0.3, "gain": "binary"}),
}


def conv() -> nn.Sequential:
    layers = (nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(54, 3))
    return nn.Sequential(*layers)


@pytest.mark.parametrize("name", GATES)
def test_a_ticket_is_the_evaluation_bit_for_bit(name: str, tmp_path: Path) -> None:
    gate, options = GATES[name]
    model = conv()
    module = masked(model, gate(), **options)
    assert all(s.dtype == torch.float32 for s in module.parameters())
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    x = torch.randn(16, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    y = torch.arange(16) % 3
    losses = train(module, optimizer, x, y, 25)
    assert min(losses[-5:]) < losses[0]
    ticket = Ticket.load(module.ticket().save(tmp_path / "t.safetensors"))
    assert torch.equal(ticket.into(conv()).eval()(x), module.eval()(x))
    assert {n: int(m.sum()) for n, m in module.masks().items()} == {
        n: entries.kept for n, entries in ticket.mask.items()
    }
    if name == "top-k":
        assert ticket.mask["0.weight"].kept == keep_count(0.3, 108)
    assert ticket.buffers["1.num_batches_tracked"] == 25
    plain = [p for n, p in model.named_parameters() if n in module.masks()]
    for n, parameter in zip(module.masks(), plain, strict=True):  # the model itself is untouched
        assert torch.equal(parameter, weights_of(module, n))


def test_tied_weights_have_one_mask_and_flat_ones_move() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(9, 6)
            self.read = nn.LSTM(6, 6, batch_first=True)
            self.out = nn.Linear(6, 9, bias=False)
            self.out.weight = self.words.weight

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.out(self.read(self.words(x))[0][:, -1])
            return found

    module = masked(Tied(), TopK(), density=0.5)
    assert list(module.masks()) == ["words.weight", "read.weight_ih_l0", "read.weight_hh_l0"]
    x = torch.randint(0, 9, (12, 4), generator=torch.Generator().manual_seed(0))
    train(module, torch.optim.SGD(module.parameters(), 0.5), x, x[:, 0], 4)
    assert all(score.grad.any() for score in module.parameters())
    assert torch.equal(module.ticket().into(Tied())(x), module.eval()(x))


def test_a_saved_module_goes_on_bit_for_bit() -> None:
    module, again = masked(mlp(8, 24, 3), sample_seed=2), masked(mlp(8, 24, 3), sample_seed=2)
    first, second = (torch.optim.Adam(m.parameters(), lr=0.1) for m in (module, again))
    descend(module, first, 4)
    state = saved_and_loaded({"module": module.state_dict(), "optimizer": first.state_dict()})
    descend(module, first, 4)
    descend(again, second, 1, seed=9)  # what was there before is forgotten
    again.load_state_dict(state["module"])
    second.load_state_dict(state["optimizer"])
    descend(again, second, 4)
    assert module.forwards == again.forwards == 8
    for a, b in zip(module.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert module.ticket() == again.ticket()


def test_the_statistics_of_norms_are_saved_with_the_scores() -> None:
    module, again = masked(conv()), masked(kept := conv())
    module(torch.randn(8, 2, 5, 5, generator=torch.Generator().manual_seed(0)))
    again.load_state_dict(saved_and_loaded(module.state_dict()))
    assert torch.equal(kept[1].running_mean, module.model.get_buffer("1.running_mean"))
    assert again.ticket() == module.ticket()


def test_a_state_of_another_network_or_gate_changes_nothing() -> None:
    state = masked(mlp(8, 24, 3)).state_dict()
    others = {
        "network": Masked(Network.sample(kept := mlp(8, 24, 3), Normal(), 1)),
        "settings": masked(kept_too := mlp(8, 24, 3), Soft()),
    }
    assert kept is not kept_too
    for says, module in others.items():
        before = [s.detach().clone() for s in module.parameters()]
        with pytest.raises(InputError, match=f"saved with {says}"):
            module.load_state_dict(state)
        assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    with pytest.raises(InputError, match="from its own state_dict"):
        masked(mlp(8, 24, 3)).load_state_dict(mlp(8, 24, 3).state_dict())


BAD: dict[str, tuple[Callable[[Masked], Any], str]] = {
    "names": (lambda m: m.under({"0.weight": torch.ones(2, 4, 8)}, X), "masks must be given for"),
    "shape": (
        lambda m: m.under({"0.weight": torch.ones(2, 4, 8), "2.weight": torch.ones(2, 4, 3)}, X),
        r"masks of '2\.weight' must have the shape \(population, 3, 4\)",
    ),
    "sizes": (
        lambda m: m.under({"0.weight": torch.ones(2, 4, 8), "2.weight": torch.ones(3, 3, 4)}, X),
        "one population for all of them",
    ),
    "each": (
        lambda m: m.under(
            {"0.weight": torch.ones(2, 4, 8), "2.weight": torch.ones(2, 3, 4)}, X, each=True
        ),
        r"one input for each of 2 masks, got \(5, 8\)",
    ),
    "draws": (lambda m: m.sampled(0, X), "draws is a number of masks >= 1, got 0"),
    "dtype": (lambda m: m.half(), "a Masked is not moved"),
}
X = torch.ones(5, 8)


@pytest.mark.parametrize(("ask", "says"), BAD.values(), ids=BAD)
def test_what_does_not_fit(ask: Callable[[Masked], Any], says: str) -> None:
    module = masked(model := mlp(8, 4, 3))
    with pytest.raises(InputError, match=says):
        ask(module)
    assert model is module.model


@pytest.mark.parametrize(
    ("gate", "options", "says"),
    [
        (TopK(), {}, "density is for TopK, which needs it"),
        (Draw(), {"density": 0.5}, "density is for TopK"),
        ("draw", {}, r"gate is a Gate such as Draw\(\)"),
        (TopK(), {"density": 0.0}, "density is the fraction kept"),
        (None, {"sample_seed": -1}, "sample_seed must be an integer >= 0"),
    ],
)
def test_arguments_out_of_range(gate: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        masked(mlp(8, 4, 3), gate, **options)


def test_what_moves_or_is_changed_beside() -> None:
    module = masked(model := mlp(8, 4, 3, bias=True))
    model[2].bias.data[0] = 1.0
    with pytest.raises(SearchError, match=r"'2\.bias' is frozen and was changed"):
        module.ticket()
    model.to(torch.float64)
    with pytest.raises(SearchError, match=r"call model\.to"):
        module(X.double())
    module = masked(model := mlp(8, 4, 3))
    with torch.no_grad():
        next(module.parameters())[0, 0] = float("nan")
    with pytest.raises(SearchError, match=r"scores of '0\.weight' must be finite"):
        module(X)


def test_many_masks_update_no_statistics() -> None:
    model = conv()
    module = masked(model)
    x = torch.ones(2, 2, 5, 5)
    with pytest.raises(InputError, match="cannot update the statistics of 1"):
        module.sampled(2, x)
    model.eval()
    assert module.sampled(2, x).shape == (2, 2, 3)


def test_dtypes_of_the_model_are_kept() -> None:
    module = masked(mlp(8, 16, 3).to(torch.bfloat16), TopK(), density=0.5)
    x, y = batch(16, 8, 3)
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    losses = train(module, optimizer, x.to(torch.bfloat16), y, 10)
    assert losses[-1] < losses[0]
    assert all(s.dtype == torch.float32 and s.grad.any() for s in module.parameters())


def test_another_law_and_a_compiled_submodule() -> None:
    model = mlp(8, 4, 3)
    model[0] = torch.compile(model[0], backend="eager")
    module = Masked(Network.sample(model, SignedConstant(), 0), TopK(), density=0.5).eval()
    plain = mlp(8, 4, 3)
    assert torch.equal(module.ticket().into(plain)(X), module(X))
