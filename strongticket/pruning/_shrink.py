"""A pruned model made physically smaller, with equal outputs.

A unit is dead if no layer that reads it has a weight on it, or if it is the same number for every
input (all of its own weights are zero, say, or the scale of its norm is): then what its readers
make of that number goes into their biases. Both kinds are taken out of every layer and norm on
their way; what that leaves unread is dead in turn.
"""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from strongticket.errors import InputError
from strongticket.networks._sample import plain
from strongticket.pruning._follow import follow
from strongticket.pruning._spaces import Spaces, absorbed


@dataclass(frozen=True)
class Size:
    """What a model costs.

    `multiply_adds` are those of all Linear and convolution layers for one example, zeros
    included; `file_bytes` the length of its saved ``state_dict``.
    """

    parameters: int
    multiply_adds: int
    file_bytes: int


@dataclass(frozen=True, eq=False)
class Shrunk:
    """The smaller model, in evaluation mode, and what it cost before and after.

    Attributes:
        model: a copy of the model's class with smaller layers.
        before, after: sizes.
        units: layer -> (output units kept, output units before), where some could go.
        kept_whole: layer -> why all of its units had to stay.
        difference: the largest difference of the outputs on the example, in float64.
    """

    model: nn.Module
    before: Size
    after: Size
    units: Mapping[str, tuple[int, int]]
    kept_whole: Mapping[str, str]
    difference: float

    def __repr__(self) -> str:
        rows = [("", "before", "after", "ratio")]
        for name in ("parameters", "multiply_adds", "file_bytes"):
            a, b = getattr(self.before, name), getattr(self.after, name)
            rows.append((name.replace("_", " "), f"{a:,}", f"{b:,}", f"{b / max(a, 1):.3f}"))
        wide = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, wide, strict=True)) for row in rows]
        lines += [f"{name}: {a} of {b} units" for name, (a, b) in self.units.items()]
        lines += [f"{name}: all units, for {why}" for name, why in self.kept_whole.items()]
        return "\n".join(lines)


def shrink(model: nn.Module, example: Tensor | tuple[Any, ...]) -> Shrunk:
    """A smaller model with equal outputs in evaluation mode; `model` itself is left alone.

    Followed through ``torch.fx``: Linear, convolutions (depthwise ones too), batch norms,
    elementwise activations, pooling, flattening, dropout, sums and products of equal shapes.
    Branches that are added keep the same channels: one goes if all of them can spare it.
    Anything else keeps every channel that it touches (see ``kept_whole``). Where the constant of a
    dead unit meets zero padding, which no bias can stand for, the unit stays as well.

    Args:
        model: a pruned module. Zeros written by ``torch.nn.utils.prune`` must be permanent.
        example: a batch of inputs, or a tuple of arguments, to trace and to compare by.

    Raises InputError if the model cannot be traced, or if outputs differ on the example by more
    than rounding: half the digits of float64 (of the model's own type where it cannot run in
    that). Then nothing is given.
    """
    inner = plain(model)
    args = example if isinstance(example, tuple) else (example,)
    if torch_prune.is_pruned(inner):
        raise InputError(
            "shrink needs plain parameters, and torch.nn.utils.prune still holds some of these; "
            "call strongticket.pruning.from_torch_prune(model) first"
        )
    original = copy.deepcopy(inner).eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        spaces = follow(copy.deepcopy(original), args)
        gone = spaces.dead()
        difference = _compare(original, spaces, gone, args)
        made = _cut(copy.deepcopy(original), spaces, gone)
        sizes = _size(original, args), _size(made, args)
    units, whole = _units(made, spaces, gone)
    return Shrunk(made, *sizes, units, whole, difference)


