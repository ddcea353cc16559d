"""Activations as values: what they say of themselves, and targets and networks that have them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from strongticket.activations import RELU, SIGMOID, TANH, Activation
from strongticket.errors import InputError
from strongticket.laws import Uniform
from strongticket.networks import MLP, Network, relu_network
from strongticket.targets import Box, Target
from strongticket.tickets import Mask, Ticket

LEAKY = Activation("leaky_relu", 0.125)
ALL = (RELU, LEAKY, TANH, SIGMOID)
MODULES = {
    RELU: nn.ReLU(),
    LEAKY: nn.LeakyReLU(0.125),
    TANH: nn.Tanh(),
    SIGMOID: nn.Sigmoid(),
}


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_text_and_module_are_the_same_activation(kind: Activation) -> None:
    assert (
        Activation.of(kind.text)
        == kind
        == Activation.of(kind)
        == Activation.of_module(MODULES[kind])
    )
    x = np.linspace(-5, 5, 101)
    assert np.allclose(kind(x), MODULES[kind](torch.from_numpy(x)).numpy(), atol=1e-15, rtol=0)
    assert torch.equal(kind.torch(torch.from_numpy(x)), MODULES[kind](torch.from_numpy(x)))


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_slopes_value_at_zero_and_remainder(kind: Activation) -> None:
    t = np.linspace(-4, 4, 2001)
    line = float(kind.at_zero) + np.where(t >= 0, float(kind.plus) * t, float(kind.minus) * t)
    # the largest error that float64 can make here is far below 1e-13
    assert (np.abs(kind(t) - line) <= float(kind.cubic) * np.abs(t) ** 3 + 1e-13).all()
    if not kind.linear:  # and a remainder half as large would be false
        near = 0.05
        gap = abs(float(kind(np.array([near]))[0]) - line[0] * 0 - float(kind.at_zero))
        assert abs(gap - float(kind.plus) * near) > float(kind.cubic) / 2 * near**3
    slopes = np.abs(np.diff(kind(t)) / np.diff(t))
    assert slopes.max() <= float(kind.lipschitz) + 1e-12
    assert kind.largest is None or np.abs(kind(t)).max() <= kind.largest


@pytest.mark.parametrize(
    "given",
    ["gelu", "leaky_relu", "leaky_relu(0.1)", "leaky_relu(2)", "leaky_relu(x)", "RELU", None, 3],
)
def test_what_is_no_activation_is_refused(given: object) -> None:
    with pytest.raises(InputError, match="activation"):
        Activation.of(given)  # type: ignore[arg-type]


def test_bad_slopes_are_refused() -> None:
    for name, slope in (("leaky_relu", 0.1), ("leaky_relu", 0.0), ("tanh", 0.5), ("no", 0.0)):
        with pytest.raises(InputError):
            Activation(name, slope)
    with pytest.raises(InputError, match=r"0\.0097"):
        Activation.of_module(nn.LeakyReLU(0.01))


def sequential(kind: Activation) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), MODULES[kind], nn.Linear(4, 2, bias=False))


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_target_from_a_module_and_through_a_file(kind: Activation, tmp_path) -> None:
    model = sequential(kind)
    target = Target(model, Box(-1, 1))
    assert target.activation == kind
    x = np.random.default_rng(0).uniform(-1, 1, (5, 3)).astype(np.float32)
    with torch.no_grad():
        wanted = model(torch.from_numpy(x)).numpy()
    assert np.allclose(target(x), wanted, atol=1e-5)
    again = Target.load(target.save(tmp_path / "t.safetensors"))
    assert again.activation == kind
    assert again.digest == target.digest
    pairs = list(zip(target.weights, target.biases, strict=True))
    assert Target(pairs, Box(-1, 1), activation=kind.text).digest == target.digest
    assert (Target(pairs, Box(-1, 1)).digest == target.digest) == (kind == RELU)


def test_target_refuses_two_activations() -> None:
    mixed = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    with pytest.raises(InputError, match="throughout"):
        Target(mixed, Box(0, 1))
    with pytest.raises(InputError, match="asked for"):
        Target(sequential(TANH), Box(0, 1), activation="relu")


def test_a_relu_network_says_nothing_of_its_activation() -> None:
    spec = {"name": "mlp", "widths": [2, 3], "biases": [False]}
    assert MLP((2, 3), (False,)).spec() == spec
    assert MLP((2, 3), (False,), TANH).spec() == {**spec, "activation": "tanh"}
    network = Network.mlp((2, 3), laws=Uniform(), seed=1)
    assert "activation" not in str(network.spec())


@pytest.mark.parametrize("kind", ALL, ids=str)
def test_network_and_ticket_keep_their_activation(kind: Activation, tmp_path) -> None:
    network = Network.mlp((3, 6, 6, 2), laws=Uniform(), seed=4, biases=True, activation=kind)
    assert Network.from_spec(network.spec()) == network
    rng = np.random.default_rng(1)
    masks = {n: rng.random(network[n].shape) < 0.4 for n in network.masked}
    ticket = Ticket.load(Ticket(network, Mask.dense(masks)).save(tmp_path / "t.safetensors"))
    x = torch.from_numpy(rng.uniform(-1, 1, (7, 3)).astype(np.float32))
    y = x.numpy().astype(np.float64)
    for i in range(3):
        name = f"layers.{i}"
        w = network.weights(f"{name}.weight") * masks[f"{name}.weight"]
        b = network.weights(f"{name}.bias") * masks[f"{name}.bias"]
        y = y @ w.T.astype(np.float64) + b
        y = kind(y) if i < 2 else y
    with torch.no_grad():
        for module in (ticket.module(), ticket.compact()):
            assert np.allclose(module(x).numpy(), y, atol=1e-5)
    with torch.no_grad():
        sampled = relu_network(MLP((3, 4, 2), (False, False), kind))
    assert Network.sample(sampled, Uniform(), seed=0).architecture == MLP(
        (3, 4, 2), (False, False), kind
    )


def test_compact_keeps_sigmoid_neurons_without_inputs() -> None:
    network = Network.mlp((1, 2, 1), laws=Uniform(), seed=4, activation=SIGMOID)
    masks = {
        "layers.0.weight": np.zeros((2, 1), bool),
        "layers.1.weight": np.ones((1, 2), bool),
    }
    ticket = Ticket(network, Mask.dense(masks))
    wanted = float(network.weights("layers.1.weight").sum() / 2)
    for module in (ticket.module(), ticket.compact()):
        assert abs(float(module(torch.zeros(1, 1))[0, 0]) - wanted) < 1e-6
    assert Fraction(1, 2) == SIGMOID.at_zero
