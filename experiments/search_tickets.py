"""Tickets compared: the same one twice?, carried to other images, and one that is known.

*Same twice*: one network, several searches that differ in the initial scores, in the order of the
data, or in the images; how many weights do two masks share, against what chance would give?
*Transfer*: a mask found on the first data set, on the second: with its own outputs, and with its
frozen hidden layers under a new trained head, beside a random mask's and the second set's own.
*Planted*: a hidden random mask of the searched network is the target, so the perfect answer is
known; what share of its connections is found, and how near is the function?

    python experiments/search_tickets.py --data MNIST_FOLDER --other FASHION_FOLDER
    python experiments/search_tickets.py --quick             # the shipped digits, seconds
    python experiments/search_tickets.py --data ... --other ... --publish

Tickets are kept one file each, so an interrupted experiment goes on where it stood.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from _main import judged, places, refused
from _searching import Run, classes, hits, images, key, mean, pictures, searched
from _stored import table
from torch import nn

from strongticket import Network
from strongticket.analysis import Planted, new_head, overlap, plant
from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import folder, write_whole
from strongticket.laws import SignedConstant
from strongticket.models import named
from strongticket.search import EdgePopup
from strongticket.search.controls import random_mask
from strongticket.tickets import Ticket
from strongticket.training import Split

NAME = "search_tickets"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Path | None = None
    """folder of the first images; none: the shipped digits"""
    other: Path | None = None
    """folder of the second images, of the same size; none: the first ones with permuted pixels"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the tables and the figure where the documentation has them, instead of to `out`"""
    hidden: tuple[int, ...] = (300, 100)
    densities: tuple[float, ...] = (0.5, 0.1)
    seeds: int = 3
    epochs: int = 2
    batch: int = 128
    head_epochs: int = 2
    teacher: tuple[int, ...] = (16, 32, 32, 4)
    """widths of the network in which a ticket is planted"""
    planted: tuple[float, ...] = (0.1, 0.3, 0.5)
    planted_steps: int = 2000
    planted_seeds: int = 3
    quick: bool = False


QUICK: dict[str, Any] = {
    "hidden": (48, 24),
    "densities": (0.5,),
    "seeds": 2,
    "epochs": 6,
    "batch": 64,
    "head_epochs": 6,
    "teacher": (16, 24, 4),
    "planted": (0.3,),
    "planted_steps": 500,
    "planted_seeds": 2,
}


@dataclass(frozen=True)
class Pair:
    """Two masks over one network: `common` over what chance gives, in all layers together."""

    images: str
    density: float
    differ: str
    first: int
    second: int
    kept: int
    common: int
    expected: float
    deviations: float
    jaccard: float
    jaccard_by_chance: float
    p_more: float
    accuracy_first: float
    accuracy_second: float


@dataclass(frozen=True)
class Moved:
    """A mask on the second images: its own outputs, and a new head over its hidden layers."""

    found_on: str
    judged_on: str
    density: float
    mask: str
    seed: int
    as_it_is: float
    new_head: float


@dataclass(frozen=True)
class Found:
    """A search for a planted ticket: shares of its connections, and the function's distance.

    `random_distance` is that of a random mask with the same counts.
    """

    widths: str
    density: float
    seed: int
    ramp: float
    planted: int
    recovered: float
    by_chance: float
    p_more: float
    precision: float
    exact: bool
    distance: float
    random_distance: float
    steps: int


@dataclass(frozen=True)
class Result:
    """What was measured, and the claims that it is held to."""

    pairs: tuple[Pair, ...]
    moved: tuple[Moved, ...]
    found: tuple[Found, ...]
    claims: tuple[tuple[str, bool, str], ...]


def second(config: Config, first: Split) -> tuple[str, Split]:
    """The other images: a folder's, or the first ones with their pixels permuted."""
    if config.other is not None:
        data = pictures(str(config.other), 0, 0)
        if data.train_x.shape[1] != first.train_x.shape[1]:
            raise InputError("both data sets need images of one size")
        return images(str(config.other)).name, data
    order = torch.randperm(first.train_x.shape[1], generator=torch.Generator().manual_seed(0))
    xs = {f"{part}_x": getattr(first, f"{part}_x")[:, order] for part in ("train", "valid", "test")}
    return "permuted", replace(first, **xs)


