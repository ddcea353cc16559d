"""What every method promises: its ticket is its network, it resumes, it is reproducible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from search_methods import METHODS, STEPS, searched
from search_models import batch, mlp, saved_and_loaded, train
from torch import Tensor, nn

from strongticket.errors import InputError, SearchError
from strongticket.laws import Normal, SignedConstant, Uniform
from strongticket.networks import Network
from strongticket.networks._modules import ReluNetwork
from strongticket.search import (
    Bernoulli,
    ContinuousSparsification,
    EdgePopup,
    Frozen,
    GemMiner,
    HardConcrete,
    IteRand,
    Multicoated,
    PerTask,
    SignedSupermask,
    keep_count,
)
from strongticket.tickets import Ticket

pytestmark = pytest.mark.filterwarnings("ignore::strongticket.search.CollapseWarning")


def conv() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 9, 3),
    )


def images(seed: int = 0) -> tuple[Tensor, Tensor]:
    x, y = batch(24, 72, 3, seed)
    return x.reshape(24, 2, 6, 6), y


@pytest.mark.parametrize("name", METHODS)
def test_a_ticket_is_the_network_bit_for_bit(name: str, tmp_path: Path) -> None:
    x, y = batch(32, 8, 3)
    made = [ReluNetwork([nn.Linear(8, 24, bias=False), nn.Linear(24, 3, bias=False)]) for _ in "ab"]
    options = {"structure": {"layers.0.*": "2:4"}} if name == "edge-popup 2:4" else {}
    if options:
        search: Any = EdgePopup(Network.sample(made[0], Normal(), 0), 0.5, lr=0.5, **options)
    else:
        search = searched(name, made[0])
    train(made[0], search, x, y, STEPS)
    ticket = search.ticket()
    back = Ticket.load(ticket.save(tmp_path / "t.safetensors"))
    assert back == ticket
    assert back.kept_digest == ticket.kept_digest
    before = [p.detach().clone() for p in made[0].parameters()]
    with search.evaluating():
        wanted = made[0](x)
        live = [p.detach().clone() for p in made[0].parameters()]
    assert all(torch.equal(p, q) for p, q in zip(made[0].parameters(), before, strict=True))
    assert torch.equal(back.into(made[1])(x), wanted)
    assert torch.equal(back.module()(x), wanted)
    torch.testing.assert_close(back.compact()(x), wanted)
    for parameter, other in zip(live, made[1].parameters(), strict=True):
        assert torch.equal(parameter, other.detach())
    assert search.report().kept == ticket.mask.kept


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("name", [n for n in METHODS if n != "edge-popup 2:4"])
def test_a_ticket_of_a_model_with_norms(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    x, y = images()
    x = x.to(dtype)
    model, other = conv().to(dtype), conv().to(dtype)
    search = searched(name, model, SignedConstant(0.31))
    train(model, search, x, y, STEPS)
    ticket = Ticket.load(search.ticket().save(tmp_path / "t.safetensors"))
    with search.evaluating():
        wanted = model.eval()(x)
    assert wanted.isfinite().all()
    assert torch.equal(ticket.into(other).eval()(x), wanted)


class Words(nn.Module):
    """An embedding, an attention layer, a recurrent one and a tied read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 16)
        self.attend = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
        self.read = nn.LSTM(16, 16, batch_first=True)
        self.out = nn.Linear(16, 11, bias=False)
        self.out.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        """(b, length) words -> (b, 11)."""
        found: Tensor = self.out(self.read(self.attend(self.words(x)))[0][:, -1])
        return found


@pytest.mark.parametrize("name", ["iterand", "biprop", "gem-miner", "bernoulli rescale", "signed"])
def test_attention_recurrence_and_tied_weights(name: str) -> None:
    x = torch.randint(0, 11, (16, 5), generator=torch.Generator().manual_seed(0))
    y = torch.arange(16) % 11
    model = Words()
    search = searched(name, model)
    train(model, search, x, y, STEPS)
    with search.evaluating():
        wanted = model.eval()(x)
    other = search.ticket().into(Words()).eval()
    assert other.out.weight is other.words.weight
    assert torch.equal(other(x), wanted)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("after", [1, 7])
