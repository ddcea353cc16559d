"""Random features: exact losses, proved bounds, from neuron masks to free coefficients."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from strongticket import Network, Uniform
from strongticket.errors import InputError
from strongticket.optimal import Loss, OneHidden, best_neuron_mask, best_weight_mask
from strongticket.optimal._feature_bounds import Problem, lower_bound
from strongticket.optimal._solve import solve
from strongticket.optimal.features import feature_values, fit_features, select_neurons

LOSSES = pytest.mark.parametrize("loss", list(Loss), ids=str)


def problem(seed: int, k: int = 4, d: int = 2, n: int = 9) -> tuple[Network, object, object]:
    random = np.random.default_rng(seed)
    network = Network.mlp((d, k, 1), biases=[True, True], laws=Uniform(1.0), seed=seed)
    return network, random.normal(size=(n, d)), random.normal(size=n)


@LOSSES
def test_masks_are_bounded_by_bounded_features_and_these_by_free_ones(loss: Loss) -> None:
    for seed in range(4):
        network, x, y = problem(seed)
        weights = best_weight_mask(network, x, y, loss=loss)
        neurons = best_neuron_mask(network, x, y, loss=loss)
        hull = fit_features(network, x, y, loss=loss, coefficients="mask")
        free = fit_features(network, x, y, loss=loss)
        assert weights.loss <= neurons.loss
        assert hull.bound <= neurons.loss
        assert free.bound <= hull.loss
        assert free.bound <= neurons.loss
        for fit in (hull, free):  # the bound is near: it proves that the solver was right
            assert 0 < fit.bound <= fit.loss
            assert fit.gap <= 1e-5 * float(fit.loss)


@LOSSES
def test_the_loss_is_that_of_the_coefficients(loss: Loss) -> None:
    network, x, y = problem(7)
    for span in ("free", "mask", Fraction(1, 3), 0.0):
        fit = fit_features(network, x, y, loss=loss, coefficients=span)  # type: ignore[arg-type]
        frozen = OneHidden.of(network)
        same = OneHidden(frozen.weights, fit.coefficients, frozen.bias, frozen.output_bias)
        from strongticket.optimal import masked_loss
        from strongticket.tickets import Mask

        assert fit.loss == masked_loss(same, Mask({}), x, y, loss)
        if span == "mask":
            u = frozen.output.astype(np.float64)
            assert (fit.coefficients * np.sign(u) >= 0).all()
            assert (np.abs(fit.coefficients) <= np.abs(u)).all()
        elif span != "free":
            assert np.abs(fit.coefficients).max() <= float(span)


def test_any_multipliers_give_a_true_bound() -> None:
    network, x, y = problem(3)
    made = Problem.of(OneHidden.of(network), np.asarray(x), np.asarray(y))
    random = np.random.default_rng(0)
    high = np.empty(4, object)
    high[:] = [Fraction(1, 2)] * 4
    for loss in Loss:
        best = fit_features(network, x, y, loss=loss, coefficients=0.5)
        free = fit_features(network, x, y, loss=loss)
        for _ in range(20):
            multipliers = random.normal(size=9)
            assert lower_bound(made, loss, multipliers, -high, high) <= best.loss
            assert lower_bound(made, loss, multipliers, None, None) <= free.loss
        assert lower_bound(made, loss, np.full(9, np.nan), -high, high) == 0


def test_enough_features_interpolate_and_dependent_ones_are_no_trouble() -> None:
    network, x, y = problem(1, k=12, n=4)
    fit = fit_features(network, x, y)
    assert fit.bound == 0
    assert fit.loss < 1e-20
    twice = OneHidden([[1, 0], [1, 0], [2, 0], [0, 0]], [1, 1, 1, 1])
    points, labels = [[1, 0], [2, 0], [3, 0]], [1, 1, 1]
    for loss, exact in (
        (Loss.MEAN_SQUARED, Fraction(1, 7)),
        (Loss.WORST_CASE, Fraction(1, 2)),
        (Loss.MEAN_ABSOLUTE, Fraction(1, 3)),
    ):
        fit = fit_features(twice, points, labels, loss=loss)
        assert fit.bound <= exact <= fit.loss
        assert fit.loss - fit.bound < Fraction(1, 10**9)


def test_values_are_exact() -> None:
    n, unit = feature_values(OneHidden([[0.5, -1.0]], [3], [Fraction(1, 3)]), [[1, 0], [0, 1]])
    assert [int(v) * unit for v in n[:, 0]] == [Fraction(5, 6), 0]


def test_integer_systems_are_solved_exactly() -> None:
    random = np.random.default_rng(0)
    for n in range(1, 7):
        matrix = random.integers(-9, 10, (n, n)).astype(object)
        want = [Fraction(int(p), int(q)) for p, q in random.integers(1, 9, (n, 2))]
        side = np.array([sum(a * w for a, w in zip(row, want, strict=True)) for row in matrix])
        common = 2520
        found = solve(matrix * common, (side * common).astype(object))
        assert found is None or found == want
        assert (found is None) == (round(float(np.linalg.det(matrix.astype(float)))) == 0)


def test_selected_neurons_have_the_coefficients_as_their_mean() -> None:
    k = 200_000
    u = Network.mlp((1, k, 1), laws=Uniform(0.5), seed=1).weights("layers.1.weight")[0]
    for c in (0.7, -0.2, 0.0):
        kept = select_neurons(u, np.full(k, c), blocks=k, scale=0.5)
        assert (np.sign(u[kept]) == np.sign(c)).all()
        made = float(u[kept].astype(np.float64).sum())
        # standard deviation sqrt(k tau^3 / (6 s)), tau = 2 sqrt(s |c| / k)
        tau = 2 * np.sqrt(0.5 * abs(c) / k)
        assert abs(made - c) <= 5 * np.sqrt(k * tau**3 / 3)
    # on the grid the count of steps is what the proof says
    units = np.arange(-31, 32, 2)
    kept = select_neurons(units * 2.0**-24, np.full(32, 2.0**-2), blocks=2.0**40, scale=1.0)
    assert units[kept].tolist() == [1, 3, 5, 7, 9, 11, 13, 15]  # rho = 2^24 2^-21 = 8
    assert not select_neurons(-units * 2.0**-24, np.zeros(32), blocks=9, scale=1.0).any()


def test_bad_input_is_refused() -> None:
    network, x, y = problem(0)
    with pytest.raises(InputError, match="'free', 'mask' or a number"):
        fit_features(network, x, y, coefficients="bounded")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=">= 0"):
        fit_features(network, x, y, coefficients=-1.0)
    with pytest.raises(InputError, match="loss must be one of"):
        fit_features(network, x, y, loss="hinge")
    with pytest.raises(InputError, match="need blocks >="):
        select_neurons([0.1], [1.0], blocks=3, scale=1.0)
    with pytest.raises(InputError, match="one coefficient an output weight"):
        select_neurons([0.1], [1.0, 2.0], blocks=30, scale=1.0)
