"""What the second front end adds to gates: soft ones, and weights that hand gradients to scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from strongticket.search.gate import Elementwise, Moment, Tensors, unflagged


@dataclass(frozen=True)
class Soft(Elementwise):
    r"""Gates :math:`\sigma(\beta S)`, with their exact derivative; a ticket keeps S > 0."""

    beta: float = 1.0
    boolean: ClassVar[bool] = False

    def of(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """Soft gates."""
        return (score * self.beta).sigmoid()

    def ticket(self, scores: Tensors, at: Moment, gates: Tensors) -> dict[str, Tensor]:
        """1[S > 0]."""
        return unflagged({name: score > 0 for name, score in scores.items()}, at)

    def slope(self, name: str, score: Tensor, at: Moment) -> Tensor:
        """The derivative."""
        warm = (score * self.beta).sigmoid()
        return warm * (1 - warm) * self.beta


def gated(score: Tensor, effective: Tensor, back: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """`effective` weights whose gradient G reaches `score` as ``back(G, score)``, once."""
    found: Tensor = _Gated.apply(score, effective, back)  # type: ignore[no-untyped-call]
    return found


class _Gated(torch.autograd.Function):
    """Effective weights as a function of scores, with the gradient that a method says."""

    @staticmethod
    def forward(ctx: Any, score: Tensor, effective: Tensor, back: Callable[..., Tensor]) -> Tensor:
        ctx.save_for_backward(score)  # an optimizer's step before the backward pass is noticed
        ctx.back = back
        return effective.view_as(effective)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (score,) = ctx.saved_tensors
        return ctx.back(grad.to_dense(), score), None, None
