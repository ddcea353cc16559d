"""The torch module of the architectures that strongticket names."""

from __future__ import annotations

import torch
from torch import nn

from strongticket.activations import RELU, Activation
from strongticket.networks._architectures import MLP
from strongticket.networks._sample import plain


class ReluNetwork(nn.Module):
    """Layers with an activation (ReLU) between them: (batch, d_0) -> (batch, d_L)."""

    def __init__(self, layers: list[nn.Module], activation: Activation = RELU) -> None:
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply all layers, the activation after each but the last."""
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation.torch(layer(x))
        out: torch.Tensor = last(x)
        return out


def relu_network(architecture: MLP) -> ReluNetwork:
    """A module of that architecture, its weights not yet meaningful: for `Network.sample`."""
    pairs = zip(architecture.widths, architecture.widths[1:], architecture.biases, strict=False)
    return ReluNetwork(
        [nn.Linear(a, b, bias=bias) for a, b, bias in pairs], architecture.activation
    )


def architecture_of(model: nn.Module) -> MLP | None:
    """The MLP that a `ReluNetwork` without biases is; None for any other module."""
    if not isinstance(model, ReluNetwork):
        return None
    layers = [layer for layer in map(plain, model.layers) if isinstance(layer, nn.Linear)]
    if len(layers) < len(model.layers) or any(layer.bias is not None for layer in layers):
        return None
    widths = (layers[0].in_features, *(layer.out_features for layer in layers))
    return MLP(widths, (False,) * len(layers), model.activation)
