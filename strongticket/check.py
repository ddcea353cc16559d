"""`check`: hold a theorem to its word, and show that the check would notice a false one.

Rows of four kinds are kept apart: *algebra* (displayed inequalities; and the claimed widths, reach
and accuracies recomputed with the constants of the proof written out a second time, exactly),
*construction* (built and certified at the claimed width), *probability* (failures in N trials by
the exact binomial tail; refuted only below p = 1e-6) and *scaling* (least working width on a grid
beside the claim). Every row says what it can show. Seeds are fixed: the same rows at every run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from strongticket.errors import InputError
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
    """

    theorem: Theorem
    rows: tuple[Row, ...]
    quick: bool
    false_width: bool
    seconds: float

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
            "verdict": self.verdict,
            "ok": self.ok,
            "refuted": self.refuted,
            "seconds": round(self.seconds, 3),
            "rows": [{**asdict(row), "verdict": row.verdict} for row in self.rows],
        }

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
) -> CheckReport:
    """Run the check of one theorem.

    `false_width` runs it at a bound that is false on purpose and must be refuted. `progress` is
    called with (text, rows done, 0) after every row.
    """
    if not isinstance(theorem, Theorem):
        raise InputError(f"check needs a Theorem, one of strongticket.theorems, got {theorem!r}")
    start, rows = time.perf_counter(), []
    for row in theorem.rows(Effort(quick), false_width):
        rows.append(row)
        if progress is not None:
            progress(f"{theorem.key}: {row.name}", len(rows), 0)
    seconds = time.perf_counter() - start
    return CheckReport(theorem, tuple(rows), quick, false_width, seconds)


def check_all(
    theorems: Sequence[Theorem] = THEOREMS,
    quick: bool = False,
    false_width: bool = False,
    progress: Progress | None = None,
) -> tuple[CheckReport, ...]:
    """Run several checks. `progress` is called with (text, theorems done, theorems in all)."""
    reports = []
    for i, theorem in enumerate(theorems):

        def report(text: str, done: int, total: int, at: int = i) -> None:
            if progress is not None:
                progress(text, at, len(theorems))

        reports.append(check(theorem, quick, false_width, report))
    if progress is not None:
        progress("done", len(theorems), len(theorems))
    return tuple(reports)


def find(key: str) -> Theorem:
    """The theorem of this key; InputError with the known keys where there is none."""
    for theorem in THEOREMS:
        if theorem.key == key:
            return theorem
    known = ", ".join(theorem.key for theorem in THEOREMS)
    raise InputError(f"no theorem is called {key!r}; known are {known}")


def matching(key: str) -> tuple[Theorem, ...]:
    """The theorem of this key, or all theorems of the paper or family whose name this is.

    "malach2020" stands for every key that begins with "malach2020_". InputError for neither.
    """
    family = tuple(theorem for theorem in THEOREMS if theorem.key.startswith(f"{key}_"))
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
