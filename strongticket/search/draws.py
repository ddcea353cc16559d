"""Random words for a search, from counters: the same on every device and after every resume."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from strongticket import philox

_SIGN = -(1 << 31)  # the sign bit of an int32 and of a float32


def words(
    seed: int, purpose: str, name: str, count: int, device: torch.device, start: int = 0
) -> Tensor:
    """Words `start`, ..., `start + count - 1` of the stream (`purpose`, `name`): (count,).

    On the host they are uint32, elsewhere int64 in [0, 2^32).
    """
    stream = philox.stream(purpose, name)
    if device.type == "cpu":
        return torch.from_numpy(philox.words(seed, stream, start, count))
    return philox.torch_words(seed, stream, start, count, device)


def below(drawn: Tensor, probability: Tensor | float) -> Tensor:
    """Which words fall below a probability of the 2^32: True with that probability."""
    if not isinstance(probability, Tensor):
        least = math.ceil(probability * 2.0**32)  # of the words that do not: torch would round both
        return torch.from_numpy(drawn.numpy() < least) if _host(drawn) else drawn < least
    limit = probability.to(torch.float64) * 2.0**32
    # NumPy compares uint32 with floats, in vector code; torch does not.
    return torch.from_numpy(drawn.numpy() < limit.numpy()) if _host(drawn) else drawn < limit


def logistic(drawn: Tensor) -> Tensor:
    r"""Noise of the logistic law: :math:`\log u - \log(1 - u)` of u = (word + 1/2) / 2^32, float32.

    The words of a half and more are those below it with the other sign, so that u is small where
    it is rounded to float32 and the tails are whole: 2^32 values up to :math:`\pm 22.9`.
    """
    host = _host(drawn)
    bits = drawn.view(torch.int32) if host else (drawn - (drawn >> 31 << 32)).to(torch.int32)
    near = (bits ^ (bits >> 31)).to(torch.float32)
    logit = near.add_(0.5).mul_(2.0**-32).logit_()  # of numbers in (0, 1/2]
    return logit.view(torch.int32).bitwise_xor_(bits & _SIGN).view(torch.float32)


def _host(drawn: Tensor) -> bool:
    return drawn.dtype == torch.uint32
