"""Bounds: above every attack and every sample, exact where they can be, false ones refuted."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import forge, network, put, small, target, ticket
from hypothesis import given, settings
from hypothesis import strategies as st

from strongticket.errors import FileError, InputError
from strongticket.laws import Normal, Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Mask, Ticket
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    LINEAR,
    SPECTRAL,
    WEIGHT_ERROR,
    Collapsed,
    RefutedError,
    attack,
    certify,
    collapse,
    recheck,
)
from strongticket.verify._propagate import _norm, _through_relu, root_up
from strongticket.verify._recheck._propagate import relu_range

BOXES = st.tuples(st.floats(-2, 2), st.floats(0, 2)).map(lambda p: Box(p[0], p[0] + p[1]))
DOMAINS = BOXES | st.floats(0, 3).map(Ball)
WIDTHS = st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple)


def random_ticket(of: Target, seed: int, density: float) -> Ticket:
    """Any mask of the right structure, however far from the target: bounds must hold anyway."""
    made = network(of, 4, seed=seed)
    rng = np.random.default_rng(seed)
    bits = {}
    for i in range(of.depth):
        d_in, has_bias = of.widths[i], of.biases[i] is not None
        hidden = 4 * (d_in + has_bias)
        reads = rng.integers(0, d_in + has_bias, hidden)
        first = np.zeros((hidden, d_in), bool)
        first[reads < d_in, reads[reads < d_in]] = True
        bits[f"layers.{2 * i}.weight"] = first
        if has_bias:
            bits[f"layers.{2 * i}.bias"] = reads == d_in
        bits[f"layers.{2 * i + 1}.weight"] = rng.random((of.widths[i + 1], hidden)) < density
    return Ticket(made, Mask.dense(bits))


def exact(layers, x: list[Fraction]) -> list[Fraction]:
    """Outputs of (W+, W-, b) layers in rationals: slow, and written without the prover."""
    for i, (plus, minus, bias) in enumerate(layers):
        x = [
            sum(((p if v >= 0 else m) * v for p, m, v in zip(*rows, x, strict=True)), b)
            for *rows, b in zip(plus, minus, bias, strict=True)
        ]
        if i < len(layers) - 1:
            x = [max(v, Fraction(0)) for v in x]
    return x


def fractions(array, unit: Fraction = Fraction(1)):
    if np.ndim(array) == 2:
        return [fractions(row, unit) for row in array]
    return [Fraction(v) * unit for v in np.asarray(array).tolist()]


def both(of: Target, pruned: Ticket):
    f, g = [], []
    for w, b, layer in zip(of.weights, of.biases, collapse(pruned), strict=True):
        w_exact = fractions(w.astype(float))
        f.append((w_exact, w_exact, fractions(np.zeros(len(w)) if b is None else b.astype(float))))
        unit = Fraction(2) ** layer.exponent
        g.append(tuple(fractions(a, unit) for a in (layer.plus, layer.minus, layer.bias)))
    return f, g


def squared_distance(of: Target, f, g, x: np.ndarray) -> Fraction:
    point = fractions(x)
    gaps = [a - b for a, b in zip(exact(f, point), exact(g, point), strict=True)]
    if isinstance(of.domain, Ball):
        return sum((v * v for v in gaps), Fraction(0))
    return max(abs(v) for v in gaps) ** 2


def samples(of: Target, rng: np.random.Generator, count: int) -> np.ndarray:
    d = of.widths[0]
    if isinstance(of.domain, Box):
        inside = np.clip(
            rng.uniform(of.domain.low, of.domain.high, (count, d)), of.domain.low, of.domain.high
        )
        corners = rng.choice([of.domain.low, of.domain.high], (count, d))
        return np.concatenate([inside, corners])
    x = rng.standard_normal((count, d))
    x *= of.domain.radius / np.linalg.norm(x, axis=1, keepdims=True)
    return np.concatenate([x * (1 - 1e-12), x * rng.random((count, 1))])


@given(WIDTHS, DOMAINS, st.booleans(), st.integers(0, 999), st.sampled_from([0.0, 0.2, 0.6]))
@settings(max_examples=60)
def test_bound_is_above_attack_and_samples(widths, domain, biases, seed, density) -> None:
    of = target(widths, domain, biases=biases, seed=seed)
    pruned = random_ticket(of, seed, density)
    bounds = [certify(pruned, of, method=m) for m in (None, WEIGHT_ERROR, LINEAR, SPECTRAL)]
    lower = attack(pruned, of, starts=6, steps=8, seed=seed)
    f, g = both(of, pruned)
    rng = np.random.default_rng(seed)
    largest = max(squared_distance(of, f, g, x) for x in samples(of, rng, 8))
    for proved in bounds:
        assert 0 <= lower.exact_distance <= proved.exact_bound
        assert largest <= proved.exact_bound**2
        assert Fraction(proved.bound) >= proved.exact_bound
        assert Fraction(math.nextafter(proved.bound, -1)) < proved.exact_bound
        assert len(proved.steps) == of.depth
        assert proved.steps[-1].deviation in (None, proved.exact_bound)
    # The attacked input lies in the domain, and the distance there is what it says.
    there = squared_distance(of, f, g, lower.input)
    assert lower.exact_distance**2 <= there
    assert float(there) == pytest.approx(float(lower.exact_distance) ** 2, rel=1e-9)
    assert Fraction(lower.distance) <= lower.exact_distance
    if isinstance(domain, Box):
        assert domain.low <= lower.input.min() <= lower.input.max() <= domain.high
    else:
        assert sum(v * v for v in fractions(lower.input)) <= Fraction(domain.radius) ** 2


@given(BOXES, st.integers(0, 999), st.booleans(), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=40)
def test_one_layer_is_exact_on_a_box(domain: Box, seed, biases, d_in, d_out) -> None:
    """Each output's error is a sum over inputs, so its largest value is at known ends."""
    of = target((d_in, d_out), domain, biases=biases, seed=seed)
    pruned = random_ticket(of, seed, 0.4)
    (f,), (g,) = both(of, pruned)
    ends = [Fraction(domain.low), Fraction(domain.high)]
    if ends[0] < 0 < ends[1]:
        ends.append(Fraction(0))
    worst = Fraction(0)
    for j in range(d_out):
        base = g[2][j] - f[2][j]
        options = [
            [((g[0] if v >= 0 else g[1])[j][k] - f[0][j][k]) * v for v in ends] for k in range(d_in)
        ]
        worst = max(worst, abs(base + sum(map(max, options))), abs(base + sum(map(min, options))))
    assert certify(pruned, of).exact_bound == worst
    assert certify(pruned, of, method=WEIGHT_ERROR).exact_bound >= worst


