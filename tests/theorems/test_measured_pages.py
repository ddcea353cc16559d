"""The pages of experiments say what their tables say: roundings, verdicts, links."""

from __future__ import annotations

import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "theorems"


@pytest.fixture(scope="module")
def measured() -> ModuleType:
    generate = runpy.run_path(str(FOLDER / "_generate.py"))
    generate["_measured"]()
    return sys.modules["_measured"]


@pytest.fixture(scope="module")
def tables(measured: ModuleType) -> ModuleType:
    return sys.modules["_page_tables"]


def test_bounds_are_rounded_to_their_own_side(tables: ModuleType) -> None:
    assert tables.rounded(0.0012341, up=True) == "0.00124"
    assert tables.rounded(0.0012349, up=False) == "0.00123"
    assert tables.rounded(0.05, up=True) == "0.05"
    assert tables.rounded(0.0, up=True) == "0"
    assert tables.short(12389.5) == "12,390"
    assert tables.short(0.0045) == "0.0045"
    assert tables.short(9.71e10) == "9.71e+10"


def test_tables_are_read_as_they_were_written(tables: ModuleType) -> None:
    sources = tables.experiment("random_sources")
    found = tables.rows(sources.Point, "random_sources")
    text = (tables.EXPERIMENTS / "results" / "random_sources.csv").read_bytes()
    assert sources.table(found) == text
    asked = tables.rows(tables.experiment("depth_l_plus_1").AskedFor, "depth_l_plus_1_asked")
    assert {a.grid for a in asked} == {True, False}


def test_a_claim_that_falls_is_said_to_fall(
    measured: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = sys.modules["_measured_sections"]
    read = sections.rows

    def worse(kind: type, name: str) -> list[object]:
        found = read(kind, name)
        return [replace(p, missed=p.trials) for p in found] if name == "pool_laws" else found

    assert "**falls**" not in "\n".join(sections.pools())
    monkeypatch.setattr(sections, "rows", worse)
    assert "**falls**" in "\n".join(sections.pools())


def test_the_links_of_theorems_have_an_end(measured: ModuleType) -> None:
    text = "".join(page.read_text("utf-8") for page in FOLDER.glob("*.md"))
    labels = set(re.findall(r"^\(([a-z0-9-]+)\)=$", text, re.MULTILINE))
    wanted = {label for found in measured.LINKS.values() for label, _ in found}
    assert wanted | {measured.TRAINED[0]} <= labels
    assert {f"{paper}.md" for paper in measured.LINKS} <= {page.name for page in FOLDER.glob("*")}
    assert measured.links("no such paper", constructs=False) == ""
    assert str(FOLDER) not in sys.path
