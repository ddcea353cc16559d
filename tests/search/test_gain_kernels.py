"""Binary and multiplied weights by the compiled loops: the bits of torch, with and without ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from search_models import batch, mlp, train
from torch import Tensor

from strongticket.laws import Law, Normal, SignedConstant
from strongticket.networks import Network
from strongticket.search import Biprop, MaskSearch, Multicoated, gain_kernels, kernels

X, Y = batch(24, 12, 5, seed=3)
MAKE: dict[str, Callable[..., MaskSearch]] = {
    "biprop": lambda n, **o: Biprop(n, 0.4, lr=0.5, **o),
    "biprop global": lambda n, **o: Biprop(n, 0.4, lr=0.5, scope="global", **o),
    "multicoated": lambda n, **o: Multicoated(n, (0.5, 0.2, 0.1), lr=0.5, **o),
}


def weights(search: MaskSearch) -> list[Tensor]:
    """The bits of the effective weights: minus zero is not zero here."""
    return [layer.parameter.detach().clone().view(torch.int32) for layer in search._layers.values()]


@pytest.mark.parametrize("law", [Normal(), SignedConstant()])
@pytest.mark.parametrize("name", MAKE)
def test_every_step_has_the_bits_of_torch(name: str, law: Law) -> None:
    searches, models = [], []
    for backend in ("numba", "torch"):
        models.append(mlp(12, 37, 40, 5))
        searches.append(MAKE[name](Network.sample(models[-1], law, 1), backend=backend))
    for _ in range(10):
        for model, search in zip(models, searches, strict=True):
            train(model, search, X, Y, 1)
        for mine, wanted in zip(*map(weights, searches), strict=True):
            assert torch.equal(mine, wanted)
    assert searches[0].ticket() == searches[1].ticket()


@pytest.mark.parametrize("name", MAKE)
def test_ties_at_the_cut(name: str) -> None:
    model = mlp(12, 37, 40, 5)
    search = MAKE[name](Network.sample(model, Normal(), 1))
    generator = torch.Generator().manual_seed(0)
    for score in search.scores().values():
        score.copy_(torch.randint(-2, 3, score.shape, generator=generator).float())
    search._rewrite(kernels.compiled())
    found = weights(search)
    search._rewrite(None)
    for mine, wanted in zip(found, weights(search), strict=True):
        assert torch.equal(mine, wanted)


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 3000])
def test_the_loops_alone(size: int) -> None:
    gains = gain_kernels.compiled()
    assert gains is not None
    rng = np.random.default_rng(size)
    scores = rng.standard_normal(size).astype(np.float32)
    frozen = rng.standard_normal(size).astype(np.float32)
    frozen[::7], frozen[1::7] = 0.0, -0.0
    sizes = rng.integers(0, 1 << 40, size)
    bits = scores.view(np.int32)
    for raw in (False, True):
        ranked = scores if raw else np.abs(scores)
        cut = np.float32(0.3)
        key = int(cut.view(np.int32))
        kept = ranked >= cut
        assert gains.total(bits, raw, key, sizes) == (int(sizes[kept].sum()), int(kept.sum()))
        out = np.full(size, 7, np.float32)
        gains.binary(bits, raw, key, frozen, np.float32(0.25), out)
        wanted = np.where(kept, np.sign(frozen) * np.float32(0.25), np.float32(0)) + np.float32(0)
        np.testing.assert_array_equal(out.view(np.int32), wanted.view(np.int32))
    cuts = np.array([0.3, 0.9, 1.5], np.float32)
    count = (np.abs(scores)[:, None] >= cuts).sum(1)
    out = np.full(size, 7, np.float32)
    gains.nested(bits, cuts.view(np.int32), frozen, out)
    wanted = np.where(count > 0, frozen * count.astype(np.float32), np.float32(0))
    np.testing.assert_array_equal(out.view(np.int32), wanted.view(np.int32))
