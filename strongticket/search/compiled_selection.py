"""Selection on the host by the compiled histograms: the masks of `selection.masks`.

Few scores are left to torch: a user who asks once should not wait for a compiler.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strongticket.search import kernels

LEAST = 1 << 16  # scores: so many take torch a millisecond


def masks(scores: Sequence[Tensor], keep: int, raw: bool) -> list[Tensor] | None:
    """The masks of the `keep` largest of finite scores, 1 <= keep <= their number.

    None where that is not for the compiled loops: elsewhere than on the host, in another dtype than
    float32, of fewer than `LEAST` scores, or without numba.
    """
    if sum(score.numel() for score in scores) < LEAST:
        return None
    if any(score.dtype != torch.float32 or score.device.type != "cpu" for score in scores):
        return None
    loops = kernels.compiled()
    if loops is None:
        return None
    flat = [score.detach().contiguous().view(-1).numpy().view(np.int32) for score in scores]
    found = []
    cuts = kernels.cut(loops, flat, raw, keep, _finite)
    for score, bits, (key, ties) in zip(scores, flat, cuts, strict=True):
        kept = _kept(bits, raw, key, ties)
        found.append(torch.from_numpy(kept).view(score.shape))
    return found


def _finite() -> None:
    """Nothing to refuse: the scores were looked at."""


def _kept(bits: kernels.Bits, raw: bool, key: int, ties: int) -> NDArray[np.bool_]:
    keys = bits & np.int32(kernels.MAGNITUDE)
    if raw:
        sign = bits >> np.int32(31)
        keys ^= sign
        keys -= sign
    if ties < 0:
        kept: NDArray[np.bool_] = keys >= key
        return kept
    equal = keys == key
    found: NDArray[np.bool_] = (keys > key) | (equal & (np.cumsum(equal) <= ties))
    return found
