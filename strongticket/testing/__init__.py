"""Property-based testing with strongticket: strategies, oracles, and suites for others' code.

Strategies (plural names) draw valid values that shrink well; `from_theorem` draws values that
meet a theorem's hypotheses. `oracles` recomputes answers slowly and exactly. `check_pruner` and
`PrunerConformance` hold a pruning function, anybody's, to what it claims.

Everything is imported on first use: ``import strongticket.testing`` loads neither torch nor cvxpy
nor numba nor Hypothesis, and drawing a value loads no torch either.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strongticket.testing import oracles as oracles
    from strongticket.testing._claims import Claims as Claims
    from strongticket.testing._claims import NonconformityError as NonconformityError
    from strongticket.testing._cleanup import check_cleanup as check_cleanup
    from strongticket.testing._conformance import PrunerConformance as PrunerConformance
    from strongticket.testing._conformance import check_pruner as check_pruner
    from strongticket.testing._networks import architectures as architectures
    from strongticket.testing._networks import masks as masks
    from strongticket.testing._networks import networks as networks
    from strongticket.testing._networks import neuron_masks as neuron_masks
    from strongticket.testing._networks import tickets as tickets
    from strongticket.testing._networks import two_layer_tickets as two_layer_tickets
    from strongticket.testing._numbers import dyadics as dyadics
    from strongticket.testing._numbers import laws as laws
    from strongticket.testing._pruners import Pruned as Pruned
    from strongticket.testing._pruners import pruner_from_module as pruner_from_module
    from strongticket.testing._pruners import torch_pruner as torch_pruner
    from strongticket.testing._subset_sums import SubsetSum as SubsetSum
    from strongticket.testing._subset_sums import subset_sums as subset_sums
    from strongticket.testing._targets import domains as domains
    from strongticket.testing._targets import inputs as inputs
    from strongticket.testing._targets import targets as targets
    from strongticket.testing._theorems import from_theorem as from_theorem

_HOMES = {
    "Claims": "_claims",
    "NonconformityError": "_claims",
    "check_cleanup": "_cleanup",
    "PrunerConformance": "_conformance",
    "check_pruner": "_conformance",
    "architectures": "_networks",
    "masks": "_networks",
    "networks": "_networks",
    "neuron_masks": "_networks",
    "tickets": "_networks",
    "two_layer_tickets": "_networks",
    "dyadics": "_numbers",
    "laws": "_numbers",
    "Pruned": "_pruners",
    "pruner_from_module": "_pruners",
    "torch_pruner": "_pruners",
    "SubsetSum": "_subset_sums",
    "subset_sums": "_subset_sums",
    "domains": "_targets",
    "inputs": "_targets",
    "targets": "_targets",
    "from_theorem": "_theorems",
}

__all__ = ["oracles", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name == "oracles":
        return importlib.import_module(f"{__name__}.oracles")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
