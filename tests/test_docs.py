"""The pages: every Python block is run, every page is reached, every internal link has an end."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = runpy.run_path(str(ROOT / "conftest.py"))["PAGES"]  # the collector that `make test` uses

PAGE_FILES = [
    ROOT / "README.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts),
]
FENCE = re.compile(r"^```\s*\{?(?:code-block\}\s+)?(?:python|py|pycon|python3)\b", re.MULTILINE)
NAMES = [str(page.relative_to(ROOT)) for page in PAGE_FILES]


@pytest.mark.parametrize("page", PAGE_FILES, ids=NAMES)
def test_every_python_block_is_run(page: Path) -> None:
    text = page.read_text("utf-8")
    assert PAGES.should_parse(page)
    document = PAGES.parse(page)
    assert len(list(document.examples())) == len(FENCE.findall(text))


@pytest.mark.parametrize("page", PAGE_FILES, ids=NAMES)
def test_no_block_is_skipped_without_a_reason(page: Path) -> None:
    for skip in re.findall(r"^[ \t]*%+[ \t]*skip:(.*)$", page.read_text("utf-8"), re.MULTILINE):
        assert '"' in skip, f'{page.name}: say why: % skip: next "reason"'


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for page in PAGE_FILES[1:]:
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            entries = [line.strip() for line in tree.split("\n") if line.strip()]
            names = [entry for entry in entries if not entry.startswith(":")]
            for name in names:
                matched = {found.resolve() for found in page.parent.glob(f"{name}.md")}
                assert matched, f"{page.name} lists {name}, which is no page"
                listed |= matched - {page.resolve()}
    reached = {page.resolve() for page in PAGE_FILES[1:]}
    assert reached - listed == {(DOCS / "index.md").resolve()}


def test_every_theorem_has_its_proof() -> None:
    pages = sorted((DOCS / "theorems").glob("proofs*.md"))
    text = "".join(page.read_text("utf-8") for page in pages)
    labels = re.findall(r"^\(([a-z0-9-]+)\)=$", text, re.MULTILINE)
    assert len(labels) == len(set(labels))
    wanted = (
        "rss-r1 rss-r1plus rss-dp cut-lemma product-r2plus grid-d1 grid-d2 biases "
        "pensia-explicit pensia-first counting pensia-lower errata"
    )
    assert set(wanted.split()) <= set(labels)


@pytest.mark.parametrize("page", PAGE_FILES, ids=NAMES)
def test_links_within_the_pages_have_an_end(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    labels = {
        label
        for other in PAGE_FILES
        for label in re.findall(r"^\(([a-z0-9-]+)\)=$", other.read_text("utf-8"), re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        if name and name not in labels:
            assert (page.parent / name).exists(), f"{page.name} links to {target}"
        elif not name:
            assert anchor in labels or page.name == "README.md", f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_no_placeholder_is_left(page: str) -> None:
    assert not re.search(r"@[A-Z]+@|\bTODO\b|\bTBD\b", (ROOT / page).read_text("utf-8"))
