"""Random words for a search, from counters: the same on every device and after every resume."""

from __future__ import annotations

import torch
from torch import Tensor

from strongticket import philox


def words(seed: int, purpose: str, name: str, count: int, device: torch.device) -> Tensor:
    """Words 0, ..., count - 1 of the stream (`purpose`, `name`): int64 in [0, 2^32), (count,)."""
    stream = philox.stream(purpose, name)
    if device.type == "cpu":
        return torch.from_numpy(philox.words(seed, stream, 0, count).astype("int64"))
    return philox.torch_words(seed, stream, 0, count, device)


def below(drawn: Tensor, probability: Tensor | float) -> Tensor:
    """Which words fall below a probability of the 2^32: True with that probability."""
    if isinstance(probability, Tensor):
        return drawn < probability.to(torch.float64) * 2.0**32
    return drawn < probability * 2.0**32


def uniform(drawn: Tensor) -> Tensor:
    """(word + 1/2) / 2^32, float64 in (0, 1)."""
    return (drawn.to(torch.float64) + 0.5) * 2.0**-32
