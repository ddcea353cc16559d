"""Curves of failure against n: cells, exact binomial intervals, and the file they are kept in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from strongticket.errors import InputError
from strongticket.files import write_whole

Integers = NDArray[np.int64]
CONFIDENCE = 0.95
REFUTES = 1e-6  # a claim falls only where the measurement has at most this probability under it
HEAD = ("part", "law", "targets", "epsilon", "size", "n", "trials", "failures", "low", "high")


@dataclass(frozen=True)
class Cell:
    """What one curve is about.

    Attributes:
        part: "single" (one target), "all" (every target at once), "size" (subsets of exactly
            `size` candidates), "pairs" (one of each pair), "quantized" (integers, one target),
            "quantized all" (integers, every target at once).
        law: of the candidates.
        targets: what is to be reached.
        epsilon: accuracy; 0 where the target is to be met exactly.
        size: the subset's size, or log2 of the largest integer, or 0.
    """

    part: str
    law: str
    targets: str
    epsilon: float
    size: int = 0

    @property
    def name(self) -> str:
        """Text that is this cell's own, for its random stream."""
        return f"{self.part}|{self.law}|{self.targets}|{self.epsilon:g}|{self.size}"


@dataclass(frozen=True, eq=False)
class Curve:
    """How many trials needed how many candidates.

    Attributes:
        cell: what was measured.
        first: int64 (most + 2,); first[n] trials reached their target with the first n candidates
            and not with n - 1; first[most + 1] did not with the first `most`.
    """

    cell: Cell
    first: Integers

    @property
    def trials(self) -> int:
        """How many independent draws."""
        return int(self.first.sum())

    @property
    def most(self) -> int:
        """The last n of the curve: no trial fails at it, or no trial was given more."""
        return self.first.size - 2

    @cached_property
    def failures(self) -> Integers:
        """int64 (most + 1,): the trials that the first n candidates leave without a subset."""
        left: Integers = self.trials - np.cumsum(self.first[:-1])
        return left

    @property
    def rate(self) -> NDArray[np.float64]:
        """The fraction of the trials that fail, for n = 0, 1, ..."""
        return self.failures / self.trials

    @cached_property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Clopper and Pearson's limits of the failure probability, two-sided at 95 %."""
        return clopper_pearson(self.failures, self.trials)

    @property
    def mean(self) -> float:
        """The mean of the first n that hits; a trial that never does counts as most + 1."""
        return float(np.arange(self.first.size) @ self.first / self.trials)

    def least(self, level: float) -> tuple[int | None, int | None, int | None]:
        """The least n whose failure rate is at most `level`; and by the interval's two limits."""
        low, high = self.interval
        return _first(self.rate, level), _first(low, level), _first(high, level)


def clopper_pearson(
    failures: Integers, trials: int, error: float = 1 - CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact limits of a probability after `failures` in `trials` (Clopper and Pearson 1934)."""
    k = np.asarray(failures, np.float64)
    low = np.where(k > 0, beta.ppf(error / 2, np.maximum(k, 1), trials - k + 1), 0.0)
    high = np.where(k < trials, beta.ppf(1 - error / 2, k + 1, np.maximum(trials - k, 1)), 1.0)
    return low, high


def _first(values: NDArray[np.float64], level: float) -> int | None:
    below = np.flatnonzero(values <= level)
    return int(below[0]) if below.size else None


def of_firsts(cell: Cell, firsts: Integers, most: int) -> Curve:
    """The curve of one number a trial: the least n that hits, or most + 1 where none does."""
    missed = bool((firsts > most).any())
    length = most + 2 if missed else int(firsts.max(initial=0)) + 2  # as it comes from a file
    return Curve(cell, np.bincount(firsts, minlength=length).astype(np.int64))


def write(path: Path, curves: Iterable[Curve]) -> None:
    """Every curve as rows, from the last n at which all trials fail to the first without one."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEAD)
    for curve in curves:
        cell, failures = curve.cell, curve.failures
        low, high = curve.interval
        start = max(int(np.count_nonzero(failures == curve.trials)) - 1, 0)
        stop = min(int(np.count_nonzero(failures)) + 1, failures.size)
        for n in range(start, stop):
            of = (cell.part, cell.law, cell.targets, f"{cell.epsilon:g}", cell.size, n)
            limits = (f"{low[n]:.4g}", f"{high[n]:.4g}")
            rows.writerow((*of, curve.trials, int(failures[n]), *limits))
    write_whole(path, text.getvalue().encode())


def read(path: Path) -> list[Curve]:
    """The curves of a file that `write` made.

    Raises:
        InputError: the file is none of those.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[Cell, list[dict[str, str]]] = {}
    try:
        for row in rows:
            cell = Cell(
                row["part"], row["law"], row["targets"], float(row["epsilon"]), int(row["size"])
            )
            found.setdefault(cell, []).append(row)
        return [_curve(cell, rows) for cell, rows in found.items()]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no curves of this experiment: {error}") from error


def _curve(cell: Cell, rows: Sequence[dict[str, str]]) -> Curve:
    trials, start = int(rows[0]["trials"]), int(rows[0]["n"])
    failures = np.array([int(row["failures"]) for row in rows], np.int64)
    numbers = [int(row["n"]) for row in rows]
    if numbers != list(range(start, start + len(rows))) or not failures[-1] >= 0:
        raise ValueError(f"the rows of {cell.name} are not complete")
    whole = np.concatenate([np.full(start, trials), failures])
    first = -np.diff(whole, prepend=trials, append=0)
    if first.min() < 0:
        raise ValueError(f"the failures of {cell.name} rise with n")
    return Curve(cell, first.astype(np.int64))
