"""Small models, data and oracles that the search tests share."""

from __future__ import annotations

import io
import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, kernels


def mlp(*widths: int, bias: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for d_in, d_out in itertools.pairwise(widths):
        layers += [nn.Linear(d_in, d_out, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def search_of(model: nn.Module, seed: int = 0, **options: Any) -> EdgePopup:
    return EdgePopup(Network.sample(model, SignedConstant(), seed), **options)


def batch(size: int, features: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points whose class is the nearest of a few fixed centres."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, features, generator=generator)
    centres = torch.randn(classes, features, generator=torch.Generator().manual_seed(99))
    return x, torch.cdist(x, centres).argmin(1)


def train(
    model: nn.Module, search: torch.optim.Optimizer, x: Tensor, y: Tensor, steps: int
) -> list[float]:
    losses = []
    for _ in range(steps):
        search.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        search.step()
        losses.append(loss.item())
    return losses


def saved_and_loaded(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def oracle(scores: list[NDArray[np.float32]], keep: int, ranking: str) -> list[NDArray[np.bool_]]:
    """The masks of the largest scores by a stable sort of all of them."""
    flat = np.concatenate([s.reshape(-1) for s in scores]).astype(np.float64)
    ranked = -np.abs(flat) if ranking == "abs" else -flat
    mask = np.zeros(flat.size, np.bool_)
    mask[np.argsort(ranked + 0.0, kind="stable")[:keep]] = True
    ends = np.cumsum([s.size for s in scores])[:-1]
    parts = np.split(mask, ends)
    return [part.reshape(s.shape) for part, s in zip(parts, scores, strict=True)]


def compiled_masks(
    scores: list[NDArray[np.float32]],
    keep: int,
    ranking: str,
    hint: kernels.Hint | None = None,
) -> list[NDArray[np.bool_]]:
    """The same masks by the compiled loops."""
    loops = kernels.compiled()
    assert loops is not None
    raw = ranking == "raw"
    bits = [np.ascontiguousarray(s).reshape(-1).view(np.int32) for s in scores]
    found = []
    cuts = kernels.cut(loops, bits, raw, keep, lambda: None, hint)
    for score, array, (key, ties) in zip(scores, bits, cuts, strict=True):
        out = np.full(array.size, 7, np.int32)
        loops.write(array, raw, key, ties, np.full(array.size, -1, np.int32), out)
        assert set(np.unique(out)) <= {-1, 0}
        found.append((out == -1).reshape(score.shape))
    return found
