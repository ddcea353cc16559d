"""The generated pages are what the theorems say now, and what their checks measured."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

from strongticket.check import identity
from strongticket.theorems import THEOREMS, Effort

FOLDER = Path(__file__).parents[2] / "docs" / "theorems"
GENERATE = "run strongticket check --all --resume docs/theorems/checks.json, then _generate.py"


def test_the_pages_are_what_the_theorems_say() -> None:
    for name, text in runpy.run_path(str(FOLDER / "_generate.py"))["pages"]().items():
        assert (FOLDER / name).read_text("utf-8") == text, GENERATE


def test_every_theorem_has_a_stored_check_of_its_present_statement() -> None:
    reports = json.loads((FOLDER / "checks.json").read_bytes())["checks"]
    assert set(reports) >= {identity(t, Effort(), False) for t in THEOREMS}, GENERATE
    assert all(report["ok"] for report in reports.values())


def test_every_construction_has_its_picture() -> None:
    drawn = {path.stem for path in (FOLDER / "gadgets").glob("*.png")}
    assert drawn == {t.key for t in THEOREMS if t.example() is not None}, GENERATE


def test_every_own_theorem_names_a_proof_that_is_there() -> None:
    proofs = "".join(page.read_text("utf-8") for page in sorted(FOLDER.glob("proofs*.md")))
    for theorem in THEOREMS:
        if theorem.falsifiable:
            assert f"({theorem.proof})=" in proofs
