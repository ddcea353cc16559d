"""What a classifier is trained on, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strongticket import philox
from strongticket.datasets import Images
from strongticket.errors import InputError


@dataclass(frozen=True, eq=False)
class Split:
    """Tensors to train on, to choose by (validation) and to report (test): inputs and labels."""

    train_x: Tensor
    train_y: Tensor
    valid_x: Tensor
    valid_y: Tensor
    test_x: Tensor
    test_y: Tensor

    def to(self, device: torch.device | str) -> Split:
        """The same tensors on a device."""
        return Split(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def split(
    data: Images, validation: int, *, seed: int = 0, shape: Sequence[int] | None = None
) -> Split:
    """Set `validation` training images aside, drawn by `seed`; the rest is trained on.

    `shape` is that of one input where a model wants images, (1, 28, 28) for example; they come
    flat otherwise.
    """
    size = len(data.train_x)
    if not 0 < validation < size:
        raise InputError(f"validation must be in 1 .. {size - 1}, got {validation}")
    order = torch.from_numpy(permutation(seed, "validation split", size))
    aside, rest = order[:validation], order[validation:].sort().values

    def shaped(x: Tensor) -> Tensor:
        return x if shape is None else x.reshape(-1, *shape)

    x, y = shaped(torch.from_numpy(data.train_x)), torch.from_numpy(data.train_y)
    test_x, test_y = shaped(torch.from_numpy(data.test_x)), torch.from_numpy(data.test_y)
    return Split(x[rest], y[rest], x[aside], y[aside], test_x, test_y)


def permutation(seed: int, purpose: str, count: int) -> NDArray[np.int64]:
    """A permutation of 0 .. count - 1 that is a function of its arguments alone."""
    words = philox.words(seed, philox.stream("training", purpose), 0, 2 * count)
    keys = words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << np.uint64(32)
    return np.argsort(keys, kind="stable")