@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_search_goes_on_bit_for_bit(name: str, after: int, backend: str) -> None:
    x, y = batch(32, 8, 3)
    model, again = mlp(8, 24, 3), mlp(8, 24, 3)
    search = searched(name, model, backend=backend)
    train(model, search, x, y, after)
    state = saved_and_loaded(search.state_dict())
    losses = train(model, search, x, y, STEPS)
    resumed = searched(name, again, backend=backend, score_seed=77)
    train(again, resumed, x, y, 2)  # what was there before is forgotten
    resumed.load_state_dict(state)
    assert train(again, resumed, x, y, STEPS) == losses
    for one, other in zip(search.state.values(), resumed.state.values(), strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
        assert all(one[key].dtype == other[key].dtype for key in one)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
    assert search.ticket() == resumed.ticket()


@pytest.mark.parametrize("name", METHODS)
def test_both_backends_search_alike(name: str) -> None:
    x, y = batch(32, 8, 3)
    seen = []
    for backend in ("numba", "torch"):
        model = mlp(8, 24, 3)
        search = searched(name, model, backend=backend)
        seen.append((train(model, search, x, y, STEPS), search.ticket()))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", METHODS)
def test_a_search_says_who_published_it_and_learns(name: str) -> None:
    x, y = batch(300, 8, 3)
    model = mlp(8, 96, 3)
    search = searched(name, model)
    assert re.search(r"\d{4}", search.method.source)
    losses = train(model, search, x, y, 60)
    assert min(losses[-10:]) < losses[0]


def test_a_state_of_another_method_or_setting() -> None:
    state = searched("iterand", mlp(8, 24, 3)).state_dict()
    with pytest.raises(InputError, match="saved with method 'iterand', this search has 'edge-"):
        searched("edge-popup raw", mlp(8, 24, 3)).load_state_dict(state)
    network = Network.sample(mlp(8, 24, 3), Normal(), 0)
    del network
    model = mlp(8, 24, 3)
    other = IteRand(Network.sample(model, Normal(), 0), 0.4, lr=0.5, every=4, rate=0.5)
    with pytest.raises(InputError, match=r"saved with settings .*'every': 3"):
        other.load_state_dict(state)
    model = mlp(8, 24, 3)
    other = IteRand(Network.sample(model, Normal(), 1), 0.4, lr=0.5, every=3, rate=0.5)
    with pytest.raises(InputError, match="saved with network"):
        other.load_state_dict(state)
    model = mlp(8, 24, 3)
    other = IteRand(
        Network.sample(model, Normal(), 0), 0.4, lr=0.5, every=3, rate=0.5, sample_seed=2
    )
    with pytest.raises(InputError, match=r"saved with settings .*'sample_seed': 2"):
        other.load_state_dict(state)


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("iterand", lambda e: e["rounds"].fill_(4), r"rounds of '0.weight' must be in 0 .. 2"),
        ("iterand", lambda e: e["rounds"].fill_(-1), r"must be in 0 .. 2, got -1"),
        ("iterand", lambda e: e.pop("rounds"), "nothing but scores and momentum_buffer, rounds"),
        ("iterand", lambda e: e.update(rounds=e["rounds"].float()), "rounds .* must be int32"),
        ("gem-miner", lambda e: e["flags"].fill_(True), "flags must leave"),
        ("gem-miner", lambda e: e.pop("flags"), "nothing but scores and momentum_buffer, flags"),
        ("edge-popup", lambda e: e.update(flags=e["scores"] > 0), "nothing but scores"),
    ],
)
def test_a_damaged_state_of_a_method(name: str, spoil: Any, says: str) -> None:
    x, y = batch(32, 8, 3)
    model = mlp(8, 24, 3)
    search = searched(name, model)
    train(model, search, x, y, 8)
    state = saved_and_loaded(search.state_dict())
    spoil(state["state"][0])
    with pytest.raises(InputError, match=says):
        search.load_state_dict(state)
    search.ticket()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", METHODS)
