"""`strongticket search`: a mask by edge-popup over a frozen fully connected network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from strongticket.cli import show

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
    """Find a mask over a frozen random network by its scores (edge-popup)."""

    data: Path | None = None
    """Folder with the four idx files of MNIST or Fashion-MNIST; none takes the shipped digits."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden widths."""
    density: float = 0.5
    """Fraction of the weights kept, in (0, 1]."""
    epochs: int = 20
    """Passes over the training images."""
    rate: float = 0.1
    """Learning rate of the scores."""
    scope: Literal["layer", "global"] = "layer"
    """Rank scores within each layer, or over all layers together."""
    seed: int = 0
    """Seed of the frozen weights, the scores and the order of the data (streams differ)."""
    out: Path = Path("mask.safetensors")
    """Where the ticket goes."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Search, save, print."""
        from strongticket.datasets import digits, idx_folder
        from strongticket.files import ready

        ready(self.out)
        data = digits() if self.data is None else idx_folder(self.data)
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
                    "density": found.ticket.mask.density,
                    "seconds": found.seconds,
                    "bytes": size,
                }
            )
        else:
            show.table(
                f"edge-popup on {data.name}: {found.ticket}",
                ("mask", "test accuracy"),
                [
                    ("random, same density", f"{found.random_accuracy:.2%}"),
                    ("found", f"{found.accuracy:.2%}"),
                ],
            )
            show.line(f"ticket: {self.out}, {size:,} bytes, {found.seconds:.1f} s")
        return 0

    def find(self, data: Images, progress: Callable[[str, int, int], None]) -> Found:
        """Train the scores; the weights never change."""
        import time

        import torch

        from strongticket.errors import InputError
        from strongticket.laws import SignedConstant
        from strongticket.networks import MLP, Network, relu_network
        from strongticket.search import EdgePopup
        from strongticket.training import accuracy

        if self.epochs < 1 or min(self.hidden, default=1) < 1:
            raise InputError(
                "search needs epochs >= 1 and hidden widths >= 1; "
                f"got {self.epochs} and {' '.join(map(str, self.hidden))}"
            )
        start = time.perf_counter()
        widths = (data.train_x.shape[1], *self.hidden, int(data.train_y.max()) + 1)
        model = relu_network(MLP(widths, (False,) * (len(widths) - 1)))
        network = Network.sample(model, law=SignedConstant(), seed=self.seed)
        search = EdgePopup(network, self.density, self.rate, scope=self.scope, score_seed=self.seed)
        x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
        order = torch.Generator().manual_seed(self.seed)
        batches = -(-len(x) // 128)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(search, self.epochs * batches)
        before = accuracy(model, data)
        for epoch in range(self.epochs):
            for index in torch.split(torch.randperm(len(x), generator=order), 128):
                search.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x[index]), y[index])
                torch.autograd.backward(loss)
                search.step()
                schedule.step()
            progress("searching a mask", epoch + 1, self.epochs)
        ticket = search.ticket()
        seconds = time.perf_counter() - start
        return Found(ticket, accuracy(model, data), before, seconds)
