"""One version everywhere, and an import that costs nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import strongticket

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "cvxpy", "numba", "sympy", "scipy", "networkx", "tyro", "rich", "hypothesis")


def project() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert isinstance(table, dict)
    return table


def loaded_after(code: str) -> set[str]:
    """The heavy packages in sys.modules after `code` has run in a fresh interpreter."""
    probe = f"import sys\n{code}\nprint(*(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_version_is_one() -> None:
    assert strongticket.__version__ == project()["version"]


def test_the_citation_has_the_version_and_the_fields_that_cff_requires() -> None:
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    fields = dict(re.findall(r"^([a-z-]+):[ \t]*(.*)$", text, re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= fields.keys()
    assert fields["version"] == project()["version"]
    assert fields["license"] == project()["license"]


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{project()['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split("\n")
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []


def test_every_dependency_has_a_pin() -> None:
    pins = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text("utf-8").split()
    }
    dependencies = project()["dependencies"]
    assert isinstance(dependencies, list)
    names = [re.split(r"[<>=\[]", entry)[0].lower() for entry in dependencies]
    assert [name for name in names if name not in pins] == []


def test_the_package_is_typed() -> None:
    assert (Path(strongticket.__file__).parent / "py.typed").is_file()


def test_import_strongticket_loads_nothing_heavy() -> None:
    assert loaded_after("import strongticket") == set()


@pytest.mark.parametrize("code", ["import numba", "import strongticket, scipy"])
def test_a_heavy_import_is_seen(code: str) -> None:
    assert loaded_after(code)


def test_the_mask_search_loads_no_cvxpy() -> None:
    assert "cvxpy" not in loaded_after("import strongticket.search")


def test_help_loads_no_torch() -> None:
    code = (
        "import contextlib, io\nfrom strongticket.cli import main\n"
        "sys.argv = ['strongticket', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "assert 'certify' in text.getvalue()"
    )
    assert loaded_after(code).isdisjoint({"torch", "cvxpy", "numba"})
