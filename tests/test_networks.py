"""Frozen networks: any block equals the whole, digests notice every field, models are filled."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from strongticket.errors import InputError
from strongticket.laws import Normal, SignedConstant, Uniform
from strongticket.networks import MLP, Network, Parameter, UserModel, relu_network

NETWORK = Network.mlp((5, 8, 3), laws=(Uniform(1.0), Normal()), seed=4, biases=(True, False))

# What seed 4 has always given.
UNIFORM = [-10321589, 3289215, 14387531]
NORMAL = [2602385, 290552, -81403]
DIGEST = "9846fe2213c6f17f8eb08b1d86bdee1b6f55f30aace6267084bc29198e7bf633"


def test_names_shapes_and_laws() -> None:
    assert [(p.name, p.shape, p.law) for p in NETWORK.parameters] == [
        ("layers.0.weight", (8, 5), Uniform(1.0)),
        ("layers.0.bias", (8,), Uniform(1.0)),
        ("layers.1.weight", (3, 8), Normal(0.5)),
    ]
    assert NETWORK.masked == ("layers.0.weight", "layers.0.bias", "layers.1.weight")
    assert NETWORK["layers.0.weight"].numel == 40
    assert NETWORK.model is None
    assert "seed=4" in repr(NETWORK)


@given(start=st.integers(0, 40), data=st.data())
def test_any_block_is_the_whole(start: int, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["layers.0.weight", "layers.1.weight"]))
    whole = NETWORK.weights(name)
    assert whole.shape == NETWORK[name].shape
    start = min(start, whole.size)
    count = data.draw(st.integers(0, whole.size - start))
    np.testing.assert_array_equal(
        NETWORK.block(name, start, count), whole.reshape(-1)[start : start + count]
    )
    at = np.array(data.draw(st.lists(st.integers(0, whole.size - 1))), np.int64)
    units = NETWORK.units(name, 0, whole.size)
    np.testing.assert_array_equal(NETWORK.units_at(name, at), units[at])
    np.testing.assert_array_equal(NETWORK[name].law.weights_of(units), whole.reshape(-1))


def test_frozen_weights_are_literal() -> None:
    """A change of generator, stream naming or law is a change of every ticket."""
    assert NETWORK.units("layers.0.weight", 0, 3).tolist() == UNIFORM
    assert NETWORK.units("layers.1.weight", 0, 3).tolist() == NORMAL
    assert NETWORK.digest == DIGEST


def test_adding_a_layer_changes_no_other_layers_weights() -> None:
    deeper = Network.mlp((5, 8, 3, 2), laws=Uniform(1.0), seed=4, biases=(True, True, False))
    for name in ("layers.0.weight", "layers.0.bias"):
        np.testing.assert_array_equal(deeper.weights(name), NETWORK.weights(name))
    assert deeper.digest != NETWORK.digest


def test_layers_and_seeds_differ() -> None:
    network = Network.mlp((8, 8, 8), laws=Uniform(1.0), seed=0)
    first, second = (network.weights(f"layers.{i}.weight") for i in (0, 1))
    other = Network.mlp((8, 8, 8), laws=Uniform(1.0), seed=1).weights("layers.0.weight")
    assert not (first == second).any()
    assert not (first == other).any()


FIRST = NETWORK.parameters[0]
EDITS = {
    "seed": replace(NETWORK, seed=5),
    "law": replace(NETWORK, parameters=(replace(FIRST, law=Normal(1.0)), *NETWORK.parameters[1:])),
    "scale": replace(
        NETWORK, parameters=(replace(FIRST, law=Uniform(2.0)), *NETWORK.parameters[1:])
    ),
    "architecture": Network(UserModel("Net"), NETWORK.parameters, 4),
    "class name": Network(UserModel("Other"), NETWORK.parameters, 4),
    "masked": Network(UserModel("Net"), (replace(FIRST, masked=False),), 4),
    "name": Network(UserModel("Net"), (replace(FIRST, name="w"),), 4),
    "shape": Network(UserModel("Net"), (replace(FIRST, name="w", shape=(5, 8)),), 4),
    "parameters": Network(UserModel("Net"), (FIRST,), 4),
}


def test_digest_notices_every_field() -> None:
    digests = [NETWORK.digest, *(n.digest for n in EDITS.values())]
    assert len(set(digests)) == len(digests)


def test_digest_notices_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from strongticket import philox

    real = philox.words
    monkeypatch.setattr(philox, "words", lambda *a: real(*a) ^ np.uint32(1))
    assert replace(NETWORK).digest != NETWORK.digest


@pytest.mark.parametrize("network", [NETWORK, *EDITS.values()], ids=["whole", *EDITS])
def test_spec_round_trip(network: Network) -> None:
    assert Network.from_spec(network.spec()) == network
    assert Network.from_spec(network.spec()).digest == network.digest


def edited(**changes: object) -> dict[str, object]:
    return {**NETWORK.spec(), **changes}


def with_parameter(**changes: object) -> dict[str, object]:
    first, *rest = NETWORK.spec()["parameters"]
    return edited(parameters=[{**first, **changes}, *rest])


@pytest.mark.parametrize(
    "spec",
    [
        {},
        edited(generator="mt19937"),
        edited(seed=-1),
        edited(seed=1 << 64),
        edited(seed=1.0),
        edited(seed=True),
        edited(seed="4"),
        edited(seed=None),
        edited(more=1),
        edited(architecture={"name": "cnn"}),
        edited(architecture={"name": "mlp", "widths": [5, 8], "biases": [True]}),
        edited(architecture={"name": "mlp", "widths": "58", "biases": [True]}),
        edited(architecture={**NETWORK.architecture.spec(), "more": 1}),
        edited(architecture=None),
        edited(parameters=None),
        edited(parameters=[1]),
        edited(parameters=[]),
        edited(parameters=NETWORK.spec()["parameters"] * 2),
        with_parameter(name="layers.9.weight"),
        with_parameter(name=3),
        with_parameter(shape=[5, 8]),
        with_parameter(shape=[8.0, 5]),
        with_parameter(shape=[-8, -5]),
        with_parameter(shape="85"),
        with_parameter(shape=40),
        with_parameter(law="cauchy"),
        with_parameter(scale="0x1p+0"),
        with_parameter(masked=1),
        with_parameter(masked=False),
        with_parameter(more=1),
        edited(architecture={**NETWORK.architecture.spec(), "widths": [5.0, 8, 3]}),
        edited(architecture={**NETWORK.architecture.spec(), "biases": [1, 0]}),
    ],
)
def test_foreign_specs_are_refused(spec) -> None:
    with pytest.raises(InputError):
        Network.from_spec(spec)


BIG = Network.mlp((784, 360_000, 500), laws=Uniform(2.0), seed=1)


def test_the_theorems_layer_is_read_in_blocks_and_never_made() -> None:
    name = "layers.0.weight"
    assert BIG[name].numel == 784 * 360_000
    BIG.block(name, 0, 1)  # compile outside the measurement
    BIG.units_at(name, np.zeros(1, np.int64))
    gc.collect()
    tracemalloc.start()
    try:
        tail = BIG.block(name, BIG[name].numel - 1000, 1000)
        last = BIG.units_at(name, np.array([BIG[name].numel - 1]))
        digest = BIG.digest
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert tail[-1] == BIG[name].law.weights_of(last)[0]
    assert len(digest) == 64
    with pytest.raises(InputError, match=r"282,240,000 weights, more than.*ask for block\(s?\)"):
        BIG.weights(name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NETWORK["nope"], "no parameter 'nope'; the network has layers.0.weight"),
        (lambda: NETWORK.block("layers.0.bias", 0, 9), r"weights 0 \.\. 7; asked for 9 from 0"),
        (lambda: NETWORK.units("layers.0.bias", -1, 2), "asked for 2 from -1"),
        (lambda: NETWORK.units_at("layers.0.bias", np.array([8])), "indices from 8 to 8"),
        (lambda: NETWORK.units_at("layers.0.bias", np.array([-1, 3])), "from -1 to 3"),
        (lambda: NETWORK.weights("layers.0.weight", limit=39), "40 weights, more than the 39"),
        (lambda: Network.mlp((3,), laws=[], seed=0), "two or more widths"),
        (lambda: Network.mlp((3, 0), laws=Uniform(), seed=0), "widths >= 1"),
        (lambda: Network.mlp((3, 2), laws=Uniform(), seed=0, biases=(True, True)), "1 bias flags"),
        (lambda: Network.mlp((3, 2), laws=(Uniform(),) * 2, seed=0), "1 laws, got 2"),
        (lambda: Network.mlp((3, 2), laws=Uniform(), seed=1 << 64), "seed must be an integer in"),
        (lambda: Network.mlp((3, 2), laws=Uniform(), seed=-1), "got -1"),
        (lambda: Network.mlp((3, 2), laws=Uniform(), seed=0.5), "an integer, got 0.5"),
        (lambda: Network(UserModel("N"), (FIRST, FIRST), 0), "names must differ"),
        (lambda: Network(MLP((5, 8), (False,)), (), 0), "those of its architecture"),
        (lambda: Parameter("w", (1 << 32, 1 << 31), Uniform()), r"below 2\^63"),
    ],
)
def test_bad_calls(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_numpy_seeds_and_flags_are_plain_in_the_specification() -> None:
    network = Network.mlp(
        np.array([3, 2]), laws=Uniform(), seed=np.int64(7), biases=np.array([True])
    )
    assert network == Network.mlp((3, 2), laws=Uniform(), seed=7, biases=True)
    assert network.digest == Network.from_spec(network.spec()).digest


# Network.sample


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(x)).mean((2, 3)))


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_sample_writes_weights_constants_and_freezes() -> None:
    model = Net()
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(9.0)
    network = Network.sample(model, SignedConstant(), seed=3, exclude=("head*",))
    assert network.model is model
    assert network.masked == ("conv.weight",)
    assert [p.name for p in network.parameters] == ["conv.weight", "head.weight"]
    for name in ("conv.weight", "head.weight"):
        made = model.get_parameter(name)
        np.testing.assert_array_equal(made.detach().numpy(), network.weights(name))
        fan_in = made[0].numel()
        assert set(made.abs().flatten().tolist()) == {float(np.float32((2 / fan_in) ** 0.5))}
    constants = {"conv.bias": 0.0, "norm.weight": 1.0, "norm.bias": 0.0, "head.bias": 0.0}
    for name, value in constants.items():
        assert (model.get_parameter(name) == value).all()
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ["conv.weight"]
    assert network.architecture == UserModel("Net")


def test_include_and_exclude() -> None:
    only = Network.sample(Net(), Uniform(), seed=0, include=("head.*",))
    assert only.masked == ("head.weight",)
    with pytest.raises(InputError, match=r"leave no parameter to mask.*conv\.weight, head\.weight"):
        Network.sample(Net(), Uniform(), seed=0, include=("nothing*",))
    with pytest.raises(InputError, match="sequence of patterns, got the string 'head"):
        Network.sample(Net(), Uniform(), seed=0, include="head*")


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        ({"exclude": ["fc.*"]}, "exclude must match a parameter, 'fc.*' matches none of conv.wei"),
        ({"exclude": ["head.*", "Head.*"]}, r"'Head.\*' matches none of conv.weight, head.weight"),
        ({"include": ["conv.*", "fc.*"]}, "include must match a parameter, 'fc.*' matches none"),
        ({"include": ["conv.*", "norm.*"]}, "include must match a parameter, 'norm.*'"),
    ],
)
def test_patterns_that_name_nothing(patterns: dict[str, list[str]], says: str) -> None:
    model = Net()
    before = state(model)
    with pytest.raises(InputError, match=says):
        Network.sample(model, Uniform(), seed=0, **patterns)
    assert all(torch.equal(before[name], value) for name, value in state(model).items())
    spared = Network.sample(model, Uniform(), seed=0, exclude=["*bias", "norm.*"])
    assert spared.masked == ("conv.weight", "head.weight")


class Scale(nn.Module):
    """One parameter of any name and shape."""

    def __init__(self, name: str, *shape: int) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.full(shape, 7.0)))


CONSTANTS = [
    (nn.BatchNorm1d(3), {"weight": 1.0, "bias": 0.0}),
    (nn.SyncBatchNorm(3), {"weight": 1.0, "bias": 0.0}),
    (nn.InstanceNorm2d(3, affine=True), {"weight": 1.0, "bias": 0.0}),
    (nn.LayerNorm(3), {"weight": 1.0, "bias": 0.0}),
    (nn.RMSNorm(3), {"weight": 1.0}),
    (type("Renamed", (nn.GroupNorm,), {})(1, 3), {"weight": 1.0, "bias": 0.0}),
    (type("OwnRMSNorm", (Scale,), {})("gamma", 3), {"gamma": 1.0}),
    (type("OwnRMSNorm", (Scale,), {})("scale"), {"scale": 1.0}),
    (type("OwnLayerNorm", (Scale,), {})("beta", 3), {"beta": 0.0}),
    (Scale("beta", 3), {"beta": 0.0}),
    (Scale("logit_bias"), {"logit_bias": 0.0}),
    (nn.LSTM(2, 3, 1), {"bias_ih_l0": 0.0, "bias_hh_l0": 0.0}),
    (nn.PReLU(), {"weight": 0.25}),
    (nn.PReLU(3, init=0.1), {"weight": 0.1}),
]


@pytest.mark.parametrize(("module", "wanted"), CONSTANTS, ids=lambda v: type(v).__name__)
def test_constants_go_by_module_and_name(module: nn.Module, wanted: dict[str, float]) -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False), module)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(9.0)
    Network.sample(model, Uniform(), seed=0)
    small = {name: p for name, p in module.named_parameters() if p.dim() < 2}
    assert small.keys() == wanted.keys()
    for name, parameter in small.items():
        assert torch.equal(parameter, torch.full_like(parameter, wanted[name]))
        assert not parameter.requires_grad


@pytest.mark.parametrize(
    "module", [Scale("gamma", 3), Scale("weight", 3), Scale("temperature"), Scale("scale")]
)
def test_what_no_seed_makes_again_is_refused(module: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(3, 2), module)
    before = state(model)
    (name,) = dict(module.named_parameters())
    with pytest.raises(InputError, match=rf"got 1\.{name} \(of a Scale\).*register each as a buf"):
        Network.sample(model, Uniform(), seed=0)
    assert all(torch.equal(before[n], value) for n, value in state(model).items())
    assert all(p.requires_grad for p in model.parameters())


def test_compiled_submodules_keep_their_plain_names() -> None:
    plain, inner = Net(), Net()
    network = Network.sample(plain, Uniform(), seed=3, exclude=["head.*"])
    inner.conv = torch.compile(inner.conv, backend="eager")
    inner.norm = torch.compile(inner.norm, backend="eager")
    assert Network.sample(inner, Uniform(), seed=3, exclude=["head.*"]) == network
    for one, other in zip(plain.parameters(), inner.parameters(), strict=True):
        assert torch.equal(one, other)
    mlp, compiled = (relu_network(MLP((3, 4, 2), (False, False))) for _ in range(2))
    compiled.layers[0] = torch.compile(compiled.layers[0], backend="eager")
    known = Network.sample(mlp, Uniform(), seed=0)
    assert Network.sample(compiled, Uniform(), seed=0) == known
    assert known.architecture == MLP((3, 4, 2), (False, False))


def test_copies_and_pickles_leave_the_model_behind() -> None:
    model = Net()
    network = Network.sample(model, Uniform(), seed=3)
    for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert again == network
        assert again.digest == network.digest
        assert again.model is None
    assert network.model is model


def test_the_model_is_no_part_of_the_value() -> None:
    model, twin = Net(), Net()
    network, other = (Network.sample(m, Uniform(), seed=3) for m in (model, twin))
    assert network == other
    assert network.digest == other.digest
    del model
    gc.collect()
    assert network.model is None


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_gloo_available()):
        pytest.skip("torch was built without gloo")
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_wrapped_models_have_the_plain_models_weights() -> None:
    plain = Net()
    network = Network.sample(plain, Uniform(), seed=3)
    wrappers = {
        "compile": torch.compile,
        "parallel": nn.DataParallel,
        "DDP": nn.parallel.DistributedDataParallel,
        "compile of DDP": lambda m: torch.compile(nn.parallel.DistributedDataParallel(m)),
    }
    for wrap in wrappers.values():
        inner = Net()
        assert Network.sample(wrap(inner), Uniform(), seed=3) == network
        for name, value in state(plain).items():
            assert torch.equal(inner.get_parameter(name), value)


def test_a_tied_weight_comes_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Linear(4, 4, bias=False)
            self.outside = nn.Linear(4, 4, bias=False)
            self.outside.weight = self.inside.weight

    model = Tied()
    network = Network.sample(model, Uniform(), seed=0)
    assert network.masked == ("inside.weight",)
    assert torch.equal(model.outside.weight, torch.from_numpy(network.weights("inside.weight")))


def test_half_precision_models_get_rounded_weights() -> None:
    model = Net().to(torch.bfloat16)
    network = Network.sample(model, Uniform(), seed=0)
    wanted = torch.from_numpy(network.weights("head.weight")).to(torch.bfloat16)
    assert torch.equal(model.head.weight, wanted)