@given(WIDTHS, st.floats(0, 1), st.floats(0, 1), st.booleans(), st.integers(0, 999))
@settings(max_examples=30)
def test_differential_is_no_looser_on_boxes_of_nonnegative_inputs(
    widths, low, size, biases, seed
) -> None:
    """There weight error takes the same sums over |E|, and both bound x by the same interval."""
    of = target(widths, Box(low, low + size), biases=biases, seed=seed)
    pruned = random_ticket(of, seed, 0.4)
    bounds = [
        certify(pruned, of, method=m).exact_bound for m in (DIFFERENTIAL_INTERVAL, WEIGHT_ERROR)
    ]
    assert bounds[0] <= bounds[1]


@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 1), Ball(1.5)], ids=str)
def test_a_larger_domain_has_a_larger_bound(domain) -> None:
    larger = Ball(2.0) if isinstance(domain, Ball) else Box(domain.low, domain.high + 0.5)
    of = target((3, 3, 2), domain)
    layers = [(w, b) for w, b in zip(of.weights, of.biases, strict=True)]
    pruned = random_ticket(of, 0, 0.4)
    for method in (None, WEIGHT_ERROR, LINEAR, SPECTRAL):
        proved = [certify(pruned, Target(layers, d), method=method) for d in (domain, larger)]
        assert proved[0].exact_bound <= proved[1].exact_bound


# By hand

WEIGHT = np.array([[2.0], [-1.0]], np.float32)
OUT = np.array([[1.0, 3.0]], np.float32)


def by_hand(domain: Box | Ball) -> tuple[Target, tuple[Collapsed, ...]]:
    """f: x -> relu(2x + 1) + 3 relu(-x); g has 2.5 for 2, -1.25 for -1 below 0, 2.75 for 3."""
    of = Target([(WEIGHT, np.array([1.0, 0.0], np.float32)), (OUT, None)], domain)
    none = np.empty(0, np.int64), np.empty(0, np.int64), np.zeros((1, 0), bool)
    first = Collapsed(np.array([[10], [-4]]), np.array([[8], [-5]]), np.array([4, 0]), -2, *none)
    second = Collapsed(np.array([[4, 11]]), np.array([[0, 0]]), np.array([0]), -2, *none)
    return of, (first, second)


