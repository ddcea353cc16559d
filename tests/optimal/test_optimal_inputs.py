"""What is refused, with what to do instead; what a result says of itself; lazy imports."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from optimal_oracles import Instance, naive_best

from strongticket import Box, Network, Target, Uniform, optimal
from strongticket.errors import InputError
from strongticket.networks import Parameter, UserModel
from strongticket.optimal import MILP, BranchAndBound, Exhaustive, OneHidden
from strongticket.tickets import Mask

NETWORK = OneHidden(np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([1.0, -1.0]))
X, Y = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]]), np.array([1.0, 0.0, 2.0])
WIDE = OneHidden(np.ones((30, 4)) / np.arange(1, 121).reshape(30, 4), np.ones(30))
MANY = OneHidden(np.ones((1, 30)), np.ones(1))

REFUSED: dict[str, tuple[Any, str]] = {
    "loss": (lambda: optimal.best_weight_mask(NETWORK, X, Y, loss="logistic"), "mean squared"),
    "layers": (lambda: optimal.best_weight_mask(NETWORK, X, Y, layers="last"), "'both'"),  # type: ignore[arg-type]
    "method": (lambda: optimal.best_weight_mask(NETWORK, X, Y, method="milp"), "MILP"),  # type: ignore[arg-type]
    "bits": (
        lambda: optimal.best_weight_mask(WIDE, np.ones((2, 4)) * [[1], [3]], Y[:2]),
        r"BranchAndBound\(\).*best_neuron_mask.*most=",
    ),
    "inputs": (
        lambda: optimal.best_weight_mask(MANY, np.ones((2, 30)), Y[:2]),
        "mask fewer inputs",
    ),
    "columns": (lambda: optimal.best_weight_mask(NETWORK, X[:, :1], Y), "one column an input"),
    "labels": (lambda: optimal.best_neuron_mask(NETWORK, X, Y[:2]), "one label a row"),
    "nothing": (lambda: optimal.best_neuron_mask(NETWORK, X[:0], Y[:0]), "one row at least"),
    "nan": (lambda: optimal.best_neuron_mask(NETWORK, X * np.nan, Y), "x must be finite"),
    "complex": (lambda: optimal.best_neuron_mask(NETWORK, X * 1j, Y), "real numbers"),
    "objects": (lambda: optimal.best_neuron_mask(NETWORK, X, np.array(["a", None, 1])), "finite"),
    "dimensions": (lambda: optimal.best_neuron_mask(NETWORK, Y, Y), "2 dimensions"),
    "no neurons": (lambda: OneHidden(np.ones((0, 2)), np.ones(0)), "one neuron"),
    "output shape": (lambda: OneHidden(np.ones((2, 2)), np.ones(3)), r"shape \(2,\)"),
    "bias shape": (lambda: OneHidden(np.ones((2, 2)), np.ones(2), np.ones(3)), r"bias must"),
    "infinite": (lambda: OneHidden(np.full((1, 1), np.inf), np.ones(1)), "finite"),
    "depth": (
        lambda: OneHidden.of(Network.mlp((2, 2, 2, 1), laws=Uniform(), seed=0)),
        r"\(d, k, 1\)",
    ),
    "outputs": (lambda: OneHidden.of(Network.mlp((2, 2, 2), laws=Uniform(), seed=0)), "one output"),
    "target depth": (
        lambda: OneHidden.of(Target([(np.ones((1, 2), np.float32), None)], Box(0, 1))),
        r"\(d, k, 1\)",
    ),
    "user model": (
        lambda: OneHidden.of(Network(UserModel("Net"), (Parameter("w", (1, 2), Uniform()),), 0)),
        "OneHidden",
    ),
    "no network": (lambda: OneHidden.of(np.ones((2, 2))), "Network.mlp"),  # type: ignore[arg-type]
    "mask shape": (
        lambda: optimal.masked_loss(
            NETWORK, Mask.dense({"layers.0.weight": np.ones((1, 2), bool)}), X, Y, "worst case"
        ),
        r"shape \(2, 2\)",
    ),
    "mask name": (
        lambda: optimal.masked_loss(
            NETWORK, Mask.dense({"0.weight": np.ones((2, 2), bool)}), X, Y, "worst case"
        ),
        r"names 0\.weight; .*layers\.0\.weight",
    ),
    "points": (
        lambda: optimal.best_neuron_mask(
            OneHidden(np.ones((600, 1)), np.ones(600)), np.ones((60_000, 1)), np.ones(60_000)
        ),
        "600 neurons.*fewer points",
    ),
    "most": (lambda: Exhaustive(most=0), "most as an integer"),
    "leaf": (lambda: BranchAndBound(leaf=2.5), "leaf as an integer"),  # type: ignore[arg-type]
    "large leaf": (lambda: BranchAndBound(leaf=1 << 25), r"Exhaustive\(\)"),
    "nodes": (lambda: BranchAndBound(nodes=-1), "nodes as an integer"),
    "seconds": (lambda: MILP(time_limit=float("nan")), "time_limit as seconds"),
    "no seconds": (lambda: MILP(time_limit=None), "time_limit as seconds"),  # type: ignore[arg-type]
    "flag": (lambda: Exhaustive(most=True), "most as an integer"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_says_what_to_do(what: str) -> None:
    call, says = REFUSED[what]
    with pytest.raises(InputError, match=says):
        call()


def test_values_are_taken_for_exactly_what_they_are() -> None:
    third = np.array([Fraction(1, 3), Fraction(1, 2)], object)
    network = OneHidden(np.ones((1, 1), np.int64), third[:1])
    found = optimal.best_weight_mask(network, np.array([[1]]), third[1:])
    assert found.loss == Fraction(1, 6)
    tiny = OneHidden(np.array([[2.0**-900]]), np.array([2.0**900]))
    assert optimal.best_weight_mask(tiny, np.array([[1.0]]), np.array([1.5])).loss == Fraction(1, 2)
    float16 = optimal.best_weight_mask(
        NETWORK, X.astype(np.float16), Y.astype(np.float32), loss="mean squared"
    )
    assert float16.loss == optimal.best_weight_mask(NETWORK, X, Y, loss="mean squared").loss


@pytest.mark.parametrize("loss", optimal.Loss)
def test_numbers_beyond_floats_are_compared_exactly(loss: optimal.Loss) -> None:
    """Residuals of some 2^1800, then units of some 2^-3000."""
    rng = np.random.default_rng(0)
    weights, x = rng.uniform(0.5, 1, (4, 2)) * 2.0**900, rng.uniform(-1, 1, (6, 2)) * 2.0**900
    small = OneHidden(weights * 2.0**-900, np.ones(4))
    y = rng.integers(0, 3, 6)
    labels = np.array([Fraction(int(v)) * 2**1800 for v in y], object)
    long = np.empty((6, 2), object)
    long[:] = [[Fraction(int(a), 3**150 + 2 * i + j) * 3**150 for j, a in enumerate(row)]
               for i, row in enumerate((x * 2.0**-870).astype(np.int64))]  # fmt: skip
    for network, points, wanted in (
        (OneHidden(weights, np.ones(4)), x, labels),
        (small, long, y),
    ):
        best = optimal.best_weight_mask(network, points, wanted, loss=loss)
        assert "Optimum(" in repr(best)
        for leaf in (1, 16):
            method = BranchAndBound(leaf=leaf)
            found = optimal.best_weight_mask(network, points, wanted, loss=loss, method=method)
            assert found.loss == best.loss
            assert found.proved
    with pytest.raises(InputError, match="2\\^-300"):
        optimal.best_weight_mask(OneHidden(weights, np.ones(4)), x, labels, method=MILP())


@pytest.mark.parametrize("zero", ["weights", "output", "x", "y", "bias"])
@pytest.mark.parametrize("loss", optimal.Loss)
def test_zeros_beside_tiny_numbers(loss: optimal.Loss, zero: str) -> None:
    """Nothing is 0 in units of 2^-70 of something else."""
    parts = {
        "weights": np.array([[3.0, -1.0], [1.0, 2.0]]) * 2.0**-70,
        "output": np.array([1.0, -1.0]) * 2.0**-70,
        "x": np.array([[1.0, 2.0], [-1.0, 1.0]]),
        "y": np.array([1.0, -2.0]) * 2.0**-140,
        "bias": np.array([1.0, -2.0]) * 2.0**-70,
    }
    parts[zero] = parts[zero] * 0
    network = OneHidden(parts["weights"], parts["output"], parts["bias"])
    given = Instance(network, parts["x"], parts["y"])
    wanted = naive_best(given, loss)
    for method in (Exhaustive(), BranchAndBound(leaf=1), BranchAndBound()):
        found = optimal.best_weight_mask(network, given.x, given.y, loss=loss, method=method)
        assert (found.loss, found.proved) == (wanted[0], True)


@pytest.mark.parametrize("loss", optimal.Loss)
def test_labels_far_beyond_what_the_network_reaches(loss: optimal.Loss) -> None:
    network = OneHidden(np.array([[1.0, 2.0], [3.0, -1.0]]) * 2.0**-600, np.array([1.0, -1.0]))
    x, y = np.array([[1.0, 2.0], [-1.0, 1.0]]) * 2.0**-600, np.array([2.0**1000, 0.0])
    wanted = naive_best(Instance(network, x, y), loss)[0]
    for scale in (1, 2**1000):
        labels = np.array([Fraction(v) * scale for v in y.tolist()], object)
        best = optimal.best_weight_mask(network, x, labels, loss=loss)
        found = optimal.best_weight_mask(
            network, x, labels, loss=loss, method=BranchAndBound(leaf=1)
        )
        assert found.proved
        assert (found.loss, found.gap) == (best.loss, 0)
        assert scale > 1 or best.loss == wanted
        stopped = optimal.best_weight_mask(
            network, x, labels, loss=loss, method=Exhaustive(time_limit=1e-9)
        )
        assert stopped.gap > 1e200


def test_whole_numbers_of_64_bits() -> None:
    network = OneHidden(np.array([[2**63]]), np.array([1]))
    found = optimal.best_weight_mask(network, [[1]], np.array([2**64 - 1], np.uint64))
    assert found.loss == 2**63 - 1


def test_a_target_is_read_with_its_biases() -> None:
    layers = [
        (np.array([[1.0, -2.0]], np.float32), np.array([0.5], np.float32)),
        (np.array([[3.0]], np.float32), np.array([-1.0], np.float32)),
    ]
    read = OneHidden.of(Target(layers, Box(0.0, 1.0)))
    assert optimal.masked_loss(read, Mask({}), [[1, 0]], [3.5], "worst case") == 0
    drawn = Network.mlp((2, 3, 1), laws=Uniform(), seed=1, biases=(True, True))
    same = OneHidden.of(drawn)
    assert same.bias is not None
    assert same.output_bias is not None
    assert (same.bias == drawn.weights("layers.0.bias")).all()
    assert (same.output_bias == drawn.weights("layers.1.bias")).all()


def test_a_given_array_is_not_the_networks() -> None:
    weights = np.ones((1, 1))
    network = OneHidden(weights, np.ones(1))
    weights[0, 0] = 5
    assert network.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        network.weights[0, 0] = 2


def test_a_result_says_what_is_proved() -> None:
    proved = optimal.best_weight_mask(NETWORK, X, Y)
    assert "proved optimal by exhaustion" in repr(proved)
    assert (proved.first.shape, proved.output.shape) == ((2, 2), (2,))
    assert (proved.bias, proved.output_bias) == (None, None)
    claimed = optimal.best_weight_mask(NETWORK, X, Y, method=MILP())
    assert "claimed by HiGHS" in repr(claimed)
    assert "gap" in repr(claimed)


def test_the_package_imports_no_solver() -> None:
    code = (
        "import sys, strongticket.optimal as o; "
        "o.best_weight_mask; o.MILP(); "
        "print([m for m in ('cvxpy', 'numba', 'scipy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
