r"""The three toy tasks of Fischer and Burkholz, each with a sparse network that solves it.

Source: Fischer, Burkholz, "Plant 'n' Seek: can you find the winning ticket?", ICLR 2022 (arXiv
2111.11153), and its published code for the constants. The sparse networks are ours: piecewise
linear interpolants, exact at their knots.

=========  =========================  =====================================================
task       inputs                     target
=========  =========================  =====================================================
"relu"     x uniform in [-1, 1]       :math:`\max(0, x)`
"circle"   x uniform in [-1, 1]^2     which of four rings: :math:`|x|^2` against 0.2, 0.5, 0.7
"helix"    x uniform in [0, 1]        :math:`(r \cos 8\pi r, r \sin 8\pi r, r)`,
                                      :math:`r = (5 + 3x)/8`
=========  =========================  =====================================================

Values carry normal noise of standard deviation `noise`; a fraction `noise` of the rings' labels is
drawn anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from strongticket import philox
from strongticket.errors import InputError
from strongticket.search.selection import whole
from strongticket.targets import Box, Target

Task = Literal["relu", "circle", "helix"]
Floats = NDArray[np.float64]
RINGS = (0.2, 0.5, 0.7)
_LEAST_DEPTH = {"relu": 2, "circle": 3, "helix": 2}


@dataclass(frozen=True, eq=False)
class Toy:
    """Data of one task: float32 inputs (n, d); values (n, k) float32, or labels (n,) int64."""

    task: Task
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor

    @property
    def outputs(self) -> int:
        """The number of outputs of a network for it."""
        return {"relu": 1, "circle": 4, "helix": 3}[self.task]


def toy(task: Task, seed: int, *, count: int = 10_000, noise: float = 0.01) -> Toy:
    """Draw a task's data; a tenth of the `count` examples is the test set, without noise."""
    _known(task)
    whole("count must be an integer", count, 10)
    if not 0 <= noise < 1:
        raise InputError(f"noise must be in [0, 1), got {noise!r}")
    x = _uniform(seed, f"{task} inputs", (count, 2 if task == "circle" else 1))
    if task != "helix":
        x = 2 * x - 1
    x = x.astype(np.float32).astype(np.float64)
    y = solution(task, x)
    cut = count - count // 10
    if task == "circle":
        again = _uniform(seed, "circle noise", (count, 2))
        noisy = np.where(again[:, 0] < noise, np.floor(4 * again[:, 1]), y).astype(np.int64)
    else:
        from scipy.special import ndtri

        noisy = y + noise * ndtri(_uniform(seed, f"{task} noise", y.shape))
    kind = np.int64 if task == "circle" else np.float32
    tensors = (
        torch.from_numpy(a) for a in (x.astype(np.float32), noisy.astype(kind), y.astype(kind))
    )
    all_x, all_noisy, all_y = tensors
    return Toy(task, all_x[:cut], all_noisy[:cut], all_x[cut:], all_y[cut:])


def solution(task: Task, x: Floats) -> Floats | NDArray[np.int64]:
    """The exact values (n, k), or labels (n,), at inputs (n, d)."""
    _known(task)
    if task == "relu":
        found: Floats = np.maximum(x, 0)
        return found
    if task == "circle":
        ring: NDArray[np.int64] = np.searchsorted(RINGS, (x**2).sum(1), side="right")
        return ring
    return _helix(x[:, 0])


def toy_target(task: Task, depth: int | None = None, *, knots: int | None = None) -> Target:
    """A sparse ReLU network that solves a task: what `plant_target` hides.

    Args:
        task: its name.
        depth: layers of weights; the least that the network needs by default (2; circle
            3). Further layers hand the last hidden layer on.
        knots: of each interpolant, 10 (circle) or 30 (helix) by default.

    Of "relu" it is exact. Of the others it interpolates: of x^2 within :math:`h^2/4` for knots h
    apart, so that labels may be wrong where :math:`|x|^2` is within twice that of a radius.
    """
    _known(task)
    least = _LEAST_DEPTH[task]
    deep = whole(f"{task} needs depth", least if depth is None else depth, least)
    if task == "relu":
        layers: list[tuple[Floats, Floats | None]] = [(np.ones((1, 1)), None)]
        layers = layers * deep
        return Target(_single(layers), Box(-1.0, 1.0))
    number = whole("knots must be an integer", knots or (10 if task == "circle" else 30), 2)
    if task == "helix":
        at, start, slopes = _interpolant(_helix, 0.0, 1.0, number)
        hidden = [(np.ones((number - 1, 1)), -at)]
        last: tuple[Floats, Floats | None] = (slopes.T, start)
        domain = Box(0.0, 1.0)
    else:
        at, start, slopes = _interpolant(lambda t: t[:, None] ** 2, -1.0, 1.0, number)
        units = len(at)
        weight = np.zeros((2 * units, 2))
        weight[:units, 0] = weight[units:, 1] = 1.0
        hidden = [
            (weight, -np.concatenate([at, at])),
            (np.concatenate([slopes, slopes]).T, 2 * start),  # |x|^2 >= 0: its ReLU is itself
        ]
        # Ring j scores j |x|^2 - (r_1 + ... + r_j): it beats ring j - 1 from r_j on.
        last = (np.arange(4.0)[:, None], -np.concatenate([[0.0], np.cumsum(RINGS)]))
        domain = Box(-1.0, 1.0)
    width = hidden[-1][0].shape[0]
    middle = [(np.eye(width), np.zeros(width))] * (deep - least)
    return Target(_single([*hidden, *middle, last]), domain)


def _interpolant(
    of: Callable[[Floats], Floats], low: float, high: float, knots: int
) -> tuple[Floats, Floats, Floats]:
    """(a, c, s): c + sum_j s_j max(0, t - a_j) meets `of` at equally spaced knots."""
    at = np.linspace(low, high, knots)
    values = of(at)
    slopes = np.diff(values, axis=0) / np.diff(at)[:, None]
    changes = np.concatenate([slopes[:1], np.diff(slopes, axis=0)])
    changes[np.abs(changes) < 1e-9] = 0.0  # of a straight line, whose knots do nothing
    return at[:-1], values[0], changes


def _helix(t: Floats) -> Floats:
    r = (5 + 3 * t) / 8
    return np.stack([r * np.cos(8 * np.pi * r), r * np.sin(8 * np.pi * r), r], axis=1)


def _single(
    layers: list[tuple[Floats, Floats | None]],
) -> list[tuple[NDArray[np.float32], NDArray[np.float32] | None]]:
    return [(w.astype(np.float32), None if b is None else b.astype(np.float32)) for w, b in layers]


def _uniform(seed: int, purpose: str, shape: tuple[int, ...]) -> Floats:
    """Numbers strictly between 0 and 1 that are a function of the arguments alone."""
    words = philox.words(seed, philox.stream("toy task", purpose), 0, int(np.prod(shape)))
    return ((words.astype(np.float64) + 0.5) * 2.0**-32).reshape(shape)


def _known(task: str) -> None:
    if task not in get_args(Task):
        raise InputError(f"a toy task is one of {', '.join(get_args(Task))}, got {task!r}")
