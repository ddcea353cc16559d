"""One rank of two: `python ranks_program.py RANK FOLDER` writes what it saw to FOLDER/RANK.pt."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from strongticket.errors import SearchError
from strongticket.laws import Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import Bernoulli, EdgePopup, GemMiner, IteRand, MaskSearch
from strongticket.search.ranks import check_alike

RANKS = 2
STEPS = 6


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 10, bias=False), nn.ReLU(), nn.Linear(10, 4, bias=False))


def whole(step: int) -> Tensor:
    """Small integers: with dyadic weights every sum of a step is exact in float32."""
    generator = torch.Generator().manual_seed(step)
    return torch.randint(-2, 3, (8, 6), generator=generator).float()


def real(step: int) -> Tensor:
    return torch.randn(8, 6, generator=torch.Generator().manual_seed(step))


SEARCHES: dict[str, Callable[[Network], MaskSearch]] = {
    "layer": lambda n: EdgePopup(n, 0.4, lr=0.5, momentum=0.5, backend="torch"),
    "global": lambda n: EdgePopup(n, 0.4, lr=0.5, momentum=0.5, scope="global", backend="torch"),
    "iterand": lambda n: IteRand(n, 0.4, lr=0.5, momentum=0.5, every=2, rate=0.5, backend="torch"),
    "bernoulli": lambda n: Bernoulli(n, lr=5.0, backend="torch"),
    "gem-miner": lambda n: GemMiner(n, 0.2, STEPS, rounds=3, backend="torch"),
}


def searched(name: str, exact: bool, rank: int | None) -> dict[str, Any]:
    """Masks after every step, scores, ticket; `rank` None takes the whole batch in one process."""
    inner = mlp()
    model: nn.Module = inner if rank is None else DistributedDataParallel(inner)
    law = SignedConstant(0.5) if exact else Normal()
    search = SEARCHES[name](Network.sample(model, law, 0))
    masks, batches = [], whole if exact else real
    for step in range(STEPS):
        x = batches(step)
        if rank is not None:
            x = x[rank::RANKS]
        search.zero_grad()
        # The mean over the batch: exact, since its size is a power of two.
        (model(x) * torch.tensor([1.0, -1.0, 2.0, -2.0])).sum(1).mean().backward()
        search.step()
        masks.append(search.masks())
    return {"masks": masks, "scores": search.scores(), "kept": search.ticket().kept_digest}


def refused(make: Callable[[], object]) -> str:
    try:
        make()
    except SearchError as error:
        return str(error)
    return ""


def other_seeds(rank: int) -> dict[str, str]:
    """What is said where ranks disagree in one thing, by that thing."""

    def of(seed: int = 0, later: bool = False, **options: Any) -> str:
        inner = mlp()
        if not later:
            model = DistributedDataParallel(inner)
            return refused(lambda: EdgePopup(Network.sample(model, Normal(), seed), **options))
        search = EdgePopup(Network.sample(inner, Normal(), seed), **options)
        return refused(lambda: check_alike(search))

    def biased(first: bool, **options: bool) -> str:
        """Sampled first or wrapped first, and two steps, at the second of which DDP would wait."""
        model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 4))
        network = Network.sample(model, Normal(), 0) if first else None
        wrapped = DistributedDataParallel(model, **options)

        def steps() -> None:
            search = EdgePopup(network or Network.sample(wrapped, Normal(), 0))
            check_alike(search)
            for step in range(2):
                search.zero_grad()
                wrapped(real(step)).sum().backward()
                search.step()

        return refused(steps)

    return {
        "frozen late": biased(False),
        "frozen late, looked for": biased(False, find_unused_parameters=True),
        "frozen first": biased(True),
        "weights": of(seed=rank),
        "scores": of(score_seed=rank),
        "density": of(density=0.3 + 0.1 * rank),
        "lr": of(lr=0.1 + rank),
        "later": of(score_seed=rank, later=True),
        "none": of(),
        "later, none": of(later=True),
    }


def main(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=RANKS
    )
    seen: dict[str, Any] = {
        f"{name} {'exact' if exact else 'real'}": searched(name, exact, rank)
        for name in SEARCHES
        for exact in (True, False)
    }
    seen["refused"] = other_seeds(rank)
    torch.save(seen, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
