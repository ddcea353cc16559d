"""A module imports only from the floors below its own, and the test of that can fail."""

from __future__ import annotations

from pathlib import Path

import floors
import pytest

ROOT = Path(__file__).parents[1] / floors.PACKAGE


def test_the_package_keeps_its_floors() -> None:
    assert floors.violations(ROOT) == []


def test_all_modules_are_read() -> None:
    read = {module for module, _ in floors.files(ROOT)}
    assert {"errors", "philox", "laws"} <= read


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        ("laws.py", "from strongticket.networks import Network", "laws (floor 1) imports networks"),
        ("laws.py", "import strongticket.networks.mlp", "imports networks"),
        ("laws.py", "from . import networks", "imports networks"),
        ("laws.py", "def f():\n    from .networks import mlp", "imports networks"),
        ("philox.py", "from strongticket.laws import Uniform", "philox (floor 1) imports laws"),
        ("subsetsum/best.py", "from ..tickets import Mask", "subsetsum (floor 1) imports tickets"),
        (
            "verify/certify.py",
            "from strongticket import construct",
            "verify (floor 3) imports construct",
        ),
        ("verify/certify.py", "from strongticket import Network", "name its module"),
        ("search/edge.py", "import cvxpy as cp", "search imports cvxpy"),
        ("check.py", "import tyro", "check imports tyro"),
        ("strange.py", "import math", "strange has no floor"),
        ("verify/_recheck.py", "from ..errors import ClaimError", "verify._recheck imports"),
        ("verify/_recheck.py", "import torch", "verify._recheck imports torch"),
        ("verify/_recheck/__init__.py", "import scipy.stats", "verify._recheck imports scipy"),
    ],
)
def test_a_violation_is_seen(tmp_path: Path, file: str, line: str, says: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n", "utf-8")
    (found,) = floors.violations(tmp_path)
    assert says in found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("laws.py", "import numpy as np\nfrom strongticket.errors import InputError"),
        ("laws.py", "from strongticket import philox"),
        ("tickets/ticket.py", "from ..networks import Network"),
        ("tickets/ticket.py", "from .mask import Mask"),
        ("verify/certify.py", "from strongticket.verify._recheck import recheck"),
        ("verify/_recheck/steps.py", "import numpy\nfrom . import words"),
        ("cli/main.py", "import rich, tyro\nfrom strongticket.report import table"),
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line + "\n", "utf-8")
    assert floors.violations(tmp_path) == []
