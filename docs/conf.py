"""Sphinx configuration. The build reads nothing from the network."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))

project = "strongticket"
author = "The strongticket authors"
copyright = "The strongticket authors"
version = release = PYPROJECT["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # formulas without a network
    "sphinx_copybutton",
]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"strongticket {release}"
html_static_path = ["_static"]
html_css_files = ["math.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
nitpicky = False

CODE = re.compile(r"``.*?``|:math:`.*?`|(?<!\\)\|")


def escape_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep |x| in a docstring an absolute value: reStructuredText reads it as a substitution."""
    formula = False
    for i, line in enumerate(lines):
        if line.strip():
            formula = line.lstrip().startswith(".. math::") or (formula and line.startswith(" "))
        if not formula:
            lines[i] = CODE.sub(lambda m: r"\|" if m[0] == "|" else m[0], line)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", escape_bars)
