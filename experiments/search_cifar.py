"""Edge-popup and IteRand on CIFAR-10: Conv-2, -4, -6, -8 and ResNet-18 at several densities.

As Ramanujan et al., CVPR 2020, Section 4 train their scores: SGD with momentum 0.9, weight decay
1e-4, batch 128, 100 epochs, a cosine to 0, random crops and flips; everything masked, nothing
trained. The full form needs a CUDA device (bf16 autocast, data on the device); it takes some hours
of one, and the name of the hardware is in every row. Beside every ticket: its mask before any step,
and a random mask with the same counts, its norms' statistics estimated anew.

    python experiments/search_cifar.py --data CIFAR_FOLDER               # CUDA
    python experiments/search_cifar.py --data CIFAR_FOLDER --models conv-6 --densities 0.5
    python experiments/search_cifar.py --quick   # a tiny convolution on the digits, CPU, seconds
    python experiments/search_cifar.py --data ... --publish

Runs are kept one file each, so an interrupted experiment goes on where it stood.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from _main import judged, places, refused
from _searching import SAMPLE, hits, images, key, mean
from _stored import table
from torch import Tensor, nn

from strongticket.cli import show
from strongticket.datasets import Images
from strongticket.errors import InputError, StrongticketError
from strongticket.files import folder, write_whole
from strongticket.laws import SignedConstant
from strongticket.models import named
from strongticket.networks import Network
from strongticket.search import EdgePopup, IteRand, MaskSearch, reestimate
from strongticket.search.controls import random_mask
from strongticket.search.temperature import temperature

NAME = "search_cifar"
BAR = 0.88  # Conv-6 at density 0.5 after 100 epochs
TINY = "tiny"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Path | None = None
    """folder of CIFAR-10; none: the shipped digits, for --quick"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    models: tuple[str, ...] = ("conv-2", "conv-4", "conv-6", "conv-8", "resnet-18")
    methods: tuple[str, ...] = ("edge-popup", "iterand")
    densities: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7)
    seeds: int = 3
    epochs: int = 100
    batch: int = 128
    rate: float = 0.1
    decay: float = 1e-4
    device: str = "cuda"
    validation: int = 0
    """judge by so many training images, set aside, in place of the test set: to choose a rate"""
    quick: bool = False


QUICK: dict[str, Any] = {
    "data": None,
    "models": (TINY,),
    "densities": (0.2, 0.5),
    "seeds": 1,
    "epochs": 4,
    "batch": 64,
    "rate": 0.3,
    "device": "cpu",
}


@dataclass(frozen=True)
class Job:
    """One search, in plain values."""

    model: str
    method: str
    density: float
    seed: int
    epochs: int
    batch: int
    rate: float
    decay: float
    validation: int


@dataclass(frozen=True)
class Row:
    """A search and what came of it; `seconds` is wall time of the search."""

    images: str
    model: str
    method: str
    density: float
    seed: int
    epochs: int
    batch: int
    rate: float
    decay: float
    judged_by: str
    accuracy: float
    first: float
    random: float
    kept_density: float
    weights: int
    autocast: str
    seconds: float
    hardware: str
    torch: str


@dataclass(frozen=True)
class Result:
    """What was measured, and the claims that it is held to."""

    rows: tuple[Row, ...]
    claims: tuple[tuple[str, bool, str], ...]


@dataclass(frozen=True, eq=False)
class Loaded:
    """Standardised images on the device, flat, and the shape of one."""

    name: str
    x: Tensor
    y: Tensor
    judge_x: Tensor
    judge_y: Tensor
    shape: tuple[int, int, int]


