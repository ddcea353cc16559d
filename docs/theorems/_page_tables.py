"""Results of experiments as Markdown: tables, verdicts, rounded numbers, formulas."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

from strongticket.theorems import THEOREMS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
BOUNDS = {theorem.key: theorem.bound for theorem in THEOREMS}


def experiment(name: str) -> ModuleType:
    """An experiment's module; it may import its neighbours."""
    sys.path.insert(0, str(EXPERIMENTS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EXPERIMENTS))


def rows(kind: Any, name: str) -> list[Any]:
    """A table of results as the dataclasses that it was written from."""
    types = {"int": int, "float": float, "str": str, "bool": "True".__eq__}
    text = (EXPERIMENTS / "results" / f"{name}.csv").read_text("utf-8")
    return [
        kind(**{field.name: types[field.type](row[field.name]) for field in fields(kind)})
        for row in csv.DictReader(text.splitlines())
    ]


def table(head: Sequence[str], body: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for line in body:
        yield "| " + " | ".join(map(str, line)) + " |"
    yield ""


def verdicts(claims: Sequence[tuple[str, bool, str]]) -> Iterator[str]:
    """What the command claims, and what came out."""
    body = [(plain(what), "stands" if ok else "**falls**", plain(got)) for what, ok, got in claims]
    yield from table(("claimed", "", "measured"), body)


def plain(text: str) -> str:
    """Plain text in a table: a bar would end the cell, and a dollar begin a formula."""
    for character in "\\`*_$<>[]|":
        text = text.replace(character, "\\" + character)
    return text


def short(value: float) -> str:
    """Three digits, or all before the point where these are up to six."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def rounded(value: float, up: bool) -> str:
    """Three digits, an upper bound rounded up and a lower bound down."""
    way = ROUND_CEILING if up else ROUND_FLOOR
    return f"{Context(prec=3, rounding=way).plus(Decimal(repr(value))).normalize():g}"


def formula(key: str) -> str:
    """A theorem's bound in a line."""
    return f"${BOUNDS[key].latex}$"


def ranged(values: Any) -> str:
    found = list(values)
    return f"{short(min(found))} to {short(max(found))}"


def span(values: Any) -> str:
    found = list(values)
    return f"{min(found):.1f} to {max(found):.1f}"
