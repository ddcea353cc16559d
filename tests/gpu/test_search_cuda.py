"""Edge-popup on a CUDA device: the CPU's masks and scores, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from strongticket.errors import SearchError
from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, select

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def model_of(device: str) -> nn.Sequential:
    layers = (nn.Linear(20, 50, bias=False), nn.ReLU(), nn.Linear(50, 6))
    return nn.Sequential(*layers).to(device)


def gradients(step: int, model: nn.Module, device: str) -> None:
    """The same gradients on every device: those of a loss would differ in their rounding."""
    rng = np.random.default_rng(step)
    for parameter in model.parameters():
        if parameter.requires_grad:
            made = rng.standard_normal(tuple(parameter.shape)).astype(np.float32)
            parameter.grad = torch.from_numpy(made).to(device)


@pytest.mark.parametrize("ranking", ["abs", "raw"])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_steps_are_the_cpus(scope: str, ranking: str) -> None:
    seen = []
    for device in ("cpu", "cuda"):
        model = model_of(device)
        network = Network.sample(model, SignedConstant(), seed=3)
        search = EdgePopup(
            network,
            0.3,
            weight_decay=1e-3,
            scope=scope,  # type: ignore[arg-type]
            ranking=ranking,  # type: ignore[arg-type]
            backend="torch",
        )
        for step in range(12):
            gradients(step, model, device)
            search.step()
        seen.append((search, model))
    (cpu, cpu_model), (cuda, cuda_model) = seen
    for name, score in cpu.scores().items():
        assert torch.equal(score, cuda.scores()[name].cpu())
    for a, b in zip(cpu_model.parameters(), cuda_model.parameters(), strict=True):
        assert torch.equal(a, b.cpu())
    assert cpu.ticket() == cuda.ticket()


@pytest.mark.parametrize("ranking", ["abs", "raw"])
def test_selection_with_ties_is_the_cpus(ranking: str) -> None:
    rng = np.random.default_rng(0)
    cases: list[np.ndarray] = [
        rng.integers(-2, 3, 5000),
        np.zeros(100),
        rng.standard_normal(30000),
        np.array([-0.0, 0.0, 1e-45, -1e-45]),
    ]
    scores = {str(i): torch.from_numpy(np.asarray(c, np.float32)) for i, c in enumerate(cases)}
    there: dict[str, Tensor] = {name: s.cuda() for name, s in scores.items()}
    for keep in (1, 3000, 20000, 35000):
        here = select(scores, keep, ranking)  # type: ignore[arg-type]
        for name, mask in select(there, keep, ranking).items():  # type: ignore[arg-type]
            assert torch.equal(mask.cpu(), here[name])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_buffers_there_are_saved_stored_and_restored(dtype: torch.dtype) -> None:
    def make() -> nn.Sequential:
        layers = (nn.Linear(20, 50, bias=False), nn.BatchNorm1d(50), nn.ReLU(), nn.Linear(50, 6))
        return nn.Sequential(*layers).to("cuda", dtype)

    model, again = make(), make()
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=3), 0.5, refresh=3)
    model(torch.randn(32, 20, device="cuda", dtype=dtype))
    resumed = EdgePopup(Network.sample(again, SignedConstant(), seed=3), 0.5, refresh=3)
    resumed.load_state_dict(search.state_dict())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, again.get_buffer(name))
    assert resumed.ticket() == search.ticket()
    filled = search.ticket().into(make())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, filled.get_buffer(name))
    weight = model[0].weight
    weight.grad = torch.full_like(weight, float("nan"))
    with pytest.raises(SearchError, match=r"'0\.weight' must be finite"):
        search.step()


def test_a_search_learns_resumes_and_refuses_nan() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(128, 20, generator=generator).cuda()
    y = (x[:, :6]).argmax(1)
    model = model_of("cuda")
    search = EdgePopup(Network.sample(model, SignedConstant(), seed=3), 0.5, lr=0.3)
    losses = []
    for _ in range(60):
        search.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        search.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    again = model_of("cuda")
    resumed = EdgePopup(Network.sample(again, SignedConstant(), seed=3), 0.5, lr=0.3)
    resumed.load_state_dict(search.state_dict())
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    gradients(0, model, "cuda")
    weight = model[0].weight
    assert weight.grad is not None
    weight.grad[0, 0] = float("nan")
    with pytest.raises(SearchError, match=r"'0\.weight' must be finite"):
        search.step()
