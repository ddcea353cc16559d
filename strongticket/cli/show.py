"""What a person sees: progress on standard error, tables on standard output.

Rich tables and bars on a terminal, plain lines elsewhere; NO_COLOR is honoured by rich.
"""

from __future__ import annotations

import contextlib
import decimal
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from strongticket.proving import Proof

Report = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[Report]:
    """A callback (text, done, total): a bar on a terminal, else a line a stage."""
    console = Console(stderr=True)
    if quiet:
        yield lambda text, done, total: None
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda text, done, total: bar.update(
                task, description=text, completed=done, total=total or None
            )
    else:
        yield _Lines()


class _Lines:
    """One line when a stage begins (its name is what stands before a colon), then every 10 s."""

    def __init__(self) -> None:
        self._stage, self._at = "", 0.0

    def __call__(self, text: str, done: int, total: int) -> None:
        stage, now = text.partition(":")[0], time.monotonic()
        if stage != self._stage or now - self._at > 10:
            part = f" {done}/{total}" if total else ""
            sys.stderr.write(f"{stage}{part}\n")
            sys.stderr.flush()
            self._stage, self._at = stage, now


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells are turned into text."""
    cells = [[str(cell) for cell in row] for row in rows]
    console = Console()
    if console.is_terminal:
        shown = Table(*columns, title=title, title_justify="left", highlight=False)
        for row in cells:
            shown.add_row(*(cell.replace("[", r"\[") for cell in row))
        console.print(shown)
        return
    every = [list(columns), *cells]
    widths = [max(len(row[i]) for row in every) for i in range(len(columns))]
    lines = [title, *("  ".join(_pad(row, widths)).rstrip() for row in every)]
    sys.stdout.write("\n".join(lines) + "\n\n")


def _pad(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def line(text: str) -> None:
    """Print one line on standard output."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print one line on standard error."""
    sys.stderr.write(text + "\n")


def as_json(value: Any) -> None:
    """Print one JSON document on standard output; paths become text, NaN is an error."""
    line(json.dumps(value, indent=1, default=os.fspath, allow_nan=False))


def proof_table(
    proof: Proof,
    target_accuracy: float,
    ticket_accuracy: float,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Claimed and measured, side by side."""
    table(
        f"{proof.theorem}: {_dashes(proof.target_widths)} out of a frozen random network",
        ("", "claimed or asked", "measured"),
        [
            ("sup error over the domain", f"<= {proof.epsilon:g}", _between(proof)),
            ("recheck from the file alone", "confirms", _yes(proof.rechecked)),
            (
                "test accuracy",
                f"target {target_accuracy:.2%}",
                f"pruned random network {ticket_accuracy:.2%}",
            ),
            ("depth", f"2 x {len(proof.target_widths) - 1}", str(len(proof.widths) - 1)),
            ("random widths", "the theorem's", _dashes(proof.widths)),
            (
                "hidden neurons an input",
                f"{_commas(proof.pools)} (delta {proof.delta:g})",
                f"read {_commas(proof.candidates_read)}",
            ),
            ("live neurons after pruning", "", _commas(proof.live_neurons)),
            (
                "weights",
                f"{proof.target_parameters:,} in the target",
                f"{proof.kept_weights:,} kept of {proof.random_weights:,} random",
            ),
            ("ticket file", str(proof.ticket_file), f"{proof.ticket_bytes:,} bytes"),
            ("certificate file", str(proof.certificate_file), f"{proof.certificate_bytes:,} bytes"),
            *((f"seconds, {name}", "", f"{s:.2f}") for name, s in proof.seconds.items()),
            *((name, "", text) for name, text in (extra or {}).items()),
        ],
    )


def _between(proof: Proof) -> str:
    above, below = (
        _digits(v, r) for v, r in ((proof.bound, "CEILING"), (proof.lower_bound, "FLOOR"))
    )
    return f"certified <= {above}, attack >= {below}"


def _digits(value: float, rounding: str) -> str:
    """Three digits, rounded to the side on which the number is still a bound."""
    return f"{decimal.Context(3, 'ROUND_' + rounding).create_decimal(value):g}"


def _yes(value: bool) -> str:
    return "confirmed" if value else "NOT CONFIRMED"


def _dashes(widths: Sequence[int]) -> str:
    return "-".join(str(w) for w in widths)


def _commas(numbers: Sequence[int]) -> str:
    return ", ".join(f"{n:,}" for n in numbers)
