"""Certificate methods side by side: each bound, its time, and its ratio to the attack.

Tickets of trained networks, pruned out of real random networks, on the box [0, 1]^d. *Even* errors:
every weight is the first subset sum within 0.01. *Best*: every weight is its best subset sum, so
few errors stand out. *Planted*: the target is the ticket itself, rounded to float32, but for one
weight that is 0.01 off. On 10-16-3 networks the largest difference itself is enclosed.

    python experiments/certificates_scale.py --quick                 # scikit-learn's digits
    python experiments/certificates_scale.py --data FOLDER [--publish]   # and 784-500-10 on MNIST
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from _main import places
from _stored import table

from strongticket import Box, Network, Target, Ticket, Uniform, subsetsum
from strongticket.cli import show
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.datasets import Images, digits, idx_folder
from strongticket.errors import InputError, StrongticketError
from strongticket.files import folder, write_whole
from strongticket.training import train_relu
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    LINEAR,
    SPECTRAL,
    WEIGHT_ERROR,
    attack,
    certify,
    collapse,
    maximum,
    recheck,
)
from strongticket.verify._affine import Group
from strongticket.verify._linear import _Pair
from strongticket.verify._relaxation import Programme  # the root's linear programme alone

NAME = "certificates_scale"
METHODS = {
    "weight error": WEIGHT_ERROR,
    "differential interval": DIFFERENTIAL_INTERVAL,
    "linear relaxation": LINEAR,
    "spectral relaxation": SPECTRAL,
}


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Annotated[Path | None, tyro.conf.arg(help="folder with the four MNIST idx files")] = None
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write the table and the figure where the documentation has them, instead of to `out`"""
    hidden: int = 500
    epochs: int = 4
    small: int = 3
    """networks of widths 10-16-3 whose maximum is enclosed"""
    seconds: float = 120.0
    """for each of those"""
    seed: int = 0
    quick: bool = False


@dataclass(frozen=True)
class Row:
    """One method on one instance.

    Attributes:
        instance: the data, the widths and the kind of errors.
        method: of the bound. "linear programme" and "20 signs split" are no certificates: the first
            is what no choice of slopes beats, the second what a million nodes would reach at best.
        bound: proved.
        attack: the lower bound; of a 10-16-3 network the proved lower end of its maximum.
        ratio: bound / attack.
        seconds: CPU seconds of the method, after the collapse.
        recheck_seconds: CPU seconds of `recheck` from the file; nan where there is no file.
    """

    instance: str
    method: str
    bound: float
    attack: float
    ratio: float
    seconds: float
    recheck_seconds: float


def run(config: Config) -> list[Row]:
    """All instances, all methods."""
    folder(config.out)
    rows = []
    for name, ticket, target in _instances(config):
        rows += _measure(config, name, ticket, target)
        show.line(
            f"{name}: " + ", ".join(f"{r.method} {r.ratio:.2f}" for r in rows if r.instance == name)
        )
    for seed in range(1 if config.quick else config.small):
        rows += _small(config, seed)
    return rows


def _instances(config: Config) -> Iterator[tuple[str, Ticket, Target]]:
    sets: list[tuple[str, Images, int, int]] = [("digits", digits(), 32, 40)]
    if config.data is not None and not config.quick:
        sets.append(("MNIST", idx_folder(config.data), config.hidden, config.epochs))
    for name, data, hidden, epochs in sets:
        model = train_relu(data, (hidden,), epochs=epochs, seed=config.seed, decay=1e-3)
        target = Target(model, domain=Box(0.0, 1.0))
        widths = "-".join(map(str, target.widths))
        kinds: tuple[tuple[str, Any, int], ...] = (
            ("even", subsetsum.within, 16),
            ("best", subsetsum.best, 21),
        )
        for kind, objective, window in kinds:
            ticket = _ticket(target, objective, window, config.seed)
            yield f"{name} {widths}, {kind} errors", ticket, target
        yield f"{name} {widths}, planted error", ticket, _planted(ticket)


def _ticket(target: Target, objective: Any, window: int, seed: int) -> Ticket:
    widths = [target.widths[0]]
    for d_in, d_out in zip(target.widths, target.widths[1:], strict=False):
        widths += [4 * window * d_in, d_out]
    laws = [Uniform(1.0), Uniform(2.0)] * target.depth
    network = Network.mlp(widths, laws=laws, seed=seed)
    wanted = [LayerAccuracy(0.01)] * target.depth
    return two_layer(network, target, wanted, objective=objective, window=window, strict=False)


def _planted(ticket: Ticket) -> Target:
    """The ticket's own effective weights in float32, one of them 0.01 larger."""
    weights = [
        np.ldexp(layer.plus.astype(np.float64), layer.exponent).astype(np.float32)
        for layer in collapse(ticket)
    ]
    middle = weights[0].shape[0] // 2, weights[0].shape[1] // 2
    weights[0][middle] += np.float32(0.01)
    return Target([(w, None) for w in weights], Box(0.0, 1.0))


