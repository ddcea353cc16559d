"""Images and labels, and the digits that are shipped."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Images:
    """Flat images in [0, 1], float32 of shape (N, d), and labels, int64 of shape (N,)."""

    name: str
    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def digits() -> Images:
    """The shipped 8 x 8 digits: 1,397 to train on, the last 400 to test on (other writers)."""
    file = importlib.resources.files("strongticket").joinpath("data/digits.npz")
    with file.open("rb") as handle, np.load(handle) as data:
        x = (data["images"].reshape(len(data["images"]), -1) / 16.0).astype(np.float32)
        y = data["labels"].astype(np.int64)
    return Images("digits", x[:-400], y[:-400], x[-400:], y[-400:])
