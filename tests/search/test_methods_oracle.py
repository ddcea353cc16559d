"""Every method against its formula, differentiated by autograd and moved by torch's own SGD."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from search_models import batch, mlp, oracle, train
from torch import Tensor, nn

from strongticket import philox
from strongticket.laws import Normal
from strongticket.networks import Network
from strongticket.search import (
    Bernoulli,
    Biprop,
    ContinuousSparsification,
    EdgePopup,
    Frozen,
    GemMiner,
    HardConcrete,
    IteRand,
    MaskSearch,
    Method,
    Multicoated,
    SignedSupermask,
    keep_count,
)
from strongticket.search.gates import TopK
from strongticket.search.gem_miner import Norm

NAMES = ("0.weight", "2.weight")


class Through(torch.autograd.Function):
    """`value` in the forward pass, the derivative of `soft` in the backward pass."""

    @staticmethod
    def forward(ctx: Any, soft: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


@dataclass
class World:
    """What a formula may read: scores (leaves), frozen weights, and the number of steps."""

    scores: list[Tensor]
    frozen: list[Tensor]
    network: Network
    step: int = 0
    more: dict[str, Any] = field(default_factory=dict)


Weights = Callable[[World], Sequence[Tensor]]


def top(score: Tensor, keep: int, ranking: str = "abs") -> Tensor:
    found = oracle([score.detach().numpy()], keep, ranking)[0]
    return torch.from_numpy(found)


def words(purpose: str, name: str, shape: Any, seed: int = 0) -> Tensor:
    drawn = philox.words(seed, philox.stream(purpose, name), 0, math.prod(shape))
    return torch.from_numpy(drawn.astype(np.float64).reshape(tuple(shape)))


def each(formula: Callable[[World, int], Tensor]) -> Weights:
    return lambda world: [formula(world, i) for i in range(len(world.scores))]


def edge_popup(density: float, ranking: str = "abs") -> Weights:
    def formula(world: World, i: int) -> Tensor:
        s, w = world.scores[i], world.frozen[i]
        mask = top(s, keep_count(density, s.numel()), ranking)
        return Through.apply(w * (s.abs() if ranking == "abs" else s), w * mask)

    return each(formula)


def biprop(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    mask = top(s, keep_count(0.4, s.numel()))
    alpha = w[mask].abs().double().mean().float()
    return Through.apply(w * s.abs(), alpha * w.sign() * mask)


def signed(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    return Through.apply(w * s, w * s.detach().sign() * (s.detach().abs() > 0.05))


def multicoated(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    coats = sum(top(s, keep_count(d, s.numel())).float() for d in (0.5, 0.2, 0.1))
    return Through.apply(w * s.abs(), w * coats)


def bernoulli(rescale: bool) -> Weights:
    def formula(world: World, i: int) -> Tensor:
        s, w = world.scores[i], world.frozen[i]
        p = torch.sigmoid(s)
        drawn = words(f"sample {world.step}", NAMES[i], s.shape, seed=9)
        mask = drawn < p.detach().double() * 2**32
        gain = float(mask.numel() / mask.sum()) if rescale else 1.0
        return Through.apply(w * gain * p, w * gain * mask)

    return each(formula)


def hard_concrete(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    u = (words(f"sample {world.step}", NAMES[i], s.shape, seed=9) + 0.5) / 2**32
    concrete = torch.sigmoid((torch.log(u / (1 - u)).float() + s) / (2 / 3))
    return w * torch.clamp(concrete * 1.2 - 0.1, 0, 1)


def opened(world: World) -> Tensor:
    shift = 2 / 3 * math.log(0.1 / 1.1)
    return sum((torch.sigmoid(s - shift).sum() for s in world.scores), torch.zeros(()))


def beta(step: int) -> float:
    return float(200 ** ((step % 4) / 3)) if step < 12 else 200.0


def continuous(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    return w * torch.sigmoid(beta(world.step) * s) / torch.sigmoid(torch.tensor(0.03))


def new_round(world: World) -> None:
    if world.step in (4, 8):
        for s in world.scores:
            s.data = torch.minimum(200 * s.data, torch.tensor(0.03))


def rounded(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    q = world.more.setdefault("q", [torch.ones(t.shape) for t in world.scores])[i]
    return Through.apply(w * q * s, w * q * (s.detach() >= 0.5))


def squares(world: World) -> Tensor:
    q = world.more["q"]
    return sum(((q[i] * s) ** 2).sum() for i, s in enumerate(world.scores))  # type: ignore[return-value]


def mined(world: World) -> None:
    for s in world.scores:
        s.data = s.data.clamp(0, 1)
    if world.step % 3 == 0 and world.step <= 12:
        flat = torch.cat([s.detach().reshape(-1) for s in world.scores])
        q = torch.cat([t.reshape(-1) for t in world.more["q"]])
        left = int(0.2 ** (world.step / 12) * flat.numel() + 0.5)
        alive = sorted(torch.nonzero(q).reshape(-1).tolist(), key=lambda i: (-float(flat[i]), i))
        q = torch.zeros_like(q)
        q[alive[:left]] = 1
        parts = q.split([s.numel() for s in world.scores])
        world.more["q"] = [p.reshape(s.shape) for p, s in zip(parts, world.scores, strict=True)]


def redrawn(world: World) -> None:
    if world.step % 3 == 0:
        for i, (s, name) in enumerate(zip(world.scores, NAMES, strict=True)):
            pruned = ~top(s, keep_count(0.4, s.numel()), "raw")
            number = world.step // 3
            chosen = pruned & (words(f"redraw {number}", name, s.shape, seed=9) < 0.5 * 2**32)
            drawn = philox.words(
                world.network.seed, philox.stream(f"weights round {number}", name), 0, s.numel()
            )
            new = world.network[name].law.weights(drawn).reshape(tuple(s.shape))
            world.frozen[i] = torch.where(chosen, torch.from_numpy(new), world.frozen[i])


def rows(world: World) -> Sequence[Tensor]:
    s0, s1 = world.scores
    w0, w1 = world.frozen
    mask0, mask1 = top(s0, keep_count(0.4, 40)), top(s1, keep_count(0.4, 5 * 40))
    kept0 = mask0[:, None].expand(w0.shape)
    return [
        Through.apply(w0 * s0.abs()[:, None], w0 * kept0),
        Through.apply(w1 * s1.abs(), w1 * mask1),
    ]


def two_of_four(world: World, i: int) -> Tensor:
    s, w = world.scores[i], world.frozen[i]
    mask = torch.zeros(s.shape, dtype=torch.bool)
    for r in range(s.shape[0]):
        for c in range(0, s.shape[1], 4):
            group = s.detach()[r, c : c + 4].abs().tolist()
            first = sorted(range(4), key=lambda k: (-group[k], k))[:2]
            for k in first:
                mask[r, c + k] = True
    return Through.apply(w * s.abs(), w * mask)


@dataclass(frozen=True)
class Case:
    make: Callable[[Network], MaskSearch]
    weights: Weights
    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    nesterov: bool = False
    penalty: Callable[[World], Tensor] | None = None
    weight: float = 0.0
    after: Callable[[World], None] | None = None


CASES = {
    "edge-popup": Case(lambda n: EdgePopup(n, 0.4, lr=0.5), edge_popup(0.4), 0.5),
    "iterand": Case(
        lambda n: IteRand(n, 0.4, lr=0.5, every=3, rate=0.5, sample_seed=9),
        edge_popup(0.4, "raw"),
        0.5,
        after=redrawn,
    ),
    "biprop": Case(lambda n: Biprop(n, 0.4, lr=0.5), each(biprop), 0.5, weight_decay=1e-4),
    "gem-miner": Case(
        lambda n: GemMiner(n, 0.2, 12, lr=0.5, rounds=4, penalty=0.01),
        each(rounded),
        0.5,
        penalty=squares,
        weight=0.01,
        after=mined,
    ),
    "bernoulli": Case(lambda n: Bernoulli(n, lr=5.0, sample_seed=9), bernoulli(False), 5.0),
    "bernoulli rescaled": Case(
        lambda n: Bernoulli(n, lr=5.0, rescale=True, sample_seed=9), bernoulli(True), 5.0
    ),
    "signed": Case(
        lambda n: SignedSupermask(n, lr=0.1, threshold=0.05),
        each(signed),
        0.1,
        weight_decay=3e-4,
        nesterov=True,
    ),
    "multicoated": Case(
        lambda n: Multicoated(n, (0.5, 0.2, 0.1), lr=0.5),
        each(multicoated),
        0.5,
        weight_decay=1e-4,
    ),
    "continuous": Case(
        lambda n: ContinuousSparsification(n, 12, lr=0.02, initial=0.03, penalty=1e-3),
        each(continuous),
        0.02,
        nesterov=True,
        penalty=lambda world: sum(  # type: ignore[arg-type,return-value]
            torch.sigmoid(beta(world.step) * s).sum() for s in world.scores
        ),
        weight=1e-3,
        after=new_round,
    ),
    "hard-concrete": Case(
        lambda n: HardConcrete(n, lr=5.0, penalty=1e-3, sample_seed=9),
        each(hard_concrete),
        5.0,
        penalty=opened,
        weight=1e-3,
    ),
    "rows": Case(lambda n: EdgePopup(n, 0.4, lr=0.5, structure={"0.weight": "rows"}), rows, 0.5),
    "2:4": Case(lambda n: EdgePopup(n, 0.5, lr=0.5, structure="2:4"), each(two_of_four), 0.5),
}


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_the_formula(name: str) -> None:
    case = CASES[name]
    x, y = batch(64, 32, 5)
    model = mlp(32, 40, 5)
    network = Network.sample(model, Normal(), 3)
    search = case.make(network)
    frozen = [torch.from_numpy(network.weights(n).copy()) for n in NAMES]
    scores = [s.clone().requires_grad_() for s in search.scores().values()]
    world = World(scores, frozen, network)
    reference = torch.optim.SGD(
        scores, case.lr, case.momentum, 0.0, case.weight_decay, case.nesterov
    )
    moved = 0.0
    for step in range(13):
        world.step = step
        reference.zero_grad()
        first, second = case.weights(world)
        found = [p.detach().clone() for p in model.parameters()]
        for parameter, weight in zip(found, (first, second), strict=True):
            assert int(((parameter != 0) != (weight != 0)).sum()) == 0
            torch.testing.assert_close(parameter, weight.detach(), rtol=1e-4, atol=2e-6)
        loss = nn.functional.cross_entropy(torch.relu(x @ first.T) @ second.T, y)
        total = loss if case.penalty is None else loss + case.weight * case.penalty(world)
        total.backward()
        reference.step()
        world.step = step + 1
        if case.after is not None:
            case.after(world)
        (came,) = train(model, search, x, y, 1)
        assert came == pytest.approx(loss.item(), rel=1e-4)
        moved += sum(
            float((p.detach() - q).abs().sum())
            for p, q in zip(model.parameters(), found, strict=True)
        )
        for one, other in zip(search.scores().values(), scores, strict=True):
            torch.testing.assert_close(one, other.detach(), rtol=1e-3, atol=1e-5)
    assert moved > 0.1  # the steps were steps


def test_frozen_fractions_are_decided_beforehand() -> None:
    x, y = batch(64, 30, 5)
    model = mlp(30, 40, 5)
    network = Network.sample(model, Normal(), 3)
    search = EdgePopup(network, 0.5, lr=2.0, frozen=Frozen(0.3, 0.2, seed=8))
    ever, always = {}, {}
    for _ in range(30):
        for name, mask in search.masks().items():
            assert int(mask.sum()) == keep_count(0.5, mask.numel())
            ever[name] = ever.get(name, mask) | mask
            always[name] = always.get(name, mask) & mask
        train(model, search, x, y, 1)
    for name in NAMES:
        order = np.argsort(
            philox.words(8, philox.stream("frozen", name), 0, ever[name].numel()), kind="stable"
        )
        total = order.size
        pruned, kept = order[: total * 3 // 10], order[total * 3 // 10 : total // 2]
        assert not ever[name].reshape(-1)[torch.from_numpy(pruned)].any()
        assert always[name].reshape(-1)[torch.from_numpy(kept)].all()
        assert not always[name].reshape(-1)[torch.from_numpy(order[total // 2 :])].all()


def test_a_ramp_goes_down_to_the_density_and_a_floor_holds() -> None:
    x, y = batch(64, 30, 5)
    model = mlp(30, 200, 5)
    network = Network.sample(model, Normal(), 3)
    search = EdgePopup(network, 0.02, lr=0.1, scope="global", ramp=8, floor=7)
    total = 30 * 200 + 200 * 5
    for step in range(11):
        wanted = max(140, int(0.02 ** (step / 8) * total + 0.5)) if step < 8 else 140
        masks = search.masks()
        assert sum(int(m.sum()) for m in masks.values()) == wanted
        assert min(int(m.sum()) for m in masks.values()) >= 7
        train(model, search, x, y, 1)
    without = EdgePopup(Network.sample(model, Normal(), 3), 0.02, scope="global")
    assert min(int(m.sum()) for m in without.masks().values()) < 7


def test_a_floor_is_not_filled_with_what_is_pruned_for_good() -> None:
    model = mlp(10, 8, 4)
    network = Network.sample(model, Normal(), 3)
    options: dict[str, Any] = {"scope": "global", "frozen": Frozen(pruned=0.5), "floor": 20}
    masks = EdgePopup(network, 0.4, **options).masks()
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.4 * 112)
    assert int(masks["2.weight"].sum()) == 16  # all that are left of 32


def test_scores_of_what_is_decided_beforehand_stay() -> None:
    x, y = batch(64, 30, 5)
    for backend in ("numba", "torch"):
        model = mlp(30, 40, 5)
        network = Network.sample(model, Normal(), 3)
        pins = Frozen(0.3, 0.2, seed=8)
        search = EdgePopup(network, 0.5, lr=2.0, frozen=pins, backend=backend)  # type: ignore[arg-type]
        before = {name: score.clone() for name, score in search.scores().items()}
        train(model, search, x, y, 3)
        for name, score in search.scores().items():
            fixed = pins.pins(name, tuple(score.shape)) != 0
            assert torch.equal(score[fixed], before[name][fixed])
            assert not torch.equal(score[~fixed], before[name][~fixed])


def test_a_method_of_ones_own() -> None:
    """Edge-popup with a penalty on squares, composed of the parts of the others."""
    method = Method("mine", "here", TopK("abs"), penalty=Norm(0.25))
    x, y = batch(64, 30, 5)
    seen = []
    for backend in ("numba", "torch"):
        model = mlp(30, 40, 5)
        network = Network.sample(model, Normal(), 3)
        search = MaskSearch(network, method, density=0.4, lr=0.5, backend=backend)  # type: ignore[arg-type]
        seen.append((train(model, search, x, y, 5), search.ticket()))
        plain = EdgePopup(Network.sample(model, Normal(), 3), 0.4, lr=0.5, weight_decay=0.5)
        losses = train(model, plain, x, y, 5)
        assert losses == pytest.approx(seen[-1][0], rel=1e-5)
    assert seen[0] == seen[1]
