"""Runs every Python code block of README.md and docs/ as a test, in a folder of its own.

The blocks of one page share their names, so a page reads as one session. What they save
lands in a temporary folder: a page may write `ticket.safetensors` and read it again.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser


def enter_folder(namespace: dict[str, Any]) -> None:
    """Start a page in a new temporary folder."""
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory())))
    namespace["_leave_folder"] = stack.close


def leave_folder(namespace: dict[str, Any]) -> None:
    """Go back, and delete what the page wrote."""
    namespace["_leave_folder"]()


PAGES = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    excludes=["docs/_build/**"],
    path=str(Path(__file__).parent),
    setup=enter_folder,
    teardown=leave_folder,
)
pytest_collect_file = PAGES.pytest()
