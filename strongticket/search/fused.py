"""A step of the engine by the compiled loops, on the CPU and in float32; the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strongticket.search import gain_kernels, kernels
from strongticket.search.kernels import Hint, Kernels
from strongticket.search.method import Method
from strongticket.search.selection import Ranking, check_finite, keep_count, kept
from strongticket.search.written import Masked


def usable(layers: Iterable[Masked], method: Method, backend: str | None) -> Kernels | None:
    """The compiled loops if they can take these parameters, else None."""
    if backend == "torch" or method.gate.signed is None:
        return None
    for layer in layers:
        if layer.dtype != torch.float32 or layer.frozen.device.type != "cpu":
            return None
    return kernels.compiled()


def descend(
    loops: Kernels,
    layer: Masked,
    grad: Tensor,
    state: Mapping[str, Tensor],
    group: Mapping[str, Any],
    signed: bool,
) -> bool:
    """One step of a parameter's scores, in place; whether all of them are finite still."""
    moving = bool(group["momentum"])
    velocity = flat(state["momentum_buffer"]) if moving else np.empty(0, np.float32)
    finite: bool = loops.descend(
        flat(grad),
        layer.frozen.numpy(),
        flat(state["scores"]),
        velocity,
        np.float32(float(group["lr"])),
        np.float32(group["momentum"]),
        np.float32(group["weight_decay"]),
        bool(group["nesterov"]),
        signed,
    )
    return finite


def rewrite(
    loops: Kernels,
    layers: Mapping[str, Masked],
    scores: Mapping[str, Tensor],
    keep: int | Mapping[str, int],
    ranking: Ranking,
    hints: dict[str, Hint],
) -> None:
    """Select exactly and write the effective weights; SearchError before anything is written.

    `hints` remembers where each cut was; it is brought up to date. Layers that know the sizes of
    their weights become binary (`Masked.effective` with the gain "binary").
    """
    raw = ranking == "raw"
    bits = {name: flat(tensor).view(np.int32) for name, tensor in scores.items()}
    found = _cuts(loops, bits, scores, raw, keep, hints)
    for name, layer in layers.items():
        _write(loops, layer, bits[name], raw, *found[name])


def rewrite_nested(
    loops: Kernels,
    layers: Mapping[str, Masked],
    scores: Mapping[str, Tensor],
    densities: Sequence[float],
    hints: dict[str, Hint],
) -> None:
    """The same for the sum of nested masks of |S|; `hints` has one of each layer and level."""
    bits = {name: flat(tensor).view(np.int32) for name, tensor in scores.items()}
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in bits}
    for level, density in enumerate(densities):
        keep = {name: keep_count(density, score.numel()) for name, score in scores.items()}
        own = {name: hints[f"{name} {level}"] for name in bits if f"{name} {level}" in hints}
        for name, cut in _cuts(loops, bits, scores, False, keep, own).items():
            found[name].append(cut)
        hints |= {f"{name} {level}": hint for name, hint in own.items()}
    for name, layer in layers.items():
        _write_nested(layer, bits[name], found[name])


def _write_nested(layer: Masked, bits: kernels.Bits, cuts: Sequence[tuple[int, int]]) -> None:
    gains = gain_kernels.compiled()
    if gains is not None and all(ties < 0 for _, ties in cuts):
        least = np.array([key for key, _ in cuts], np.int32)
        with _values(layer) as out:
            gains.nested(bits, least, layer.frozen.numpy(), out)
        return
    keys, gates = torch.from_numpy(bits & kernels.MAGNITUDE), torch.zeros(bits.size)
    for key, ties in cuts:
        gates += kept(keys, key, ties)
    layer.write(layer.effective(gates.to(torch.int8)))


def _cuts(
    loops: Kernels,
    bits: Mapping[str, kernels.Bits],
    scores: Mapping[str, Tensor],
    raw: bool,
    keep: int | Mapping[str, int],
    hints: dict[str, Hint],
) -> dict[str, tuple[int, int]]:
    """(key, ties) of each layer, as `kernels.cut` gives them."""
    pools = [[name] for name in bits] if isinstance(keep, Mapping) else [list(bits)]
    found: dict[str, tuple[int, int]] = {}
    for pool in pools:
        count = keep[pool[0]] if isinstance(keep, Mapping) else keep
        refuse = partial(check_finite, {name: scores[name] for name in pool})
        hint = hints.get(pool[0])
        cuts = kernels.cut(loops, [bits[name] for name in pool], raw, count, refuse, hint)
        found |= zip(pool, cuts, strict=True)
        key = cuts[0][0]
        hints[pool[0]] = Hint(key) if hint is None else hint.moved(key)
    return found


def _write(
    loops: Kernels, layer: Masked, bits: kernels.Bits, raw: bool, key: int, ties: int
) -> None:
    gains = gain_kernels.compiled()
    if layer.sizes is None:
        with _values(layer) as out:
            frozen = layer.frozen.numpy().view(np.int32)
            loops.write(bits, raw, key, ties, frozen, out.view(np.int32))
    elif gains is not None and ties < 0:
        size = layer.size(*map(torch.tensor, gains.total(bits, raw, key, layer.sizes.numpy())))
        with _values(layer) as out:
            gains.binary(bits, raw, key, layer.frozen.numpy(), np.float32(float(size)), out)
    else:
        total, kept = loops.total(bits, raw, key, ties, layer.sizes.numpy())
        size = layer.size(torch.tensor(total), torch.tensor(kept))
        with _values(layer) as out:
            frozen = (layer.frozen.sign() * size).numpy().view(np.int32)
            loops.write(bits, raw, key, ties, frozen, out.view(np.int32))


@contextmanager
def _values(layer: Masked) -> Iterator[Any]:
    """An array to write all of a layer's effective weights to, the parameter's own if it can be."""
    parameter = layer.parameter.detach()
    if parameter.is_contiguous():
        yield parameter.view(-1).numpy()
        # NumPy wrote behind autograd's back: a backward pass over an older graph must notice.
        torch.autograd.graph.increment_version(layer.parameter)
        return
    values = torch.empty(parameter.numel())
    yield values.numpy()
    layer.write(values)


def flat(tensor: Tensor) -> Any:
    """A tensor of the host as a flat array, sharing its memory where it is contiguous."""
    return tensor.detach().contiguous().view(-1).numpy()
