"""What the experiments on mask search share: one run, its controls, runs remembered and beside."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import multiprocessing
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from strongticket import datasets
from strongticket.datasets import Images
from strongticket.errors import InputError
from strongticket.files import folder, write_whole
from strongticket.laws import Normal, SignedConstant
from strongticket.models import named
from strongticket.networks import Network
from strongticket.search import CollapseWarning, LayerReport, MaskSearch
from strongticket.search.by_name import Asked, Ratio, by_name
from strongticket.search.controls import inverted, random_mask, redrawn
from strongticket.search.groups import Scope
from strongticket.search.temperature import temperature
from strongticket.tickets import Ticket
from strongticket.training import Split, split

LawName = Literal["signed constant", "normal"]
SAMPLE = 512  # images that a temperature is measured on
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Run:
    """One search, in plain values; `data` is a folder, or "" for the shipped digits.

    `validation`: so many training images are set aside and judged by, in place of the test set;
    0 for the test set. `limit`: train on the first so many images only; 0 for all. `rate` None is
    the method's own.
    """

    data: str
    model: str
    method: str = "edge-popup"
    density: float = 0.5
    law: LawName = "signed constant"
    epochs: int = 20
    batch: int = 128
    rate: float | None = None
    scope: Scope = "layer"
    ratio: Ratio = "uniform"
    ramp: float = 0.0
    seed: int = 0
    score_seed: int = 0
    order_seed: int = 0
    limit: int = 0
    validation: int = 0
    controls: int = 0

    @property
    def variant(self) -> str:
        """The method with what is not its default."""
        more: list[str] = [self.scope] if self.scope != "layer" else []
        more += [self.ratio] if self.ratio != "uniform" else []
        more += ["ramp"] if self.ramp else []
        return ", ".join([self.method, *more])


@dataclass(frozen=True)
class Measured:
    """A run and what came of it: fractions of images labelled right, NaN where not measured.

    `first` is the accuracy of the mask before any step; `random`, `inverted` and `redrawn` are
    those of the controls (random ones averaged over their seeds; a ticket that redraws or
    multiplies weights has no inverted one). `kept_density` is of all layers, `least_density` of the
    sparsest, `dead` counts hidden units without inputs or without outputs.
    `seconds` is CPU time of the search, data loading and controls apart.
    """

    images: str
    model: str
    variant: str
    density: float
    law: str
    epochs: int
    batch: int
    rate: str
    seed: int
    score_seed: int
    trained_on: int
    judged_by: str
    accuracy: float
    first: float
    train_accuracy: float
    random: float
    inverted: float
    redrawn: float
    kept_density: float
    least_density: float
    dead: int
    seconds: float
    hardware: str

    @property
    def best_control(self) -> float:
        """The best accuracy of the controls that were measured, the first mask's among them."""
        found = (self.first, self.random, self.inverted, self.redrawn)
        return max(value for value in found if not math.isnan(value))


@dataclass(frozen=True, eq=False)
class Searched:
    """A search that ended, and its model (which the search needs alive)."""

    model: nn.Module
    search: MaskSearch
    first: float
    seconds: float


@functools.lru_cache(maxsize=4)
def images(data: str) -> Images:
    """A folder's images, or the digits; read once a process."""
    return datasets.folder(data) if data else datasets.digits()


@functools.lru_cache(maxsize=4)
def pictures(data: str, limit: int, validation: int) -> Split:
    """Tensors; without `validation` the validation images are the test images."""
    given = images(data)
    if not 0 <= limit <= len(given.train_x):
        raise InputError(f"limit must be in 0 .. {len(given.train_x)}, got {limit}")
    if validation:
        found = split(given, validation)
    else:
        x, y, tx, ty = (
            torch.from_numpy(a) for a in (given.train_x, given.train_y, given.test_x, given.test_y)
        )
        found = Split(x, y, tx, ty, tx, ty)
    keep = slice(limit or None)
    return Split(
        found.train_x[keep],
        found.train_y[keep],
        found.valid_x,
        found.valid_y,
        found.test_x,
        found.test_y,
    )


@torch.no_grad()
def hits(model: nn.Module, x: Tensor, y: Tensor, batch: int = 2000) -> float:
    """The fraction of images labelled right."""
    training = model.training
    model.eval()
    parts = zip(torch.split(x, batch), torch.split(y, batch), strict=True)
    right = [int((model(a).argmax(1) == b).sum()) for a, b in parts]
    model.train(training)
    return sum(right) / len(x)


