"""Every constructing theorem of the catalogue on real trained targets, certified at its epsilon.

The shipped digits, and MNIST and Fashion-MNIST where a folder of them is given. Each theorem draws
its own random network at its own width (delta 0.01), builds the trained network out of it,
certifies it over the whole domain, has the certificate rechecked from its file, and evaluates the
pruned random network. A theorem that refuses, or whose width is too much, has a row that says why.

    python experiments/catalogue_targets.py [--data FOLDER] [--quick] [--out FOLDER]
    python experiments/catalogue_targets.py --data FOLDER --publish   # results of the docs

FOLDER holds mnist/ or fashion-mnist/ or both, the four idx files in each. Every row is a process of
its own with a limit on memory and processor time, and a file of its own: what is there already is
not made again.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _catalogue_rows as rows
import tyro
from _catalogue_rows import Case, Row
from _main import judged, places, refused
from _stored import table

from strongticket.cli import show
from strongticket.errors import InputError, StrongticketError
from strongticket.files import folder, write_whole

NAME = "catalogue_targets"
MASS = {"mass": 6}  # the selected weights of a neuron may weigh so many row sums of the target
SMALL, LARGE = (32,), (300, 100)  # hidden widths: digits, and images of 28 x 28


@dataclass(frozen=True)
class Config:
    """What is run; every field is an option of the command line."""

    data: Path | None = None
    """folder that holds mnist/ or fashion-mnist/ or both; without it, the digits alone"""
    out: Path = Path("runs") / NAME
    publish: bool = False
    """write table and figure where the documentation has them, too"""
    only: str = "*"
    """only rows whose name matches this pattern, say mnist_* or digits_kumar2025_*"""
    gib: float = 4.0
    """memory of a row"""
    seconds: float = 360.0
    """processor time of a row"""
    quick: bool = False
    """digits, eight hidden neurons, in this process"""


@dataclass(frozen=True)
class Result:
    """One row a case, and the claims that they are held to."""

    rows: tuple[Row, ...]
    claims: tuple[tuple[str, bool, str], ...]


_UNIT = {"unit": True, "decay": 1e-5}
# (key, epsilon on digits, on 28 x 28 images, what else a case says). The epsilons are round numbers
# above what 24-bit weights can prove for these norms.
_CASES: tuple[tuple[str, float, float, dict[str, Any]], ...] = (
    ("orseau2020_network", 0.1, 0.1, {}),
    ("pensia2020_first", 0.1, 0.25, {}),
    ("pensia2020_explicit", 0.1, 0.1, {}),
    ("malach2020_weights", 0.5, 0.5, {}),
    ("malach2020_count", 1.0, 1.0, {"unit": True}),
    ("malach2020_product", 0.5, 0.5, {}),
    ("burkholz2022_explicit", 0.25, 0.25, {}),
    ("fischer2021_explicit", 0.1, 0.1, {"biases": True}),
    ("kumar2025_exact", 0.1, 0.1, {"bits": 8}),
    ("kumar2025_copies", 0.1, 0.1, {"bits": 8}),
    ("diffenderfer2021_mean", 0.25, 0.25, {}),
    ("sreenivasan2022_doubling", 0.1, 0.1, {}),
    ("natale2024_explicit", 0.1, 0.25, {}),
    ("gadhikar2023_explicit", 0.1, 0.1, {}),
    ("otsuka2024_explicit", 0.1, 0.25, {}),
)
# Where the full target asks too much, one that the theorem can serve.
_SMALLER = (
    Case("malach2020_weights", "digits", (6,), 0.8, **_UNIT),  # type: ignore[arg-type]
    Case("malach2020_count", "digits", (8,), 1.0, live=16, most=1e13, **_UNIT),  # type: ignore[arg-type]
)
_SMALLER_IMAGES = (
    Case("burkholz2022_explicit", "mnist", (100,), 0.25, options=MASS),
    Case("diffenderfer2021_mean", "mnist", (32,), 0.5),
    Case("sreenivasan2022_doubling", "mnist", (100,), 0.1),
    Case("kumar2025_copies", "mnist", (100,), 0.1, bits=8),
    Case("natale2024_explicit", "mnist", (100,), 0.25),
    Case("otsuka2024_explicit", "mnist", (100,), 0.25),
)


def cases(config: Config) -> list[Case]:
    """All that is to be run, digits first."""
    if config.quick:
        return _quick()
    found = [Case(key, "digits", SMALL, eps, **more) for key, eps, _, more in _CASES]
    found += _SMALLER
    for name in rows.FOLDERS:
        if config.data is not None and (config.data / name).is_dir():
            found += [_large(name, *case) for case in _CASES]
            found += [case for case in _SMALLER_IMAGES if case.data == name]
    if config.data is not None and not any(case.data != "digits" for case in found):
        raise InputError(f"{config.data} holds neither of the folders {', '.join(rows.FOLDERS)}")
    found = [case for case in found if fnmatch.fnmatchcase(case.name, config.only)]
    if not found:
        raise InputError(f"no row's name matches {config.only!r}")
    return found


def _large(name: str, key: str, small: float, epsilon: float, more: dict[str, Any]) -> Case:
    """A case on images of 28 x 28; copies only where the selected weights are light."""
    del small
    options = {"options": MASS} if key == "burkholz2022_explicit" else {}
    return Case(key, name, LARGE, epsilon, **more, **options)  # type: ignore[arg-type]


def _quick() -> list[Case]:
    keys = [case for case in _CASES if case[0] not in ("malach2020_weights", "malach2020_count")]
    found = [Case(key, "digits", (8,), 0.5, **more) for key, _, _, more in keys]
    weights = Case("malach2020_weights", "digits", (2,), 1.0, unit=True)
    refused = Case("malach2020_weights", "digits", (8,), 0.5)
    return [
        *found,
        weights,
        refused,
        Case("malach2020_count", "digits", (2,), 1.0, unit=True, live=4, most=1e13),
    ]


def run(config: Config) -> Result:
    """Every case that has no row yet, one after the other."""
    folder(config.out)
    found = []
    with show.progress() as progress:
        todo = cases(config)
        for i, case in enumerate(todo):
            progress(f"{case.name}: row", i, len(todo))
            found.append(rows.stored(case, config.out) or one(case, config))
    return Result(tuple(found), claims(found))


def one(case: Case, config: Config) -> Row:
    """A row, in this process if it is a quick one."""
    if config.quick:
        return rows.store(case, rows.measure(case, config.out, config.data), config.out)
    fields = json.dumps(dataclasses.asdict(case))
    place = "" if config.data is None else str(config.data)
    limits = str(config.gib), str(config.seconds)
    command = [sys.executable, rows.__file__, fields, str(config.out), place, *limits]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    if done.returncode == 0 and (row := rows.stored(case, config.out)) is not None:
        return row
    # a process that was ended says nothing; how far it came is in the row that it left
    limit = "time" if -done.returncode in (24, 9) else "memory"
    allowed = f"{config.seconds:g} s" if limit == "time" else f"{config.gib:g} GiB"
    return rows.store(case, rows.cut_short(case, config.out, limit, allowed), config.out)


def claims(found: Sequence[Row]) -> tuple[tuple[str, bool, str], ...]:
    """(what is claimed, whether it stands, what was measured)."""
    done = [row for row in found if row.certified]
    exact = [row for row in done if row.theorem.startswith("kumar2025")]
    slack = [row.settled + abs(row.after - row.before) for row in done]
    served = {row.theorem for row in done}
    missing = sorted({row.theorem for row in found} - served)
    worst = max((row.bound / row.epsilon for row in done), default=float("nan"))
    return (
        (
            "every certified error is at most the theorem's epsilon",
            bool(done) and all(row.bound <= row.epsilon for row in done),
            f"{len(done)} tickets, at most {worst:.3g} of epsilon",
        ),
        (
            "the checker finds the same bound in every file alone",
            all(row.rechecked for row in done),
            f"{sum(row.rechecked for row in done)} of {len(done)}",
        ),
        (
            "no attack finds more than is certified",
            all(row.attack <= row.bound for row in done),
            f"{len(done)} attacks",
        ),
        (
            "quantized targets: error 0",
            all(row.bound == 0 for row in exact),
            f"{len(exact)} tickets",
        ),
        (
            "accuracy changes on no more images than the bound leaves open",
            all(total <= 1 + 1e-9 for total in slack),
            f"changes by {max((abs(r.after - r.before) for r in done), default=0):.2%} at most",
        ),
        (
            "every theorem has a ticket of a trained target",
            not missing,
            f"{len(served)} theorems" + (f"; none of {', '.join(missing)}" if missing else ""),
        ),
        (
            "peak memory of a certified row under 4 GiB",
            all(row.peak < 4 for row in done),
            f"at most {max((row.peak for row in done), default=0):.2f} GiB",
        ),
    )


def plot(result: Result, path: Path) -> None:
    """By theorem: the certified error as a part of epsilon, and the weights that stay."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.theorem for row in result.rows))
    kinds = list(dict.fromkeys((row.data, row.target) for row in result.rows))
    figure = Figure(figsize=(9.6, 0.36 * len(names) + 1.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    marks = ("o", "s", "D", "^", "v", "P", "X", "*")
    for i, (data, target) in enumerate(kinds):
        mine = [row for row in result.rows if (row.data, row.target) == (data, target)]
        done = [row for row in mine if row.certified]
        height = [names.index(row.theorem) + 0.09 * (i - len(kinds) / 2) for row in done]
        style: dict[str, Any] = {"marker": marks[i % 8], "ms": 5, "ls": "", "color": f"C{i}"}
        shown = [max(row.bound / row.epsilon, FLOOR) for row in done]
        left.plot(shown, height, label=f"{data} {target}", **style)
        right.plot([row.kept_weights / row.random_weights for row in done], height, **style)
    left.axvline(1, color="0.3", lw=1, ls=":")
    left.set(xlabel="certified error / epsilon (left edge: 0, exactly)")
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.invert_yaxis()
    right.set(xlabel="fraction of the random weights that stays")
    for axes in (left, right):
        axes.set_xscale("log" if any(row.certified for row in result.rows) else "linear")
        axes.grid(alpha=0.25)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
    )
    figure.savefig(path, dpi=150)


FLOOR = 3e-4  # where the figure puts an error of 0


def main() -> int:
    """Run, print, store; exit code 1 where a claim does not stand."""
    config = tyro.cli(Config, description=__doc__)
    try:
        result = run(config)
        tables, figures = places(config)
    except StrongticketError as error:
        return refused(error)
    write_whole(tables / f"{NAME}.csv", table(result.rows))
    plot(result, figures / f"{NAME}.png")
    head = ("theorem", "target", "epsilon", "certified", "kept of random", "accuracy", "peak, GiB")
    show.table("rows", head, [_shown(row) for row in result.rows])
    return judged(result.claims)


def _shown(row: Row) -> tuple[str, ...]:
    first = (row.theorem, f"{row.data} {row.target}", f"{row.epsilon:g}")
    if not row.certified:
        return (*first, f"{row.limit}: {row.why}", f"of {row.random_weights:,}", "", "")
    kept = f"{row.kept_weights:,} of {row.random_weights:,}"
    peak = f"{row.peak:.2f}" if row.peak else ""
    return (*first, f"{row.bound:.3g}", kept, f"{row.before:.2%} -> {row.after:.2%}", peak)


if __name__ == "__main__":
    raise SystemExit(main())
