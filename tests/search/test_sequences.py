"""Whatever a user does between steps, the compiled loops and torch give the same bits."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import Biprop, EdgePopup, IteRand, MaskSearch, Multicoated, kernels

MODELS = {  # inputs, and what they go through
    "mlp": (9, lambda: nn.Sequential(linear(9, 17), nn.ReLU(), linear(17, 5))),
    "layers of one": (1, lambda: nn.Sequential(linear(1, 1), nn.Tanh(), linear(1, 7))),
    "wide": (60, lambda: nn.Sequential(linear(60, 129), nn.ReLU(), linear(129, 50))),
}


def linear(d_in: int, d_out: int) -> nn.Linear:
    return nn.Linear(d_in, d_out, bias=False)


def made(network: Network, dice: random.Random, backend: str) -> MaskSearch:
    """A search with arguments drawn by the dice."""
    kind = dice.choice([EdgePopup, EdgePopup, IteRand, Biprop, Multicoated])
    options: dict[str, Any] = {
        "lr": dice.choice([0.0, 1e-3, 0.1, 30.0]),
        "momentum": dice.choice([0.0, 0.9]),
        "weight_decay": dice.choice([0.0, 1e-4, 0.3]),
        "backend": backend,
    }
    options["nesterov"] = bool(options["momentum"]) and dice.random() < 0.4
    if dice.random() < 0.3:
        first = {"params": [network.masked[0]], "lr": dice.choice([0.0, 0.5])}
        options["groups"] = [first]
    if kind is Multicoated:
        return Multicoated(network, dice.choice([(0.3, 0.079, 0.0315), (1.0, 0.5)]), **options)
    options["density"] = dice.choice([0.02, 0.5, 0.9, 0.999, 1.0])
    options["scope"] = dice.choice(["layer", "global"])
    options |= dice.choice([{}, {}, {"ramp": 5}, {"refresh": 2}])
    if kind is not Biprop:
        options["ranking"] = dice.choice(["abs", "raw"])
    if kind is IteRand:
        options |= {"every": dice.choice([1, 3]), "rate": dice.choice([0.1, 1.0])}
    return kind(network, **options)


def between(search: MaskSearch, dice: random.Random, saved: list[Any]) -> None:
    """Something that a user may do between two steps."""
    what = dice.randrange(16)
    if what == 0:
        for group in search.param_groups:
            group["lr"] = dice.choice([0.0, 1e-4, 0.2, 5.0])
    elif what == 1:
        for group in search.param_groups:
            group["momentum"] = 0.4 if group["nesterov"] else dice.choice([0.0, 0.4])
    elif what == 2:
        with search.evaluating():
            pass
    elif what == 3:
        saved.append(copy.deepcopy(search.state_dict()))
    elif what == 4 and saved:
        search.load_state_dict(saved[-1])
    elif what == 5:
        for score in search.scores().values():
            score.fill_(dice.choice([0.0, 0.25]))
    elif what == 6:
        for score in search.scores().values():
            score.mul_(4).round_().div_(4)


def run(seed: int, backend: str) -> list[Tensor]:
    dice, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    d, build = MODELS[dice.choice(list(MODELS))]
    model = build()
    network = Network.sample(model, dice.choice([SignedConstant(), Normal()]), seed=seed)
    search, saved, found = made(network, dice, backend), [], []  # type: ignore[var-annotated]
    first = next(model.parameters())

    def closure() -> float:
        search.zero_grad()
        loss = (model(torch.randn(8, d, generator=generator)) - 1).square().mean()
        torch.autograd.backward(loss)
        if dice.random() < 0.1:
            first.grad = None
        return float(loss.detach())

    for _ in range(30):
        between(search, dice, saved)
        if dice.random() < 0.2:
            search.step(closure)
        else:
            closure()
            search.step()
        search.ticket()  # raises if the model does not hold what the scores say
        found += [p.detach().clone() for p in model.parameters()]
        found += [score.clone() for score in search.scores().values()]
    return found


@pytest.mark.filterwarnings("ignore::strongticket.search.CollapseWarning")
@pytest.mark.skipif(kernels.compiled() is None, reason="the loops need numba")
@pytest.mark.parametrize("seed", range(24))
def test_the_compiled_loops_have_the_bits_of_torch(seed: int) -> None:
    one, other = run(seed, "numba"), run(seed, "torch")
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
