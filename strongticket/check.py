"""`check`: hold a theorem to its word, and show that the check would notice a false one.

Rows of four kinds are kept apart: *algebra* (displayed inequalities; and the claimed widths, reach
and accuracies recomputed with the constants of the proof written out a second time, exactly),
*construction* (built and certified at the claimed width), *probability* (failures in N trials by
the exact binomial tail; refuted only below p = 1e-6) and *scaling* (least working width on a grid
beside the claim). Every row says what it can show. Seeds are fixed: the same rows at every run.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from strongticket import __version__, canonical, files
from strongticket.errors import FileError, InputError
from strongticket.theorems import THEOREMS, Effort, Row, Theorem

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CheckReport:
    """What the check of one theorem measured.

    Attributes:
        theorem: What was checked.
        rows: The comparisons, in order.
        quick: Whether fewer trials and cases were run.
        false_width: Whether the claim was made false on purpose.
        seconds: Wall time.
        trials: The factor on the random trials of every statistical row.
    """

    theorem: Theorem
    rows: tuple[Row, ...]
    quick: bool
    false_width: bool
    seconds: float
    trials: int = 1

    @property
    def refuted(self) -> bool:
        """Whether any row contradicts the claim."""
        return any(row.refuted for row in self.rows)

    @property
    def ok(self) -> bool:
        """Not refuted; or, for a claim made false on purpose, refuted in every row.

        A theorem with unspecified constants has no false form and is passed over.
        """
        if not self.false_width or not self.theorem.falsifiable:
            return not self.refuted
        return bool(self.rows) and all(row.refuted for row in self.rows)

    @property
    def verdict(self) -> str:
        """One short phrase."""
        if self.false_width:
            if not self.theorem.falsifiable:
                return "has no false bound"
            return "false bound refuted" if self.ok else "FALSE BOUND NOT REFUTED"
        if not self.theorem.falsifiable:
            return "claims no number"
        return "REFUTED" if self.refuted else "not refuted"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "theorem": self.theorem.key,
            "title": self.theorem.title,
            "source": self.theorem.source,
            "quick": self.quick,
            "false_width": self.false_width,
            "trials": self.trials,
            "verdict": self.verdict,
            "ok": self.ok,
            "refuted": self.refuted,
            "seconds": round(self.seconds, 3),
            "rows": [{**asdict(row), "verdict": row.verdict} for row in self.rows],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> CheckReport:
        """The report that `to_json` described; KeyError or TypeError where it is none."""
        rows = [
            Row(**{name: value for name, value in row.items() if name != "verdict"})
            for row in document["rows"]
        ]
        return cls(
            find(document["theorem"]),
            tuple(rows),
            document["quick"],
            document["false_width"],
            document["seconds"],
            document["trials"],
        )

    def lines(self) -> Iterator[str]:
        """Plain text: claimed and measured under one another, row by row."""
        yield f"{self.theorem.key}: {self.theorem.title}"
        yield f"  {self.theorem.source}"
        for row in self.rows:
            p = "" if row.p_value is None else f"  (p = {row.p_value:.2g})"
            yield f"  {row.kind:<12} {row.name}"
            yield f"    claimed    {row.claimed}"
            yield f"    measured   {row.measured}{p}"
            yield f"    {row.verdict}: {row.shows}"
        yield f"  {self.verdict}  ({self.seconds:.1f} s)"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def check(
    theorem: Theorem,
    quick: bool = False,
    false_width: bool = False,
    progress: Progress | None = None,
    *,
    trials: int = 1,
) -> CheckReport:
    """Run the check of one theorem.

    `false_width` runs it at a bound that is false on purpose and must be refuted; `trials`
    multiplies the random trials of every statistical row. `progress` is called with (text, rows
    done, 0) after every row.
    """
    if not isinstance(theorem, Theorem):
        raise InputError(f"check needs a Theorem, one of strongticket.theorems, got {theorem!r}")
    if not isinstance(trials, int) or trials < 1:
        raise InputError(f"trials is a factor, a whole number >= 1, got {trials!r}")
    start, rows = time.perf_counter(), []
    for row in theorem.rows(Effort(quick, trials), false_width):
        rows.append(row)
        if progress is not None:
            progress(f"{theorem.key}: {row.name}", len(rows), 0)
    seconds = time.perf_counter() - start
    return CheckReport(theorem, tuple(rows), quick, false_width, seconds, trials)


def check_all(
    theorems: Sequence[Theorem] = THEOREMS,
    quick: bool = False,
    false_width: bool = False,
    progress: Progress | None = None,
    *,
    trials: int = 1,
    workers: int = 1,
    resume: str | os.PathLike[str] | None = None,
) -> tuple[CheckReport, ...]:
    """Run several checks, in the order of `theorems`.

    `workers` processes run them side by side, one BLAS thread each. `resume` names a file that
    gets every finished report at once; a later run reads it and runs only what is not in it, or
    was run by another version, with other settings or for another statement. `progress` is called
    with (text, theorems done, theorems in all).
    """
    if not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is a number of processes >= 1, got {workers!r}")
    report = progress or (lambda *_: None)
    settings = Effort(quick, trials), false_width
    kept = _Kept(None if resume is None else Path(resume))
    found = {t.key: done for t in theorems if (done := kept.get(t, *settings)) is not None}
    left = [theorem for theorem in theorems if theorem.key not in found]
    run = _beside if workers > 1 and len(left) > 1 else _one_by_one
    for done in run(left, quick, false_width, trials, workers, report, len(theorems)):
        found[done.theorem.key] = done
        kept.add(done)
    report("done", len(theorems), len(theorems))
    return tuple(found[theorem.key] for theorem in theorems)


def _one_by_one(
    theorems: Sequence[Theorem],
    quick: bool,
    false_width: bool,
    trials: int,
    workers: int,
    progress: Progress,
    total: int,
) -> Iterator[CheckReport]:
    for i, theorem in enumerate(theorems, total - len(theorems)):

        def row(text: str, done: int, rows: int, at: int = i) -> None:
            progress(text, at, total)

        yield check(theorem, quick, false_width, row, trials=trials)


def _beside(
    theorems: Sequence[Theorem],
    quick: bool,
    false_width: bool,
    trials: int,
    workers: int,
    progress: Progress,
    total: int,
) -> Iterator[CheckReport]:
    """The same in processes. A theorem is sent by its key: it holds functions, which do not go."""
    import multiprocessing

    for theorem in theorems:
        if find(theorem.key) is not theorem:
            raise InputError(f"{theorem.key} is not the one of THEOREMS; check it with workers=1")
    with _one_thread():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
        try:
            waiting = [pool.submit(_by_key, t.key, quick, false_width, trials) for t in theorems]
            done = total - len(theorems)
            for future in as_completed(waiting):
                found = CheckReport.from_json(future.result())
                done += 1
                progress(f"{found.theorem.key}: {found.verdict}", done, total)
                yield found
        finally:
            pool.shutdown(cancel_futures=True)


def _by_key(key: str, quick: bool, false_width: bool, trials: int) -> dict[str, Any]:
    return check(find(key), quick, false_width, trials=trials).to_json()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start in here compute on one thread each."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def identity(theorem: Theorem, effort: Effort, false_width: bool) -> str:
    """What a stored check is known by: theorem, version, statement and settings."""
    statement = canonical.sha256(f"{theorem.statement}\0{theorem.false_bound}".encode())
    return (
        f"{theorem.key}, strongticket {__version__}, statement {statement}, "
        f"quick {effort.quick}, trials {effort.factor}, false {false_width}"
    )


class _Kept:
    """Finished reports in a file, by what was run: nothing is kept where there is no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._reports: dict[str, Any] = {}
        if path is not None:
            files.ready(path)
        if path is None or not path.exists():
            return
        try:
            self._reports = dict(json.loads(path.read_bytes())["checks"])
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(
                f"{path} holds no checks to resume from; name another file, or remove it"
            ) from error

    def get(self, theorem: Theorem, effort: Effort, false_width: bool) -> CheckReport | None:
        found = self._reports.get(identity(theorem, effort, false_width))
        return None if found is None else CheckReport.from_json(found)

    def add(self, report: CheckReport) -> None:
        if self._path is None:
            return
        effort = Effort(report.quick, report.trials)
        self._reports[identity(report.theorem, effort, report.false_width)] = report.to_json()
        text = json.dumps({"checks": self._reports}, indent=1, sort_keys=True, allow_nan=False)
        files.write_whole(self._path, text.encode() + b"\n")


def find(key: str) -> Theorem:
    """The theorem of this key; InputError with the known keys where there is none."""
    for theorem in THEOREMS:
        if theorem.key == key:
            return theorem
    known = ", ".join(theorem.key for theorem in THEOREMS)
    raise InputError(f"no theorem is called {key!r}; known are {known}")


def matching(key: str) -> tuple[Theorem, ...]:
    """The theorem of this key, or all theorems of the paper or family whose name this is.

    So does "malach2020" for `malach2020_weights` and the others. InputError for neither.
    """
    family = tuple(theorem for theorem in THEOREMS if theorem.paper == key)
    if family and not any(theorem.key == key for theorem in THEOREMS):
        return family
    return (find(key),)


def summary(reports: Sequence[CheckReport]) -> list[str]:
    """One line a theorem: rows of each kind, the verdict and the seconds."""
    lines = []
    for report in reports:
        kinds = [row.kind for row in report.rows]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        lines.append(
            f"{report.theorem.key:<22} {report.verdict:<24} {report.seconds:6.1f} s  {counts}"
        )
    return lines
