"""What a mask leaves of a model, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


class CollapseWarning(UserWarning):
    """A mask keeps nothing of a layer: nothing passes it any more."""


@dataclass(frozen=True)
class LayerReport:
    """What is kept of one masked parameter.

    `dead_outputs` counts entries of the first axis that keep no weight (for a linear or a
    convolution layer: output units that are constant), `dead_inputs` those of the second axis
    (input units that nothing reads).
    """

    name: str
    shape: tuple[int, ...]
    kept: int
    dead_outputs: int
    dead_inputs: int

    @property
    def total(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    @property
    def density(self) -> float:
        """The fraction kept."""
        return self.kept / self.total

    @property
    def collapsed(self) -> bool:
        """Whether nothing is kept."""
        return self.kept == 0


@dataclass(frozen=True)
class SearchReport:
    """One row a masked parameter; prints as a table."""

    layers: tuple[LayerReport, ...]

    @property
    def kept(self) -> int:
        """Weights kept in all layers."""
        return sum(layer.kept for layer in self.layers)

    @property
    def total(self) -> int:
        """Weights of all layers."""
        return sum(layer.total for layer in self.layers)

    @property
    def density(self) -> float:
        """The fraction kept of all layers."""
        return self.kept / self.total

    @property
    def collapsed(self) -> tuple[str, ...]:
        """The names of the layers that keep nothing."""
        return tuple(layer.name for layer in self.layers if layer.collapsed)

    @property
    def dead(self) -> int:
        """Output and input units, over all layers, that keep no weight."""
        return sum(layer.dead_outputs + layer.dead_inputs for layer in self.layers)

    def __repr__(self) -> str:
        head = ("parameter", "shape", "kept", "density", "dead outputs", "dead inputs")
        rows = [head]
        for layer in self.layers:
            outputs, inputs = layer.shape[0], layer.shape[1] if len(layer.shape) > 1 else 1
            rows.append(
                (
                    layer.name + (" COLLAPSED" if layer.collapsed else ""),
                    "x".join(map(str, layer.shape)),
                    f"{layer.kept:,} of {layer.total:,}",
                    f"{layer.density:.4f}",
                    f"{layer.dead_outputs} of {outputs}",
                    f"{layer.dead_inputs} of {inputs}",
                )
            )
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in rows]
        lines.append(f"kept {self.kept:,} of {self.total:,} weights, density {self.density:.4f}")
        if self.collapsed:
            lines.append(f"COLLAPSED, nothing kept: {', '.join(self.collapsed)}")
        if self.dead:
            lines.append(f"dead units: {self.dead}")
        return "\n".join(line.rstrip() for line in lines)


def report(masks: Mapping[str, Tensor]) -> SearchReport:
    """The report of masks by parameter name, bool tensors in the parameters' shapes."""
    return SearchReport(tuple(_layer(name, mask) for name, mask in masks.items()))


def _layer(name: str, mask: Tensor) -> LayerReport:
    table = mask.reshape(mask.shape[0], mask.shape[1] if mask.dim() > 1 else 1, -1).any(2)
    counts = torch.stack([mask.sum(), (~table.any(1)).sum(), (~table.any(0)).sum()]).tolist()
    return LayerReport(name, tuple(mask.shape), *counts)