def _units(
    made: nn.Module, spaces: Spaces, gone: Mapping[int, Tensor]
) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Layers whose units could go, and why those of others had to stay."""
    units, whole = {}, {}
    reasons = {spaces.root(space): why for space, why in spaces.pinned.items()}
    for name, space in spaces.slices:
        root = spaces.root(space)
        if isinstance(made.get_submodule(name), nn.modules.batchnorm._BatchNorm | nn.PReLU):
            continue
        if bool(gone[root].any()):
            units[name] = (int((~gone[root]).sum()), len(gone[root]))
        elif root in reasons and reasons[root] != "output":
            whole[name] = reasons[root]
    return units, whole


def _cut(model: nn.Module, spaces: Spaces, gone: Mapping[int, Tensor]) -> nn.Module:
    """Take dead channels out of a model, in place: first where they are read."""
    for reader in spaces.readers:
        cut = gone[spaces.root(reader.space)]
        if bool(cut.any()):
            _cut_inputs(model.get_submodule(reader.name), cut, absorbed(reader, cut))
    for name, space in spaces.slices:
        cut = gone[spaces.root(space)]
        if bool(cut.any()):
            _cut_outputs(model.get_submodule(name), ~cut)
    return model


def _cut_inputs(module: Any, cut: Tensor, shift: Tensor) -> None:
    """Take input channels out of a layer, and put what their constants did into the bias."""
    weight = module.weight
    keep = (~cut).to(weight.device)
    if isinstance(module, nn.Linear):  # a channel may have several columns, side by side
        keep = keep.repeat_interleave(module.in_features // len(cut))
        module.in_features = int(keep.sum())
    else:
        module.in_channels = int(keep.sum())
    _replace(module, "weight", weight.detach()[:, keep])
    if bool((shift != 0).any()):
        before = torch.zeros(len(weight)) if module.bias is None else module.bias.detach()
        bias = before.double() + shift.to(before.device)
        trained = weight.requires_grad if module.bias is None else module.bias.requires_grad
        made = bias.to(weight.device, weight.dtype)
        module.bias = nn.Parameter(made, requires_grad=trained)


def _cut_outputs(module: Any, keep: Tensor) -> None:
    """Keep some output units of a layer, or channels of a norm."""
    count = int(keep.sum())
    for name, value in [*module.named_parameters(recurse=False)]:
        _replace(module, name, value.detach()[keep.to(value.device)])
    for name, buffer in [*module.named_buffers(recurse=False)]:
        if buffer.dim():
            setattr(module, name, buffer[keep.to(buffer.device)].clone())
    if isinstance(module, nn.Linear):
        module.out_features = count
    elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        if module.groups > 1:
            module.groups = module.in_channels = count
        module.out_channels = count
    elif isinstance(module, nn.PReLU):
        module.num_parameters = count
    else:
        module.num_features = count


def _replace(module: nn.Module, name: str, value: Tensor) -> None:
    old = module.get_parameter(name)
    setattr(module, name, nn.Parameter(value.clone(), requires_grad=old.requires_grad))


def _compare(
    original: nn.Module, spaces: Spaces, gone: Mapping[int, Tensor], args: tuple[Any, ...]
) -> float:
    """The largest difference that the cut makes; InputError if it is more than rounding."""
    cut = _cut(copy.deepcopy(original).double(), spaces, gone)
    try:
        wide = tuple(_wide(a) for a in args)
        pair = [model(*wide) for model in (copy.deepcopy(original).double(), cut)]
        digits = torch.finfo(torch.float64).eps
    except RuntimeError:  # a type is written into the model
        own = _cut(copy.deepcopy(original), spaces, gone)
        pair = [model(*args) for model in (original, own)]
        digits = torch.finfo(torch.float32).eps
    flat = [_tensors(out) for out in pair]
    worst, scale = 0.0, 1.0
    for a, b in zip(*flat, strict=True):
        if a.shape != b.shape:
            raise InputError(f"shrink changed an output's shape from {a.shape} to {b.shape}")
        if a.numel():
            worst = max(worst, float((a.double() - b.double()).abs().max()))
            scale = max(scale, float(a.double().abs().max()))
    if not worst <= math.sqrt(digits) * scale:
        raise InputError(
            f"the smaller model's outputs differ by {worst:.3g} on the example, so the model does "
            "something that shrink does not follow rightly; nothing was changed"
        )
    return worst


def _wide(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _tensors(out: Any) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    parts = list(out.values()) if isinstance(out, Mapping) else out
    return [t for part in parts for t in _tensors(part)] if isinstance(parts, list | tuple) else []


def _size(model: nn.Module, args: tuple[Any, ...]) -> Size:
    counted = [0]

    def count(module: Any, _: Any, out: Tensor) -> None:
        counted[0] += out.numel() * (module.weight.numel() // len(module.weight))

    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    layers = [m for m in layers if not getattr(m, "transposed", False)]
    handles = [m.register_forward_hook(count) for m in layers]
    model(*args)
    for handle in handles:
        handle.remove()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    batch = next((len(a) for a in args if isinstance(a, Tensor) and a.dim()), 1)
    parameters = sum(p.numel() for p in model.parameters())
    return Size(parameters, counted[0] // max(batch, 1), len(file.getvalue()))
