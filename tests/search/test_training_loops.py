"""A search in other people's training loops: it is an optimizer, and that is all they need."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from search_models import batch, mlp, saved_and_loaded, search_of, train
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.optim import lr_scheduler

from strongticket.errors import InputError, SearchError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import Bernoulli, EdgePopup, IteRand, MaskSearch
from strongticket.search.engine import CHECK_EVERY
from strongticket.search.norms import reestimate


def conv() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3)
    )


def images(size: int = 24, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, y = batch(size, 36, 3, seed)
    return x.reshape(size, 1, 6, 6), y


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_accumulated_gradients_are_those_of_the_big_batch(scope: Any) -> None:
    """Small integers and dyadic weights: all sums are exact, so the order cannot matter."""
    x = torch.randint(-2, 3, (32, 8), generator=torch.Generator().manual_seed(0)).float()
    signs = torch.tensor([1.0, -1.0, 2.0])
    seen = []
    for parts in (1, 4):
        model = mlp(8, 16, 3)
        search = EdgePopup(
            Network.sample(model, SignedConstant(0.5), 0), 0.4, 0.25, 0.5, scope=scope
        )
        for _ in range(5):
            search.zero_grad()
            for part in x.chunk(parts):
                ((model(part) * signs).sum(1).mean() / parts).backward()
            search.step()
        seen.append(search)
    for name, score in seen[0].scores().items():
        assert torch.equal(score, seen[1].scores()[name])
    assert seen[0].ticket() == seen[1].ticket()


def test_autocast_computes_in_bfloat16_and_keeps_scores_in_float32() -> None:
    x, y = batch(64, 8, 3)
    model = mlp(8, 32, 3)
    search = search_of(model, lr=0.3)
    losses = []
    for _ in range(12):
        search.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = model(x)
            loss = nn.functional.cross_entropy(outputs, y)
        assert outputs.dtype == torch.bfloat16
        loss.backward()
        search.step()  # the weights changed in place: autocast must cast them anew
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            again = model(x)
        wanted = copy.deepcopy(model).to(torch.bfloat16)(x.to(torch.bfloat16))
        assert torch.equal(again, wanted)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(s.dtype == torch.float32 for s in search.scores().values())


def test_a_gradient_scaler_skips_what_overflowed() -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 16, 3)
    search = search_of(model, lr=0.3)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    before = search.scores()["0.weight"].clone()
    for bad in (True, False):
        search.zero_grad()
        scaler.scale(nn.functional.cross_entropy(model(x), y)).backward()
        if bad:
            model[0].weight.grad[0, 0] = float("inf")
        scaler.unscale_(search)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(search)
        scaler.update()
        if bad:
            assert search.steps == 0
            assert torch.equal(search.scores()["0.weight"], before)
    assert search.steps == 1
    assert scaler.get_scale() == 32.0
    plain = mlp(8, 16, 3)
    other = search_of(plain, lr=0.3)  # a power of two scales without rounding
    nn.functional.cross_entropy(plain(x), y).backward()
    nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
    other.step()
    for name, score in other.scores().items():
        torch.testing.assert_close(search.scores()[name], score)


SCHEDULERS: dict[str, Callable[[MaskSearch], Any]] = {
    "cosine": lambda s: lr_scheduler.CosineAnnealingLR(s, 8),
    "one cycle": lambda s: lr_scheduler.OneCycleLR(s, max_lr=1.0, total_steps=9),
    "warm-up": lambda s: lr_scheduler.SequentialLR(
        s,
        [lr_scheduler.LinearLR(s, 0.1, total_iters=3), lr_scheduler.StepLR(s, 2)],
        milestones=[3],
    ),
    "plateau": lambda s: lr_scheduler.ReduceLROnPlateau(s, patience=0, threshold=0.5),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers_drive_the_scores_and_resume(name: str) -> None:
    x, y = batch(32, 8, 3)

    def run(model: nn.Module, search: MaskSearch, scheduler: Any, steps: int) -> list[float]:
        rates = []
        for _ in range(steps):
            before = search.scores()["0.weight"].clone()
            rate = search.param_groups[0]["lr"]
            train(model, search, x, y, 1)
            moved = search.scores()["0.weight"] - before
            speed = search.state[model[0].weight]["momentum_buffer"]
            torch.testing.assert_close(moved, -speed * rate, rtol=1e-3, atol=1e-6)
            scheduler.step(1.0) if name == "plateau" else scheduler.step()
            rates.append(rate)
        return rates

    model, again = mlp(8, 16, 3), mlp(8, 16, 3)
    search, resumed = search_of(model, lr=0.5), search_of(again, lr=0.5)
    scheduler, other = SCHEDULERS[name](search), SCHEDULERS[name](resumed)
    run(model, search, scheduler, 4)
    state = saved_and_loaded({"search": search.state_dict(), "lr": scheduler.state_dict()})
    rates = run(model, search, scheduler, 4)
    assert len(set(rates)) > 1
    resumed.load_state_dict(state["search"])
    other.load_state_dict(state["lr"])
    assert run(again, resumed, other, 4) == rates
    assert resumed.ticket() == search.ticket()


def test_a_closure_and_clipped_gradients() -> None:
    x, y = batch(32, 8, 3)
    one, other = mlp(8, 16, 3), mlp(8, 16, 3)
    plain, closed = search_of(one, lr=0.5), search_of(other, lr=0.5)

    def closure() -> Tensor:
        closed.zero_grad()
        loss = nn.functional.cross_entropy(other(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(other.parameters(), 0.05)
        return loss

    for _ in range(4):
        plain.zero_grad()
        loss = nn.functional.cross_entropy(one(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(one.parameters(), 0.05)
        assert norm > 0.05
        plain.step()
        assert torch.equal(closed.step(closure), loss.detach())
    assert plain.ticket() == closed.ticket()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_model_compiled_as_one_graph(backend: str) -> None:
    x, y = batch(16, 8, 3)
    torch._dynamo.reset()
    plain, inner = mlp(8, 12, 3), mlp(8, 12, 3)
    compiled = torch.compile(inner, fullgraph=True, backend=backend)
    one, other = search_of(plain, lr=0.5), search_of(compiled, lr=0.5)
    with torch._dynamo.config.patch(error_on_recompile=True):  # new masks are no new graph
        for _ in range(5):
            train(plain, one, x, y, 1)
            train(compiled, other, x, y, 1)
    for name, score in one.scores().items():
        torch.testing.assert_close(other.scores()[name], score)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), other.ticket().into(mlp(8, 12, 3))(x))


def test_a_copy_of_the_model_goes_its_own_way() -> None:
    x, y = images()
    model = conv()
    search = search_of(model)
    train(model, search, x, y, 3)
    copied = copy.deepcopy(model).eval()
    wanted = search.ticket().into(conv()).eval()(x)
    assert torch.equal(copied(x), wanted)
    train(model, search, x, y, 3)
    assert torch.equal(copied(x), wanted)  # the search moves its own model only
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    search.ticket()


def test_pruning_by_torchs_own_tool() -> None:
    """Its mask over the sampled model is the ticket; a pruned model is searched as it stands."""
    x, y = images()
    model, plain = conv(), conv()
    search = search_of(model, density=0.3)
    train(model, search, x, y, 3)
    ticket = search.ticket()
    Network.sample(plain, SignedConstant(), 0)
    plain.load_state_dict(
        {n: b for n, b in model.state_dict().items() if n not in ticket.mask}, strict=False
    )
    for name, entries in ticket.mask.items():
        layer, _, leaf = name.rpartition(".")
        prune.custom_from_mask(plain.get_submodule(layer), leaf, torch.tensor(entries.dense()))
    assert torch.equal(plain.eval()(x), model.eval()(x))
    for name in ticket.mask:
        layer, _, leaf = name.rpartition(".")
        prune.remove(plain.get_submodule(layer), leaf)
    assert set(plain.state_dict()) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(plain.state_dict()[name], value)
    pruned = mlp(8, 16, 3)
    prune.random_unstructured(pruned[0], "weight", 0.5)
    search = search_of(pruned, density=0.5)
    assert list(search.masks()) == ["0.weight_orig", "2.weight"]
    train(pruned, search, *batch(16, 8, 3), 3)
    assert torch.equal(search.scores()["0.weight_orig"].isfinite(), torch.ones(16, 8) > 0)


class Lit:
    """What a Lightning module is to its trainer."""

    def __init__(self, make: Callable[[Network], MaskSearch]) -> None:
        self.model, self.make = conv(), make

    def configure_optimizers(self) -> dict[str, Any]:
        network = Network.sample(self.model, Normal(), 0)
        search = self.make(network)
        return {"optimizer": search, "lr_scheduler": lr_scheduler.StepLR(search, 2)}

    def training_step(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(self.model(pair[0]), pair[1])


class Trainer:
    """A loop as Lightning's: closures, clipping, accumulation, its checkpoints and their order."""

    def __init__(self, module: Lit, checkpoint: dict[str, Any] | None = None) -> None:
        self.module, self.step = module, 0
        if checkpoint is not None:  # weights come first, before there are optimizers
            module.model.load_state_dict(checkpoint["state_dict"])
        made = module.configure_optimizers()
        self.optimizer, self.scheduler = made["optimizer"], made["lr_scheduler"]
        if checkpoint is not None:
            self.optimizer.load_state_dict(checkpoint["optimizer_states"][0])
            self.scheduler.load_state_dict(checkpoint["lr_schedulers"][0])
            self.step = checkpoint["global_step"]

    def fit(self, loader: Iterator[tuple[Tensor, Tensor]], accumulate: int = 2) -> list[float]:
        losses = []
        for number, pair in enumerate(loader):

            def closure(pair: tuple[Tensor, Tensor] = pair) -> Tensor:
                loss = self.module.training_step(pair) / accumulate
                loss.backward()
                losses.append(loss.item())
                return loss

            if number % accumulate < accumulate - 1:
                closure()
                continue
            self.optimizer.step(closure)
            self.optimizer.zero_grad(set_to_none=True)
            self.scheduler.step()
            self.step += 1
        return losses

    def checkpoint(self) -> dict[str, Any]:
        return {
            "state_dict": self.module.model.state_dict(),
            "optimizer_states": [self.optimizer.state_dict()],
            "lr_schedulers": [self.scheduler.state_dict()],
            "global_step": self.step,
        }


