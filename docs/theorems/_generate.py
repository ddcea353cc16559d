"""Write statements.md from THEOREMS; a test fails where the page and the theorems differ.

Run it after changing a theorem: python docs/theorems/_generate.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from strongticket.theorems import THEOREMS, Theorem

PAGE = Path(__file__).with_name("statements.md")


def page() -> str:
    """The whole page."""
    return "\n".join([*head(), *(line for theorem in THEOREMS for line in section(theorem))])


def head() -> Iterator[str]:
    """Title, what the page is, and the table of all theorems."""
    yield "# Statements"
    yield ""
    yield "Written by `docs/theorems/_generate.py` from `strongticket.theorems.THEOREMS`: formula,"
    yield "number and check come from one expression each. `strongticket check KEY` holds a theorem"
    yield "to its word, `strongticket check KEY --false-width` runs it at a claim that is false on"
    yield "purpose."
    yield ""
    yield "| key | theorem | source | kind |"
    yield "|---|---|---|---|"
    for theorem in THEOREMS:
        kind = theorem.bound.kind + (", no number" if theorem.bound.unspecified else "")
        yield f"| `{theorem.key}` | {theorem.title} | {theorem.source} | {kind} |"
    yield ""


def section(theorem: Theorem) -> Iterator[str]:
    """One theorem: statement, symbols, hypotheses, law, what is false on purpose, proof."""
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


def symbols(theorem: Theorem) -> Iterator[str]:
    """Each symbol with its meaning."""
    import sympy

    for name, meaning in theorem.bound.meanings:
        yield f"- ${sympy.latex(sympy.Symbol(name))}$: {meaning}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
