"""The architectures that theorems name, and a placeholder for a user's own model."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from strongticket.activations import RELU, Activation
from strongticket.errors import InputError


@dataclass(frozen=True)
class MLP:
    """Fully connected layers, an activation (ReLU) between them, none after the last.

    `widths` (d_0, ..., d_L): sizes of the input, the hidden layers and the output. `biases`: one
    flag a layer. Parameters are "layers.i.weight" of shape (d_{i+1}, d_i) and, where the flag is
    set, "layers.i.bias" of shape (d_{i+1},), i = 0, ..., L - 1. `activation`: an `Activation`, or
    its text ("relu", "leaky_relu(0.125)", "tanh", "sigmoid").
    """

    widths: tuple[int, ...]
    biases: tuple[bool, ...]
    activation: Activation = RELU

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(operator.index(w) for w in self.widths))
        object.__setattr__(self, "biases", tuple(bool(b) for b in self.biases))
        object.__setattr__(self, "activation", Activation.of(self.activation))
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise InputError(f"an MLP needs two or more widths >= 1, got {self.widths}")
        if len(self.biases) != self.depth:
            raise InputError(
                f"an MLP of depth {self.depth} needs {self.depth} bias flags, "
                f"got {len(self.biases)}"
            )

    @property
    def depth(self) -> int:
        """The number of layers L."""
        return len(self.widths) - 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter names and shapes, in layer order."""
        found: dict[str, tuple[int, ...]] = {}
        for i, bias in enumerate(self.biases):
            found[f"layers.{i}.weight"] = (self.widths[i + 1], self.widths[i])
            if bias:
                found[f"layers.{i}.bias"] = (self.widths[i + 1],)
        return found

    def spec(self) -> dict[str, Any]:
        """A canonical description; of the activation it speaks only where that is no ReLU."""
        found = {"name": "mlp", "widths": list(self.widths), "biases": list(self.biases)}
        return found if self.activation == RELU else {**found, "activation": self.activation.text}


@dataclass(frozen=True)
class UserModel:
    """A model that the user wrote; strongticket knows its parameters, not its forward pass."""

    class_name: str

    def spec(self) -> dict[str, Any]:
        """A canonical description."""
        return {"name": "model", "class": self.class_name}


Architecture = MLP | UserModel


def from_spec(spec: dict[str, Any]) -> Architecture:
    """The architecture that `spec` describes; InputError where it describes none."""
    try:
        if spec["name"] == "mlp":
            activation = Activation.of(spec.get("activation", "relu"))
            found: Architecture = MLP(tuple(spec["widths"]), tuple(spec["biases"]), activation)
        elif spec["name"] == "model":
            found = UserModel(spec["class"])
        else:
            raise KeyError
        if found.spec() != spec:
            raise KeyError
    except (KeyError, TypeError) as error:
        raise InputError(f"an architecture is an mlp or a model, got {spec!r}") from error
    return found
