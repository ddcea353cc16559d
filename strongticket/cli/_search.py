"""`strongticket search`: a mask over a frozen random network, by any of the methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from strongticket.cli import show
from strongticket.errors import InputError

Methods = Literal[
    "edge-popup",
    "iterand",
    "biprop",
    "gem-miner",
    "multicoated",
    "bernoulli",
    "hard-concrete",
    "signed-supermask",
    "continuous-sparsification",
]
Laws = Literal["signed-constant", "normal"]
SAMPLE = 512  # images that a temperature is measured on

if TYPE_CHECKING:
    from strongticket.datasets import Images
    from strongticket.tickets import Ticket


@dataclass(frozen=True)
class Found:
    """A ticket by search: its accuracy beside that of the first mask, before any step."""

    ticket: Ticket
    accuracy: float
    random_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Search:
    """Find a mask over a frozen random network by its scores."""

    data: Path | None = None
    """Folder of MNIST, Fashion-MNIST or CIFAR-10; none takes the shipped digits."""
    model: str = ""
    """mlp-WIDTH-...-WIDTH, conv-2, -4, -6, -8 or resnet-18; none: two hidden layers of 256."""
    method: Methods = "edge-popup"
    """How masks are searched."""
    density: float = 0.5
    """Fraction of the weights kept, in (0, 1]; some methods find their own and only begin there."""
    epochs: int = 10
    """Passes over the training images."""
    batch: int = 128
    """Images a step."""
    rate: float | None = None
    """Learning rate of the scores, falling to 0 as a cosine; none takes the method's own."""
    temperature: float | None = None
    """Divides the logits in the loss; none: their size under a random mask, once an epoch."""
    scope: Literal["layer", "global"] = "layer"
    """Rank scores within each layer, or over all layers together."""
    ratio: Literal["uniform", "erk", "balanced"] = "uniform"
    """How the density is shared out: the same in every layer, Erdos-Renyi, or equal counts."""
    ramp: float = 0.0
    """Share of the steps in which the density goes down from 1; 0.5 for densities below 0.1."""
    law: Laws = "signed-constant"
    """Frozen weights: plus or minus the He standard deviation, or normal with that."""
    threads: int = 1
    """Threads of a step; more help convolutions only."""
    seed: int = 0
    """Seed of the frozen weights, the scores and the order of the data (streams differ)."""
    out: Path = Path("mask.safetensors")
    """Where the ticket goes."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Search, save, print."""
        from strongticket.datasets import digits, folder
        from strongticket.files import ready

        ready(self.out)
        data = digits() if self.data is None else folder(self.data)
        with show.progress(quiet=self.json) as progress:
            found = self.find(data, progress)
        found.ticket.save(self.out)
        size = self.out.stat().st_size
        if self.json:
            show.as_json(
                {
                    "ticket": self.out,
                    "id": found.ticket.ticket_id,
                    "accuracy": found.accuracy,
                    "random_accuracy": found.random_accuracy,
                    "method": self.method,
                    "density": found.ticket.mask.density,
                    "seconds": found.seconds,
                    "bytes": size,
                }
            )
        else:
            show.table(
                f"{self.method} on {data.name}: {found.ticket}",
                ("mask", "test accuracy"),
                [
                    ("before the search", f"{found.random_accuracy:.2%}"),
                    ("found", f"{found.accuracy:.2%}"),
                ],
            )
            show.line(f"ticket: {self.out}, {size:,} bytes, {found.seconds:.1f} s")
        return 0

    def find(self, data: Images, progress: Callable[[str, int, int], None]) -> Found:
        """Train the scores; the weights never change."""
        import torch

        if min(self.epochs, self.batch, self.threads) < 1:
            raise InputError(
                "search needs epochs, batch and threads >= 1, got "
                f"{self.epochs}, {self.batch}, {self.threads}"
            )
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise InputError(f"a temperature is a number > 0, got {self.temperature}")
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            return self._find(data, progress)
        finally:
            torch.set_num_threads(before)

    def _find(self, data: Images, progress: Callable[[str, int, int], None]) -> Found:
        import time

        import torch

        from strongticket.laws import Normal, SignedConstant
        from strongticket.models import named
        from strongticket.networks import Network
        from strongticket.search.by_name import Asked, by_name
        from strongticket.search.temperature import temperature
        from strongticket.training import accuracy

        start = time.perf_counter()
        d, classes = data.train_x.shape[1], int(data.train_y.max()) + 1
        name = self.model or f"mlp-{d}-256-256-{classes}"
        model = named(name, classes)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model.to(device)
        x, y = torch.from_numpy(data.train_x).to(device), torch.from_numpy(data.train_y).to(device)
        try:
            outputs = model.eval()(x[:2]).shape[1]
        except RuntimeError as error:
            raise InputError(f"{name} does not take the {d} values of {data.name}") from error
        if outputs < classes:
            raise InputError(f"{name} has {outputs} outputs, {data.name} has {classes} classes")
        law = SignedConstant() if self.law == "signed-constant" else Normal()
        network = Network.sample(model, law=law, seed=self.seed)
        batches = -(-len(x) // self.batch)
        asked = Asked(
            self.density,
            self.epochs * batches,
            self.rate,
            self.scope,
            self.seed,
            self.ratio,
            self.ramp,
        )
        search = by_name(self.method, network, asked)
        order = torch.Generator().manual_seed(self.seed)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(search, asked.total)
        with search.evaluating():
            before = accuracy(model.eval(), data)
        for epoch in range(self.epochs):
            model.train()
            fixed = self.temperature
            t = temperature(search, x[:SAMPLE], self.seed) if fixed is None else fixed
            for index in torch.split(torch.randperm(len(x), generator=order), self.batch):
                search.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x[index]) / t, y[index])
                torch.autograd.backward(loss)
                search.step()
                schedule.step()
            progress(f"searching a mask: epoch {epoch + 1}", epoch + 1, self.epochs)
        ticket = search.ticket()
        seconds = time.perf_counter() - start
        with search.evaluating():
            found = accuracy(model.eval(), data)
        return Found(ticket, found, before, seconds)
