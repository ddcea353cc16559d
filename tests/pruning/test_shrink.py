"""Smaller models with equal outputs, through chains, branches, norms and convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pruning_models import convnet, mlp, snapshot
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from strongticket.errors import InputError
from strongticket.pruning import from_torch_prune, prune, shrink

F = nn.functional


def equal(model: nn.Module, *shape: int, seed: int = 5) -> Any:
    """Shrink on one example; compare on others, which shrink has not seen."""
    generator = torch.Generator().manual_seed(seed)
    before = snapshot(model)
    found = shrink(model, torch.randn(2, *shape, generator=generator))
    assert snapshot(model) == before
    model.eval()
    for scale in (1.0, 30.0):
        x = scale * torch.randn(7, *shape, generator=generator)
        wanted, got = model(x), found.model(x)
        assert got.shape == wanted.shape
        assert float((got - wanted).detach().abs().max()) <= 2e-5 * float(
            wanted.detach().abs().max().clamp(min=1)
        )
    assert found.before.parameters == sum(p.numel() for p in model.parameters())
    assert found.after.parameters == sum(p.numel() for p in found.model.parameters())
    return found


def kill_inputs(module: nn.Module, *units: int) -> None:
    """Units that nothing feeds: their rows are zero."""
    with torch.no_grad():
        for unit in units:
            module.weight[unit] = 0  # type: ignore[index, operator]


def kill_outputs(module: nn.Module, *units: int) -> None:
    """Units that nothing reads: their columns in the next layer are zero."""
    with torch.no_grad():
        for unit in units:
            module.weight[:, unit] = 0  # type: ignore[index, operator]


def test_dead_units_of_both_kinds_and_what_they_free() -> None:
    model = mlp(6, 10, 9, 3)
    kill_outputs(model[4], 2, 5)  # hidden units 2 and 5 of the second layer are not read
    kill_inputs(model[0], 0, 7)  # units 0 and 7 of the first are constants
    with torch.no_grad():  # unit 4 of the first layer is read by units 2 and 5 alone
        model[2].weight[:, 4] = 0
        model[2].weight[2, 4] = model[2].weight[5, 4] = 1.0
    found = equal(model, 6)
    assert found.units == {"0": (7, 10), "2": (7, 9)}
    assert found.model[0].out_features == 7
    assert found.model[2].in_features == 7
    assert tuple(found.model[4].weight.shape) == (3, 7)
    assert found.after.multiply_adds == 6 * 7 + 7 * 7 + 7 * 3
    assert found.before.multiply_adds == 60 + 90 + 27
    assert found.after.file_bytes < found.before.file_bytes
    assert "0: 7 of 10 units" in repr(found)


def test_constants_go_into_a_bias_that_was_not_there() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3, bias=False))
    kill_inputs(model[0], 1, 3)
    with torch.no_grad():
        model[0].bias[1] = 2.0
    found = equal(model, 4)
    assert found.units == {"0": (3, 5)}
    assert found.model[2].bias is not None


def test_a_whole_layer_that_died_keeps_one_unit() -> None:
    model = mlp(4, 6, 5, 3)
    kill_inputs(model[2], *range(5))
    found = equal(model, 4)
    assert tuple(found.model[2].weight.shape) == (1, 1)
    model = mlp(4, 6, 5, 3)
    kill_outputs(model[4], *range(5))
    found = equal(model, 4)
    assert tuple(found.model[2].weight.shape) == (1, 6)  # one of five, which still computes


def test_convolutions_norms_pools_and_the_flatten() -> None:
    model = convnet()
    kill_outputs(model[4], 1)
    with torch.no_grad():
        model[10].weight[:, 4:8] = 0  # channel 1 of the second convolution, four entries each
        model[5].weight[2] = 0  # a norm whose scale is 0 makes channel 2 constant
    kill_inputs(model[4], 3)  # and channel 3 is the norm's shift
    found = equal(model, 2, 9, 9)
    assert found.units == {"0": (5, 6), "4": (2, 5)}
    assert found.model[1].num_features == 5
    assert found.model[1].running_mean.shape == (5,)
    assert found.model[10].in_features == 8


@pytest.mark.parametrize(
    ("padding", "mode", "kept"), [(0, "zeros", 3), (1, "zeros", 4), (1, "circular", 3)]
)
def test_zero_padding_is_not_a_constant(padding: int, mode: str, kept: int) -> None:
    # At a border the next layer reads zeros, which no bias can stand for.
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.Sigmoid(), nn.Conv2d(5, 3, 3, padding=padding, padding_mode=mode)
    )
    kill_inputs(model[0], 0)
    kill_outputs(model[2], 1)
    assert equal(model, 2, 8, 8).units == {"0": (kept, 5)}
    with torch.no_grad():
        model[0].bias[0] = -1.0  # after a ReLU it is 0, and padding no matter
    model[1] = nn.ReLU()
    assert equal(model, 2, 8, 8).units == {"0": (3, 5)}


def test_average_pools_with_padding_keep_only_zeros() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.AvgPool2d(2, padding=1), nn.Flatten(), nn.Linear(64, 3)
    )
    kill_inputs(model[0], 0)
    assert equal(model, 2, 8, 8).units == {}
    with torch.no_grad():
        model[0].bias[0] = 0.0
    assert equal(model, 2, 8, 8).units == {"0": (3, 4)}


class Residual(nn.Module):
    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3, padding=1)
        self.a = nn.Conv2d(width, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, width, 3, padding=1, bias=False)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.stem(x))
        y = self.b(F.relu(self.norm(self.a(x)), inplace=True))
        x = F.relu(x + y)
        x = F.adaptive_avg_pool2d(x, 1)
        return self.head(x.view(x.size(0), -1))


def test_a_residual_sum_keeps_the_channels_of_both_branches() -> None:
    torch.manual_seed(0)
    model = Residual()
    kill_inputs(model.b, 0, 1)  # a dead branch is no reason to drop the sum's channels
    kill_outputs(model.b, 5)  # the inner channel 5 is free to go
    found = equal(model, 2, 8, 8)
    assert found.units == {"a": (7, 8)}
    kill_outputs(model.head, 2)  # not read by the head, but by the branch
    assert equal(model, 2, 8, 8).units == {"a": (7, 8)}
    kill_outputs(model.a, 2)  # now by nobody
    found = equal(model, 2, 8, 8)
    assert found.units == {"stem": (5, 6), "a": (7, 8), "b": (5, 6)}
    kill_inputs(model.stem, 0)
    with torch.no_grad():
        model.stem.bias[0] = -1.0  # 0 after the ReLU, and 0 + 0 is 0
    assert equal(model, 2, 8, 8).units["stem"] == (4, 6)


class Own(nn.Module):
    """Built around one function of a hidden layer of eight units."""

    def __init__(self, middle: Callable[[Any, Tensor], Tensor], **modules: nn.Module) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)
        for name, module in modules.items():
            self.add_module(name, module)
        self.middle = middle

    def forward(self, x: Tensor) -> Any:
        return self.last(self.middle(self, self.first(x)))


FREE: dict[str, Callable[[], nn.Module]] = {
    "in place": lambda: Own(lambda s, x: F.relu_(x)),
    "method": lambda: Own(lambda s, x: x.tanh()),
    "numbers": lambda: Own(lambda s, x: torch.sigmoid(2 * x - 1) + 0.5),
    "product": lambda: Own(lambda s, x: x * torch.sigmoid(x)),
    "norm": lambda: Own(lambda s, x: s.norm(x), norm=nn.BatchNorm1d(8)),
    "slopes": lambda: Own(lambda s, x: s.act(x), act=nn.PReLU(8)),
    "slope": lambda: Own(lambda s, x: s.act(x), act=nn.PReLU()),
    "dropout": lambda: Own(lambda s, x: F.dropout(s.drop(x), 0.5, s.training), drop=nn.Dropout()),
    "in place, read later": lambda: Own(lambda s, x: x.sigmoid_() + x),
    "reshape": lambda: Own(lambda s, x: torch.flatten(x.reshape(x.shape[0], -1), 1)),
}

# What is not followed keeps every channel, and gives the same outputs.
WHOLE: dict[str, Callable[[], nn.Module]] = {
    "softmax": lambda: Own(lambda s, x: torch.softmax(x, 1)),
    "layer norm": lambda: Own(lambda s, x: s.norm(x), norm=nn.LayerNorm(8)),
    "group norm": lambda: Own(lambda s, x: s.norm(x), norm=nn.GroupNorm(2, 8)),
    "called twice": lambda: Own(lambda s, x: s.mix(s.mix(x)), mix=nn.Linear(8, 8)),
    "the width written out": lambda: Own(lambda s, x: x.view(-1, 8)),
    "the width asked for": lambda: Own(lambda s, x: x / x.size(1)),
    "sum of units": lambda: Own(lambda s, x: x - x.mean(1, keepdim=True)),
    "one unit": lambda: Own(lambda s, x: x * x[:, :1]),
    "written in place": lambda: Own(lambda s, x: x.cumsum_(1)),
}


@pytest.mark.parametrize("name", FREE)
def test_followed(name: str) -> None:
    torch.manual_seed(1)
    model = FREE[name]()
    kill_inputs(model.get_submodule("first"), 1, 6)
    kill_outputs(model.get_submodule("last"), 3)
    assert equal(model, 5).units == {"first": (5, 8)}


@pytest.mark.parametrize("name", WHOLE)
def test_not_followed(name: str) -> None:
    torch.manual_seed(1)
    model = WHOLE[name]()
    kill_inputs(model.get_submodule("first"), 1, 6)
    kill_outputs(model.get_submodule("last"), 3)
    found = equal(model, 5)
    assert "first" not in found.units
    assert "first" in found.kept_whole
    assert "first: all units, for" in repr(found)


def test_shared_weights_stay_whole() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 6)
            self.c.weight = self.b.weight
            self.d = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Any:
            return self.d(F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))))))

    model = Tied()
    kill_inputs(model.a, 0)
    kill_inputs(model.b, 2)
    kill_outputs(model.d, 3)
    found = equal(model, 4)
    assert found.units == {}
    assert found.model.c.weight is found.model.b.weight


def test_depthwise_and_grouped_convolutions() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=6, padding=1),
        nn.ReLU6(),
        nn.Conv2d(6, 4, 1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 1, groups=2),
    )
    kill_outputs(model[4], 2)
    found = equal(model, 3, 6, 6)
    assert found.units == {"0": (5, 6), "2": (5, 6)}
    assert found.model[2].groups == 5
    kill_inputs(model[2], 4)  # a channel of its own that died: a constant, its bias
    assert equal(model, 3, 6, 6).units["2"] == (4, 6)
    kill_inputs(model[4], 1)  # read by groups: left alone
    assert "4" not in equal(model, 3, 6, 6).units


def test_sequences_and_one_dimension() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 3))
    kill_inputs(model[0], 0)
    assert equal(model, 7, 4).units == {"0": (5, 6)}  # (batch, places, features)
    model = nn.Sequential(
        nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(18, 2)
    )
    kill_inputs(model[0], 0)
    assert equal(model, 4, 8).units == {"0": (5, 6)}


def test_a_model_pruned_to_little() -> None:
    model = mlp(30, 200, 100, 10)
    prune(model, 0.01)
    found = equal(model, 30)
    assert found.after.parameters < 0.5 * found.before.parameters
    assert found.after.multiply_adds < 0.5 * found.before.multiply_adds
    again = equal(found.model, 30)
    assert again.after == again.before  # nothing is left to take


def test_requires_grad_and_modes() -> None:
    model = mlp(6, 10, 3)
    model[0].weight.requires_grad_(False)
    kill_inputs(model[0], 0)
    found = equal(model.train(), 6)
    assert not found.model.training
    assert not found.model[0].weight.requires_grad
    assert found.model[2].weight.requires_grad


def test_more_than_one_input_and_output() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 6), nn.Linear(4, 6)
            self.c = nn.Linear(6, 2)

        def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
            hidden = F.relu(self.a(x) + self.b(y))
            return {"out": self.c(hidden), "inputs": x}

    model = Two()
    kill_outputs(model.c, 1)
    args = torch.randn(5, 3), torch.randn(5, 4)
    found = shrink(model, args)
    assert found.units == {"a": (5, 6), "b": (5, 6)}
    assert torch.allclose(found.model(*args)["out"], model(*args)["out"], atol=1e-6)


def test_what_cannot_be_followed_is_refused() -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match=r"torch\.fx can trace"):
        shrink(Branch(), torch.ones(1, 3))
    model = mlp(4, 5, 2)
    torch_prune.l1_unstructured(model[0], "weight", amount=3)
    with pytest.raises(InputError, match="from_torch_prune"):
        shrink(model, torch.ones(1, 4))
    from_torch_prune(model)
    assert shrink(model, torch.ones(1, 4)).difference == 0


def test_an_output_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The comparison is the last guard: with the bias correction broken, it must say so.
    import importlib

    module = importlib.import_module("strongticket.pruning._shrink")
    model = mlp(6, 10, 3)
    kill_inputs(model[0], 0)
    with torch.no_grad():
        model[0].bias[0] = 1.0
    monkeypatch.setattr(module, "absorbed", lambda reader, cut: torch.zeros(3))
    with pytest.raises(InputError, match="outputs differ by"):
        module.shrink(model, torch.ones(2, 6))
