"""A mask search as a frozen value of pure functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from strongticket.search.selection import Ranking


@dataclass(frozen=True)
class Method:
    r"""Which scores are kept, and how the gradient of an effective weight becomes a score's.

    `ranking`: scores -> mask, by `strongticket.search.selection.select`.
    `score_gradient(G, W, S)`: the straight-through gradient of the scores, elementwise, from the
    gradient G of the effective weights, the frozen weights W and the scores S; all float32 of one
    shape.
    `signed`: the compiled loop that equals `score_gradient` bit for bit: True for
    :math:`G W \operatorname{sign}(S)`, False for :math:`G W`, None where there is none.
    `source`: who published it.
    """

    name: str
    ranking: Ranking
    score_gradient: Callable[[Tensor, Tensor, Tensor], Tensor]
    signed: bool | None
    source: str
