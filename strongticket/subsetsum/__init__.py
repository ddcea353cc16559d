"""Subset sums for whole batches: the nearest, any within epsilon, the sparsest; all exact.

`best`, `within` and `sparsest` take candidates (M, n) and targets (M,) and return `Subsets`;
`exhaustive` is the oracle beside them.
"""

from strongticket.subsetsum._backend import Backend as Backend
from strongticket.subsetsum._exhaustive import exhaustive as exhaustive
from strongticket.subsetsum._subsets import Subsets as Subsets
from strongticket.subsetsum._verbs import best as best
from strongticket.subsetsum._verbs import sparsest as sparsest
from strongticket.subsetsum._verbs import within as within

__all__ = ["Backend", "Subsets", "best", "exhaustive", "sparsest", "within"]
