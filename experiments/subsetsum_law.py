"""How many candidates a subset sum needs: failure against n, beside what is proved.

Candidates are taken one by one until a subset of them is near enough, so that each trial is a
point on the whole curve. Everything is exact: candidates and targets are dyadic numbers, and
"within epsilon" is decided in integers. One run makes the curves (a CSV file), the constants
fitted to them, the claims they are held to and the figures.

    python experiments/subsetsum_law.py [--quick] [--out FOLDER]
    python experiments/subsetsum_law.py --publish    # fills docs/subset-sum-law.md and its figures

A run that was stopped goes on where it was: curves that stand in the CSV file are kept if seed and
numbers of trials are the same.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import _law_figures
import _law_tables
import tyro
from _law_bounds import size_law
from _law_claims import Claim, claims
from _law_curves import Cell, Curve, read, write
from _law_draws import measure
from _law_fits import Fit
from _main import refused

from strongticket.cli import show
from strongticket.errors import StrongticketError
from strongticket.files import folder, write_whole

ROOT = Path(__file__).parents[1]
RESULTS, PAGE, FIGURES = (
    ROOT / "experiments" / "results",
    ROOT / "docs" / "subset-sum-law.md",
    ROOT / "docs" / "figures",
)
NAME = "subsetsum_law"


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    out: Path = Path("runs") / NAME
    publish: bool = False
    """write results, figures and tables where the documentation has them, instead of to `out`"""
    single: int = 200_000
    """trials of a curve with one target"""
    every: int = 2_000
    """trials of a curve with all targets at once"""
    size: int = 2_000
    """trials of a curve of a fixed size"""
    pairs: int = 1_000
    """trials of a curve of pairs"""
    quantized: int = 200_000
    """trials of a curve of integers with one target"""
    quantized_every: int = 20_000
    """trials of a curve of integers with all targets at once"""
    seed: int = 1
    threads: int | None = None
    quick: bool = False


QUICK: dict[str, Any] = {
    "single": 2_000,
    "every": 60,
    "size": 60,
    "pairs": 60,
    "quantized": 2_000,
    "quantized_every": 200,
}
SMALL = tuple(10.0**-k for k in range(1, 7))
LARGE = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
SINGLE = {
    "U[-1,1]": ("U[-1,1]", "U[-.1,.1]", "|t| = 1"),
    "U*U": ("U[-1,1]", "U[-.1,.1]", "|t| = 1"),
    "gated U*U": ("U[-1,1]", "U[-.1,.1]"),
    "N(0,1)": ("U[-1,1]", "U[-.1,.1]"),
}
SIZES = (2, 3, 4, 6, 8, 12, 16)
LONGEST_SIZE = 34  # the H2 law's n beyond which a fixed size is not measured
BITS, BITS_EVERY = (4, 8, 12, 16, 20, 24), (4, 6, 8, 10, 12)


@dataclass(frozen=True)
class Result:
    """The curves, the constants fitted to them and the claims that they were held to."""

    curves: tuple[Curve, ...]
    fits: tuple[tuple[_law_tables.Group, Fit], ...]
    claims: tuple[Claim, ...]


def plan(config: Config) -> list[tuple[Cell, int, int]]:
    """(cell, trials, most candidates) of the whole experiment."""
    cells = [
        (Cell("single", of, targets, epsilon), config.single, 72 if of == "gated U*U" else 44)
        for of, every in SINGLE.items()
        for targets in every
        for epsilon in SMALL
    ]
    cells += [
        (Cell("single", "U[-1,1]", "U[-1,1]", epsilon), config.single, 44)
        for epsilon in _law_tables.ANCHOR
    ]
    cells += [
        (Cell("all", of, targets, epsilon), config.every, 24)
        for of in ("U[-1,1]", "N(0,1)", "U*U")
        for targets in ("all |z| <= 1/2", "all |z| <= 1")
        for epsilon in (*LARGE, *((1e-4,) if of == "U[-1,1]" else ()))
    ]
    cells += [
        (Cell("size", "U[-1,1]", "U[-sqrt k, sqrt k]", epsilon, k), config.size, 44)
        for k in SIZES
        for epsilon in SMALL
        if size_law(k, epsilon) <= LONGEST_SIZE
    ]
    cells += [
        (Cell("pairs", "U[-1,1]", "all |z| <= 1/2", epsilon), config.pairs, 22)
        for epsilon in (0.1, 0.01, 0.001)
    ]
    one, every = "z uniform, |z| <= M/2", "all |z| <= M/2"
    cells += [(Cell("quantized", "{-M..M}", one, 0.0, b), config.quantized, 44) for b in BITS]
    cells += [
        (Cell("quantized all", "{-M..M}", every, 0.0, b), config.quantized_every, 60)
        for b in BITS_EVERY
    ]
    return cells


def run(config: Config) -> Result:
    """Measure every cell that is not yet there, fit, and hold the curves to their claims."""
    place = folder(RESULTS if config.publish else config.out)
    table, about = place / f"{NAME}.csv", place / f"{NAME}.json"
    stored = _stored(config)
    have: dict[Cell, Curve] = {}
    if table.exists() and _same(about, stored):
        have = {curve.cell: curve for curve in read(table)}
    else:
        _write(about, {"config": stored, "complete": False})
        write(table, [])
    cells = plan(config)
    with show.progress() as progress:
        for i, (cell, trials, most) in enumerate(cells):
            progress(f"{_law_tables.PARTS[cell.part]}: {cell.name}", i, len(cells))
            if cell not in have:
                have[cell] = measure(cell, trials, most, config.seed, config.threads)
                write(table, [have[c] for c, _, _ in cells if c in have])
    curves = tuple(have[cell] for cell, _, _ in cells)
    result = Result(curves, tuple(_law_tables.fits(curves, config.seed)), tuple(claims(curves)))
    _write(about, {"config": stored, "complete": True, **_summary(result)})
    return result


def holds(result: Result) -> bool:
    """No bound and no earlier figure is refuted."""
    return not any(claim.refuted for claim in result.claims)


def plot(result: Result, place: Path) -> list[Path]:
    """Draw every figure into a folder."""
    found = []
    for name, draw in _law_figures.FIGURES.items():
        path = folder(place) / f"{NAME}_{name}.png"
        _law_figures.save(draw, result.curves, path)
        found.append(path)
    return found


def main() -> int:
    """Run, print the tables, store everything; exit code 1 where a claim is refuted."""
    config = tyro.cli(Config, description=__doc__)
    if config.quick:
        if config.publish:
            sys.stderr.write("error: the page is made from the full configuration: leave --quick\n")
            return 2
        config = replace(config, **QUICK)
    try:
        result = run(config)
        plot(result, FIGURES if config.publish else config.out)
        tables = _law_tables.blocks(result.curves, result.fits)
        if config.publish:
            page = _law_tables.filled(PAGE.read_text("utf-8"), tables)
            write_whole(PAGE, page.encode())
    except StrongticketError as error:
        return refused(error)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on after the last finished curve\n")
        return 130
    for text in tables.values():
        show.line(text + "\n")
    rows = [(c.name, "REFUTED" if c.refuted else "stands", c.text) for c in result.claims]
    show.table("Claims", ("claim", "", "measured"), rows)
    return 0 if holds(result) else 1


def _stored(config: Config) -> dict[str, Any]:
    """What decides the curves."""
    every = asdict(config)
    return {name: every[name] for name in (*QUICK, "seed")}


def _same(about: Path, stored: dict[str, Any]) -> bool:
    try:
        found = json.loads(about.read_text("utf-8"))
        return bool(found["config"] == stored)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _summary(result: Result) -> dict[str, Any]:
    return {
        "fits": [{"group": group, **asdict(fit)} for group, fit in result.fits],
        "claims": [asdict(claim) for claim in result.claims],
        "holds": holds(result),
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(value, indent=1) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main())
