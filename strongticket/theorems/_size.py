r"""What a theorem asks of the random network for a target of given widths: its size.

The target that all theorems are asked about is one shape, so that their answers stand side by
side: fully connected ReLU of widths (d_0, ..., d_L), no biases, :math:`\|W_i\|_2 \le 1`, inputs in
the Euclidean unit ball.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

Constants = Literal["the paper's", "ours"]


@dataclass(frozen=True)
class Shape:
    """The widths (d_0, ..., d_L) of a target of norm-one layers on the unit ball."""

    widths: tuple[int, ...]

    @property
    def depth(self) -> int:
        """The number of layers L."""
        return len(self.widths) - 1

    @property
    def weights(self) -> int:
        """The number of the target's weights."""
        return sum(a * b for a, b in itertools.pairwise(self.widths))


@dataclass(frozen=True)
class Asked:
    """The random network that a theorem asks for.

    Attributes:
        widths: Its layer widths, input and output included.
        constants: Whose constants these are.
        note: What makes the number not quite comparable ("targets on a grid of 2^-7"), or "".
    """

    widths: tuple[int, ...]
    constants: Constants
    note: str = ""

    @property
    def depth(self) -> int:
        """The number of random layers."""
        return len(self.widths) - 1

    @property
    def weights(self) -> int:
        """The number of random weights."""
        return sum(a * b for a, b in itertools.pairwise(self.widths))
