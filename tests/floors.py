"""The diagram of the package: which module stands on which floor, and who may import what.

`violations` reads the import statements of every file (those inside functions and under
`TYPE_CHECKING` too: a lazy import is a dependency as well) and says which of them break a rule.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "strongticket"

FLOORS = {
    "errors": 0,
    "exact": 0,
    "canonical": 0,
    "_jit": 0,
    "files": 1,
    "philox": 1,
    "philox_numba": 1,
    "laws": 1,
    "bounds": 1,
    "subsetsum": 1,
    "datasets": 1,
    "activations": 1,
    "networks": 2,
    "tickets": 2,
    "targets": 2,
    "construct": 3,
    "search": 3,
    "verify": 3,
    "optimal": 3,
    "graph": 3,
    "training": 3,
    "models": 3,
    "pruning": 4,
    "analysis": 4,
    "theorems": 4,
    "check": 5,
    "sweep": 5,
    "proving": 5,
    "testing": 5,
    "report": 6,
    "cli": 6,
}

# Two modules of one floor may meet only where this names the pair: (importer, imported).
BESIDE = {
    ("philox", "philox_numba"),  # its loops, where numba is there
    ("philox_numba", "philox"),  # the constants
    ("laws", "philox"),  # a law is a function of random words
    ("tickets", "networks"),  # a ticket is a mask over a network
    ("analysis", "pruning"),  # a ticket is trained again by the loop that prunes
    ("cli", "report"),  # the command line prints reports
}

# Third-party packages that only these modules may import.
RESERVED = {
    "tyro": {"cli"},
    "rich": {"cli", "report"},
    "cvxpy": {"optimal", "verify", "testing", "cli"},  # cli: `doctor` lists its solvers
    "ray": {"sweep"},
    "matplotlib": {"report", "graph"},
    "networkx": {"graph", "testing"},
}

# The checker that a sceptic reads: the standard library and NumPy, nothing of ours.
RECHECK = "verify._recheck"
RECHECK_FORBIDDEN = {PACKAGE, "torch", "numba", "scipy", "sympy", "mpmath", "cvxpy", "networkx"}


def files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the package as (dotted name below the package, file)."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(module: str, path: Path) -> Iterator[tuple[int, str]]:
    """Every imported name as (line, absolute dotted name), relative imports resolved."""
    package = [PACKAGE, *module.split(".")] if module else [PACKAGE]
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if start == PACKAGE:  # `from strongticket import philox`: the name is the module
                for alias in node.names:
                    yield node.lineno, f"{PACKAGE}.{alias.name}"
            else:
                yield node.lineno, start


def violations(root: Path) -> list[str]:
    """One line for each import under `root` that breaks a rule, as `file:line: what`."""
    found = []
    for module, path in files(root):
        top = module.split(".")[0]
        if not top:
            continue  # the public table of contents names everything, lazily
        here = path.relative_to(root)
        if top not in FLOORS:
            found.append(f"{here}: {top} has no floor: give it one in {Path(__file__).name}")
            continue
        checker = module == RECHECK or module.startswith(RECHECK + ".")
        for line, name in imports(module, path):
            head, _, rest = name.partition(".")
            where = f"{here}:{line}"
            if (
                checker
                and head in RECHECK_FORBIDDEN
                and not name.startswith(f"{PACKAGE}.{RECHECK}")
            ):
                found.append(f"{where}: {RECHECK} imports {name}")
            elif head == PACKAGE:
                below = rest.split(".")[0]
                if below == top or below == "__version__":
                    continue
                if below not in FLOORS:
                    found.append(f"{where}: imports {name}, which has no floor: name its module")
                elif FLOORS[below] >= FLOORS[top] and (top, below) not in BESIDE:
                    floors = FLOORS[top], FLOORS[below]
                    found.append(
                        f"{where}: {top} (floor {floors[0]}) imports {below} (floor {floors[1]})"
                    )
            elif head in RESERVED and top not in RESERVED[head]:
                found.append(f"{where}: {top} imports {head}, kept for {sorted(RESERVED[head])}")
    return found
