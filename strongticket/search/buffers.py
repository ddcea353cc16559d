"""The buffers of a searched model: what a ticket and a saved state hold beside scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks._sample import saved_buffers
from strongticket.tickets._buffers import DTYPES


def check(model: nn.Module) -> None:
    """Raise InputError for a buffer that no ticket can hold, before a search has begun."""
    for name, buffer in saved_buffers(model).items():
        plain = buffer.layout == torch.strided and not buffer.is_quantized
        if not (plain and str(_widened(buffer.dtype)).removeprefix("torch.") in DTYPES):
            raise InputError(
                f"the buffer {name!r} must be a dense array of {', '.join(sorted(DTYPES))} or a "
                f"narrower float for a ticket to hold it, got {buffer.dtype} of layout "
                f"{buffer.layout}; register it with persistent=False, or store it otherwise"
            )


def arrays(model: nn.Module) -> dict[str, NDArray[Any]]:
    """The buffers that are saved with the model, by name; floats NumPy has not as float32."""
    return {
        name: np.array(buffer.detach().cpu().to(_widened(buffer.dtype)).numpy())
        for name, buffer in saved_buffers(model).items()
    }


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """The same buffers as they are, sharing their memory, for a saved state."""
    return {name: buffer.detach() for name, buffer in saved_buffers(model).items()}


def check_saved(model: nn.Module, saved: Any) -> None:
    """Raise InputError unless `saved` holds the model's buffers, in their shapes and dtypes."""
    wanted = saved_buffers(model)
    if not isinstance(saved, Mapping) or set(saved) != set(wanted):
        came = sorted(saved) if isinstance(saved, Mapping) else saved
        raise InputError(f"the state must hold the model's buffers {sorted(wanted)}, got {came!r}")
    for name, buffer in wanted.items():
        value = saved[name]
        if not isinstance(value, Tensor):
            raise InputError(f"the saved buffer {name!r} must be a tensor, got {value!r}")
        if value.shape != buffer.shape or value.dtype != buffer.dtype:
            raise InputError(
                f"the saved buffer {name!r} must be {buffer.dtype} of shape "
                f"{tuple(buffer.shape)}, got {value.dtype} of shape {tuple(value.shape)}"
            )


@torch.no_grad()
def restore(model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Write saved buffers into the model, in place."""
    for name, buffer in saved_buffers(model).items():
        buffer.copy_(saved[name])


def _widened(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which values are stored: float32 holds those of bfloat16 and float8 exactly."""
    numpy_has = (torch.float16, torch.float32, torch.float64)
    return torch.float32 if dtype.is_floating_point and dtype not in numpy_has else dtype
