"""The trainer of small targets: repeatable, accurate enough, and it leaves torch as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from strongticket.datasets import Images, digits
from strongticket.errors import InputError
from strongticket.targets import Box, Target
from strongticket.training import accuracy, train_relu


def few() -> Images:
    data = digits()
    return replace(data, train_x=data.train_x[:300], train_y=data.train_y[:300])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(model: torch.nn.Module) -> list[np.ndarray[Any, Any]]:
    return [p.detach().numpy() for p in model.parameters()]


def test_training_learns() -> None:
    seen: list[tuple[int, int]] = []
    data = digits()
    model = train_relu(
        data, (16,), epochs=20, seed=0, rate=5e-3, progress=lambda _, *at: seen.append(at)
    )
    assert accuracy(model, data) > 0.85
    assert seen == [(i + 1, 20) for i in range(20)]
    assert not model.training
    assert Target(model, Box(0.0, 1.0)).widths == (64, 16, 10)


def test_the_seed_is_everything() -> None:
    first, again, other = (
        train_relu(few(), (8,), epochs=1, seed=seed, biases=True) for seed in (1, 1, 2)
    )
    pairs = list(zip(weights(first), weights(again), strict=True))
    assert len(pairs) == 4
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not np.array_equal(weights(first)[0], weights(other)[0])


def test_torch_s_own_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    train_relu(few(), (4,), epochs=1, seed=9)
    assert torch.equal(torch.rand(3), wanted)


def test_widths_and_biases_are_as_asked() -> None:
    deep = train_relu(few(), (7, 5), epochs=1, seed=0)
    assert [tuple(w.shape) for w in weights(deep)] == [(7, 64), (5, 7), (10, 5)]
    assert [type(m).__name__ for m in deep] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    linear = train_relu(few(), (), epochs=1, seed=0, biases=True)
    assert [tuple(w.shape) for w in weights(linear)] == [(10, 64), (10,)]


def test_decay_gives_smaller_norms() -> None:
    norms = [
        np.abs(weights(train_relu(few(), (16,), epochs=20, seed=0, decay=decay))[0]).sum()
        for decay in (0.0, 3e-2)
    ]
    assert norms[1] < 0.7 * norms[0]


def test_accuracy_counts_right_labels() -> None:
    class Says(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(x[:, 0].long(), 10).float()

    x = np.zeros((2500, 3), np.float32)  # more than one batch
    x[:, 0] = np.arange(2500) % 10
    y = (np.arange(2500) % 10).astype(np.int64)
    y[:500] = (y[:500] + 1) % 10
    assert accuracy(Says(), Images("x", x, y, x, y)) == 0.8


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": (0,)},
        {"hidden": (4, -1)},
        {"epochs": 0},
        {"batch": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"decay": -1.0},
    ],
)
def test_bad_arguments(options: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"hidden": (4,), "epochs": 1, "seed": 0} | options
    with pytest.raises(InputError, match="training needs"):
        train_relu(few(), **arguments)
