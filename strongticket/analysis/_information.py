r"""The information plane: what a layer knows of the input and of the label, by binning.

A trained network is a function, so with T a layer's activations, each rounded to one of `bins`
equal bins, and X uniform on the n given inputs,

.. math:: I(X; T) = H(T), \qquad I(T; Y) = H(T) + H(Y) - H(T, Y),

with the entropies of the empirical counts, in bits (Shwartz-Ziv, Tishby, "Opening the black box
of deep neural networks via information", 2017, with 30 bins).

What binning does: without it I(X; T) of a network on continuous inputs is infinite or constant,
and says nothing; the binned number is that of a coarser T and measures how the layer's
activations gather in few cells (Goldfeld et al., "Estimating information flow in deep neural
networks", ICML 2019). It depends on `bins` and on their range. A wide layer puts almost every
input in a cell of its own: then H(T) is near log2 n and I(T; Y) near H(Y) whatever was learned,
which `distinct` shows (cells in use over n, 1 where all differ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket.errors import InputError
from strongticket.networks._sample import plain

Limits = tuple[float, float] | None


@dataclass(frozen=True)
class Information:
    """What binned activations of n inputs say, in bits.

    Attributes:
        of_input: I(X; T) = H(T).
        of_label: I(T; Y).
        label: H(Y), which `of_label` cannot exceed.
        distinct: cells in use over the number of inputs.
        count: the number of inputs; `of_input` cannot exceed its logarithm.
        bins: of each activation.
        low: the lower end of the first bin.
        high: the upper end of the last.
    """

    of_input: float
    of_label: float
    label: float
    distinct: float
    count: int
    bins: int
    low: float
    high: float


@dataclass(frozen=True)
class PlanePoint:
    """One layer at one step of a training."""

    step: int
    layer: str
    information: Information


def information(
    activations: Any, labels: Any, *, bins: int = 30, limits: Limits = None
) -> Information:
    """Binned mutual information of a layer with its inputs and with their labels.

    Args:
        activations: (n, ...) array or tensor, a row an input.
        labels: (n,) integers.
        bins: equal bins of each activation.
        limits: the range that they divide; what lies beyond falls into the end bins. By default
            from the least to the largest activation given, so that it moves along a training:
            give (-1, 1) for tanh, or a fixed range, to compare steps.
    """
    a, y = _array(activations), _array(labels)
    if y.ndim != 1 or a.ndim < 1 or len(a) != len(y) or not len(y) or y.dtype.kind not in "iu":
        raise InputError(
            f"needed activations (n, ...) and n >= 1 integer labels (n,), got {a.shape} and "
            f"{y.dtype} of shape {y.shape}"
        )
    if not 1 <= bins <= 1 << 15:
        raise InputError(f"bins must be in 1 .. 32,768, got {bins}")
    a = a.reshape(len(a), -1).astype(np.float64)
    if not np.isfinite(a).all():
        raise InputError(f"activations must be finite, {int((~np.isfinite(a)).sum())} are not")
    low, high = limits if limits is not None else (float(a.min()), float(a.max()))
    if not (math.isfinite(low) and math.isfinite(high) and (low < high or limits is None)):
        raise InputError(f"limits must be finite with low < high, got {(low, high)}")
    width = (high - low) or 1.0  # activations that are all equal fill one bin
    cells = np.clip(np.floor((a - low) / width * bins), 0, bins - 1).astype(np.int16)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    _, label = np.unique(y, return_inverse=True)
    cell, label = cell.reshape(-1), label.reshape(-1)
    both = cell * (int(label.max()) + 1) + label
    h_t, h_y, h_ty = (_entropy(np.unique(v, return_counts=True)[1]) for v in (cell, label, both))
    mutual = min(max(h_t + h_y - h_ty, 0.0), h_y)
    return Information(
        h_t, mutual, h_y, (int(cell.max()) + 1) / len(y), len(y), bins, float(low), float(high)
    )


def activations(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """The outputs of some submodules at inputs `x`, in evaluation mode, on the CPU.

    `layers` are names of `named_modules`; of a submodule that runs more than once, the last run.
    """
    inner = plain(model)
    known = dict(inner.named_modules())
    found: dict[str, Tensor] = {}
    handles: list[torch.utils.hooks.RemovableHandle] = []
    modes = [(module, module.training) for module in inner.modules()]
    for name in layers:
        if name not in known:
            raise InputError(f"the model has no submodule {name!r}; it has {sorted(known)}")
    try:
        handles += [known[n].register_forward_hook(_keeper(found, n)) for n in layers]
        with torch.no_grad():
            inner.eval()(x)
    finally:
        for module, mode in modes:
            module.training = mode
        for handle in handles:
            handle.remove()
    missing = [name for name in layers if name not in found]
    if missing:
        raise InputError(f"the forward pass gave no tensor at {missing}")
    return found


def information_plane(
    model: nn.Module,
    x: Tensor,
    labels: Tensor,
    layers: Sequence[str],
    step: int = 0,
    *,
    bins: int = 30,
    limits: Limits = None,
) -> tuple[PlanePoint, ...]:
    """Every layer's point at this step; call it along a training and gather what it gives."""
    outputs = activations(model, x, layers)
    return tuple(
        PlanePoint(step, name, information(outputs[name], labels, bins=bins, limits=limits))
        for name in layers
    )


def _keeper(found: dict[str, Tensor], name: str) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            found[name] = output.detach().float().cpu()

    return keep


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts / counts.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0


def _array(given: Any) -> NDArray[Any]:
    return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