def loaded(data: Images, device: torch.device, validation: int) -> Loaded:
    """Each channel with mean 0 and deviation 1 over the training images."""
    channels = 3 if data.train_x.shape[1] == 3072 else 1
    side = round((data.train_x.shape[1] / channels) ** 0.5)
    shape = (channels, side, side)
    x = torch.from_numpy(data.train_x).reshape(-1, *shape)
    y = torch.from_numpy(data.train_y)
    tx, ty = torch.from_numpy(data.test_x).reshape(-1, *shape), torch.from_numpy(data.test_y)
    if validation:
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        tx, ty = x[order[:validation]], y[order[:validation]]
        x, y = x[order[validation:]], y[order[validation:]]
    middle = x.mean((0, 2, 3), keepdim=True)
    spread = x.std((0, 2, 3), keepdim=True)
    parts = [((part - middle) / spread).flatten(1).to(device) for part in (x, tx)]
    return Loaded(data.name, parts[0], y.to(device), parts[1], ty.to(device), shape)


def model_of(name: str, data: Loaded) -> nn.Module:
    """One of the toolkit's models, or a tiny convolution for small grey images."""
    classes = int(data.y.max()) + 1
    if name != TINY:
        return named(name, classes)
    side = data.shape[1] // 2
    return nn.Sequential(
        nn.Unflatten(1, data.shape),
        nn.Conv2d(data.shape[0], 16, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * side * side, classes, bias=False),
    )