@pytest.mark.parametrize(
    "make",
    [
        lambda n: EdgePopup(n, 0.4, lr=0.5, scope="global"),
        lambda n: IteRand(n, 0.4, lr=0.5, every=2, rate=0.3),
        lambda n: Bernoulli(n, lr=5.0, rescale=True),
    ],
    ids=["edge-popup", "iterand", "bernoulli rescaled"],
)
def test_a_loop_like_lightnings_resumes_bit_for_bit(
    make: Callable[[Network], MaskSearch], tmp_path: Path
) -> None:
    data = [images(12, seed) for seed in range(16)]
    trainer = Trainer(Lit(make))
    trainer.fit(iter(data[:8]))
    torch.save(trainer.checkpoint(), tmp_path / "last.ckpt")
    losses = trainer.fit(iter(data[8:]))
    resumed = Trainer(Lit(make), torch.load(tmp_path / "last.ckpt"))
    assert resumed.fit(iter(data[8:])) == losses
    assert resumed.step == trainer.step == 8
    assert resumed.optimizer.ticket() == trainer.optimizer.ticket()
    for one, other in zip(
        trainer.module.model.state_dict().values(),
        resumed.module.model.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_an_optimizer_that_has_the_frozen_weights_too_is_named() -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 12, 3, bias=True)
    search = search_of(model, density=1.0)
    everything = torch.optim.AdamW(model.parameters(), 1e-3)  # the classical slip
    for _ in range(3):
        train(model, search, x, y, 1)
        everything.step()
    with pytest.raises(SearchError, match=r"'0\.weight' no longer holds .*\(a second optimizer"):
        search.ticket()
    with pytest.raises(SearchError, match=r"'0\.weight' no longer holds"):
        for _ in range(CHECK_EVERY):
            train(model, search, x, y, 1)
            everything.step()
    assert search.steps == CHECK_EVERY