def searched(run: Run, data: Split, model: nn.Module) -> Searched:
    """Search a mask over `model` on the CPU by one thread: SGD on the scores, a cosine to 0."""
    law = SignedConstant() if run.law == "signed constant" else Normal()
    network = Network.sample(model, law=law, seed=run.seed)
    x, y = data.train_x, data.train_y
    total = run.epochs * -(-len(x) // run.batch)
    search = by_name(
        run.method,
        network,
        Asked(run.density, total, run.rate, run.scope, run.score_seed, run.ratio, run.ramp),
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(search, total)
    order = torch.Generator().manual_seed(run.order_seed)
    with search.evaluating():
        first = hits(model, data.valid_x, data.valid_y)
    begun = time.thread_time()
    for _ in range(run.epochs):
        t = temperature(search, x[:SAMPLE], run.score_seed)
        for index in torch.split(torch.randperm(len(x), generator=order), run.batch):
            search.zero_grad()
            loss = nn.functional.cross_entropy(model(x[index]) / t, y[index])
            torch.autograd.backward(loss)
            search.step()
            schedule.step()
    return Searched(model, search, first, time.thread_time() - begun)


def classes(data: Split) -> int:
    """How many labels there are."""
    return int(data.train_y.max()) + 1


def measure(run: Run) -> Measured:
    """Search, judge, and judge the controls of the ticket."""
    torch.set_num_threads(1)
    data = pictures(run.data, run.limit, run.validation)
    found = searched(run, data, named(run.model, classes(data)))
    search, model = found.search, found.model
    x, y = data.valid_x, data.valid_y
    with search.evaluating():
        accuracy, train = (
            hits(model, x, y),
            hits(model, data.train_x[:10_000], data.train_y[:10_000]),
        )
    with warnings.catch_warnings():  # a collapsed layer is a result here: `least_density` is 0
        warnings.simplefilter("ignore", CollapseWarning)
        ticket, report = search.ticket(), search.report()

    def value(one: Ticket) -> float:
        return hits(one.into(named(run.model, classes(data))), x, y)

    controls = (math.nan, math.nan, math.nan)
    if run.controls:
        seeds = range(1000, 1000 + run.controls)
        scores = {name: score.clone() for name, score in search.scores().items()}
        plain = not (ticket.reading.rounds or ticket.reading.multiples)  # else none is inverted
        worst = search.method.ranking or "raw"
        controls = (
            sum(value(random_mask(ticket, s)) for s in seeds) / run.controls,
            value(inverted(scores, ticket, worst)) if plain else math.nan,
            sum(value(redrawn(ticket, s)) for s in seeds) / run.controls,
        )
    return Measured(
        images=images(run.data).name,
        model=run.model,
        variant=run.variant,
        density=run.density,
        law=run.law,
        epochs=run.epochs,
        batch=run.batch,
        rate="own" if run.rate is None else f"{run.rate:g}",
        seed=run.seed,
        score_seed=run.score_seed,
        trained_on=len(data.train_x),
        judged_by="validation" if run.validation else "test",
        accuracy=accuracy,
        first=found.first,
        train_accuracy=train,
        random=controls[0],
        inverted=controls[1],
        redrawn=controls[2],
        kept_density=report.kept / report.total,
        least_density=min(layer.density for layer in report.layers),
        dead=dead_units(report.layers),
        seconds=found.seconds,
        hardware=f"CPU {platform.machine()}, one thread",
    )


def dead_units(layers: Sequence[LayerReport]) -> int:
    """Hidden units of a chain of layers that nothing goes into, or nothing comes out of, counted.

    A unit with both counts once for each.
    """
    ins = sum(layer.dead_outputs for layer in layers[:-1])
    return ins + sum(layer.dead_inputs for layer in layers[1:])


def key(asked: Mapping[str, object]) -> str:
    """A name for the file that remembers what was asked."""
    text = json.dumps(asked, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def remembered(run: Run, place: Path) -> Measured:
    """The run's measurement out of its file in `place`, or measured now and put there."""
    asked = asdict(run) | {"data": images(run.data).name}
    file = place / f"{key(asked)}.json"
    if file.exists():
        held = json.loads(file.read_text("utf-8"))
        if held["asked"] == asked:
            return Measured(**held["measured"])
    found = measure(run)
    held = {"asked": asked, "measured": asdict(found)}
    write_whole(file, json.dumps(held, indent=1).encode())
    return found


def every(
    runs: Sequence[Run], place: Path, workers: int, report: Report, what: str
) -> list[Measured]:
    """All runs in order, some at a time; each is kept in `place` as soon as it is there.

    An interrupted experiment goes on with the runs that have no file yet.
    """
    folder(place)
    if workers < 1:
        raise InputError(f"workers must be >= 1, got {workers}")
    one = functools.partial(remembered, place=place)
    found = []
    with _mapped(one, runs, workers) as results:
        for i, measured in enumerate(results):
            found.append(measured)
            report(f"{what}: {measured.variant}, density {measured.density:g}", i + 1, len(runs))
    return found


class _mapped:  # noqa: N801
    """`map` in this process, or over several of their own."""

    def __init__(self, one: Callable[[Run], Measured], runs: Sequence[Run], workers: int) -> None:
        self._one, self._runs = one, runs
        self._pool = None
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, mp_context=context)

    def __enter__(self) -> Iterator[Measured]:
        return (self._pool.map if self._pool else map)(self._one, self._runs)

    def __exit__(self, *error: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95 % interval (Student's t)."""

    mean: float
    half: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.2%}" + (f" ± {self.half:.2%}" if self.count > 1 else "")


def mean(values: Sequence[float]) -> Mean:
    """Of at least one value; the interval of one is infinite."""
    from scipy import stats

    count = len(values)
    middle = sum(values) / count
    if count == 1:
        return Mean(middle, math.inf, 1)
    spread = math.sqrt(sum((v - middle) ** 2 for v in values) / (count - 1))
    return Mean(middle, float(stats.t.ppf(0.975, count - 1)) * spread / math.sqrt(count), count)
