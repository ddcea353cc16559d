"""All that is compiled can be kept on disk: no compiled function holds another in a closure."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import strongticket

pytest.importorskip("numba")


def compiled_modules() -> list[ModuleType]:
    names = [m.name for m in pkgutil.walk_packages(strongticket.__path__, "strongticket.")]
    return [importlib.import_module(n) for n in names if n.endswith("_numba")]


def test_compiled_functions_are_functions_of_their_module() -> None:
    """numba keys its files by the closure; a compiled function in it has another name each time."""
    seen = 0
    for module in compiled_modules():
        for name, value in vars(module).items():
            if hasattr(value, "py_func") and value.py_func.__module__ == module.__name__:
                assert value.py_func.__closure__ is None, f"{module.__name__}.{name}"
                assert value.py_func.__qualname__ == name
                seen += 1
    assert seen > 40


def test_only_these_modules_compile() -> None:
    """Every use of numba's compiler goes through the one door."""
    root = Path(strongticket.__path__[0])
    found = [path.name for path in sorted(root.rglob("*.py")) if "njit" in path.read_text("utf-8")]
    assert found == ["_jit.py"]
