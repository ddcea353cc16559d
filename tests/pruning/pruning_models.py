"""Small models and data that the pruning tests share."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn


def mlp(*widths: int, bias: bool = True, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(widths):
            layers += [nn.Linear(a, b, bias=bias), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


def convnet(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 5, 3, bias=False),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(20, 3),
        )
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
        return model


def batch(size: int, *shape: int, classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, *shape, generator=generator)
    return x, torch.randint(0, classes, (size,), generator=generator)


def snapshot(model: nn.Module) -> list[object]:
    """All that a model holds: values, gradients, flags and modes."""
    held: list[object] = [m.training for m in model.modules()]
    for p in model.parameters():
        held += [p.detach().numpy().tobytes(), p.requires_grad, id(p)]
        held.append(None if p.grad is None else p.grad.numpy().tobytes())
    return held + [b.numpy().tobytes() for b in model.buffers()]
