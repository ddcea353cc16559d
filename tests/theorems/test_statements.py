"""The page of statements is what the theorems say now."""

from __future__ import annotations

import runpy
from pathlib import Path

from strongticket.theorems import THEOREMS

FOLDER = Path(__file__).parents[2] / "docs" / "theorems"


def test_the_page_is_what_the_theorems_say() -> None:
    made = runpy.run_path(str(FOLDER / "_generate.py"))["page"]()
    assert (FOLDER / "statements.md").read_text("utf-8") == made, (
        "run python docs/theorems/_generate.py"
    )


def test_every_own_theorem_names_a_proof_that_is_there() -> None:
    proofs = (FOLDER / "proofs.md").read_text("utf-8")
    for theorem in THEOREMS:
        if theorem.falsifiable:
            assert f"({theorem.proof})=" in proofs
