"""Selection on the host by the compiled histograms: the cuts of `selection.masks`.

Few scores are left to torch: a user who asks once should not wait for a compiler.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from strongticket.search import kernels

LEAST = 1 << 16  # scores: so many take torch a millisecond


def cuts(scores: Sequence[Tensor], keep: int, raw: bool) -> list[tuple[int, int]] | None:
    """(key, ties) of each tensor, as `kernels.cut` gives them, of the `keep` largest of them all.

    The scores are finite, 1 <= keep <= their number. None where that is not for the compiled loops:
    elsewhere than on the host, in another dtype than float32, of fewer than `LEAST` scores, or
    without numba.
    """
    if sum(score.numel() for score in scores) < LEAST:
        return None
    if any(score.dtype != torch.float32 or score.device.type != "cpu" for score in scores):
        return None
    loops = kernels.compiled()
    if loops is None:
        return None
    flat = [score.detach().contiguous().view(-1).numpy().view(np.int32) for score in scores]
    return kernels.cut(loops, flat, raw, keep, _finite)


def _finite() -> None:
    """Nothing to refuse: the scores were looked at."""