def test_hand_computed_steps_on_a_box() -> None:
    """x in [-1, 1]: z = (2x + 1, -x) in [-1, 3] x [-1, 1].

    Errors of layer 0: (0.5 x or 0, 0 or -0.25 x): d = [0, 0.5] x [0, 0.25]. relu(z0 + d0) -
    relu(z0) is in [0, 0.5]; the second in [0, 0.25]. Output: 1 * [0, 0.5] + 2.75 * [0, 0.25] +
    (-0.25) * [0, 1] = [-0.25, 1.1875].
    """
    of, layers = by_hand(Box(-1, 1))
    bound, steps = DIFFERENTIAL_INTERVAL(of, layers)
    assert bound == Fraction(19, 16)
    assert (steps[0].weight_error, steps[0].bias_error) == (Fraction(1, 2), 0)
    assert steps[0].deviation == Fraction(1, 2)
    assert steps[1].weight_error == Fraction(1, 4)  # minus is not read behind a ReLU
    # By absolute sums: deviations (0.5, 0.25), |x| <= (3, 1): 0.5 + 2.75 * 0.25 + 0.25 * 1.
    bound, steps = WEIGHT_ERROR(of, layers)
    assert bound == Fraction(1, 2) + Fraction(11, 16) + Fraction(1, 4)


def test_hand_computed_steps_on_a_ball() -> None:
    of, layers = by_hand(Ball(1.0))
    bound, steps = WEIGHT_ERROR(of, layers)
    # E0 = (0.5, 0.25): norm sqrt(5)/4 bounded by Frobenius; |x0| <= sqrt(5) + 1.
    first = math.sqrt(5) / 4
    assert float(steps[0].deviation) == pytest.approx(first)
    second = 0.25 * (math.sqrt(5) + 1) + math.hypot(1, 2.75) * first
    assert float(bound) == pytest.approx(second)
    assert float(bound) >= second * (1 - 1e-15)
    with pytest.raises(InputError, match="needs a Box; for a Ball use WEIGHT_ERROR"):
        DIFFERENTIAL_INTERVAL(of, layers)


def test_equal_networks_have_bound_zero() -> None:
    of = target((2, 2), Box(-1, 1))
    pruned = random_ticket(of, 3, 0.5)
    nothing = Ticket(
        pruned.network,
        Mask.dense({n: np.zeros(pruned.network[n].shape, bool) for n in pruned.network.masked}),
    )
    zero = Target([(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))], Box(-1, 1))
    assert certify(nothing, zero).exact_bound == 0
    assert attack(nothing, zero, starts=2, steps=1).exact_distance == 0


# Telescoping (theory E1)


def products(errors: list[Any], norms: list[Any]) -> Any:
    return math.prod(s + e for s, e in zip(norms, errors, strict=True)) - math.prod(norms)


@pytest.mark.parametrize("seed", range(6))
def test_telescoping_of_measured_errors(seed: int) -> None:
    """E1 with measured norms is above every sample, our bound is no looser (properties 33, 36)."""
    of = target((3, 4, 3, 2), Ball(1.5), biases=False, seed=seed)
    pruned = ticket(of, pool=40, accuracy=0.01, seed=seed)
    errors, norms = [], []
    for w, layer in zip(of.weights, collapse(pruned), strict=True):
        scale = 2.0**layer.exponent
        gaps = [np.abs(layer.plus * scale - w)]
        if not errors:
            gaps.append(np.abs(layer.minus * scale - w))
        errors.append(float(_norm(*integers(np.maximum.reduce(gaps)))))
        norms.append(float(_norm(*integers(w.astype(float)))))
    telescoped = 1.5 * products(errors, norms)
    proved = certify(pruned, of)
    assert proved.bound <= telescoped * (1 + 1e-9)
    lower = attack(pruned, of, starts=10, steps=20)
    assert lower.distance <= proved.bound
    f, g = both(of, pruned)
    for x in samples(of, np.random.default_rng(seed), 20):
        assert float(squared_distance(of, f, g, x)) <= telescoped**2


