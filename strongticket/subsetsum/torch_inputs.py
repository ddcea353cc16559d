"""Tensors that a caller gives, checked: what `_inputs` says of arrays, said of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from strongticket.errors import InputError
from strongticket.subsetsum import _inputs
from strongticket.subsetsum._inputs import Products
from strongticket.subsetsum._limits import FAR, FINEST
from strongticket.subsetsum._refusals import finite
from strongticket.subsetsum.torch_door import is_tensor

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_WHOLES = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True, eq=False)
class Given:
    """A checked batch of tensors on one device, narrow types as they came.

    Attributes:
        candidates: (R, n), or (n,) shared by all targets.
        factors: None, or what candidates are multiplied by: (R, n) or (n,).
        targets: (M,).
        per: how many targets in a row have one row of candidates: 1; K; 0 where all share one.
        shape: the targets' shape as it was given.
        numpy: whether NumPy arrays came, and NumPy arrays are to be returned.
    """

    candidates: Tensor
    factors: Tensor | None
    targets: Tensor
    per: int
    shape: tuple[int, ...]
    numpy: bool

    @property
    def n(self) -> int:
        """Candidates a row."""
        return self.candidates.shape[-1]

    @property
    def integers(self) -> bool:
        """Whether the batch came as integers."""
        return not self.targets.is_floating_point()

    @property
    def dtype(self) -> torch.dtype:
        """What the batch is widened to."""
        return torch.int64 if self.integers else torch.float64


def given_of(candidates: Any, targets: Any, most: int) -> Given:
    """The checked batch of tensors, or of NumPy arrays as tensors on the CPU."""
    parts = [targets]
    factored = isinstance(candidates, Products)
    parts += [candidates.first, candidates.second] if factored else [candidates]
    if not any(is_tensor(part) for part in parts):
        checked = _inputs.batch(candidates, targets, most)
        a, b, t = (_tensor(x) for x in (checked.candidates, checked.factors, checked.targets))
        assert a is not None and t is not None
        return Given(a, b, t, checked.per, checked.shape, True)
    names = ["targets", *(["Products.first", "Products.second"] if factored else ["candidates"])]
    _one_device(names, parts)
    t, a, *more = (_checked(name, part) for name, part in zip(names, parts, strict=True))
    b = more[0] if more else None
    if b is not None:
        _inputs.check_factors(tuple(a.shape), tuple(b.shape))
        if a.ndim < b.ndim:
            a, b = b, a
    if len({x.is_floating_point() for x in (t, a, *more)}) == 2:
        raise InputError(
            "candidates and targets must both be integers or both be floats, "
            f"got {a.dtype} candidates and {t.dtype} targets"
        )
    _inputs.check_shapes(tuple(a.shape), tuple(t.shape), most)
    check_targets(t)
    per = (t.shape[1] if t.ndim == 2 else 1) if a.ndim == 2 else 0
    return Given(a, b, t.reshape(-1), per, tuple(t.shape), False)


def tolerance(given: Given, epsilon: Any) -> Tensor:
    """`epsilon`, a number or a tensor of the targets' shape, as (M,) of the batch's wide dtype."""
    rows = len(given.targets)
    if is_tensor(epsilon) and epsilon.ndim:
        if given.numpy:
            raise InputError("epsilon is a tensor where candidates and targets are arrays")
        _one_device(["targets", "epsilon"], [given.targets, epsilon])
        wide = _checked("epsilon", epsilon)
        if given.integers and wide.is_floating_point():
            raise InputError(
                "epsilon must be an integer where candidates and targets are integers, "
                f"got {wide.dtype}"
            )
        if tuple(wide.shape) != given.shape:
            names = "(M,)" if len(given.shape) == 1 else "(R, K)"
            raise InputError(
                f"epsilon must be a number or have shape {names} = {given.shape}, "
                f"got {tuple(wide.shape)}"
            )
        wide = wide.reshape(-1).to(given.dtype)
        least, most = (x.item() for x in torch.aminmax(wide)) if rows else (0, 0)
        if not (math.isfinite(least) and math.isfinite(most)):
            finite("epsilon", wide.cpu().numpy())
        if least < 0:
            raise InputError(f"epsilon must be at least 0, got {least}")
        return wide
    value = epsilon.item() if is_tensor(epsilon) else epsilon
    if not given.numpy and np.ndim(value):
        raise InputError("epsilon is an array where candidates and targets are tensors")
    kind = np.int64 if given.integers else np.float64
    stand_in = (
        _inputs.batch(np.zeros(0, kind), np.zeros(given.shape, kind))
        if given.numpy
        else (_inputs.batch(np.zeros(0, kind), np.zeros(1, kind)))
    )
    checked = _inputs.tolerance(stand_in, value)
    if given.numpy:
        return torch.from_numpy(checked)
    return torch.tensor(checked[0].item(), dtype=given.dtype, device=given.targets.device).expand(
        rows
    )


def _one_device(names: list[str], parts: list[Any]) -> None:
    for name, part in zip(names, parts, strict=True):
        if not is_tensor(part):
            raise InputError(
                f"all must be tensors, or none: {name} is {type(part).__name__}; torch.as_tensor "
                "makes a tensor of it"
            )
    devices = {part.device for part in parts}
    if len(devices) > 1:
        where = ", ".join(f"{n} on {p.device}" for n, p in zip(names, parts, strict=True))
        raise InputError(f"all tensors must be on one device, got {where}")
    (device,) = devices
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"tensors must be on a CPU or a CUDA device, got {device}; move them")


def _checked(name: str, values: Tensor) -> Tensor:
    if values.layout != torch.strided or values.dtype not in (*_FLOATS, *_WHOLES):
        raise InputError(
            f"{name} must be a dense tensor of integers or floats of at most 64 bits, got "
            f"{values.dtype} in layout {values.layout}"
        )
    return values.detach()


def check_targets(targets: Tensor) -> None:
    """One wait for the device: the extremes say all."""
    if targets.numel() == 0:
        return
    wide = targets.to(torch.float64) if targets.is_floating_point() else targets
    least, most = torch.stack(torch.aminmax(wide)).tolist()
    if targets.is_floating_point():
        if not (math.isfinite(least) and math.isfinite(most)):
            finite("targets", wide.cpu().numpy())
        if max(most, -least) > 2.0**-FINEST:
            raise InputError(
                "targets may reach 2^1000 in magnitude, so that their distances to sums are "
                f"floats; got {max(most, -least):.6g}; scale candidates and targets down"
            )
    elif max(most, -least) > FAR:
        raise InputError(
            f"integer targets may reach 2^61 in magnitude, got {least} to {most}; "
            "subset sums reach at most 2^60, so nothing beyond is ever near"
        )


def _tensor(values: ArrayLike | None) -> Tensor | None:
    # torch warns of arrays that must not be written to, though nobody writes.
    return None if values is None else torch.from_numpy(np.require(values, requirements=["C", "W"]))
