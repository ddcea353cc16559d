"""A mask as a graph, in one value that prints as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongticket.graph._cut import Cut, cut_of
from strongticket.graph._layered import Kept, layered
from strongticket.graph._live import effective_indices, fed, read
from strongticket.graph._paths import forward, log_paths


@dataclass(frozen=True)
class LayerRow:
    """The weights of one layer: how many there are, are kept, and lie on a path to an output."""

    name: str
    total: int
    kept: int
    effective: int

    @property
    def density(self) -> float:
        """The kept fraction."""
        return self.kept / self.total

    @property
    def effective_density(self) -> float:
        """The fraction that lies on a path."""
        return self.effective / self.total

    @property
    def collapsed(self) -> bool:
        """Whether nothing is kept."""
        return self.kept == 0


@dataclass(frozen=True)
class UnitRow:
    """The units between two layers: how many there are, how many nothing feeds, nothing reads.

    A unit is `live` if it is fed (by a path from an input or a kept bias) and read (by a path to
    an output).
    """

    width: int
    live: int
    unfed: int
    unread: int

    @property
    def dead(self) -> int:
        """Units that are not live."""
        return self.width - self.live


@dataclass(frozen=True)
class GraphReport:
    """What a mask leaves connected; see `report`.

    `layers` has a row for each layer of weights, `units` for the inputs, each hidden layer and
    the outputs. `paths` counts input-output paths. The bottleneck is given in weights, in units
    (ends included), and in hidden units where there are some.
    """

    layers: tuple[LayerRow, ...]
    units: tuple[UnitRow, ...]
    paths: int
    weight_cut: Cut
    unit_cut: Cut
    hidden_cut: Cut | None

    @property
    def kept(self) -> int:
        """Kept weights of all layers."""
        return sum(layer.kept for layer in self.layers)

    @property
    def total(self) -> int:
        """Weights of all layers."""
        return sum(layer.total for layer in self.layers)

    @property
    def effective(self) -> int:
        """Kept weights that lie on a path, of all layers."""
        return sum(layer.effective for layer in self.layers)

    @property
    def log_paths(self) -> float:
        """The natural logarithm of `paths`; minus infinity where there is none."""
        return log_paths(self.paths)

    @property
    def dead_inputs(self) -> int:
        """Inputs that no output depends on."""
        return self.units[0].dead

    @property
    def dead_units(self) -> int:
        """Hidden units that are dead."""
        return sum(row.dead for row in self.units[1:-1])

    @property
    def dead_outputs(self) -> int:
        """Outputs that neither an input nor a bias reaches."""
        return self.units[-1].dead

    @property
    def collapsed(self) -> tuple[str, ...]:
        """The names of layers that keep nothing."""
        return tuple(layer.name for layer in self.layers if layer.collapsed)

    @property
    def connected(self) -> bool:
        """Whether any output depends on any input."""
        return self.paths > 0

    def __repr__(self) -> str:
        head = ("layer", "weights", "kept", "effective", "units", "live", "unfed", "unread")
        rows = [head, ("inputs", "", "", "", *_cells(self.units[0]))]
        for layer, unit in zip(self.layers, self.units[1:], strict=True):
            rows.append(
                (
                    layer.name + (" COLLAPSED" if layer.collapsed else ""),
                    f"{layer.total:,}",
                    f"{layer.kept:,} ({layer.density:.4g})",
                    f"{layer.effective:,} ({layer.effective_density:.4g})",
                    *_cells(unit),
                )
            )
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) for row in rows]
        shown = f"{self.paths:,}" if self.paths < 10**15 else f"10^{_log10(self.paths):.2f}"
        lines.append(f"kept {self.kept:,} of {self.total:,}, effective {self.effective:,}")
        lines.append(f"paths from inputs to outputs: {shown}")
        cuts = [f"{self.weight_cut.size:,} weights", f"{self.unit_cut.size:,} units"]
        if self.hidden_cut is not None:
            cuts.append(f"{self.hidden_cut.size:,} hidden units")
        lines.append(f"bottleneck: {', '.join(cuts)}")
        if not self.connected:
            lines.append("DISCONNECTED: no output depends on any input")
        return "\n".join(line.rstrip() for line in lines)


def _cells(row: UnitRow) -> tuple[str, str, str, str]:
    return str(row.width), str(row.live), str(row.unfed), str(row.unread)


def _log10(count: int) -> float:
    return math.log10(count)


def report(
    kept: Kept, layers: Sequence[str] | None = None, *, always_on: bool = False
) -> GraphReport:
    """Paths, effective weights, dead units, collapsed layers and the bottleneck of a mask.

    Arguments as in `layered`: a ticket, a mask, or boolean arrays by name, in the order of the
    layers.
    """
    chain = layered(kept, layers, always_on=always_on)
    below, above = fed(chain), read(chain)
    units = tuple(
        UnitRow(a.size, *(int(np.count_nonzero(b)) for b in (a & r, ~a, ~r)))
        for a, r in zip(below, above, strict=True)
    )
    rows = tuple(
        LayerRow(layer.name, layer.total, layer.kept, index.size)
        for layer, index in zip(chain.layers, effective_indices(chain), strict=True)
    )
    hidden = cut_of(chain, "hidden units") if len(chain.layers) > 1 else None
    return GraphReport(
        rows,
        units,
        sum(forward(chain)[-1]),
        cut_of(chain, "weights"),
        cut_of(chain, "units"),
        hidden,
    )
