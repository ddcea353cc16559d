r"""Initial scores: counter-based, so every device and every layer order gives the same bits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.laws import Uniform


def initial(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    r"""Scores uniform in :math:`(-b, b)`, :math:`b = 1/\sqrt{\text{fan-in}}`, float32, `shape`.

    The "Kaiming uniform" start with a = sqrt(5) of Ramanujan et al. 2020. Fan-in is the product
    of all dimensions but the first (of the only one, where there is but one). Word i of the
    Philox stream named ("score", `name`) makes entry i: scores have a seed of their own and share
    no word with the weights even where the seeds are equal.
    """
    count = math.prod(shape)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else count
    words = philox.words(seed, philox.stream("score", name), 0, count)
    bound = np.float32(1.0 / math.sqrt(fan_in))
    return (Uniform(1.0).weights(words) * bound).reshape(shape)
