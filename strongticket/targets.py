"""`Target`: a fully connected network to approximate, and the inputs that count."""

from __future__ import annotations

import functools
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strongticket import canonical
from strongticket.activations import RELU, Activation
from strongticket.errors import InputError
from strongticket.files import write_whole

if TYPE_CHECKING:
    import torch
    from torch import nn

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """All inputs whose every coordinate lies in [low, high]; errors are measured in max norm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise InputError(f"a Box needs finite low <= high, got [{self.low}, {self.high}]")
        object.__setattr__(self, "low", float(self.low) + 0.0)  # + 0.0: one zero, one digest
        object.__setattr__(self, "high", float(self.high) + 0.0)

    @property
    def radius(self) -> float:
        """The largest absolute coordinate."""
        return max(abs(self.low), abs(self.high))

    @property
    def nonnegative(self) -> bool:
        """Whether every coordinate of every input is >= 0."""
        return self.low >= 0

    def spec(self) -> dict[str, str]:
        """A canonical description."""
        return {"kind": "box", "low": float(self.low).hex(), "high": float(self.high).hex()}


@dataclass(frozen=True)
class Ball:
    """All inputs of Euclidean norm at most `radius`; errors are measured in Euclidean norm."""

    radius: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.radius) and self.radius >= 0):
            raise InputError(f"a Ball needs a finite radius >= 0, got {self.radius}")
        object.__setattr__(self, "radius", float(self.radius) + 0.0)

    @property
    def nonnegative(self) -> bool:
        """Whether every coordinate of every input is >= 0."""
        return self.radius == 0

    def spec(self) -> dict[str, str]:
        """A canonical description."""
        return {"kind": "ball", "radius": float(self.radius).hex()}


Domain = Box | Ball
Layer = tuple[ArrayLike, ArrayLike | None]


class Target:
    """A trained network f(x) = W_L relu(... relu(W_1 x + b_1) ...) + b_L on a domain.

    `network` is a ``torch.nn.Sequential`` of Linear and ReLU layers, alternating and ending in a
    Linear (a leading Flatten is allowed), or a sequence of (W, b) arrays with W of shape
    (d_out, d_in) and b of shape (d_out,) or None. Weights are float32 and finite.

    `activation`, an `Activation` or its text, stands in place of the ReLU. A Sequential may have
    LeakyReLU, Tanh or Sigmoid layers in place of its ReLUs, all of one kind, and says so itself.
    """

    def __init__(
        self,
        network: nn.Module | Sequence[Layer],
        domain: Domain,
        *,
        activation: Activation | str | None = None,
    ) -> None:
        if not isinstance(domain, (Box, Ball)):
            raise InputError(f"domain must be a Box or a Ball, got {domain!r}")
        self.domain = domain
        pairs, own = _layers(network)
        given = None if activation is None else Activation.of(activation)
        if own is not None and given is not None and own != given:
            raise InputError(f"the network has the activation {own}, but {given} was asked for")
        self.activation: Activation = given or own or RELU
        if not pairs:
            raise InputError("a target needs one layer at least, got none")
        self.weights: tuple[Floats, ...] = tuple(
            _checked(f"weight of layer {i}", w, 2) for i, (w, _) in enumerate(pairs)
        )
        self.biases: tuple[Floats | None, ...] = tuple(
            None if b is None else _checked(f"bias of layer {i}", b, 1)
            for i, (_, b) in enumerate(pairs)
        )
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            if min(w.shape) < 1 or (b is not None and b.shape != (w.shape[0],)):
                raise InputError(
                    f"layer {i} has a weight of shape {w.shape} and a bias of shape "
                    f"{None if b is None else b.shape}; they do not fit"
                )
            if i and self.weights[i - 1].shape[0] != w.shape[1]:
                raise InputError(
                    f"layer {i} reads {w.shape[1]} values, but layer {i - 1} gives "
                    f"{self.weights[i - 1].shape[0]}"
                )

    @property
    def depth(self) -> int:
        """The number of layers L."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """(d_0, ..., d_L): the sizes of the input, the hidden layers and the output."""
        return (self.weights[0].shape[1], *(w.shape[0] for w in self.weights))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        arrays = (*self.weights, *(b for b in self.biases if b is not None))
        return sum(a.size for a in arrays)

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """The outputs for inputs of shape (batch, d_0), in float64."""
        y = np.asarray(x, np.float64)
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = y @ w.T.astype(np.float64) + (0.0 if b is None else b)
            if i < self.depth - 1:
                y = self.activation(y)
        return y

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical description (widths, biases, domain) and the float32 arrays.

        The activation is part of the description where it is no ReLU.
        """
        spec: dict[str, Any] = {
            "widths": list(self.widths),
            "biases": [b is not None for b in self.biases],
            "domain": self.domain.spec(),
        }
        if self.activation != RELU:
            spec["activation"] = self.activation.text
        return canonical.sha256(canonical.dumps(spec), self.raw)

    @property
    def raw(self) -> bytes:
        """All arrays as little-endian float32, layer by layer, the weight before the bias."""
        parts = []
        for w, b in zip(self.weights, self.biases, strict=True):
            parts.append(w.astype("<f4").tobytes())
            if b is not None:
                parts.append(b.astype("<f4").tobytes())
        return b"".join(parts)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write weights and domain as a safetensors file, whole or not at all."""
        from safetensors.numpy import save

        arrays: dict[str, NDArray[Any]] = {}
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays[f"layers.{i}.weight"] = w
            if b is not None:
                arrays[f"layers.{i}.bias"] = b
        metadata = {_KEY: canonical.dumps(self.domain.spec()).decode()}
        if self.activation != RELU:
            metadata[_ACTIVATION] = self.activation.text
        return write_whole(path, save(arrays, metadata=metadata))

    @classmethod
    def load(cls, path: str | os.PathLike[str], domain: Domain | None = None) -> Target:
        """Read a target that `save` wrote, or any state dict of Linear layers.

        A state dict (.safetensors, or .pt / .pth read without running code) holds
        "<layer>.weight" and "<layer>.bias" entries, layers in the order of their numbers, and is
        taken for a ReLU network; it says nothing of inputs, so it needs a `domain`.
        """
        arrays, stored, activation = _read(Path(path))
        chosen = stored if domain is None else domain
        if chosen is None:
            raise InputError(f"{path} says nothing of its inputs; give a domain, say Box(0, 1)")
        return cls(_pairs(arrays, Path(path)), chosen, activation=activation)

    def __repr__(self) -> str:
        kind = "" if self.activation == RELU else f", {self.activation}"
        return f"Target({'-'.join(map(str, self.widths))}, {self.domain}{kind})"


_KEY, _ACTIVATION = "strongticket-target", "strongticket-activation"


def _natural(name: str) -> list[tuple[int, int | str]]:
    """Sort "layers.10" behind "layers.9", and "fc10" behind "fc9"."""
    parts = (part for part in re.split(r"([0-9]+)", name) if part)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _pairs(arrays: Mapping[str, NDArray[Any]], path: Path) -> list[tuple[Any, Any]]:
    """The (weight, bias) of every layer, in the order of the layers' numbers."""
    layers: dict[str, list[Any]] = {}
    for name in sorted(arrays, key=_natural):
        layer, _, kind = name.rpartition(".")
        if kind not in ("weight", "bias") or (kind == "bias" and f"{layer}.weight" not in arrays):
            raise InputError(
                f"{path} has an entry {name}; a target is fully connected and has pairs of a "
                "weight and a bias only"
            )
        if arrays[name].ndim != (2 if kind == "weight" else 1):
            raise InputError(
                f"{path} has {name} of shape {arrays[name].shape}; a target is fully connected: "
                "its weights have 2 dimensions, its biases 1"
            )
        layers.setdefault(layer, [None, None])[kind == "bias"] = arrays[name]
    if len({re.sub("[0-9]+", "0", layer) for layer in layers}) > 1:
        raise InputError(
            f"{path} has the layers {', '.join(layers)}, whose names do not say their order; "
            "number them (layers.0.weight, layers.1.weight, ...)"
        )
    return [(weight, bias) for weight, bias in layers.values()]


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], Domain | None, Activation]:
    if not path.is_file():
        raise InputError(f"no target file {path}")
    try:
        if path.suffix in (".pt", ".pth"):
            import torch

            state = torch.load(path, map_location="cpu", weights_only=True)
            return {name: _array(value) for name, value in state.items()}, None, RELU
        from safetensors import safe_open

        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
        spec = json.loads(metadata.get(_KEY, "null"))
        kind = Activation.of(metadata.get(_ACTIVATION, "relu"))
        return arrays, None if spec is None else _domain(spec), kind
    except Exception as error:  # whatever the two readers raise: the file is no state dict
        if isinstance(error, InputError):
            raise
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{path} cannot be read as a state dict, whose file holds model.state_dict() and "
            f"nothing else: {reason}"
        ) from error