def tickets(place: Path, name: str, data: Split, run: Run) -> tuple[Ticket, float]:
    """One search over images of that name, or its file in `place`; and its test accuracy."""
    file = place / f"{key(asdict(run) | {'data': name})}.safetensors"
    if not file.exists():
        found = searched(run, data, named(run.model, classes(data)))
        found.search.ticket().save(file)
    ticket = Ticket.load(file)
    return ticket, hits(ticket.module(), data.test_x, data.test_y)


def headed(ticket: Ticket, data: Split, config: Config) -> float:
    """Test accuracy with a new linear head, trained by Adam; the body stays frozen."""
    depth = len(config.hidden)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(config.hidden[-1], classes(data))
    model = new_head(ticket, f"layers.{depth}", head)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    order = torch.Generator().manual_seed(0)
    size = scale_of(model, head, data)
    for _ in range(config.head_epochs):
        for index in torch.split(torch.randperm(len(data.train_x), generator=order), config.batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(
                model(size * data.train_x[index]), data.train_y[index]
            )
            torch.autograd.backward(loss)
            optimizer.step()
    return hits(model, size * data.test_x, data.test_y)


@torch.no_grad()
def scale_of(model: nn.Module, head: nn.Module, data: Split) -> float:
    """What brings the features, homogeneous in the input, to root mean square 1."""
    held: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, given: held.append(given[0]))
    model(data.train_x[:512])
    hook.remove()
    size = float(held[0].square().mean().sqrt())
    return 1 / size if size else 1.0