def test_a_wild_gradient_is_named_with_its_step(name: str, bad: float) -> None:
    x, y = batch(16, 8, 3)
    model = mlp(8, 24, 3)
    search = searched(name, model)
    train(model, search, x, y, 3)
    before = [p.detach().clone() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    pins = search._pinned.get("2.weight", torch.zeros(3, 24))
    at = int((pins.reshape(-1) == 0).nonzero()[0])  # what is decided beforehand has no gradient
    model[2].weight.grad.view(-1)[at] = bad
    says = r"step 4: the scores of '2\.weight' must be finite.*gradient of '2\.weight' is not"
    with pytest.raises(SearchError, match=says):
        search.step()
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_a_foreign_write_is_named_by_every_method(name: str) -> None:
    model = mlp(8, 24, 3)
    search = searched(name, model)
    search.ticket()
    with torch.no_grad():
        model[2].weight[0, 0] += 1.0
    for ask in (search.ticket, search.state_dict, lambda: search.evaluating().__enter__()):
        with pytest.raises(SearchError, match=r"'2\.weight' no longer holds"):
            ask()


def test_evaluating_holds_the_mean_network_and_no_step_goes_inside() -> None:
    model = mlp(8, 24, 3)
    search = searched("bernoulli", model)
    x, y = batch(16, 8, 3)
    train(model, search, x, y, 3)
    weights = torch.from_numpy(search.network.weights("0.weight"))
    drawn = model[0].weight.detach().clone()
    with search.evaluating("expectation"):
        wanted = weights * search.scores()["0.weight"].sigmoid()
        torch.testing.assert_close(model[0].weight.detach(), wanted)
        for ask in (search.step, search.ticket, search.state_dict):
            with pytest.raises(SearchError, match="cannot go on while"):
                ask()
    assert torch.equal(model[0].weight.detach(), drawn)
    with pytest.raises(RuntimeError, match="of the user"), search.evaluating():
        raise RuntimeError("of the user")
    assert torch.equal(model[0].weight.detach(), drawn)
    with pytest.raises(InputError, match="'ticket' or 'expectation', got 'mean'"):
        search.evaluating("mean").__enter__()  # type: ignore[arg-type]


def test_the_evaluation_of_a_bernoulli_ticket() -> None:
    x, y = batch(64, 8, 3)
    for evaluation in ("draw", "threshold"):
        model = mlp(8, 24, 3)
        network = Network.sample(model, Normal(), 0)
        search = Bernoulli(network, lr=20.0, evaluation=evaluation)  # type: ignore[arg-type]
        train(model, search, x, y, 5)
        mask = search.ticket().mask["0.weight"].dense()
        threshold = (search.scores()["0.weight"] >= 0).numpy()
        draw = (model[0].weight != 0).numpy()
        assert (draw != threshold).any()
        assert (mask == (draw if evaluation == "draw" else threshold)).all()


def test_each_step_draws_anew_and_the_seed_decides() -> None:
    def draws(seed: int) -> list[Tensor]:
        model = mlp(8, 24, 3)
        search = Bernoulli(Network.sample(model, Normal(), 0), lr=0.0, sample_seed=seed)
        x, y = batch(4, 8, 3)
        seen = []
        for _ in range(3):
            seen.append(model[0].weight.detach() != 0)
            train(model, search, x, y, 1)
        return seen

    one, again, other = draws(0), draws(0), draws(1)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], other[0])
    assert 0.35 < float(torch.stack(one).float().mean()) < 0.65


def test_tasks_share_one_network(tmp_path: Path) -> None:
    def make() -> nn.Sequential:
        return nn.Sequential(nn.Linear(8, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 3))

    model = make()
    network = Network.sample(model, Uniform(0.5), 0)
    tasks = PerTask(network, lambda n: Multicoated(n, (0.5, 0.2), lr=0.5))
    data = {name: batch(32, 8, 3, seed) for seed, name in enumerate("abc")}
    for _ in range(3):
        for name, (x, y) in data.items():
            train(model, tasks[name], x, y, 2)
    assert tasks.active == "c"
    assert list(tasks) == ["a", "b", "c"]
    before = [p.detach().clone() for p in model.parameters()]
    tickets = tasks.tickets()
    assert tasks.active == "c"
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert all(t.network == network for t in tickets.values())
    for name, (x, _) in data.items():
        tasks[name]
        back = Ticket.load(tickets[name].save(tmp_path / name))
        assert torch.equal(back.into(make()).eval()(x), model.eval()(x))
        assert tickets[name].buffers["1.num_batches_tracked"] == 6
    assert tickets["a"] != tickets["b"]
    alone = make()
    search = Multicoated(Network.sample(alone, Uniform(0.5), 0), (0.5, 0.2), lr=0.5)
    train(alone, search, *data["a"], 6)
    assert search.ticket() == tickets["a"]  # switching changed nothing
    idle = tasks["b"]
    assert tasks["a"] is not idle
    for ask in (idle.step, idle.ticket, idle.state_dict):
        with pytest.raises(SearchError, match="the weights of another search"):
            ask()
    with pytest.raises(InputError, match="other than None"):
        tasks[None]


