"""Every published method on small models, for tests that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from strongticket.laws import Law, Normal
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
    Multicoated,
    SignedSupermask,
)

Make = Callable[..., MaskSearch]
STEPS = 12

METHODS: dict[str, Make] = {
    "edge-popup": lambda n, **o: EdgePopup(n, 0.4, lr=0.5, **o),
    "edge-popup raw": lambda n, **o: EdgePopup(n, 0.4, lr=0.5, ranking="raw", **o),
    "edge-popup global": lambda n, **o: EdgePopup(
        n, 0.3, lr=0.5, scope="global", ramp=7, floor=3, **o
    ),
    "edge-popup rows": lambda n, **o: EdgePopup(n, 0.5, lr=0.5, structure="rows", **o),
    "edge-popup 2:4": lambda n, **o: EdgePopup(n, 0.5, lr=0.5, structure={"0.*": "2:4"}, **o),
    "edge-popup frozen": lambda n, **o: EdgePopup(
        n, 0.4, lr=0.5, frozen=Frozen(0.3, 0.2, seed=4), **o
    ),
    "iterand": lambda n, **o: IteRand(n, 0.4, lr=0.5, every=3, rate=0.5, **o),
    "iterand refresh": lambda n, **o: IteRand(n, 0.4, lr=0.5, every=2, rate=0.5, refresh=3, **o),
    "biprop": lambda n, **o: Biprop(n, 0.4, lr=0.5, **o),
    "biprop refresh": lambda n, **o: Biprop(n, 0.4, lr=0.5, refresh=5, **o),
    "gem-miner": lambda n, **o: GemMiner(n, 0.2, STEPS, rounds=4, penalty=0.01, **o),
    "gem-miner frozen": lambda n, **o: GemMiner(
        n, 0.2, STEPS, rounds=4, norm="l1", penalty=0.01, frozen=Frozen(0.2, 0.05), **o
    ),
    "bernoulli": lambda n, **o: Bernoulli(n, lr=5.0, **o),
    "bernoulli rescale": lambda n, **o: Bernoulli(n, lr=5.0, rescale=True, probability=0.3, **o),
    "bernoulli threshold": lambda n, **o: Bernoulli(n, lr=5.0, evaluation="threshold", **o),
    "bernoulli rows": lambda n, **o: Bernoulli(n, lr=5.0, rescale=True, structure="rows", **o),
    "signed": lambda n, **o: SignedSupermask(n, lr=0.1, threshold=0.1, **o),
    "multicoated": lambda n, **o: Multicoated(n, (0.5, 0.2, 0.1), lr=0.5, **o),
    "continuous": lambda n, **o: ContinuousSparsification(n, STEPS, lr=0.3, penalty=1e-3, **o),
    "hard-concrete": lambda n, **o: HardConcrete(n, lr=5.0, penalty=1e-3, **o),
}


def searched(
    name: str, model: nn.Module, law: Law | None = None, seed: int = 0, **options: Any
) -> MaskSearch:
    """A search of that name over `model`, its weights drawn."""
    return METHODS[name](Network.sample(model, law or Normal(), seed), **options)