def test_statistics_of_norms_are_means_over_batches() -> None:
    x, y = images(48)
    model = conv()
    model.insert(3, nn.Dropout(0.5))
    model[5] = nn.Linear(96, 3)
    search = search_of(model, lr=0.5)
    train(model, search, x, y, 10)
    old = {name: b.clone() for name, b in model.named_buffers()}
    before = [p.detach().clone() for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    generator = torch.get_rng_state()
    assert reestimate(model, [(x[:16], y), (x[16:], y)]) == 1
    maps = [model[0](part).transpose(0, 1).flatten(1) for part in (x[:16], x[16:])]
    mean = torch.stack([m.mean(1) for m in maps]).mean(0)
    variance = torch.stack([m.var(1) for m in maps]).mean(0)
    torch.testing.assert_close(model[1].running_mean, mean.detach())
    torch.testing.assert_close(model[1].running_var, variance.detach())
    assert int(model[1].num_batches_tracked) == 2
    assert not torch.allclose(model[1].running_mean, old["1.running_mean"])
    assert torch.equal(torch.get_rng_state(), generator)
    assert [m.training for m in model.modules()] == modes
    assert model[1].momentum == 0.1
    assert all(torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))
    again = conv()
    again[1] = copy.deepcopy(model[1])
    ticket = search.ticket()  # which is not spoilt, and has them
    assert (ticket.buffers["1.running_mean"] == model[1].running_mean.numpy()).all()


def test_statistics_are_put_back_where_there_is_no_good_batch() -> None:
    x, y = images()
    model = conv()
    search = search_of(model)
    train(model, search, x, y, 3)
    old = {name: b.clone() for name, b in model.named_buffers()}
    bad: list[tuple[Any, type[Exception], str]] = [
        ([], InputError, "one is needed at least"),
        (x, InputError, r"got one tensor of shape .*; give \[x\]"),
        ([x, x * float("nan")], InputError, "statistics of '1' became NaN or infinite"),
        ([x, x[:, :, :2]], RuntimeError, "Kernel size can't be greater"),
    ]
    for batches, kind, says in bad:
        with pytest.raises(kind, match=says):
            reestimate(model, batches)
        assert all(torch.equal(b, old[n]) for n, b in model.named_buffers())
        assert model[1].momentum == 0.1
        assert model.training
    assert reestimate(mlp(3, 2), []) == 0
    assert reestimate(model.eval(), [{"x": x}], lambda found: model(found["x"])) == 1
    assert not model[1].training