def _measure(config: Config, name: str, ticket: Ticket, target: Target) -> list[Row]:
    layers = collapse(ticket)
    lower = attack(ticket, target, layers=layers, seed=config.seed).distance
    rows = []
    for method_name, method in METHODS.items():
        _, seconds = _timed(partial(method, target, layers))
        made = certify(ticket, target, method=method)
        path = made.save(config.out / "proof.json")
        _, rechecked = _timed(partial(recheck, path, target))
        ratio = made.bound / lower
        rows.append(Row(name, method_name, made.bound, lower, ratio, seconds, rechecked))
    value, seconds = _timed(partial(_split, target, layers))
    rows.append(Row(name, "20 signs split", value, lower, value / lower, seconds, float("nan")))
    if target.widths[1] <= 64:
        value, seconds = _timed(partial(_root, target, layers))
        rows.append(
            Row(name, "linear programme", value, lower, value / lower, seconds, float("nan"))
        )
    return rows


def _split(target: Target, layers: Sequence[Any], signs: int = 20) -> float:
    """What the linear relaxation would be at best if the signs of 20 neurons were known.

    A million nodes: of each output, the 20 neurons whose remainders weigh most lose them.
    """
    pair = _Pair(target, layers, spectral=False)
    worst = 0.0
    for bounds, sign in zip(pair.output.bounds(pair.groups), (-1, 1), strict=True):
        size = np.zeros((target.widths[-1], target.widths[1]))
        for part, group in zip(pair.output.parts[1:], pair.groups[1:], strict=True):
            assert isinstance(group, Group)
            size += np.maximum(sign * part * group.low, sign * part * group.high)
        saved = np.sort(size, 1)[:, -signs:].sum(1)
        worst = max(worst, float((sign * bounds - saved).max()))
    return worst


def _root(target: Target, layers: Sequence[Any]) -> float:
    """The linear programme of the pair without a split: no slopes can do better."""
    programme = Programme(target, layers)
    goals = [(j, s) for j in range(target.widths[-1]) for s in (1, -1)]
    return max(float(programme.bound(g, programme.known, programme.worst(g))[0]) for g in goals)


def _small(config: Config, seed: int) -> list[Row]:
    """A random 10-16-3 network, its maximum enclosed."""
    rng = np.random.default_rng(seed)
    pairs = [
        (rng.uniform(-0.5, 0.5, shape).astype(np.float32), None) for shape in ((16, 10), (3, 16))
    ]
    target = Target(pairs, Box(0.0, 1.0))
    ticket = _ticket(target, subsetsum.within, 14, seed)
    layers = collapse(ticket)
    search = partial(maximum, ticket, target, layers=layers, time_limit=config.seconds)
    found, seconds = _timed(search)
    least = found.attack.distance
    name = f"random 10-16-3, even errors, seed {seed}"
    nan = float("nan")
    rows = [
        Row(name, method_name, bound, least, bound / least, nan, nan)
        for method_name, bound in (
            *((n, certify(ticket, target, method=m).bound) for n, m in METHODS.items()),
            ("linear programme", _root(target, layers)),
        )
    ]
    upper = float(found.exact_bound)
    rows.append(Row(name, "maximum", upper, least, upper / least, seconds, nan))
    plain = attack(ticket, target, layers=layers, seed=config.seed).distance
    rows.append(Row(name, "attack alone", plain, least, plain / least, nan, nan))
    return rows


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    done = work()
    return done, time.process_time() - start


def holds(rows: Sequence[Row]) -> bool:
    """No proved bound is below an attack."""
    proved = {*METHODS, "maximum"}
    return all(Fraction(r.bound) >= Fraction(r.attack) for r in rows if r.method in proved)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Bound / attack, one group of bars an instance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(r.instance for r in rows))
    methods = [*METHODS, "linear programme", "maximum"]
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.62 * len(names)))
    height = 0.84 / len(methods)
    for place, method in enumerate(methods):
        found = [(names.index(r.instance), r.ratio) for r in rows if r.method == method]
        if found:
            at = [-(n + (place - len(methods) / 2) * height) for n, _ in found]
            ratios = [ratio for _, ratio in found]
            axes.barh(at, ratios, height, align="edge", label=method, color=f"C{place}")
            for y, ratio in zip(at, ratios, strict=True):
                axes.text(ratio * 1.03, y, f"{ratio:.2g}", fontsize=6)
    axes.set_yticks([-n - 0.05 for n in range(len(names))], names, fontsize=8)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("proved bound / attack, over the box [0, 1]^d")
    axes.legend(fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def main(config: Config) -> int:
    """Run, write table and figure, and tell whether the order of bounds holds."""
    rows = run(config)
    tables, figures = places(config)
    write_whole(tables / f"{NAME}.csv", table(rows))
    plot(rows, figures / f"{NAME}.png")
    for row in rows:
        show.line(
            f"{row.instance:38} {row.method:22} {row.bound:10.4g} {row.ratio:8.2f} "
            f"{row.seconds:6.2f} s {row.recheck_seconds:6.2f} s"
        )
    return 0 if holds(rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(tyro.cli(Config)))
    except (InputError, StrongticketError) as error:
        sys.exit(f"error: {error}")
