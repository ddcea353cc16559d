"""Whether the Triton kernel can be used on a device: tried once, against the torch ops."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor

from strongticket.subsetsum import torch_network

Nearest: TypeAlias = Callable[[Tensor, Tensor | None, Tensor, torch.dtype], Tensor]
_ROWS, _N, _MEMORY = 64, 9, 1 << 24


@cache
def triton_nearest(device: torch.device) -> Nearest | None:
    """The kernel, or None where Triton cannot be imported.

    Triton compiles on the spot and needs a working C compiler for that. Where that fails, or where
    a few rows do not come out as the torch ops have them, a warning says so and it is left alone.
    """
    try:
        from strongticket.subsetsum.triton_best import nearest
    except ImportError:
        return None
    try:
        wrong = [
            dtype for dtype in (torch.int32, torch.int64) if not _agrees(nearest, device, dtype)
        ]
    except Exception as error:  # a compiler's own errors have no common class
        reason = f"it cannot be compiled or run ({type(error).__name__}: {error})"
    else:
        if not wrong:
            kernel: Nearest = nearest
            return kernel
        reason = f"its masks are not those of the torch ops for {wrong[0]}"
    warnings.warn(f"the Triton kernel is not used: {reason}", RuntimeWarning, stacklevel=2)
    return None


def _agrees(nearest: Nearest, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether rows full of ties have the same masks."""
    count = torch.arange(_ROWS * _N, dtype=torch.int64, device=device).reshape(_ROWS, _N)
    units = (count * 7919) % 31 - 15
    aims = 4 * ((count[:, 0] * 104729) % 127 - 63) + 2 * (count[:, 0] % 2) - 1
    expected = torch_network.solve(units, None, aims, dtype, _MEMORY)
    return torch.equal(nearest(units, None, aims, dtype), expected)