def varied(x: Tensor, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Flips with probability 1/2, and crops of the image padded by 4 with zeros; all on device."""
    count, (channels, height, width) = len(x), shape
    flips = torch.rand(count, generator=generator, device=x.device) < 0.5
    left = torch.randint(9, (count, 1), generator=generator, device=x.device)
    top = torch.randint(9, (count, 1), generator=generator, device=x.device)
    pictures = nn.functional.pad(x.reshape(count, *shape), (4, 4, 4, 4))
    rows = top + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(count, width)
    columns = left + torch.where(flips[:, None], width - 1 - columns, columns)
    every = torch.arange(count, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    return pictures[every, channel, rows[:, None, :, None], columns[:, None, None, :]].flatten(1)


def searching(job: Job, network: Network) -> MaskSearch:
    """The search of a job."""
    if job.method == "iterand":
        return IteRand(network, job.density, job.rate, weight_decay=job.decay,
                       score_seed=job.seed, sample_seed=job.seed)  # fmt: skip
    if job.method == "edge-popup":
        return EdgePopup(network, job.density, job.rate, weight_decay=job.decay,
                         score_seed=job.seed)  # fmt: skip
    raise InputError(f"a method is edge-popup or iterand, got {job.method!r}")


def measure(job: Job, data: Loaded) -> Row:
    """Search; judge the ticket, the first mask, and a random mask."""
    device = data.x.device
    cuda = device.type == "cuda"
    model = model_of(job.model, data).to(device)
    network = Network.sample(model, SignedConstant(), seed=job.seed)
    search = searching(job, network)
    batches = -(-len(data.x) // job.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(search, job.epochs * batches)
    generator = torch.Generator(device).manual_seed(job.seed)
    first = settled(model, data)
    begun = time.perf_counter()
    model.train()
    t = temperature(search, data.x[:SAMPLE], job.seed)
    for _ in range(job.epochs):
        order = torch.randperm(len(data.x), generator=generator, device=device)
        for index in torch.split(order, job.batch):
            x = data.x[index]
            if job.model != TINY:
                x = varied(x, data.shape, generator)
            search.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
                outputs = model(x)
            loss = nn.functional.cross_entropy(outputs.float() / t, data.y[index])
            torch.autograd.backward(loss)
            search.step()
            schedule.step()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    accuracy = settled(model, data)
    ticket, report = search.ticket(), search.report()
    other = model_of(job.model, data).to(device)
    random = settled(random_mask(ticket, 1000 + job.seed).into(other), data)
    return Row(
        images=data.name,
        model=job.model,
        method=job.method,
        density=job.density,
        seed=job.seed,
        epochs=job.epochs,
        batch=job.batch,
        rate=job.rate,
        decay=job.decay,
        judged_by="validation" if job.validation else "test",
        accuracy=accuracy,
        first=first,
        random=random,
        kept_density=report.kept / report.total,
        weights=report.total,
        autocast="bfloat16" if cuda else "none",
        seconds=seconds,
        hardware=torch.cuda.get_device_name() if cuda else f"CPU {platform.machine()}",
        torch=torch.__version__,
    )


def settled(model: nn.Module, data: Loaded) -> float:
    """Accuracy with norm statistics estimated on 2,560 training images, under this mask."""
    reestimate(model, torch.split(data.x[:2560], 256))
    return hits(model, data.judge_x, data.judge_y, 1000)


def remembered(job: Job, data: Loaded, place: Path) -> Row:
    """The job's row out of its file, or measured now and put there."""
    asked = asdict(job) | {"images": data.name, "device": data.x.device.type}
    file = place / f"{key(asked)}.json"
    if file.exists():
        held = json.loads(file.read_text("utf-8"))
        if held["asked"] == asked:
            return Row(**held["measured"])
    row = measure(job, data)
    write_whole(file, json.dumps({"asked": asked, "measured": asdict(row)}, indent=1).encode())
    return row


def run(config: Config) -> Result:
    """Measure and compare."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("the full experiment needs a CUDA device and none is here; --quick, or "
                         "--device cpu with --models conv-2 and few --epochs")  # fmt: skip
    if config.data is None and config.models != (TINY,):
        raise InputError("--data is the folder of CIFAR-10; without it there is --quick")
    data = loaded(
        images("" if config.data is None else str(config.data)),
        torch.device(config.device),
        config.validation,
    )
    place = folder(config.out / "runs")
    jobs = [
        Job(model, method, density, seed, config.epochs, config.batch, config.rate, config.decay,
            config.validation)
        for model in config.models
        for density in config.densities
        for method in config.methods
        for seed in range(config.seeds)
    ]  # fmt: skip
    rows = []
    with show.progress() as progress:
        for i, job in enumerate(jobs):
            progress(f"{job.model}: {job.method}, density {job.density:g}", i, len(jobs))
            rows.append(remembered(job, data, place))
    return Result(tuple(rows), claims(rows))


def claims(rows: Sequence[Row]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    gain = min(row.accuracy - max(row.first, row.random) for row in rows)
    found = [
        (
            "every ticket beats its first mask and a random one by 10 points",
            gain > 0.1,
            f"by {100 * gain:.3g} points at least",
        )
    ]
    for model in dict.fromkeys(row.model for row in rows):
        half = [row for row in rows if row.model == model and row.density == 0.5]
        by = {m: [r.accuracy for r in half if r.method == m] for m in ("edge-popup", "iterand")}
        if model != TINY and by["edge-popup"] and by["iterand"]:
            plain, again = mean(by["edge-popup"]), mean(by["iterand"])
            found.append(
                (
                    f"{model}, density 0.5: IteRand above edge-popup",
                    again.mean > plain.mean,
                    f"{again} and {plain}",
                )
            )
        if model == "conv-6" and by["edge-popup"]:
            value = mean(by["edge-popup"])
            found.append(
                (f"conv-6, density 0.5: at least {BAR:.0%}", value.mean >= BAR, str(value))
            )
    return tuple(found)


def plot(result: Result, path: Path) -> None:
    """Accuracy against density, a colour a model, a style a method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for i, model in enumerate(dict.fromkeys(row.model for row in result.rows)):
        for method, style in (("edge-popup", "-o"), ("iterand", "--s")):
            mine = [r for r in result.rows if (r.model, r.method) == (model, method)]
            densities = sorted({r.density for r in mine})
            means = [mean([r.accuracy for r in mine if r.density == d]).mean for d in densities]
            axes.plot(densities, [100 * m for m in means], style, color=f"C{i}", ms=4,
                      label=f"{model}, {method}")  # fmt: skip
    axes.set(xlabel="density (fraction kept)", ylabel="accuracy, %")
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
