"""Write the catalogue and one page a paper from THEOREMS, with what the checks measured.

    strongticket check --all --workers 2 --resume docs/theorems/checks.json
    python docs/theorems/_generate.py

The first command runs what has changed since; the second writes the pages and the pictures of the
gadgets. The pages of experiments (`_measured.py`) come from experiments/results. A test fails
where a page and the theorems, or a page and a table of results, differ.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from strongticket.check import identity
from strongticket.theorems import THEOREMS, Effort, Theorem

FOLDER = Path(__file__).parent
CHECKS = FOLDER / "checks.json"
HEAD = """# The catalogue

Every theorem, stated, constructed, certified and checked; a page a paper. The pages are written by
`docs/theorems/_generate.py` from `strongticket.theorems.THEOREMS`: formula, number and check come
from one expression each. `strongticket check KEY` holds a theorem to its word,
`strongticket check KEY --false-width` runs it at a claim that is false on purpose, and
`strongticket theorems --compare` prints what each asks of the random network, side by side:

![Random weights against epsilon, one curve a theorem](../figures/theorems_compare.png)

(made by `strongticket theorems --compare --width 500 --depth 3 --delta 0.01 --figure
docs/figures/theorems_compare.png`; a curve ends where 24-bit weights are too coarse for its proof).
What experiments measured is on [a page of its own](measured.md), what became of
[trained networks](trained-targets.md) on another.
A new theorem is [one file](../adding-a-theorem.md).
"""
GADGET = """The gadget, drawn from the construction itself on a small instance with its own
random weights: kept edges blue (positive) or red, pruned ones grey, dead neurons hollow.
"""


def papers() -> dict[str, list[Theorem]]:
    """The theorems of each paper, in the order of the catalogue."""
    found: dict[str, list[Theorem]] = {}
    for theorem in THEOREMS:
        found.setdefault(theorem.paper, []).append(theorem)
    return found


def pages() -> dict[str, str]:
    """File name -> text of every generated page."""
    reports = json.loads(CHECKS.read_bytes())["checks"] if CHECKS.exists() else {}
    made = {"catalogue.md": "\n".join(catalogue()), **_measured().pages()}
    for paper, theorems in papers().items():
        made[f"{paper}.md"] = "\n".join(page(paper, theorems, reports))
    return made


def catalogue() -> Iterator[str]:
    """The table of all theorems."""
    yield HEAD
    for paper, theorems in papers().items():
        yield f"## {paper}"
        yield ""
        yield f"[The page]({paper}.md): {_first_line(theorems[0])}"
        yield ""
        yield "| key | theorem | source | kind |"
        yield "|---|---|---|---|"
        for theorem in theorems:
            kind = theorem.bound.kind + (", no number" if theorem.bound.unspecified else "")
            yield f"| `{theorem.key}` | {theorem.title} | {theorem.source} | {kind} |"
        yield ""


def page(paper: str, theorems: Sequence[Theorem], reports: dict[str, Any]) -> Iterator[str]:
    """A paper: what it is about, each theorem with its gadget and its check."""
    yield f"# {paper}"
    yield ""
    yield _module_text(theorems[0])
    yield ""
    constructs = any(type(t).construct is not Theorem.construct for t in theorems)
    if measured := _measured().links(paper, constructs):
        yield measured
        yield ""
    for theorem in theorems:
        yield from section(theorem, reports.get(identity(theorem, Effort(), False)))


def section(theorem: Theorem, report: dict[str, Any] | None) -> Iterator[str]:
    """One theorem: statement, symbols, hypotheses, gadget, claimed and measured, errata, proof."""
    yield f"## {theorem.key}"
    yield ""
    yield f"*{theorem.title}.* {theorem.source}."
    yield ""
    yield theorem.statement
    yield ""
    yield "Here"
    yield ""
    yield from symbols(theorem)
    yield ""
    if theorem.bound.unspecified:
        names = ", ".join(sorted(theorem.bound.unspecified))
        yield f"The source leaves {names} unspecified; explicit: `{theorem.instead}`."
        yield ""
    if theorem.hypotheses:
        yield "Tested before any number is given:"
        yield ""
        yield from (f"- {hypothesis.text}" for hypothesis in theorem.hypotheses)
        yield ""
    law = theorem.law if theorem.law == "any" else f"${theorem.law}$"
    yield f"Law of the weights: {law}. False on purpose: {theorem.false_bound}."
    proof = f"[its proof](#{theorem.proof})" if theorem.proof else "in the paper"
    yield f"Proof: {proof}."
    yield ""
    if (FOLDER / picture(theorem)).exists():
        yield f"![The gadget of {theorem.key}, kept edges coloured]({picture(theorem)})"
        yield ""
        yield GADGET
    if theorem.errata:
        yield "Errata and looseness of the source:"
        yield ""
        yield from (f"- {erratum}" for erratum in theorem.errata)
        yield ""
    if report is not None:
        yield f"Claimed and measured (`strongticket check {theorem.key}`):"
        yield ""
        yield "| kind | what | claimed | measured | verdict | which |"
        yield "|---|---|---|---|---|---|"
        for row in report["rows"]:
            names = ("kind", "name", "claimed", "measured", "verdict", "shows")
            yield "| " + " | ".join(_cell(row[name]) for name in names) + " |"
        yield ""


def picture(theorem: Theorem) -> str:
    """The file of a theorem's gadget, beside the pages."""
    return f"gadgets/{theorem.key}.png"


def symbols(theorem: Theorem) -> Iterator[str]:
    """Each symbol with its meaning."""
    import sympy

    for name, meaning in theorem.bound.meanings:
        yield f"- ${sympy.latex(sympy.Symbol(name))}$: {meaning}"


def _measured() -> ModuleType:
    """The module beside this file that writes the pages of experiments."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("_measured")
    finally:
        sys.path.remove(str(FOLDER))


def _cell(text: str) -> str:
    """Plain text in a table: a bar would end the cell, and a dollar begin a formula."""
    for character in "\\`*_$<>[]|":
        text = text.replace(character, "\\" + character)
    return text


def _module_text(theorem: Theorem) -> str:
    """The docstring of the paper's module."""
    for name, module in list(sys.modules.items()):
        home, _, last = name.rpartition(".")
        public = home == "strongticket.theorems" and not last.startswith("_")
        if public and any(value is theorem for value in vars(module).values()):
            return inspect.cleandoc(module.__doc__ or "")
    raise LookupError(f"no module of strongticket.theorems holds {theorem.key}")


def _first_line(theorem: Theorem) -> str:
    return _module_text(theorem).partition("\n")[0]


def draw_gadgets() -> None:
    """Write the picture of every theorem that constructs something."""
    from strongticket.graph import draw

    (FOLDER / "gadgets").mkdir(exist_ok=True)
    for theorem in THEOREMS:
        ticket = theorem.example()
        if ticket is not None:
            draw(ticket, FOLDER / picture(theorem), theorem.key)


if __name__ == "__main__":
    draw_gadgets()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
