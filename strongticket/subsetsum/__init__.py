"""Subset sums for whole batches: the nearest, any within epsilon, the sparsest; all exact.

`best`, `within` and `sparsest` take candidates (M, n) and targets (M,) and return `Subsets`;
`exhaustive` is the oracle beside them. `regimes` has the algorithms as values and the rule that
chooses among them.
"""

from strongticket.subsetsum import regimes as regimes
from strongticket.subsetsum._backend import Backend as Backend
from strongticket.subsetsum._coverage import Coverage as Coverage
from strongticket.subsetsum._coverage import coverage as coverage
from strongticket.subsetsum._exhaustive import exhaustive as exhaustive
from strongticket.subsetsum._fixed_size import fixed_size as fixed_size
from strongticket.subsetsum._inputs import Products as Products
from strongticket.subsetsum._lightest import lightest as lightest
from strongticket.subsetsum._lightest import weight as weight
from strongticket.subsetsum._subsets import Subsets as Subsets
from strongticket.subsetsum._vector import vector as vector
from strongticket.subsetsum._verbs import best as best
from strongticket.subsetsum._verbs import sparsest as sparsest
from strongticket.subsetsum._verbs import within as within
from strongticket.subsetsum._work import Interrupted as Interrupted
from strongticket.subsetsum._work import Options as Options

__all__ = [
    "Backend",
    "Coverage",
    "Interrupted",
    "Options",
    "Products",
    "Subsets",
    "best",
    "coverage",
    "exhaustive",
    "fixed_size",
    "lightest",
    "regimes",
    "sparsest",
    "vector",
    "weight",
    "within",
]
