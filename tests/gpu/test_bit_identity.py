"""Words and weights on a CUDA device: the CPU's, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from strongticket import philox
from strongticket.laws import Law, Normal, SignedConstant, Uniform
from strongticket.networks import Network

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

LAWS = [Uniform(), Uniform(0.125), SignedConstant(0.3), Normal(1.0), Normal(0.3)]
RANGES = [(0, 1), (3, 1 << 20), ((1 << 34) - 2, 4097), ((1 << 62) + 1, 1000)]
SEEDS = [0, 1, (1 << 64) - 1]


def same_bytes(there: torch.Tensor, here: torch.Tensor | np.ndarray) -> bool:
    assert there.is_cuda
    return there.cpu().numpy().tobytes() == np.asarray(here).tobytes()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("start", "count"), RANGES)
def test_words(seed: int, start: int, count: int) -> None:
    stream = philox.stream("weights", "layers.0.weight")
    there = philox.torch_words(seed, stream, start, count, device="cuda")
    assert same_bytes(there, philox.torch_words(seed, stream, start, count))
    assert same_bytes(there, philox.words(seed, stream, start, count).astype(np.int64))


def test_published_vector() -> None:
    made = philox.torch_words(0, 0, 0, 4, device="cuda").tolist()
    assert made == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_weights(law: Law) -> None:
    words = philox.words(7, 1, 0, 1 << 20)
    extreme = np.array([0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1], np.uint32)
    octaves = np.array([(1 << o) + d for o in range(31) for d in (-1, 0, 1)], np.uint32)
    words = np.concatenate([words, extreme, octaves, ~octaves])
    there = torch.from_numpy(words.astype(np.int64)).cuda()
    assert same_bytes(law.torch_units(there), law.units(words).astype(np.int64))
    made = law.torch_weights(there)
    assert made.dtype == torch.float32
    assert same_bytes(made, law.weights(words))


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_sampling_a_model_there_writes_the_same_weights(law: Law) -> None:
    models = [torch.nn.Linear(300, 200).to(device) for device in ("cpu", "cuda")]
    networks = [Network.sample(model, law, seed=5) for model in models]
    assert networks[0] == networks[1]
    assert same_bytes(models[1].weight.detach(), models[0].weight.detach())
