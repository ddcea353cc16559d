r"""Initial scores: counter-based, so every device and every layer order gives the same bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.laws import Normal, Uniform

Kind = Literal[
    "kaiming uniform", "xavier uniform", "unit interval", "constant", "normal", "kaiming normal"
]


@dataclass(frozen=True)
class Start:
    r"""The law of initial scores, a function of name, shape and seed.

    With fan-in the product of all dimensions but the first, and fan-out that of all but the
    second (of the only one, where there is but one):

    - "kaiming uniform": uniform in :math:`(-b, b)`, :math:`b = 1/\sqrt{\text{fan-in}}`, which is
      Kaiming's with :math:`a = \sqrt 5` as in Ramanujan et al. 2020;
    - "xavier uniform": :math:`b = \sqrt{6 / (\text{fan-in} + \text{fan-out})}`;
    - "unit interval": the multiples of :math:`2^{-24}` in [0, 1);
    - "constant": `value`;
    - "normal": mean `value`, standard deviation `spread`;
    - "kaiming normal": standard deviation :math:`\sqrt{2/\text{fan-in}}`.
    """

    kind: Kind = "kaiming uniform"
    value: float = 0.0
    spread: float = 0.0

    def scores(
        self, name: str, parameter: tuple[int, ...], shape: tuple[int, ...], seed: int
    ) -> NDArray[np.float32]:
        """Scores of `shape` for a parameter; entry i comes of word i of ("score", `name`).

        Scores have a seed of their own and share no word with the weights even where the seeds
        are equal.
        """
        count = math.prod(shape)
        if self.kind == "constant":
            return np.full(shape, self.value, np.float32)
        drawn = philox.words(seed, philox.stream("score", name), 0, count)
        fan_in = math.prod(parameter[1:]) if len(parameter) > 1 else math.prod(parameter)
        fan_out = parameter[0] * math.prod(parameter[2:])
        if self.kind == "unit interval":
            made = (drawn >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        elif self.kind == "normal":
            made = Normal(1.0).weights(drawn) * np.float32(self.spread) + np.float32(self.value)
        elif self.kind == "kaiming normal":
            made = Normal(1.0).weights(drawn) * np.float32(math.sqrt(2.0 / fan_in))
        else:
            bound = 1.0 / math.sqrt(fan_in)
            if self.kind == "xavier uniform":
                bound = math.sqrt(6.0 / (fan_in + fan_out))
            made = Uniform(1.0).weights(drawn) * np.float32(bound)
        return made.reshape(shape)


KAIMING = Start()
