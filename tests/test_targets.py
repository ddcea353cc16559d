"""Targets: what is accepted, and the table of what is refused, with its message."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target

BOX = Box(0.0, 1.0)
W1 = np.array([[1.0, -0.5], [0.25, 2.0], [0.0, -3.0]], np.float32)
B1 = np.array([0.5, 0.0, -1.0], np.float32)
W2 = np.array([[1.0, 1.0, -1.0]], np.float32)
LAYERS = [(W1, B1), (W2, None)]
DIGEST = "39f0d6633b2bc1201b98a502013c37d258c4361700f7f190b2e059b4c0e6d9c7"


def sequential(*widths: int, bias: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_facts_of_a_target() -> None:
    target = Target(LAYERS, BOX)
    assert target.widths == (2, 3, 1)
    assert target.depth == 2
    assert target.parameters == 6 + 3 + 3
    assert target.biases[1] is None
    assert repr(target) == "Target(2-3-1, Box(low=0.0, high=1.0))"
    assert target.weights[0].dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        target.weights[0][0, 0] = 1.0


def test_outputs_by_hand() -> None:
    target = Target(LAYERS, Box(-1, 1))
    # (1, 1): hidden relu(1.0, 2.25, -4.0); (-1, -1): relu(0.0, -2.25, 2.0)
    np.testing.assert_array_equal(target([[1.0, 1.0], [-1.0, -1.0]]), [[3.25], [-2.0]])


@pytest.mark.parametrize("bias", [True, False])
def test_a_module_is_its_arrays(bias: bool) -> None:
    torch.manual_seed(0)
    model = sequential(4, 5, 3, bias=bias)
    target = Target(model, BOX)
    x = torch.rand(7, 4)
    np.testing.assert_allclose(target(x.numpy()), model(x).detach().numpy(), atol=1e-5)
    arrays = [
        (m.weight.detach().numpy(), m.bias.detach().numpy() if bias else None)
        for m in model
        if isinstance(m, nn.Linear)
    ]
    assert Target(arrays, BOX).digest == target.digest


@pytest.mark.parametrize(
    "same",
    [
        lambda m: nn.Sequential(nn.Flatten(), *m),
        lambda m: nn.Sequential(nn.Sequential(m[0], m[1]), m[2]),
        lambda m: m.to(torch.float64),
    ],
    ids=["flatten", "nested", "float64 holding float32 values"],
)
def test_equivalent_modules(same) -> None:
    torch.manual_seed(0)
    model = sequential(4, 5, 3)
    digest = Target(model, BOX).digest
    assert Target(same(model), BOX).digest == digest


def test_a_single_linear_module_and_bfloat16() -> None:
    model = nn.Linear(3, 2).to(torch.bfloat16)
    target = Target(model, BOX)
    np.testing.assert_array_equal(target.weights[0], model.weight.detach().float().numpy())


def test_the_digest_notices_everything() -> None:
    moved = W1.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 2)
    variants = [
        Target(LAYERS, BOX),
        Target([(moved, B1), (W2, None)], BOX),
        Target([(W1, None), (W2, None)], BOX),
        Target([(W1, B1), (W2, np.zeros(1, np.float32))], BOX),
        Target(LAYERS, Box(0.0, 1.0 + 2**-52)),
        Target(LAYERS, Ball(1.0)),
        Target([(W1.reshape(2, 3), None)], BOX),
        Target([(W1.reshape(3, 2), None)], BOX),
    ]
    assert len({t.digest for t in variants}) == len(variants)


def test_the_digest_is_literal() -> None:
    assert Target(LAYERS, BOX).digest == DIGEST


def test_domains_are_floats_with_one_zero() -> None:
    assert Box(0, 1) == Box(-0.0, np.float32(1.0))
    assert Box(0, 1).spec() == Box(-0.0, 1.0).spec()
    assert Ball(2).spec() == {"kind": "ball", "radius": "0x1.0000000000000p+1"}
    assert Box(-3, 1).radius == 3.0
    assert [Box(0, 1).nonnegative, Box(-1, 1).nonnegative] == [True, False]
    assert [Ball(0).nonnegative, Ball(1).nonnegative] == [True, False]


def with_value(value: float) -> np.ndarray:
    bad = W1.copy()
    bad[2, 1] = value
    return bad


BAD = {
    "NaN": ([(with_value(np.nan), B1), (W2, None)], r"weight of layer 0 has nan at \(2, 1\)"),
    "infinity": ([(with_value(-np.inf), B1)], r"has -inf at \(2, 1\); all weights must be finite"),
    "infinite bias": ([(W1, np.array([0, np.inf, 0]))], r"bias of layer 0 has inf at \(1,\)"),
    "not float32": ([(W1.astype(np.float64) + 1e-12, B1)], "float64 and not exact in float32"),
    "beyond float32": ([(np.array([[1e300]]), None)], "not exact in float32"),
    "large integers": ([(np.array([[2**24 + 1]]), None)], "int64 and not exact in float32"),
    "complex": ([(W1.astype(complex), B1)], "must be a real array of 2 dimension"),
    "boolean": ([(W1 > 0, B1)], "got bool of shape"),
    "one dimension": ([(W1[0], None)], r"2 dimension\(s\), got float32 of shape \(2,\)"),
    "bias of two dimensions": ([(W1, B1[None])], r"bias of layer 0 must be .* of 1 dimension"),
    "bias too long": ([(W1, np.zeros(4))], r"layer 0 .*\(3, 2\) and a bias of shape \(4,\)"),
    "no neurons": ([(np.zeros((0, 2)), None)], r"shape \(0, 2\).*do not fit"),
    "misfit": ([(W1, B1), (W1, None)], "layer 1 reads 2 values, but layer 0 gives 3"),
    "no layers": ([], "needs one layer at least"),
    "not pairs": ([W1], r"a pair \(W, b or None\)"),
    "triples": ([(W1, B1, None)], r"a pair \(W, b or None\)"),
    "not a network": (7, "got int"),
    "an array": (W1, "got ndarray"),
    "convolution": (nn.Sequential(nn.Conv2d(1, 1, 3)), "fully connected ReLU.*got Conv2d"),
    "no ReLU": (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "got Linear, Linear"),
    "ends in ReLU": (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "got Linear, ReLU"),
    "starts with ReLU": (nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "got ReLU, Linear"),
    "other activation": (
        nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2)),
        "got Linear, GELU, Linear",
    ),
    "dropout": (nn.Sequential(nn.Linear(2, 2), nn.Dropout()), "got Linear, Dropout"),
    "flatten inside": (
        nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2)),
        "got Linear, ReLU, Flatten, Linear",
    ),
    "empty": (nn.Sequential(), "needs one layer at least"),
    "only flatten": (nn.Sequential(nn.Flatten()), "needs one layer at least"),
}


@pytest.mark.parametrize(("network", "message"), BAD.values(), ids=BAD)
def test_bad_targets(network, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Target(network, BOX)


def test_subclasses_of_linear_are_refused() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    with pytest.raises(InputError, match="got Doubled"):
        Target(nn.Sequential(Doubled(2, 2)), BOX)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box(1.0, 0.0), r"low <= high, got \[1.0, 0.0\]"),
        (lambda: Box(0.0, float("inf")), "finite low <= high"),
        (lambda: Box(float("nan"), 1.0), "finite low <= high"),
        (lambda: Ball(-1.0), "radius >= 0, got -1.0"),
        (lambda: Ball(float("nan")), "finite radius"),
        (lambda: Target(LAYERS, (0.0, 1.0)), r"a Box or a Ball, got \(0.0, 1.0\)"),
    ],
)
def test_bad_domains(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# Files


def test_save_and_load(tmp_path: Path) -> None:
    for domain in (Box(-0.1, 1.0), Ball(2.5)):
        target = Target(LAYERS, domain)
        path = target.save(tmp_path / "t.safetensors")
        assert Target.load(path).digest == target.digest
        assert Target.load(path, Box(0, 3)).domain == Box(0, 3)


def test_load_state_dicts_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-3, 4, (2, 2)).astype(np.float32) for _ in range(12)]
    state = {f"net.{i}.weight": torch.from_numpy(a) for i, a in enumerate(arrays)}
    shuffled = dict(sorted(state.items(), reverse=True))
    torch.save(shuffled, tmp_path / "t.pt")
    loaded = Target.load(tmp_path / "t.pt", BOX)
    assert loaded.digest == Target([(a, None) for a in arrays], BOX).digest


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"0.weight": torch.ones(2, 2)}, "give a domain"),
        ({"0.weight": torch.ones(2, 2, 3, 3)}, r"0\.weight of shape \(2, 2, 3, 3\)"),
        ({"0.weight": torch.ones(2, 2), "0.scale": torch.ones(2)}, r"an entry 0\.scale"),
        ({"0.bias": torch.ones(2)}, r"an entry 0\.bias"),
        ({"b.weight": torch.ones(2, 2), "a.weight": torch.ones(2, 2)}, "do not say their order"),
    ],
)
def test_bad_state_dicts(tmp_path: Path, state, message: str) -> None:
    torch.save(state, tmp_path / "t.pt")
    with pytest.raises(InputError, match=message):
        Target.load(tmp_path / "t.pt", None if "domain" in message else BOX)


def test_unreadable_files(tmp_path: Path) -> None:
    path = Target(LAYERS, BOX).save(tmp_path / "t.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    for file in (path, tmp_path / "nothing.pt"):
        with pytest.raises(InputError, match=r"cannot be read as a state dict|no target file"):
            Target.load(file)
