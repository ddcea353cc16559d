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
        proved: bool (M,); whether no other answer is better, or, where found is false, whether no
            subset at all is within what was asked. False only where a search was bounded.

    Candidates (R, n) with targets (R, K) give arrays (R, K, n) and (R, K).
    """

    mask: NDArray[np.bool_]
    error: Error
    found: NDArray[np.bool_]
    proved: NDArray[np.bool_]

    @property
    def size(self) -> NDArray[np.int64]:
        """How many candidates each row keeps, int64 (M,)."""
        size: NDArray[np.int64] = self.mask.sum(axis=-1, dtype=np.int64)
        return size

    @property
    def taken(self) -> NDArray[np.int64]:
        """How many of each row's candidates, from the first, hold all that is kept, int64 (M,)."""
        n = self.mask.shape[-1]
        last = n - self.mask[..., ::-1].argmax(axis=-1) if n else np.zeros(self.error.shape)
        taken: NDArray[np.int64] = np.where(self.mask.any(axis=-1), last, 0).astype(np.int64)
        return taken

    def __len__(self) -> int:
        return len(self.error)

    def __repr__(self) -> str:
        rows, n = self.error.size, self.mask.shape[-1]
        head = f"Subsets({rows} rows of {n} candidates"
        if rows == 0:
            return head + ")"
        return (
            f"{head}: {int(self.found.sum())} found, largest error {self.error.max():.6g}, "
            f"mean size {self.size.mean():.4g})"
        )