def test_a_task_is_guessed_from_its_inputs() -> None:
    model = mlp(6, 64, 4)
    network = Network.sample(model, Normal(), 0)
    tasks = PerTask(network, lambda n: EdgePopup(n, 0.5, lr=1.0))
    with pytest.raises(InputError, match="no task to guess"):
        tasks.guess(torch.ones(1, 6))
    for seed, name in enumerate("abc"):
        train(model, tasks[name], *batch(64, 6, 4, seed), 20)
    guesses = set()
    for seed in range(8):
        x = batch(3, 6, 4, seed + 50)[0]
        sure = {}
        for name, ticket in tasks.tickets().items():
            chances = torch.softmax(ticket.into(mlp(6, 64, 4))(x).detach(), 1)
            sure[name] = float(-(chances * chances.log()).sum(1).mean())
        guess = tasks.guess(x)
        assert guess == min(sure, key=lambda name: sure[name])
        assert tasks.active == "c"
        guesses.add(guess)
    assert len(guesses) > 1


def network_of(model: nn.Module) -> Network:
    return Network.sample(model, Normal(), 0)


BAD: dict[str, tuple[Any, str]] = {
    "iterand every": (lambda n: IteRand(n, every=0), "every is a number of steps >= 1"),
    "iterand rate": (lambda n: IteRand(n, rate=1.5), r"rate must be a number in \[0, 1\]"),
    "iterand ranking": (lambda n: IteRand(n, ranking="up"), "ranking is 'abs' or 'raw'"),
    "iterand seed": (lambda n: IteRand(n, sample_seed=-1), "sample_seed must be an integer >= 0"),
    "gem density": (lambda n: GemMiner(n, 0.0, 99), "density is the fraction kept"),
    "gem total": (lambda n: GemMiner(n, 0.1, 9), "30 rounds need as many steps"),
    "gem no total": (lambda n: GemMiner(n, 0.1, 0), "total is the number of steps"),
    "gem norm": (lambda n: GemMiner(n, 0.1, 99, norm="l3"), "norm is 'l1' or 'l2'"),
    "gem penalty": (lambda n: GemMiner(n, 0.1, 99, penalty=-1.0), "penalty must be a number"),
    "bernoulli one": (lambda n: Bernoulli(n, probability=1.0), "probability must be below 1"),
    "bernoulli zero": (lambda n: Bernoulli(n, probability=0.0), r"number in \(0, 1\], got 0"),
    "bernoulli mean": (lambda n: Bernoulli(n, evaluation="mean"), "'draw' or 'threshold'"),
    "bernoulli rescale": (lambda n: Bernoulli(n, rescale=1), "rescale must be True or False"),
    "signed": (lambda n: SignedSupermask(n, threshold=float("nan")), "threshold must be a number"),
    "coats rise": (lambda n: Multicoated(n, (0.1, 0.2)), "each below the one before"),
    "coats none": (lambda n: Multicoated(n, ()), "1 to 127 numbers"),
    "coats zero": (lambda n: Multicoated(n, (0.5, 0.0)), "density is the fraction kept"),
    "coats kept": (lambda n: Multicoated(n, frozen=Frozen(kept=0.1)), "no level is said"),
    "coats pruned": (lambda n: Multicoated(n, (0.9,), frozen=Frozen(0.5)), "cannot be kept where"),
    "cs rounds": (lambda n: ContinuousSparsification(n, 2), "3 rounds need as many steps"),
    "cs final": (lambda n: ContinuousSparsification(n, 9, final=0.5), "final must be a number"),
    "hc low": (lambda n: HardConcrete(n, low=0.1), r"low in \[-10, 0\)"),
    "hc temperature": (lambda n: HardConcrete(n, temperature=0.0), "temperature must be a number"),
    "structure": (lambda n: EdgePopup(n, structure="row"), "structure is 'rows', 'columns'"),
    "structure 3": (lambda n: EdgePopup(n, structure=3), "structure is 'rows', .*got 3"),
    "structure none": (lambda n: EdgePopup(n, structure={"9*": "rows"}), "matches '9"),
    "blocks": (lambda n: EdgePopup(n, structure="blocks:5x4"), "'0.weight': blocks of 5 x 4 must"),
    "blocks 0": (lambda n: EdgePopup(n, structure="blocks:0x4"), "rows are an integer >= 1"),
    "heads": (lambda n: EdgePopup(n, structure="heads:7"), "7 heads must divide axis 0"),
    "n of m": (lambda n: EdgePopup(n, 0.4, structure="2:4"), "must be 0.5; got one that keeps 77"),
    "n of m long": (lambda n: EdgePopup(n, 0.5, structure="2:5"), "5 must divide the row length"),
    "n over m": (lambda n: EdgePopup(n, 0.5, structure="5:4"), "m is an integer >= 5"),
    "n of m drawn": (lambda n: Bernoulli(n, structure="2:4"), "keeps the largest scores"),
    "n of m frozen": (
        lambda n: EdgePopup(n, 0.5, structure="2:4", frozen=Frozen(0.1)),
        "leave nothing to freeze",
    ),
    "frozen": (lambda n: EdgePopup(n, frozen=0.5), r"frozen is a Frozen\(pruned=, kept=, seed=\)"),
    "frozen pruned": (lambda n: EdgePopup(n, 0.5, frozen=Frozen(0.6)), "room for 0 to 77"),
    "frozen kept": (lambda n: EdgePopup(n, 0.1, frozen=Frozen(kept=0.2)), "room for 38 to 192"),
    "frozen all": (
        lambda n: EdgePopup(n, 0.9, scope="global", frozen=Frozen(0.5)),
        "all layers together 238 scores",
    ),
    "frozen sum": (lambda n: Frozen(0.5, 0.5), "must leave something to search"),
    "frozen part": (lambda n: Frozen(1.0), r"pruned for good is in \[0, 1\), got 1.0"),
    "frozen seed": (lambda n: Frozen(0.5, seed=-1), "seed of Frozen must be an integer >= 0"),
    "floor": (lambda n: EdgePopup(n, floor=3), "floor is for scope='global'"),
    "floor high": (lambda n: EdgePopup(n, 0.1, scope="global", floor=50), "room for 100 to 264"),
    "ramp": (lambda n: EdgePopup(n, ramp=5, refresh=2), "needs refresh=1"),
    "ramp -1": (lambda n: EdgePopup(n, ramp=-1), "ramp is a number of steps >= 0"),
}


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_bad_arguments_of_methods(make: Any, says: str) -> None:
    model = mlp(8, 24, 3)
    network = network_of(model)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(InputError, match=says):
        make(network)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("structure", "shape"),
    [
        ("rows", (6,)),
        ("columns", (4,)),
        ("heads:3", (3,)),
        ("heads:4:1", (4,)),
        ("blocks:2x3", (3, 4)),
        ("1:6", (6, 4, 3)),
    ],
)
def test_groups_live_and_die_together(structure: str, shape: tuple[int, ...]) -> None:
    model = nn.Sequential(nn.Conv1d(4, 6, 3, bias=False), nn.Flatten(), nn.Linear(12, 3))
    density = 1 / 6 if structure == "1:6" else 0.5
    search = EdgePopup(
        Network.sample(model, Normal(), 0),
        {"0.weight": density, "2.weight": 0.5},
        lr=1.0,
        structure={"0.*": structure},
    )
    assert tuple(search.scores()["0.weight"].shape) == shape
    x, y = torch.randn(16, 4, 4, generator=torch.Generator().manual_seed(0)), batch(16, 4, 3)[1]
    first = search.masks()["0.weight"]
    train(model, search, x, y, 10)
    mask = search.masks()["0.weight"]
    assert not torch.equal(first, mask)
    assert torch.equal(mask, model[0].weight != 0)
    groups = {
        "rows": lambda m: m.reshape(6, 12),
        "columns": lambda m: m.permute(1, 0, 2).reshape(4, 18),
        "heads:3": lambda m: m.reshape(3, 24),
        "heads:4:1": lambda m: m.reshape(6, 4, 3).permute(1, 0, 2).reshape(4, 18),
        "blocks:2x3": lambda m: m.reshape(3, 2, 4, 3).permute(0, 2, 1, 3).reshape(12, 6),
    }
    if structure == "1:6":
        assert (mask.reshape(-1, 6).sum(1) == 1).all()
        return
    table = groups[structure](mask)
    assert torch.equal(table.any(1), table.all(1))
    assert int(table.all(1).sum()) == keep_count(0.5, table.shape[0])
