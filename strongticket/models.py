"""Models by name: what the search papers mask, as plain modules without biases.

"mlp-784-300-100-10" is fully connected ReLU of these widths; "conv-2", "conv-4", "conv-6" and
"conv-8" are the networks of Frankle and Carbin 2019 and Ramanujan et al. 2020 on 3 x 32 x 32
images; "resnet-18" is that of He et al. 2016 with the 3 x 3 stem for such images. Norms have no
parameters. All take flat inputs (batch, d), as `strongticket.datasets` gives them.
"""

from __future__ import annotations

import re

import torch
from torch import nn

from strongticket.errors import InputError
from strongticket.networks import MLP, relu_network

_CONV = {2: (64,), 4: (64, 128), 6: (64, 128, 256), 8: (64, 128, 256, 512)}
IMAGE = (3, 32, 32)


def named(name: str, classes: int = 10) -> nn.Module:
    """The model of that name, its weights not yet meaningful: for ``Network.sample``.

    `classes` is the number of outputs of the convolutional ones; an mlp says its own. Raises
    InputError for a name that is none of them.
    """
    if re.fullmatch(r"mlp(-[1-9][0-9]*){2,}", name):
        widths = tuple(int(width) for width in name.split("-")[1:])
        return relu_network(MLP(widths, (False,) * (len(widths) - 1)))
    if re.fullmatch(r"conv-[2468]", name):
        return conv(int(name[-1]), classes)
    if name == "resnet-18":
        return resnet18(classes)
    raise InputError(
        f"a model is mlp-WIDTH-...-WIDTH, conv-2, conv-4, conv-6, conv-8 or resnet-18, got {name!r}"
    )


def conv(depth: int, classes: int = 10) -> nn.Sequential:
    """`depth` 3 x 3 convolutions in pairs with pooling, then linear layers 256-256-`classes`."""
    if depth not in _CONV:
        raise InputError(f"conv has depth 2, 4, 6 or 8, got {depth!r}")
    layers: list[nn.Module] = [nn.Unflatten(1, IMAGE)]
    before, side = IMAGE[0], IMAGE[1]
    for channels in _CONV[depth]:
        for _ in range(2):
            layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.ReLU()]
            before = channels
        layers.append(nn.MaxPool2d(2))
        side //= 2
    layers.append(nn.Flatten())
    for d_in, d_out in ((before * side * side, 256), (256, 256)):
        layers += [nn.Linear(d_in, d_out, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, classes, bias=False))


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.norm_first = nn.BatchNorm2d(channels, affine=False)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm_second = nn.BatchNorm2d(channels, affine=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False),
                nn.BatchNorm2d(channels, affine=False),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, before, h, w) -> (batch, channels, h / stride, w / stride)."""
        y = torch.relu(self.norm_first(self.first(x)))
        out: torch.Tensor = torch.relu(self.norm_second(self.second(y)) + self.shortcut(x))
        return out


def resnet18(classes: int = 10) -> nn.Sequential:
    """Eight blocks of two convolutions, 64 to 512 channels, mean over positions, one linear."""
    layers: list[nn.Module] = [
        nn.Unflatten(1, IMAGE),
        nn.Conv2d(IMAGE[0], 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64, affine=False),
        nn.ReLU(),
    ]
    before = 64
    for channels in (64, 128, 256, 512):
        for stride in (1 if channels == 64 else 2, 1):
            layers.append(_Block(before, channels, stride))
            before = channels
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes, bias=False)
    )
