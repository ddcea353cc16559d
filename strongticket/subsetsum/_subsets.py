"""The answer of a subset-sum solver for a whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Error = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Subsets:
    r"""One subset a row, with the error that its own candidates and mask give.

    Attributes:
        mask: bool (M, n); ``mask[i, j]`` says that row i keeps candidate j.
        error: (M,) :math:`|t_i - \sum_j m_{ij} a_{ij}|`, recomputed from candidates and mask; int64
            and exact for integers, the exact value rounded up to float64 for floats.
        found: bool (M,); whether the subset is within what was asked (always true for `best`).
    """

    mask: NDArray[np.bool_]
    error: Error
    found: NDArray[np.bool_]

    @property
    def size(self) -> NDArray[np.int64]:
        """How many candidates each row keeps, int64 (M,)."""
        size: NDArray[np.int64] = self.mask.sum(axis=1, dtype=np.int64)
        return size

    def __len__(self) -> int:
        return len(self.error)

    def __repr__(self) -> str:
        rows, n = self.mask.shape
        head = f"Subsets({rows} rows of {n} candidates"
        if rows == 0:
            return head + ")"
        return (
            f"{head}: {int(self.found.sum())} found, largest error {self.error.max():.6g}, "
            f"mean size {self.size.mean():.4g})"
        )
