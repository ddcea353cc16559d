"""Whether the Triton kernels can be used on a device: tried once, against the torch ops."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from strongticket.subsetsum import torch_enumerate, torch_network
from strongticket.subsetsum.torch_keys import Keys
from strongticket.subsetsum.torch_rows import ranges_of

_ROWS, _N, _BITS, _MEMORY = 64, 11, 10, 1 << 24


@dataclass(frozen=True)
class Kernels:
    """The kernels: the nearest subset, and the first within an interval."""

    nearest: Callable[[Tensor, Tensor | None, Tensor, torch.dtype], Tensor]
    first_hit: Callable[[Tensor, Tensor | None, Tensor, Tensor, int, torch.dtype], Tensor]


@cache
def triton_kernels(device: torch.device) -> Kernels | None:
    """The kernels, or None where Triton cannot be imported or the device is no GPU.

    Triton compiles on the spot and needs a working C compiler for that. Where that fails, or where
    a few rows do not come out as the torch ops have them, a warning says so and it is left alone.
    """
    return kernels_that_agree(device) if device.type == "cuda" else None


def kernels_that_agree(device: torch.device) -> Kernels | None:
    """The same on any device: on a CPU the interpreter must have been asked for."""
    try:
        from strongticket.subsetsum.triton_best import nearest
        from strongticket.subsetsum.triton_first import first_hit
    except ImportError:
        return None
    kernels = Kernels(nearest, first_hit)
    try:
        wrong = [key for key in (torch.int32, torch.int64) if not _agrees(kernels, device, key)]
    except Exception as error:  # a compiler's own errors have no common class
        reason = f"they cannot be compiled or run ({type(error).__name__}: {error})"
    else:
        if not wrong:
            return kernels
        reason = f"their masks are not those of the torch ops for {wrong[0]}"
    warnings.warn(f"the Triton kernels are not used: {reason}", RuntimeWarning, stacklevel=3)
    return None


def _agrees(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether rows full of ties, many of them without a hit, have the same masks."""
    count = torch.arange(_ROWS * _N, dtype=torch.int64, device=device).reshape(_ROWS, _N)
    units = (count * 7919) % 31 - 15
    goal = (count[:, 0] * 104729) % 127 - 63
    aims = 4 * goal + 2 * (count[:, 0] % 2) - 1
    expected = torch_network.solve(units, None, aims, dtype, _MEMORY)
    if not torch.equal(kernels.nearest(units, None, aims, dtype), expected):
        return False
    lowest, highest, _ = ranges_of(units)
    exponents = torch.zeros_like(goal)
    keys = Keys(units, None, exponents, lowest, highest, goal, goal * 0.0, False)
    low, high = (goal - 1).maximum(lowest), goal.minimum(highest)
    first = torch_enumerate.first_hit(keys, low, high, _BITS, dtype, _MEMORY)
    return torch.equal(kernels.first_hit(units, None, low, high, _BITS, dtype), first)
