"""Linear and spectral relaxations: above all samples, rechecked, forgeries refuted, roundings."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import forge, put, target, ticket
from hypothesis import given, settings
from hypothesis import strategies as st

from strongticket import canonical
from strongticket.errors import InputError
from strongticket.targets import Ball, Box, Target
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    LINEAR,
    SPECTRAL,
    Collapsed,
    RefutedError,
    UnreadableError,
    _affine,
    _linear,
    _norms,
    attack,
    certify,
    recheck,
)
from strongticket.verify._affine import Group, SignedBall, SignedBox
from strongticket.verify._norms import spectral_norm
from strongticket.verify._recheck._exact import check_norm, product, root_up

DOMAINS = [Box(0.0, 1.0), Box(-1.0, 0.5), Box(-2.0, -1.0), Ball(1.5), Box(0.25, 0.25), Ball(0.0)]


def collapsed(plus: np.ndarray, minus: np.ndarray, bias: np.ndarray, exponent: int) -> Collapsed:
    none = np.empty(0, np.int64)
    kept = np.zeros((len(bias), 0), np.bool_)
    ints = (a.astype(np.int64) for a in (plus, minus, bias))
    return Collapsed(*ints, exponent, none, none, kept)


def pair(
    widths: tuple[int, ...], domain: Box | Ball, size: float, seed: int = 0
) -> tuple[Target, list[Collapsed]]:
    """A target and effective layers that are even errors of that size away."""
    of, rng = target(widths, domain, seed=seed), np.random.default_rng(seed)
    layers = []
    for w, b in zip(of.weights, of.biases, strict=True):
        assert b is not None
        plus, minus = (np.rint((w + rng.uniform(-size, size, w.shape)) * 2.0**40) for _ in "+-")
        layers.append(collapsed(plus, minus, np.rint(b * 2.0**40), -40))
    return of, layers


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("method", [LINEAR, SPECTRAL])
@pytest.mark.parametrize("widths", [(3, 2), (3, 5, 2), (4, 6, 5, 3)], ids=str)
def test_rechecked_and_above_the_attack(tmp_path: Path, widths, domain, method) -> None:
    of = target(widths, domain, seed=1)
    made = ticket(of, pool=30)
    proof = certify(made, of, method=method)
    found = recheck(proof.save(tmp_path / "proof.json"), of)
    assert found.bound == proof.exact_bound
    lower = attack(made, of, starts=10, steps=30)
    assert lower.exact_distance <= proof.exact_bound
    # The checker's own value is hardly below the claim: an inflated bound would be noticed.
    document = json.loads(canonical.dumps(proof.document()))
    less = proof.exact_bound * (1 - Fraction(1, 1000))
    if less:
        put("claim", "bound", str(less))(document)
        path = forge(proof, put("claim", "bound", str(less)), tmp_path / "less.json")
        with pytest.raises(RefutedError, match="the bound is"):
            recheck(path)


def test_the_spectral_bound_is_far_below_the_linear_one_where_errors_are_even() -> None:
    of, layers = pair((60, 80, 2), Box(0.0, 1.0), 2.0**-10)
    bounds = [float(getattr(method(of, layers), "bound", 0)) for method in (LINEAR, SPECTRAL)]
    interval = float(DIFFERENTIAL_INTERVAL(of, layers)[0])
    assert bounds[0] < 0.75 * interval
    assert bounds[1] < 0.6 * bounds[0]


def test_one_planted_error_is_bounded_within_twice_the_attack() -> None:
    of, layers = pair((20, 30, 3), Box(0.0, 1.0), 2.0**-40)
    layers[0].plus[4, 7] += 1 << 30
    layers[0].minus[4, 7] += 1 << 30
    made = ticket(target((20, 30, 3), Box(0.0, 1.0)), pool=30)
    lower = attack(made, of, layers=layers, starts=20, steps=60)
    for method in (LINEAR, SPECTRAL):
        assert method(of, layers).bound <= 2 * lower.exact_distance


@given(st.integers(0, 10**6), st.sampled_from(DOMAINS), st.sampled_from([1e-6, 0.1, 2.0]))
@settings(max_examples=25)
def test_samples_stay_below(seed: int, domain: Box | Ball, size: float) -> None:
    of, layers = pair((3, 4, 3, 2), domain, size, seed)
    rng = np.random.default_rng(seed)
    if isinstance(domain, Box):
        x = rng.uniform(domain.low, domain.high, (200, 3))
        x[:100] = rng.choice([domain.low, domain.high], (100, 3))
    else:
        x = rng.standard_normal((200, 3))
        x *= domain.radius / np.linalg.norm(x, axis=1, keepdims=True)
    g = x
    for i, layer in enumerate(layers):
        unit = 2.0**layer.exponent
        g = np.maximum(g, 0) @ (layer.plus * unit).T + np.minimum(g, 0) @ (layer.minus * unit).T
        g = g + layer.bias * unit
        g = np.maximum(g, 0) if i < 2 else g
    gaps = g - of(x)
    reached = np.abs(gaps).max() if isinstance(domain, Box) else np.linalg.norm(gaps, axis=1).max()
    for method in (LINEAR, SPECTRAL):
        assert reached <= float(method(of, layers).bound) * (1 + 1e-12) + 1e-13


def test_equal_networks_have_bound_zero(tmp_path: Path) -> None:
    of = target((3, 4, 2), Box(-1.0, 1.0))
    exact = [
        collapsed(*(np.rint(a * 2.0**50) for a in (w, w, b)), -50)
        for w, b in zip(of.weights, of.biases, strict=True)
        if b is not None
    ]
    assert LINEAR(of, exact).bound == SPECTRAL(of, exact).bound == 0


# Roundings


def test_rounding_to_nearest_would_claim_something_false() -> None:
    """The exact largest value, in rationals, is above what plain floats add up; ours is not."""
    below = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = 200
        rows, ends = rng.uniform(0, 1, (1, n)), rng.uniform(0, 1, n)
        group = Group(-ends, ends, np.zeros(n), np.ones(n), np.inf)
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(rows[0], ends, strict=True))
        below += Fraction(float((rows[0] * ends).sum())) < exact
        assert Fraction(float(group.support(rows)[0])) >= exact
        ball = SignedBall(1.0, n)
        square = sum(Fraction(a) ** 2 for a in rows[0])
        doubled = np.hstack([rows, rows])
        assert Fraction(float(ball.support(doubled)[0])) ** 2 >= square
        box = SignedBox(-0.7, 1.1, n)
        most = sum(max(Fraction(a) * Fraction(e) for e in (-0.7, 1.1)) for a in rows[0])
        assert Fraction(float(box.support(doubled)[0])) >= most
    assert below > 5  # nearest rounding is wrong in many of these


def test_certificates_where_nearest_rounding_is_false(monkeypatch: Any) -> None:
    """One layer: the exact supremum is a sum. With every widening undone, the claim is too low."""
    wrong = 0
    for seed in range(20):
        of, layers = pair((40, 1), Box(0.0, 1.0), 0.1, seed)
        noise = np.random.default_rng(seed).integers(-(1 << 60), 1 << 60, layers[0].plus.shape)
        layers = [collapsed(noise, noise, layers[0].bias << 20, -60)]
        truth = DIFFERENTIAL_INTERVAL(of, layers)[0]
        assert LINEAR(of, layers).bound >= truth
        with monkeypatch.context() as patch:
            for module in (_affine, _linear, _norms):
                patch.setattr(module, "GROW", 1.0, raising=False)
                patch.setattr(module, "gamma", lambda n: 0.0, raising=False)
            patch.setattr(_linear, "ROOM", 1.0)
            patch.setattr(_affine.Form, "bounds", nearest)
            wrong += LINEAR(of, layers).bound < truth
    assert wrong


@pytest.mark.parametrize("power", [-1000, -700, -300, 0, 300])
def test_squares_that_vanish_are_counted(power: int) -> None:
    """An ellipsoid far below the box, at sizes whose squares are no floats any more."""
    group = Group(-np.ones(3), np.ones(3), np.zeros(3), np.full(3, 2.0**power), 2.0**-1)
    rows = np.array([[1.0, 2.0, 2.0], [0.0, 2.0**-60, 0.0], [0.0, 0.0, 0.0]])
    found = group.support(rows)
    for got, norm, ends in zip(found, (3.0, 2.0**-60, 0.0), (5.0, 2.0**-60, 0.0), strict=True):
        least = min(Fraction(norm) * Fraction(2) ** (power - 1), Fraction(ends))
        assert Fraction(got) >= least
        assert Fraction(got) <= least * Fraction(1001, 1000) + Fraction(1, 1 << 998)


@given(st.integers(0, 10**6), st.sampled_from([1.0, 2.0**-500, 2.0**-990]))
@settings(max_examples=20)
def test_slack_and_noise_cover_what_floats_lose(seed: int, unit: float) -> None:
    """A difference that cancels in floats: what is left is off by no more than they say."""
    rng = np.random.default_rng(seed)
    group = Group(-np.ones(4), np.ones(4), np.zeros(4), np.ones(4), 2.0)
    first, matrix = rng.standard_normal((3, 4)) * unit, rng.standard_normal((2, 3))
    form = _affine.start(rng.standard_normal(3) * unit, first, np.zeros(3))
    one = _affine.linear(matrix, form, [group])
    other = _affine.linear(-matrix, form.times(np.full(3, 1 - 2.0**-10), [group]), [group])
    found = _affine.add(one, other, [group])
    share = Fraction(1, 1 << 10)
    for row, m in zip(range(2), matrix, strict=True):
        parts = [
            abs(Fraction(found.parts[0][row, k]) - share * dot(m, first[:, k])) for k in range(4)
        ]
        constant = abs(Fraction(found.constant[row]) - share * dot(m, form.constant))
        assert sum(parts) <= Fraction(found.noise[0][row])
        assert constant + sum(parts) <= Fraction(found.slack[row])
        assert found.slack[row] <= 1e-12 * unit + 2.0**-990


def dot(a: np.ndarray, b: np.ndarray) -> Fraction:
    return sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))


def nearest(form: Any, groups: Any) -> Any:
    spread = sum(g.support(p) for p, g in zip(form.parts, groups, strict=True))
    return form.constant - spread, form.constant + spread


@pytest.mark.parametrize("seed", range(6))
def test_spectral_norms_are_above_and_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((rng.integers(1, 40), rng.integers(1, 40)))
    matrix *= 2.0 ** rng.integers(-300, 300)
    true, proved = np.linalg.norm(matrix, 2), spectral_norm(matrix)
    assert true * (1 - 1e-12) <= proved <= 1.001 * true
    ints, exponents = on_rows(matrix)
    check_norm(ints, exponents, Fraction(proved))
    with pytest.raises(RefutedError, match="norm"):
        check_norm(ints, exponents, Fraction(true) * Fraction(999, 1000))


def on_rows(matrix: np.ndarray) -> tuple[Any, Any]:
    """A matrix as integers, each row times its own power of two."""
    _, top = np.frexp(np.abs(matrix).max(1))
    ints = np.array([[int(v) for v in row] for row in np.ldexp(matrix, 60 - top[:, None])], object)
    return ints, top.astype(np.int64) - 60


@pytest.mark.parametrize("power", [-5000, -1100, -300, 0, 900, 4000])
def test_norms_of_any_size_are_checked(power: int) -> None:
    """No exponent is lost in floats: a bit more passes, a bit less does not."""
    matrix = np.array([[3, 4], [0, 0]], object)
    exponents = np.array([power, power])
    for factor in (Fraction(51, 10), Fraction(10)):
        check_norm(matrix, exponents, factor * Fraction(2) ** power)
    for factor in (Fraction(49, 10), Fraction(0), Fraction(-1)):
        with pytest.raises(RefutedError, match="norm"):
            check_norm(matrix, exponents, factor * Fraction(2) ** power)
    long = np.array([[3 << 3000, 4 << 3000], [1, 0]], object)
    check_norm(long, exponents - 3000, Fraction(6) * Fraction(2) ** power)
    with pytest.raises(RefutedError, match="norm"):
        check_norm(long, exponents - 3000, Fraction(4) * Fraction(2) ** power)


def test_the_norm_of_nothing_is_not_negative() -> None:
    nothing = np.zeros((2, 3), object)
    check_norm(nothing, np.zeros(2, np.int64), Fraction(0))
    with pytest.raises(RefutedError, match="negative"):
        check_norm(nothing, np.zeros(2, np.int64), Fraction(-1))


@given(st.integers(0, 10**6), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=30)
def test_products_of_integers_are_exact(seed: int, bits: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (
        np.array([[int(v) << k for v in row] for row in rng.integers(-9, 9, shape)], object)
        for k, shape in ((bits, (3, 50)), (more, (50, 4)))
    )
    a += rng.integers(-(1 << 40), 1 << 40, a.shape).astype(object)
    assert (product(a, b) == a.dot(b)).all()


@given(st.fractions(0, 10**9), st.integers(-400, 400))
def test_roots_are_rounded_up_and_near(value: Fraction, exponent: int) -> None:
    scaled = value * Fraction(2) ** exponent
    root = root_up(scaled)
    assert root * root >= scaled
    assert root * root <= scaled * (1 + Fraction(1, 1 << 50))


# Bad input


def test_numbers_beyond_floats_are_refused() -> None:
    of, layers = pair((9, 9, 1), Box(0.0, 1.0), 0.5)
    of = Target([(w, b) for w, b in zip(of.weights, of.biases, strict=True)], Box(0.0, 1.7e308))
    with pytest.raises(InputError, match="too large, or too small, for them"):
        LINEAR(of, layers)


def witness(*path: Any) -> Any:
    return put("claim", "witness", "layers", 0, *path)


def stable(which: str, phase: int) -> Any:
    """All neurons of one kind called stable, with the slopes of that."""

    def lie(document: Any) -> None:
        said = document["claim"]["witness"]["layers"][0][which]
        said["phases"], said["slopes"] = [phase] * 5, [phase * 1024] * 5

    return lie


LIES = {
    "all active": (stable("target", 1), RefutedError),
    "all inactive": (stable("target", 0), RefutedError),
    "all differences active": (stable("difference", 1), RefutedError),
    "no difference": (stable("difference", 0), RefutedError),
    "phase": (witness("target", "phases", [1] * 5), RefutedError),
    "inactive": (witness("target", "phases", [0] * 5), RefutedError),
    "stable difference": (witness("difference", "phases", [0] * 5), RefutedError),
    "slope of a difference": (witness("difference", "slopes", [0] * 5), RefutedError),
    "slope beyond one": (witness("target", "slopes", [2000] * 5), UnreadableError),
    "negative slope": (witness("target", "slopes", [-1] * 5), UnreadableError),
    "norm": (witness("difference", "norms", [(1e-9).hex()]), RefutedError),
    "negative norm": (witness("difference", "norms", [(-1.0).hex()]), RefutedError),
    "norm left out": (witness("difference", "norms", []), UnreadableError),
    "weights": (witness("difference", "weights", [-9] * 5), RefutedError),
    "weights too many": (witness("difference", "weights", [0] * 6), UnreadableError),
    "weight no integer": (witness("difference", "weights", [0.5] * 5), UnreadableError),
    "phase unknown": (witness("target", "phases", [3] * 5), UnreadableError),
    "layer too many": (put("claim", "witness", "layers", [{}, {}]), UnreadableError),
    "no witness": (lambda d: d["claim"].pop("witness"), UnreadableError),
    "interval for spectral": (put("claim", "method", "differential interval"), Exception),
}


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_forged_witnesses_are_refused(tmp_path: Path, lie: str) -> None:
    of = target((6, 5, 2), Box(0.0, 1.0), seed=3, biases=False)
    proof = certify(ticket(of, pool=30), of, method=SPECTRAL)
    document = copy.deepcopy(proof.document())
    codes = document["claim"]["witness"]["layers"][0]["target"]["phases"]
    assert codes == [2] * 5  # all unstable, so that every lie is one
    change, error = LIES[lie]
    match = "may change its sign" if lie.startswith(("all ", "no diff")) else None
    with pytest.raises(error, match=match):
        recheck(forge(proof, change, tmp_path / "lie.json"))


def test_a_stable_neuron_has_the_slope_of_its_sign(tmp_path: Path) -> None:
    of = target((6, 5, 2), Box(0.5, 0.5 + 2.0**-20), seed=3)
    proof = certify(ticket(of, pool=30), of, method=SPECTRAL)
    assert 2 not in proof.document()["claim"]["witness"]["layers"][0]["target"]["phases"]
    for which in ("target", "difference"):
        lie = witness(which, "slopes", [512] * 5)
        with pytest.raises(RefutedError, match="a stable neuron has slope 0 or 1"):
            recheck(forge(proof, lie, tmp_path / "lie.json"))