def integers(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    return np.array([[int(v * 2**60) for v in row] for row in matrix.tolist()], object), -60


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 3)), min_size=1, max_size=5),
    st.integers(0, 4),
)
def test_telescoping_is_monotone_and_of_first_order(pairs, at: int) -> None:
    """Properties 34 and 35 of the form that the ball's bound telescopes to."""
    errors, norms = [Fraction(e) for e, _ in pairs], [Fraction(s) for _, s in pairs]
    at %= len(pairs)
    for changed in (errors, norms):
        before = products(errors, norms)
        changed[at] += Fraction(1, 2)
        assert products(errors, norms) >= before
        changed[at] -= Fraction(1, 2)
    tiny = [e / 10**9 for e in errors]
    first = sum(e * math.prod(norms) / s for e, s in zip(tiny, norms, strict=True))
    assert first <= products(tiny, norms) <= first * (1 + Fraction(1, 10**6))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_norm_is_above_the_spectral_norm(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(-9, 10, (rows, columns))
    bound = float(_norm(matrix.astype(object), -3))
    spectral = np.linalg.norm(matrix / 8, 2)
    frobenius = np.linalg.norm(matrix / 8)
    assert spectral * (1 - 1e-12) <= bound <= frobenius * (1 + 1e-12) + 1e-18


@given(st.fractions(0, 100))
def test_root_up(value: Fraction) -> None:
    assert root_up(value) ** 2 >= value
    assert root_up(value) ** 2 <= value * (1 + Fraction(1, 2**50)) + Fraction(1, 2**60)


SMALL = st.integers(-6, 6)


@given(SMALL, st.integers(0, 8), SMALL, st.integers(0, 8))
def test_relu_of_a_difference(zlow: int, zsize: int, dlow: int, dsize: int) -> None:
    """The interval of relu(z + d) - relu(z) holds all values; it is tight where both are stable."""
    zhigh, dhigh = zlow + zsize, dlow + dsize
    true = [
        max(z + d, 0) - max(z, 0) for z in range(zlow, zhigh + 1) for d in range(dlow, dhigh + 1)
    ]
    ends = (np.array([v], object) for v in (zlow, zhigh, dlow, dhigh))
    (low,), (high,) = _through_relu(*ends)
    assert low <= min(true) <= max(true) <= high
    if min(zlow, zlow + dlow) >= 0 or max(zhigh, zhigh + dhigh) <= 0:
        assert (low, high) == (min(true), max(true))
    assert relu_range((zlow, zhigh), (dlow, dhigh)) == (low, high)


# A bound made false on purpose


@pytest.mark.parametrize("domain", [Box(0, 1), Box(-1, 0.5), Ball(1.2)], ids=str)
def test_a_bound_below_the_attack_is_refuted(tmp_path: Path, domain) -> None:
    proved = small(domain)
    lower = attack(proved.ticket, proved.target, starts=20, steps=30)
    assert lower.exact_distance > 0
    false = str(lower.exact_distance * Fraction(99, 100))
    path = forge(proved, put("claim", "bound", false), tmp_path / "proof.json")
    with pytest.raises(RefutedError, match="the bound is"):
        recheck(path)


def test_attack_is_near_the_bound_of_a_small_network() -> None:
    """One layer: the bound is exact, and ascent reaches the corner that attains it."""
    of = target((4, 3), Box(0, 1))
    pruned = ticket(of)
    lower = attack(pruned, of, starts=40, steps=60)
    assert lower.exact_distance > certify(pruned, of).exact_bound * Fraction(999, 1000)
    weak = attack(pruned, of, starts=1, steps=0, seed=1)
    assert weak.exact_distance < lower.exact_distance


def test_attack_stays_inside_a_box_of_two_numbers() -> None:
    """The centre of [1, 1 + 2^-52] rounds to 1: half of the starts would fall below it."""
    large = np.float32(2**20)
    layers = [(np.array([[-large]]), np.array([large])), (np.array([[large]]), None)]
    of = Target(layers, Box(1.0, 1.0 + 2**-52))  # 2^20 relu(2^20 (1 - x)): 0 in the box alone
    lower = attack(keep(network(of, 3)), of, starts=20, steps=2)
    assert lower.exact_distance == 0
    assert lower.input.min() >= 1.0


@pytest.mark.parametrize(
    "domain",
    [Box(0.0, 1.7e308), Box(-1e308, 1e308), Ball(1.7e308), Box(-5e-324, 5e-324), Ball(5e-324)],
    ids=str,
)
def test_domains_at_the_ends_of_float64(tmp_path: Path, domain) -> None:
    """Neither a warning nor an input outside, and the bound stays above."""
    of = target((3, 4, 2), domain)
    made = ticket(of, pool=30)
    found, proof = attack(made, of, starts=6, steps=8), certify(made, of)
    assert found.exact_distance <= proof.exact_bound
    assert recheck(proof.save(tmp_path / "proof.json"), of).bound == proof.exact_bound
    reach = sum(Fraction(float(v)) ** 2 for v in found.input)
    inside = np.abs(found.input) <= domain.radius
    assert inside.all() if isinstance(domain, Box) else reach <= Fraction(domain.radius) ** 2


def test_attack_reports_progress_and_is_repeatable() -> None:
    proved = small()
    calls: list[tuple[str, int, int]] = []
    arguments = {"starts": 3, "steps": 4, "layers": proved.layers}
    one = attack(proved.ticket, proved.target, progress=lambda *c: calls.append(c), **arguments)
    assert calls[-1] == ("attack", 4, 4)
    two = attack(proved.ticket, proved.target, **arguments)
    assert one.exact_distance == two.exact_distance


# Claims, files, bad input


def test_holds_compares_exactly() -> None:
    proved = small()
    bound = float(proved.exact_bound)
    for epsilon in (bound, math.nextafter(bound, 0), math.nextafter(bound, 1)):
        again = certify(proved.ticket, proved.target, epsilon)
        assert again.holds == (again.exact_bound <= Fraction(epsilon))
    assert "holds=True" in repr(proved)
    silent = certify(proved.ticket, proved.target)
    assert "holds" not in repr(silent)
    with pytest.raises(InputError, match="claims no epsilon"):
        _ = silent.holds


def test_the_file_is_whole_and_repeatable(tmp_path: Path) -> None:
    proved = small()
    path = proved.save(tmp_path / "proof.json")
    assert path.read_bytes() == proved.to_bytes() == small().to_bytes()
    assert json.loads(path.read_bytes())["claim"]["norm"] == "max"
    with pytest.raises(FileError, match="cannot write"):
        proved.save(tmp_path / "no folder" / "proof.json")


def keep(made: Network, **kept: list[tuple[int, int]]) -> Ticket:
    bits = {n: np.zeros(made[n].shape, bool) for n in made.masked}
    for name, at in kept.items():
        layer, kind = name.split("_")
        for index in at:
            bits[f"layers.{layer[1:]}.{kind}"][index] = True
    return Ticket(made, Mask.dense(bits))


TARGET = target((2, 1), Box(0, 1), biases=False)
MADE = network(TARGET, 3)
PRUNED = keep(MADE, l0_weight=[(0, 0)], l1_weight=[(0, 0)])

BAD = {
    "two inputs": (
        lambda: certify(keep(MADE, l0_weight=[(4, 0), (4, 1)]), TARGET),
        "hidden neuron 4 of layers.0 keeps two inputs",
    ),
    "input and bias": (
        lambda: certify(
            keep(network(target((2, 1), Box(0, 1)), 3), l0_weight=[(1, 0)], l0_bias=[(1,)]),
            target((2, 1), Box(0, 1)),
        ),
        "hidden neuron 1 of layers.0 keeps two inputs",
    ),
    "odd depth": (
        lambda: certify(keep(Network.mlp((2, 1), laws=Uniform(), seed=0)), TARGET),
        "even depth; got depth 1: state provenance",
    ),
    "other widths": (
        lambda: certify(PRUNED, target((2, 2), Box(0, 1))),
        r"widths \(2, 1\), the target has \(2, 2\)",
    ),
    "scale": (
        lambda: collapse(keep(Network.mlp((2, 6, 1), laws=Normal(0.3), seed=0))),
        "the law of layers.0.weight needs a power-of-two scale",
    ),
    "epsilon < 0": (lambda: certify(PRUNED, TARGET, -0.1), "epsilon must be finite and >= 0"),
    "epsilon NaN": (lambda: certify(PRUNED, TARGET, float("nan")), "got nan"),
    "method": (
        lambda: certify(PRUNED, TARGET, method=lambda *_: None),
        "one of the methods of verify: differential interval",
    ),
    "ball": (
        lambda: certify(
            PRUNED, target((2, 1), Ball(1), biases=False), method=DIFFERENTIAL_INTERVAL
        ),
        "needs a Box",
    ),
    "no starts": (lambda: attack(PRUNED, TARGET, starts=0), "starts >= 1"),
    "negative steps": (lambda: attack(PRUNED, TARGET, steps=-1), "steps=-1"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