def _domain(spec: dict[str, str]) -> Domain:
    if spec["kind"] == "box":
        return Box(float.fromhex(spec["low"]), float.fromhex(spec["high"]))
    return Ball(float.fromhex(spec["radius"]))


def _layers(
    network: nn.Module | Sequence[Layer],
) -> tuple[list[tuple[Any, Any]], Activation | None]:
    """The (weight, bias) of every layer, and the activation where the network has one."""
    if isinstance(network, (list, tuple)):
        for layer in network:
            if not (isinstance(layer, (list, tuple)) and len(layer) == 2):
                raise InputError(f"a target's layer is a pair (W, b or None), got {layer!r:.80}")
        return [(layer[0], layer[1]) for layer in network], None
    import torch

    if not isinstance(network, torch.nn.Module):
        raise InputError(
            f"a target is a torch module or a list of (W, b) arrays, got {type(network).__name__}"
        )
    flat = list(_flatten(network))
    if flat and isinstance(flat[0], torch.nn.Flatten):
        flat = flat[1:]
    kinds = [Activation.of_module(module) for module in flat[1::2]]
    linear = all(type(module) is torch.nn.Linear for module in flat[::2])
    if flat and (not linear or None in kinds or len(set(kinds)) > 1 or len(flat) % 2 == 0):
        raise InputError(
            "a target must be fully connected ReLU: Linear, ReLU, Linear, ..., Linear (or one of "
            "LeakyReLU, Tanh, Sigmoid throughout in place of the ReLUs); got "
            + ", ".join(type(m).__name__ for m in flat)
        )
    layers = [module for module in flat[::2] if isinstance(module, torch.nn.Linear)]
    pairs = [(_array(m.weight), None if m.bias is None else _array(m.bias)) for m in layers]
    return pairs, kinds[0] if kinds else None


def _array(parameter: torch.Tensor) -> NDArray[Any]:
    import torch

    plain = parameter.detach().cpu()
    array: NDArray[Any] = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
    return array


def _flatten(module: nn.Module) -> Iterator[nn.Module]:
    import torch

    if isinstance(module, torch.nn.Sequential):
        for child in module:
            yield from _flatten(child)
    else:
        yield module


def _checked(what: str, array: ArrayLike, dims: int) -> Floats:
    given = np.asarray(array)
    if given.ndim != dims or given.dtype.kind not in "fiu":
        raise InputError(
            f"the {what} must be a real array of {dims} dimension(s), got {given.dtype} of shape "
            f"{given.shape}"
        )
    if not np.isfinite(given).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        raise InputError(f"the {what} has {given[at]} at {at}; all weights must be finite")
    with np.errstate(over="ignore"):
        single = given.astype(np.float32)
    if not np.array_equal(single.astype(given.dtype), given):
        raise InputError(
            f"the {what} is {given.dtype} and not exact in float32; a target is a float32 network: "
            "round it first"
        )
    single.setflags(write=False)
    return single