def planted(config: Config, density: float, seed: int, ramp: float) -> Found:
    """Search for a hidden mask from its outputs alone, told its layers' densities."""
    network = Network.mlp(config.teacher, laws=SignedConstant(), seed=seed)
    hidden: Planted = plant(network, density, seed=1000 + seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2048, config.teacher[0], generator=generator)
    fresh = torch.randn(2048, config.teacher[0], generator=generator)
    y = hidden.labels(x)
    size = float(y.std())
    model = named("mlp-" + "-".join(map(str, config.teacher)))
    search = EdgePopup(
        Network.sample(model, SignedConstant(), seed=seed),  # the planted network, on its feet
        hidden.densities,
        0.1,  # best on a seed of its own, of 0.01 to 1, at each density
        score_seed=seed,
        ramp=round(ramp * config.planted_steps),
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(search, config.planted_steps)
    for _ in range(config.planted_steps):
        index = torch.randint(len(x), (128,), generator=generator)
        search.zero_grad()
        loss = ((model(x[index]) - y[index]) / size).square().mean()
        torch.autograd.backward(loss)
        search.step()
        schedule.step()
    masks = search.masks()
    score = hidden.score(masks, fresh)
    chance = hidden.score(random_mask(masks, seed), fresh)
    assert score.distance is not None
    assert chance.distance is not None
    return Found(
        widths="-".join(map(str, config.teacher)),
        density=density,
        seed=seed,
        ramp=ramp,
        planted=hidden.mask.kept,
        recovered=score.recovered,
        by_chance=score.by_chance,
        p_more=score.overlap.all.more,
        precision=score.precision,
        exact=score.exact,
        distance=score.distance,
        random_distance=chance.distance,
        steps=config.planted_steps,
    )


def run(config: Config) -> Result:
    """Measure and compare."""
    data = "" if config.data is None else str(config.data)
    first = pictures(data, 0, 0)
    name = images(data).name
    other_name, other = second(config, first)
    hidden = "-".join(map(str, config.hidden))
    base = Run(data, f"mlp-{first.train_x.shape[1]}-{hidden}-{classes(first)}",
               epochs=config.epochs, batch=config.batch)  # fmt: skip
    jobs = len(config.densities) * (2 * config.seeds + 2)
    pairs: list[Pair] = []
    moved: list[Moved] = []
    done = itertools.count()
    with show.progress() as progress:

        def one(
            density: float, scores: int, order: int, there: bool = False, where: str = "tickets"
        ) -> tuple[Ticket, float]:
            progress("tickets", next(done), jobs)
            run = replace(base, density=density, score_seed=scores, order_seed=order)
            data, on = (other, other_name) if there else (first, name)
            return tickets(folder(config.out / where), on, data, run)

        for density in config.densities:
            by_scores = [one(density, s, 0) for s in range(config.seeds)]
            by_order = [by_scores[0], *(one(density, 0, s) for s in range(1, config.seeds))]
            there = one(density, 0, 0, there=True)
            again = one(density, 0, 0, where="tickets again")
            for differ, made in (
                ("initial scores", by_scores),
                ("order of the data", by_order),
                ("images", [by_scores[0], there]),
                ("nothing", [by_scores[0], again]),
            ):
                pairs += compared(name, density, differ, made)
            moved += carried(name, other_name, density, by_scores, there[0], other, config)
        found = planted_all(config, progress)
    return Result(tuple(pairs), tuple(moved), tuple(found), claims(pairs, moved, found))


def compared(
    name: str, density: float, differ: str, made: Sequence[tuple[Ticket, float]]
) -> list[Pair]:
    """Every pair of the tickets."""
    found = []
    for (i, one), (j, other) in itertools.combinations(enumerate(made), 2):
        shared = overlap(one[0], other[0]).all
        found.append(
            Pair(
                images=name,
                density=density,
                differ=differ,
                first=i,
                second=j,
                kept=shared.kept[0],
                common=shared.common,
                expected=shared.expected,
                deviations=shared.score,
                jaccard=shared.jaccard,
                jaccard_by_chance=shared.jaccard_by_chance,
                p_more=shared.more,
                accuracy_first=one[1],
                accuracy_second=other[1],
            )
        )
    return found


def carried(
    name: str,
    other_name: str,
    density: float,
    made: Sequence[tuple[Ticket, float]],
    own: Ticket,
    other: Split,
    config: Config,
) -> list[Moved]:
    """The first images' masks on the others, beside random ones and the others' own."""
    kinds: list[tuple[str, Callable[[int], Ticket], int]] = [
        (f"found on {name}", lambda s: made[s][0], config.seeds),
        ("random, equal counts", lambda s: random_mask(made[s][0], 50 + s), config.seeds),
        (f"found on {other_name}", lambda s: own, 1),
    ]
    found = []
    for kind, ticket_of, count in kinds:
        for seed in range(count):
            ticket = ticket_of(seed)
            as_it_is = hits(ticket.module(), other.test_x, other.test_y)
            found.append(
                Moved(
                    name, other_name, density, kind, seed, as_it_is, headed(ticket, other, config)
                )
            )
    return found


def planted_all(config: Config, progress: Callable[[str, int, int], None]) -> list[Found]:
    """Every density and seed, at once and down a ramp over half of the steps."""
    jobs = [
        (density, seed, ramp)
        for density in config.planted
        for seed in range(config.planted_seeds)
        for ramp in (0.0, 0.5)
    ]
    found = []
    for i, (density, seed, ramp) in enumerate(jobs):
        progress(f"planted: density {density:g}", i, len(jobs))
        found.append(planted(config, density, seed, ramp))
    return found


def claims(
    pairs: Sequence[Pair], moved: Sequence[Moved], found: Sequence[Found]
) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    scores = [p for p in pairs if p.differ == "initial scores"]
    order = [p for p in pairs if p.differ == "order of the data"]
    same = [p for p in pairs if p.differ == "nothing"]
    near, far = [p.jaccard for p in order], [p.jaccard for p in scores]
    heads = {
        kind: mean([m.new_head for m in moved if m.mask.startswith(kind)])
        for kind in (f"found on {moved[0].found_on}", "random", f"found on {moved[0].judged_on}")
    }
    carried_over, random, own = heads.values()
    densest = max(f.density for f in found)
    dense = [f for f in found if f.density == densest]
    return (
        (
            "the same seeds give the same ticket",
            all(p.common == p.kept for p in same),
            f"{len(same)} pairs",
        ),
        (
            "other initial scores: more in common than by chance, p < 1e-6 in every pair",
            all(p.p_more < 1e-6 for p in scores),
            f"largest p {max(p.p_more for p in scores):.2g}",
        ),
        (
            "other initial scores: not the same ticket, less than 3/4 of the kept in common",
            all(p.common < 0.75 * p.kept for p in scores),
            f"Jaccard {min(far):.3f} to {max(far):.3f}, by chance "
            f"{min(p.jaccard_by_chance for p in scores):.3f} to "
            f"{max(p.jaccard_by_chance for p in scores):.3f}",
        ),
        (
            "the initial scores decide more than the order of the data",
            all(
                min(p.jaccard for p in order if p.density == d)
                > max(p.jaccard for p in scores if p.density == d)
                for d in {p.density for p in scores}
            ),
            f"Jaccard {min(near):.3f} to {max(near):.3f} where the order alone differs",
        ),
        (
            "no transfer: a carried mask's frozen features are worth no more than a random mask's",
            carried_over.mean <= random.mean + 0.01,
            f"{carried_over}, random {random}, the second images' own {own}",
        ),
        (
            f"planted, density {densest:g}: more found than by chance, p < 1e-4 in every search",
            all(f.p_more < 1e-4 for f in dense),
            f"largest p {max(f.p_more for f in dense):.2g}",
        ),
        (
            "planted, density 0.3 and more: the function is nearer than a random mask's",
            all(f.distance < f.random_distance for f in found if f.density >= 0.3),
            f"distance {min(f.distance for f in found):.2g} to "
            f"{max(f.distance for f in found):.2g}, of random masks "
            f"{min(f.random_distance for f in found):.2g} or more",
        ),
        (
            "planted: not recovered; of what chance misses, no search finds half",
            all(f.recovered - f.by_chance < 0.5 * (1 - f.by_chance) for f in found),
            f"found {min(f.recovered for f in found):.1%} to "
            f"{max(f.recovered for f in found):.1%}, by chance "
            f"{min(f.by_chance for f in found):.1%} to {max(f.by_chance for f in found):.1%}",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """Overlaps against chance; new heads; planted connections and distance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    densities = sorted({p.density for p in result.pairs})
    kinds = list(dict.fromkeys(p.differ for p in result.pairs))
    for i, density in enumerate(densities):
        for j, kind in enumerate(kinds):
            mine = [p for p in result.pairs if (p.density, p.differ) == (density, kind)]
            at = [j + 0.2 * i] * len(mine)
            label = f"density {density:g}" if j == 0 else None
            left.plot(at, [p.jaccard for p in mine], "o", color=f"C{i}", ms=4, label=label)
            chance = [p.jaccard_by_chance for p in mine]
            left.plot(at, chance, "_", color=f"C{i}", ms=12, label="chance" if j == 0 else None)
    left.set_xticks(range(len(kinds)), [k.replace(" ", "\n") for k in kinds], fontsize=7)
    left.set(ylabel="kept by both / kept by any", xlabel="what differs", ylim=(0, 1.05))
    left.legend(fontsize=7)
    masks = list(dict.fromkeys(m.mask for m in result.moved))
    for i, density in enumerate(densities):
        for j, mask in enumerate(masks):
            mine_too = [m for m in result.moved if (m.density, m.mask) == (density, mask)]
            at = [j + 0.2 * i] * len(mine_too)
            middle.plot(at, [100 * m.new_head for m in mine_too], "o", color=f"C{i}", ms=4)
            middle.plot(at, [100 * m.as_it_is for m in mine_too], "x", color=f"C{i}", ms=4)
    middle.plot([], [], "ko", ms=4, label="new head over frozen layers")
    middle.plot([], [], "kx", ms=4, label="as it is")
    middle.set_xticks(range(len(masks)), [m.replace(" on ", "\non ") for m in masks], fontsize=7)
    middle.set(ylabel=f"accuracy on {result.moved[0].judged_on}, %", ylim=(0, 100))
    middle.legend(fontsize=7, loc="center right")
    for ramp, mark, name in ((0.0, "o", "at once"), (0.5, "s", "ramp")):
        mine_found = [f for f in result.found if f.ramp == ramp]
        right.plot([f.density for f in mine_found], [f.recovered for f in mine_found], mark,
                   color="C0", mfc="none", ms=5, label=f"connections found, {name}")  # fmt: skip
        right.plot([f.density for f in mine_found], [f.distance for f in mine_found], mark,
                   color="C3", mfc="none", ms=5, label=f"distance, {name}")  # fmt: skip
    at_density = {f.density: f.by_chance for f in result.found}
    right.plot(
        list(at_density), list(at_density.values()), "_", color="C0", ms=14, label="by chance"
    )
    right.set(xlabel="planted density", ylim=(0, None),
              ylabel="share found; distance / size of the function")  # fmt: skip
    right.axhline(1, color="0.7", lw=0.6, ls=":")
    right.legend(fontsize=6)
    figure.savefig(path, dpi=150)


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        config = replace(config, **QUICK)
    torch.set_num_threads(1)
    try:
        tables, figures = places(config)
        result = run(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.pairs))
    write_whole(tables / f"{NAME}_transfer.csv", table(result.moved))
    write_whole(tables / f"{NAME}_planted.csv", table(result.found))
    plot(result, figures / f"{NAME}.png")
    return judged(result.claims)


if __name__ == "__main__":
    raise SystemExit(main())
