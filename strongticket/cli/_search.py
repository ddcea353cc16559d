"""`strongticket search`: a mask over a frozen random network, by any of the methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
BATCHES = 50  # that norm statistics are means over

if TYPE_CHECKING:
    import torch

    from strongticket.datasets import Images
    from strongticket.search import MaskSearch, SearchReport
    from strongticket.tickets import Ticket


@dataclass(frozen=True)
class Found:
    """A ticket by search: its accuracy beside that of the first mask, before any step.

    `report` has what each layer keeps, and its dead units; `seconds` those of all parts of a search
    that was interrupted.
    """

    ticket: Ticket
    report: SearchReport
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
    resume: Path | None = None
    """A file for the state, kept every minute and epoch; the same command goes on from there."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Search, save, print."""
        from strongticket.datasets import digits, folder
        from strongticket.files import ready

        ready(self.out)
        if self.resume is not None and self.resume.resolve() == self.out.resolve():
            raise InputError(f"the ticket and the state need a file each, got {self.out} for both")
        data = digits() if self.data is None else folder(self.data)
        try:
            with show.progress(quiet=self.json) as progress:
                found = self.find(data, progress)
        except KeyboardInterrupt:
            if self.resume is not None and self.resume.exists():
                show.note(f"the same command goes on from {self.resume}")
            raise
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
            for line in repr(found.report).splitlines():
                show.line(line)
            show.line(f"\nticket: {self.out}, {size:,} bytes, {found.seconds:.1f} s")
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
        import warnings

        import torch

        from strongticket.cli._search_state import Kept, digest
        from strongticket.laws import Normal, SignedConstant
        from strongticket.models import named
        from strongticket.networks import Network
        from strongticket.search import CollapseWarning
        from strongticket.search.by_name import Asked, by_name
        from strongticket.search.temperature import temperature

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
        kept = Kept(self.resume, {} if self.resume is None else self._asked(name, digest(data)))
        state = kept.load()
        if state is None:
            before = self._accuracy(search, model, x, data)
            first, skip, t, spent = 0, 0, 0.0, 0.0
        else:
            search.load_state_dict(state["search"])
            schedule.load_state_dict(state["schedule"])
            order.set_state(state["order"])
            first, skip, t = state["epoch"], state["batch"], state["temperature"]
            before, spent = state["before"], state["seconds"]
        for epoch in range(first, self.epochs):
            model.train()
            begun = order.get_state()
            if not skip:
                t = self.temperature or temperature(search, x[:SAMPLE], self.seed)
            shuffled = torch.split(torch.randperm(len(x), generator=order), self.batch)
            for done, index in enumerate(shuffled[skip:], skip + 1):
                search.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x[index]) / t, y[index])
                torch.autograd.backward(loss)
                search.step()
                schedule.step()
                last = done == len(shuffled)
                if kept.due(last):
                    kept.save(
                        {
                            "search": search.state_dict(),
                            "schedule": schedule.state_dict(),
                            "order": order.get_state() if last else begun,
                            "epoch": epoch + last,
                            "batch": 0 if last else done,
                            "temperature": t,
                            "before": before,
                            "seconds": spent + time.perf_counter() - start,
                        }
                    )
            skip = 0
            progress(f"searching a mask: epoch {epoch + 1}", epoch + 1, self.epochs)
        found = self._accuracy(search, model, x, data)
        seconds = spent + time.perf_counter() - start
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", CollapseWarning)
            ticket = search.ticket()
        for one in said:
            show.note(f"warning: {one.message}")
        return Found(ticket, search.report(), found, before, seconds)

    def _accuracy(
        self, search: MaskSearch, model: torch.nn.Module, x: torch.Tensor, data: Images
    ) -> float:
        """The test accuracy of the ticket's mask, with norm statistics of that mask."""
        import torch

        from strongticket.search import reestimate
        from strongticket.training import accuracy

        with search.evaluating():
            reestimate(model, torch.split(x[: BATCHES * self.batch], self.batch))
            return accuracy(model.eval(), data)

    def _asked(self, model: str, data: str) -> dict[str, Any]:
        """All that decides what is found; not the number of threads, whose sums may round apart."""
        names = ("method", "density", "epochs", "batch", "rate", "temperature", "scope", "ratio")
        asked = {name: getattr(self, name) for name in (*names, "ramp", "law", "seed")}
        return {"data": data, "model": model, **asked}
