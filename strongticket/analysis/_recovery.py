"""How much of a known perfect ticket a found one is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from strongticket.analysis._masks import Kept
from strongticket.analysis._overlap import Overlap, Shared, overlap
from strongticket.errors import InputError


@dataclass(frozen=True)
class Recovery:
    r"""A found ticket against the planted one; prints as a table.

    Attributes:
        overlap: of the planted mask (first) and the found one, layer by layer, against chance.
        distance: :math:`\|f - t\|_2 / \|t - \bar t\|_2` over all inputs and outputs, with f the
            found ticket's outputs, t the teacher's, :math:`\bar t` their mean over the inputs;
            0 is the same function, 1 no better than a constant.
        largest: the largest difference of an output.
        agreement: the fraction of inputs with the same largest output; None for one output.
        loss_gap: the loss of the found ticket minus that of the planted one.
    """

    overlap: Overlap
    distance: float | None = None
    largest: float | None = None
    agreement: float | None = None
    loss_gap: float | None = None

    @property
    def recovered(self) -> float:
        """The fraction of planted connections that were found (recall)."""
        return recall(self.overlap.all)

    @property
    def precision(self) -> float:
        """The fraction of found connections that are planted; 1 where none were found."""
        kept = self.overlap.all.kept[1]
        return self.overlap.all.common / kept if kept else 1.0

    @property
    def by_chance(self) -> float:
        """The expected fraction of planted connections in a random mask of equal counts."""
        planted = self.overlap.all.kept[0]
        return self.overlap.all.expected / planted if planted else 1.0

    @property
    def exact(self) -> bool:
        """Whether the found mask is the planted one."""
        return self.overlap.identical

    def __repr__(self) -> str:
        lines = [
            repr(self.overlap),
            f"recovered {self.recovered:.4f} of the planted connections (by chance "
            f"{self.by_chance:.4f}), precision {self.precision:.4f}",
        ]
        if self.distance is not None:
            text = f"distance {self.distance:.4g}, largest {self.largest:.4g}"
            if self.agreement is not None:
                text += f", agreement {self.agreement:.4f}"
            lines.append(f"{text}, loss gap {self.loss_gap:.4g}")
        return "\n".join(lines)


def recall(row: Shared) -> float:
    """Common over what the first mask keeps; 1 where it keeps nothing."""
    return row.common / row.kept[0] if row.kept[0] else 1.0


def recovery(
    planted: Kept,
    found: Kept,
    outputs: Tensor | None = None,
    target: Tensor | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Recovery:
    """Compare two masks, and the outputs (inputs, outputs) of what they leave of one network."""
    shared = overlap(planted, found)
    if outputs is None or target is None:
        return Recovery(shared)
    if outputs.shape != target.shape or outputs.dim() < 1 or len(outputs) < 2:
        raise InputError(
            f"needed outputs of two or more inputs in one shape, got {tuple(outputs.shape)} and "
            f"{tuple(target.shape)}"
        )
    outputs, target = outputs.detach(), target.detach()
    f, t = outputs.double(), target.double()
    spread = float((t - t.mean(0)).norm())
    if not spread:
        raise InputError("the teacher gives the same outputs for every input; plant another ticket")
    difference = f - t
    same = None
    if t.dim() > 1 and t.shape[1] > 1:
        same = float((f.argmax(1) == t.argmax(1)).double().mean())
    gap = None if loss is None else float(loss(outputs, target)) - float(loss(target, target))
    return Recovery(
        shared, float(difference.norm()) / spread, float(difference.abs().max()), same, gap
    )
