"""Every kind of module, every method and both front ends on a CUDA device."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from strongticket.laws import SignedConstant
from strongticket.networks import Network
from strongticket.search import EdgePopup, keep_count
from strongticket.search.functional import Masked
from strongticket.search.gates import TopK
from strongticket.search.norms import reestimate
from strongticket.search.scores import Start
from strongticket.search.soft import Draw
from strongticket.tickets import Ticket

sys.path.insert(0, str(Path(__file__).parents[1] / "search"))  # the models of the host's tests
from search_methods import METHODS, STEPS, searched
from search_models import batch, mlp, saved_and_loaded, train
from search_zoo import CLASSES, KINDS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore::strongticket.search.CollapseWarning"),
]
LABELS = torch.arange(12) % CLASSES


@pytest.fixture(autouse=True)
def repeatable() -> Any:
    """Kernels whose sums have one order, as far as there are any."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = before


@pytest.mark.parametrize(("make", "x"), KINDS.values(), ids=KINDS)
def test_a_search_over_any_module_there(
    make: Callable[[], nn.Module], x: Tensor, tmp_path: Path
) -> None:
    model, x = make().cuda(), x.cuda()
    network = Network.sample(model, SignedConstant(), 0)
    search = EdgePopup(network, 0.4, lr=0.5)
    train(model, search, x, LABELS.cuda(), 3)
    for name, mask in search.masks().items():
        weights = torch.from_numpy(network.weights(name)).cuda()
        assert int(mask.sum()) == keep_count(0.4, weights.numel())
        assert torch.equal(model.get_parameter(name).detach(), weights * mask)
    ticket = Ticket.load(search.ticket().save(tmp_path / "t.safetensors"))
    other, host = ticket.into(make().cuda()).eval(), ticket.into(make()).eval()
    for one, two, three in zip(
        model.state_dict().values(),
        other.state_dict().values(),
        host.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(one, two)
        assert torch.equal(one.cpu(), three)
    with torch.no_grad():
        torch.testing.assert_close(other(x), model.eval()(x))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_resumes_there_bit_for_bit(name: str) -> None:
    x, y = (t.cuda() for t in batch(32, 8, 3))
    model, again = mlp(8, 24, 3).cuda(), mlp(8, 24, 3).cuda()
    search = searched(name, model)
    train(model, search, x, y, 7)
    state = saved_and_loaded(search.state_dict())
    losses = train(model, search, x, y, STEPS)
    resumed = searched(name, again, score_seed=77)
    resumed.load_state_dict(state)
    assert train(again, resumed, x, y, STEPS) == losses
    assert resumed.ticket() == search.ticket()


def test_autocast_a_scaler_and_one_graph() -> None:
    x, y = (t.cuda() for t in batch(64, 8, 3))
    model = mlp(8, 32, 3).cuda()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    search = EdgePopup(Network.sample(compiled, SignedConstant(), 0), 0.5, lr=0.3)
    scaler, losses = torch.amp.GradScaler("cuda"), []
    for _ in range(12):
        search.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = nn.functional.cross_entropy(compiled(x), y)
        scaler.scale(loss).backward()
        scaler.step(search)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    search.ticket()


def test_norms_are_estimated_anew_there() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)).cuda()
    search = EdgePopup(Network.sample(model, SignedConstant(), 0), 0.5)
    x, y = (t.cuda() for t in batch(64, 8, 3))
    train(model, search, x, y, 3)
    assert reestimate(model, [(x[:32], y), (x[32:], y)]) == 1
    mean = model[0](x).mean(0)
    torch.testing.assert_close(model[1].running_mean, mean.detach())
    assert search.ticket().buffers["1.num_batches_tracked"] == 2


def test_the_second_front_end_there() -> None:
    host, model = mlp(8, 24, 3), mlp(8, 24, 3).cuda()
    x, y = batch(32, 8, 3)
    fair = Start("constant", 0.0)  # a probability that no device rounds
    one = Masked(Network.sample(host, SignedConstant(), 0), Draw(), start=fair)
    two = Masked(Network.sample(model, SignedConstant(), 0), Draw(), start=fair)
    torch.testing.assert_close(two.sampled(16, x.cuda()).cpu(), one.sampled(16, x))
    looped = torch.stack([two(x.cuda()) for _ in range(4)])
    two.forwards -= 4
    torch.testing.assert_close(two.sampled(4, x.cuda()), looped)
    optimizer = torch.optim.Adam(two.parameters(), lr=0.1)
    losses = train(two, optimizer, x.cuda(), y.cuda(), 20)
    assert min(losses[-5:]) < losses[0]
    again = mlp(8, 24, 3).cuda()
    search = EdgePopup(Network.sample(again, SignedConstant(), 0), 0.4, 0.5, 0.0)
    module = Masked(Network.sample(model, SignedConstant(), 0), TopK(), density=0.4)
    sgd = torch.optim.SGD(module.parameters(), 0.5)
    for _ in range(5):
        train(again, search, x.cuda(), y.cuda(), 1)
        train(module, sgd, x.cuda(), y.cuda(), 1)
        for name, mask in search.masks().items():
            assert torch.equal(mask, module.masks()[name])
