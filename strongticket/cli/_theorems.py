"""`strongticket theorems` and `strongticket check`: what is claimed, and whether it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from strongticket.cli import show

if TYPE_CHECKING:
    from strongticket.theorems import Theorem


@dataclass(frozen=True)
class Theorems:
    """List the theorems, show one or a paper's, or compare what they ask of the network."""

    key: Positional[str] = ""
    """Key of a theorem, or a paper such as pensia2020; none lists all."""
    at: tuple[str, ...] = ()
    """Values of the bound's symbols, such as eta=0.01 delta=0.01: its number is shown too."""
    compare: bool = False
    """Depth, width and random weights that each theorem asks for, side by side."""
    width: int = 500
    """With --compare: width of every layer of the target."""
    depth: int = 3
    """With --compare: depth of the target."""
    epsilon: float = 0.01
    """With --compare: sup error on the unit ball."""
    delta: float = 0.01
    """With --compare: failure probability of the random network."""
    figure: Path | None = None
    """With --compare: where a figure of the same over epsilon goes (PNG)."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """List, show or compare."""
        from strongticket.check import matching
        from strongticket.errors import InputError
        from strongticket.theorems import THEOREMS

        if (self.at and not self.key) or (self.figure is not None and not self.compare):
            raise InputError("--at needs the key of a theorem, and --figure needs --compare")
        chosen = matching(self.key) if self.key else THEOREMS
        if self.compare:
            return self._compare(chosen)
        numbers = {t.key: _number(t, _values(self.at)) for t in chosen} if self.at else {}
        if self.json:
            fields = ("key", "title", "source", "law", "statement", "errata")
            found = [{name: getattr(t, name) for name in fields} for t in chosen]
            show.as_json([{**t, "bound": numbers.get(t["key"])} for t in found])
        elif not self.key:
            rows = [(t.key, t.bound.kind, t.title, t.source) for t in chosen]
            show.table("theorems", ("key", "bound", "what", "source"), rows)
        else:
            for theorem in chosen:
                _show(theorem, numbers.get(theorem.key))
        return 0

    def _compare(self, chosen: Sequence[Theorem]) -> int:
        from strongticket.report import comparison, comparison_figure
        from strongticket.theorems import Shape

        shape = Shape((self.width,) * (self.depth + 1)) if self.depth > 0 < self.width else None
        if shape is None:
            from strongticket.errors import InputError

            raise InputError(f"width and depth must be >= 1, got {self.width} and {self.depth}")
        found = comparison(chosen, shape, self.epsilon, self.delta)
        if self.figure is not None:
            comparison_figure(chosen, shape, self.delta, self.figure)
        if self.json:
            show.as_json([line.to_json() for line in found])
            return 0
        show.table(
            f"a target of {self.depth} layers of width {self.width}, norms at most 1, no biases, "
            f"within {self.epsilon:g} on the unit ball, delta {self.delta:g}",
            ("theorem", "depth", "widest layer", "random weights", "constants", "note"),
            [line.cells() for line in found],
        )
        if self.figure is not None:
            show.line(f"figure: {self.figure}")
        return 0


def _values(given: Sequence[str]) -> dict[str, Fraction]:
    from strongticket.errors import InputError

    found = {}
    for item in given:
        name, _, number = item.partition("=")
        try:
            found[name] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise InputError(f"a value is NAME=NUMBER, such as eta=0.01, got {item!r}") from None
    return found


def _number(theorem: Theorem, values: Mapping[str, Any]) -> int | None:
    """The bound's number; None where a paper's other theorems have other symbols."""
    from strongticket.errors import InputError

    if theorem.bound.unspecified:
        raise InputError(
            f"{theorem.key}: the source leaves {', '.join(sorted(theorem.bound.unspecified))} "
            f"unspecified, so its bound is no number; use {theorem.instead}, its explicit form"
        )
    known = {name for hypothesis in theorem.hypotheses for name in hypothesis.names}
    theorem.require(**{name: value for name, value in values.items() if name in known})
    return theorem.bound(**values)


def _show(theorem: Theorem, number: int | None) -> None:
    show.line(f"{theorem.key}: {theorem.title}\n{theorem.source}\n")
    show.line(theorem.statement + "\n")
    for hypothesis in theorem.hypotheses:
        show.line(f"assumes: {hypothesis.text}")
    for name, meaning in theorem.bound.meanings:
        show.line(f"{name}: {meaning}")
    if theorem.bound.unspecified:
        names = ", ".join(sorted(theorem.bound.unspecified))
        show.line(f"unspecified by the source: {names}; explicit: {theorem.instead}")
    for erratum in theorem.errata:
        show.line(f"erratum: {erratum}")
    if theorem.proof:
        show.line(f"proof: the docs' page of this theorem, ({theorem.proof})=")
    if number is not None:
        relation = {"sufficient": "suffices", "necessary": "is needed", "tight": "exactly"}
        show.line(f"number: {theorem.bound.quantity} = {number:,} {relation[theorem.bound.kind]}")


@dataclass(frozen=True)
class Check:
    """Hold theorems to their word: every bound as claimed, or made false on purpose."""

    keys: Positional[tuple[str, ...]] = ()
    """Keys of the theorems, or a paper's, such as malach2020; see `strongticket theorems`."""
    all: bool = False
    """Check every theorem."""
    quick: bool = False
    """Fewer trials and cases: under a minute for all of them."""
    false_width: bool = False
    """Make every bound false on purpose; each must be refuted."""
    trials: int = 1
    """Multiply the random trials of every statistical row."""
    workers: int = 1
    """Processes that check side by side."""
    resume: Path | None = None
    """A file that gets every finished check; what it has already is not run again."""
    json: bool = False
    """Print one JSON document."""

    def run(self) -> int:
        """Run the checks; 1 where one did not come out as it must."""
        from strongticket.check import check_all, matching
        from strongticket.errors import InputError
        from strongticket.theorems import THEOREMS

        if self.all == bool(self.keys):
            raise InputError("check needs keys of theorems, or --all, and not both")
        found = [theorem for key in self.keys for theorem in matching(key)]
        chosen = (
            THEOREMS if self.all else tuple({theorem.key: theorem for theorem in found}.values())
        )
        with show.progress(quiet=self.json) as progress:
            reports = check_all(
                chosen,
                self.quick,
                self.false_width,
                progress,
                trials=self.trials,
                workers=self.workers,
                resume=self.resume,
            )
        if self.json:
            show.as_json([report.to_json() for report in reports])
            return 0 if all(report.ok for report in reports) else 1
        for report in reports:
            show.table(
                f"{report.theorem.key}: {report.theorem.title}",
                ("kind", "what", "claimed", "measured", "verdict", "which"),
                [(r.kind, r.name, r.claimed, r.measured, r.verdict, r.shows) for r in report.rows],
            )
        rows = [(r.theorem.key, r.verdict, f"{r.seconds:.1f} s") for r in reports]
        show.table("verdicts", ("theorem", "verdict", "took"), rows)
        return 0 if all(report.ok for report in reports) else 1
