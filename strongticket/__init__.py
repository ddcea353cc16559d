"""Strong lottery tickets that run: constructed, certified, searched and checked.

A random network, never trained, contains a subnetwork that does what a trained one does. This
package builds that subnetwork (by the proofs' own subset sums, or by searching scores), proves
how far it is from its target, and checks the theorems that say it exists.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongticket import subsetsum as subsetsum
    from strongticket.laws import Law as Law
    from strongticket.laws import Normal as Normal
    from strongticket.laws import SignedConstant as SignedConstant
    from strongticket.laws import Uniform as Uniform
    from strongticket.networks import MLP as MLP
    from strongticket.networks import Network as Network
    from strongticket.targets import Ball as Ball
    from strongticket.targets import Box as Box
    from strongticket.targets import Target as Target
    from strongticket.tickets import Mask as Mask
    from strongticket.tickets import Ticket as Ticket
    from strongticket.verify import Certificate as Certificate
    from strongticket.verify import certify as certify
    from strongticket.verify import recheck as recheck

__version__ = "0.1.0"

# Imported on first use, so that `import strongticket` costs no torch, numba or cvxpy.
_HOMES = {
    "Law": "laws",
    "Normal": "laws",
    "SignedConstant": "laws",
    "Uniform": "laws",
    "MLP": "networks",
    "Network": "networks",
    "Ball": "targets",
    "Box": "targets",
    "Target": "targets",
    "Mask": "tickets",
    "Ticket": "tickets",
    "Certificate": "verify",
    "certify": "verify",
    "recheck": "verify",
}
_MODULES = (
    "subsetsum",
    "search",
    "pruning",
    "training",
    "datasets",
    "models",
    "graph",
    "analysis",
    "theorems",
    "construct",
    "verify",
    "optimal",
    "check",
    "testing",
    "errors",
)

__all__ = ["__version__", "subsetsum", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"strongticket.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"strongticket.{name}")
    raise AttributeError(f"module 'strongticket' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
