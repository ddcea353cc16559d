"""Copies of neurons: an identity for any claim of what stands for what, and bounds from it.

The third opinion below is written from the definitions, in rationals and with loops over copies.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import Document, forge, gap, ints, outputs, pack_i4, points, press, put, target

from strongticket import Ball, Box, Mask, Network, SignedConstant, Target, Ticket, Uniform
from strongticket.errors import InputError
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    WEIGHT_ERROR,
    RefutedError,
    UnreadableError,
    attack,
    certify,
    collapse,
    recheck,
)
from strongticket.verify import _certificate as certificate_module
from strongticket.verify._certificate import seal
from strongticket.verify._propagate import Proved
from strongticket.verify._recheck import _confirm
from strongticket.verify._recheck._propagate import weight_error_box

WIDTHS, BLOCKS = (2, 12, 7, 8, 2), [2, 1, 1]
INNER = (2, 3, 2, 2)  # the target's


def runs(of: np.ndarray) -> list[list[int]]:
    return [[int(k), len(list(g))] for k, g in itertools.groupby(of.tolist())]


def random_ticket(seed: int, *, with_constant: bool = True) -> Ticket:
    """A pair of layers and two single ones, any subset kept; copies of random neurons."""
    rng = np.random.default_rng(seed)
    laws = [Uniform(1.0), Uniform(2.0), Uniform(0.5), SignedConstant(0.5)]
    network = Network.mlp(WIDTHS, laws=laws, seed=seed, biases=(True, False, False, True))
    choice = rng.integers(0, 3, 12)
    bits = {
        "layers.0.weight": choice[:, None] == np.arange(2),
        "layers.0.bias": choice == 2,
        "layers.1.weight": rng.random((7, 12)) < 0.4,
        "layers.2.weight": rng.random((8, 7)) < 0.5,
        "layers.3.weight": rng.random((2, 8)) < 0.5,
        "layers.3.bias": rng.random(2) < 0.5,
    }
    copies = [rng.integers(0, d + with_constant, n) for d, n in ((3, 7), (2, 8))]
    provenance = {"blocks": BLOCKS, "copies": [runs(c) for c in copies]}
    return Ticket(network, Mask.dense(bits), provenance=provenance)


DOMAINS = [Box(-1.0, 0.5), Box(0.0, 1.0), Ball(1.25)]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_any_claim_of_copies_gives_a_true_bound(tmp_path: Path, domain, seed: int) -> None:
    of = target(INNER, domain, biases=seed % 2 == 0, seed=seed)
    made = random_ticket(seed, with_constant=seed % 3 != 0)
    rng = np.random.default_rng(seed)
    largest = max(gap(made, of, x) for x in points(domain, 2, rng, 8))
    for method in (None, WEIGHT_ERROR):
        proved = certify(made, of, method=method)
        assert largest <= proved.exact_bound**2
        found = recheck(proved.save(tmp_path / "proof.json"), of)
        assert found.bound == proved.exact_bound
        assert found.kept_weights == made.mask.kept


@pytest.mark.parametrize("seed", range(6))
def test_copies_before_a_longer_block(tmp_path: Path, seed: int) -> None:
    """Some copies are read by no output, though neurons inside the block read them: 1 - 1 = 0."""
    rng = np.random.default_rng(seed)
    made = random_ticket(seed)
    network = Network.mlp(
        (2, 12, 7, 14, 2), laws=SignedConstant(1.0), seed=seed, biases=(True, False, False, False)
    )
    bits = {name: rng.random(network[name].shape) < 0.3 for name in network.masked}
    for name in ("layers.0.weight", "layers.0.bias"):
        bits[name] = made.mask[name].dense()
    if seed % 2:  # two layers for one, in short
        bits["layers.2.weight"] = rng.integers(0, 7, 14)[:, None] == np.arange(7)
    else:
        bits["layers.2.weight"] &= network.weights("layers.2.weight") > 0
    copies = [runs(rng.integers(0, 4, 7))]
    pruned = Ticket(network, Mask.dense(bits), provenance={"blocks": [2, 2], "copies": copies})
    of = target((2, 3, 2), DOMAINS[seed % 3], seed=seed)
    largest = max(gap(pruned, of, x) for x in points(of.domain, 2, rng, 8))
    for method in (None, WEIGHT_ERROR):
        proved = certify(pruned, of, method=method)
        assert largest <= proved.exact_bound**2
        assert recheck(proved.save(tmp_path / "proof.json"), of).bound == proved.exact_bound
    assert bool(proved.layers[1].masks) == (seed % 2 == 0)


# A third propagation


def matrices(of: Target, made: Ticket):
    """Per layer: W, b of the target and U+, U-, bias of the ticket, in rationals; its copies."""
    found = []
    for w, b, layer in zip(of.weights, of.biases, collapse(made), strict=True):
        unit = Fraction(2) ** layer.exponent
        hats = [
            [[Fraction(int(v)) * unit for v in row] for row in a] for a in (layer.plus, layer.minus)
        ]
        own = [Fraction(int(v)) * unit for v in layer.bias]
        shift = np.zeros(len(w)) if b is None else b
        rows = [[Fraction(float(v)) for v in row] for row in w]
        found.append((rows, [Fraction(float(v)) for v in shift], *hats, own, layer.copy_of))
    return found


def by_definition(
    of: Target, made: Ticket, method: Any
) -> list[tuple[Fraction, Fraction, Fraction]]:
    """(weight error, bias error, deviation) behind every layer, over neurons that are read."""
    layers = matrices(of, made)
    read = [set(range(len(layers[-1][4])))]
    for *_, plus, _, _, _ in reversed(layers[1:]):
        read.append({c for j in read[-1] for c, v in enumerate(plus[j]) if v})
    read.reverse()
    x = [(Fraction(of.domain.low), Fraction(of.domain.high))] * 2
    delta: dict[int, tuple[Fraction, Fraction]] = {}
    stands: Any = [0, 1]
    found = []
    for i, (w, b, plus, minus, own, copy_of) in enumerate(layers):
        d = len(x)
        z = [
            (
                b[k] + sum(min(v * lo, v * hi) for v, (lo, hi) in zip(w[k], x, strict=True)),
                b[k] + sum(max(v * lo, v * hi) for v, (lo, hi) in zip(w[k], x, strict=True)),
            )
            for k in range(len(w))
        ]
        after, worst_weight, worst_bias = {}, Fraction(0), Fraction(0)
        for j in read[i]:
            of_j = j if copy_of is None else int(copy_of[j])
            row, shift = (w[of_j], b[of_j]) if of_j < len(w) else ([Fraction(0)] * d, Fraction(1))
            z_j = z[of_j] if of_j < len(w) else (Fraction(1), Fraction(1))
            bias = own[j] - shift
            for c, t in enumerate(stands):
                if t == d:
                    bias += plus[j][c]
            lo = hi = size = Fraction(0)
            for k in range(d):
                sums = [
                    sum((u[j][c] for c, t in enumerate(stands) if t == k), Fraction(0))
                    for u in (plus, minus)
                ]
                errors = [s - row[k] for s in sums]
                ends = {x[k][0], x[k][1]} | ({Fraction(0)} if x[k][0] < 0 < x[k][1] else set())
                values = [errors[y < 0] * y for y in ends]
                lo, hi = lo + min(values), hi + max(values)
                error = max(
                    abs(e) for e in (errors if i == 0 and of.domain.low < 0 else errors[:1])
                )
                size += error * max(abs(x[k][0]), abs(x[k][1]))
                worst_weight = max(worst_weight, error)
            lo, hi, size = lo + bias, hi + bias, size + abs(bias)
            for c, (a, e) in delta.items():
                u = plus[j][c]
                lo, hi = lo + min(u * a, u * e), hi + max(u * a, u * e)
                size += abs(u) * max(abs(a), abs(e))
            worst_bias = max(worst_bias, abs(bias))
            if method is WEIGHT_ERROR:
                after[j] = (-size, size)
            elif i == len(layers) - 1 or (z_j[0] >= 0 and z_j[0] + lo >= 0):
                after[j] = (lo, hi)
            else:
                after[j] = (
                    max(min(lo, 0), -max(z_j[1], 0)),
                    min(max(hi, 0), max(z_j[1] + hi, 0)),
                )
        delta, stands = after, list(range(len(own))) if copy_of is None else copy_of.tolist()
        floor = Fraction(0)
        x = [(floor if method is WEIGHT_ERROR else max(a, floor), max(e, floor)) for a, e in z]
        deviation = max((max(abs(a), abs(e)) for a, e in after.values()), default=floor)
        found.append((worst_weight, worst_bias, deviation))
    return found


@pytest.mark.parametrize("method", [DIFFERENTIAL_INTERVAL, WEIGHT_ERROR])
@pytest.mark.parametrize("seed", range(4))
def test_three_propagations_agree_and_nothing_less_passes(tmp_path: Path, seed, method) -> None:
    of = target(INNER, DOMAINS[seed % 2], seed=seed)
    made = random_ticket(seed)
    proved = certify(made, of, method=method)
    third = by_definition(of, made, method)
    assert [(s.weight_error, s.bias_error, s.deviation) for s in proved.steps] == third
    path = tmp_path / "proof.json"
    for i, name in itertools.product(range(3), ("weight_error", "bias_error", "deviation")):
        document = json.loads(json.dumps(proved.document()))
        said = Fraction(document["steps"][i][name])
        if said:
            document["steps"][i][name] = str(said * (1 - Fraction(1, 10**30)))
            path.write_bytes(seal(document))
            with pytest.raises(RefutedError, match=f"layer {i}: the {name.replace('_', ' ')}"):
                recheck(path)


# Copies that are what they are claimed to be: the bound is 0


def exact_ticket(seed: int = 0) -> tuple[Ticket, Target]:
    """Signs, and a target with small whole weights that every copy meets exactly.

    Hidden layer of the target: 2 neurons, biases; copies 0 0 0 0 1 1 1 1 and the constant twice;
    the output's bias is carried by the constant. One more copy of neuron 0 is read by nobody and
    keeps nothing.
    """
    rng = np.random.default_rng(seed)
    w, b = rng.integers(-2, 3, (2, 2)), rng.integers(-2, 3, 2)
    out, shift = rng.integers(1, 3, (1, 2)) * rng.choice([-1, 1], (1, 2)), np.array([1])
    of = Target(
        [tuple(a.astype(np.float32) for a in pair) for pair in ((w, b), (out, shift))], Box(-1, 1)
    )
    copy_of = np.array([0] * 4 + [1] * 4 + [2] * 2 + [0])
    network = Network.mlp(
        (2, 60, 11, 1), laws=SignedConstant(1.0), seed=seed, biases=(True, False, False)
    )
    bits = {name: np.zeros(network[name].shape, bool) for name in network.masked}
    first, own = network.weights("layers.0.weight"), network.weights("layers.0.bias")
    second, third = network.weights("layers.1.weight"), network.weights("layers.2.weight")
    for h in range(60):  # neuron h reads input h % 3, or its bias
        if h % 3 < 2:
            bits["layers.0.weight"][h, h % 3] = True
        else:
            bits["layers.0.bias"][h] = own[h] > 0
    for c, t in enumerate(copy_of[:10]):
        wanted = np.append(w[t], b[t]) if t < 2 else np.array([0, 0, 1])
        for k, value in enumerate(wanted):
            for sign in (1, -1):  # on both sides of 0 the same
                a = first[:, k] if k < 2 else own
                fits = (np.arange(60) % 3 == k) & (a == sign) & (a * second[c] == np.sign(value))
                if k == 2 and sign < 0:
                    continue
                bits["layers.1.weight"][c, np.flatnonzero(fits)[: abs(value)]] = True
    for t, value in enumerate([*out[0], *shift]):
        fits = np.flatnonzero((copy_of[:10] == t) & (third[0, :10] == np.sign(value)))
        assert fits.size >= abs(value), "choose another seed"
        bits["layers.2.weight"][0, fits[: abs(value)]] = True
    provenance = {"blocks": [2, 1], "copies": [runs(copy_of)]}
    return Ticket(network, Mask.dense(bits), provenance=provenance), of


EXACT, OF = exact_ticket(8)
PROVED = certify(EXACT, OF, 0.0, method=DIFFERENTIAL_INTERVAL)


def test_copies_without_error(tmp_path: Path) -> None:
    for x in points(OF.domain, 2, np.random.default_rng(0), 5):
        assert outputs(EXACT, x) == outputs(OF, x)
    for method in (None, WEIGHT_ERROR):
        proved = certify(EXACT, OF, 0.0, method=method)
        assert proved.exact_bound == 0
        assert proved.holds
        assert [step.deviation for step in proved.steps] == [0, 0]
        assert recheck(proved.save(tmp_path / "proof.json"), OF).holds
    ball = Target([(w, b) for w, b in zip(OF.weights, OF.biases, strict=True)], Ball(1.0))
    proved = certify(EXACT, ball)
    assert recheck(proved.save(tmp_path / "proof.json"), ball).bound == 0


@pytest.mark.parametrize("nothing", [["2.weight"], ["1.weight"], ["0.weight", "0.bias"]], ids=str)
@pytest.mark.parametrize("method", [DIFFERENTIAL_INTERVAL, WEIGHT_ERROR])
def test_layers_of_which_nothing_is_kept(tmp_path: Path, nothing: list[str], method: Any) -> None:
    """With no copies read, or copies that are 0: g = 0."""
    bits = {name: EXACT.mask[name].dense().copy() for name in EXACT.mask}
    for name in nothing:
        bits[f"layers.{name}"][:] = False
    made = replace(EXACT, mask=Mask.dense(bits))
    proved = certify(made, OF, method=method)
    largest = max(gap(made, OF, x) for x in points(OF.domain, 2, np.random.default_rng(0), 4))
    assert 0 < largest <= proved.exact_bound**2
    if nothing == ["2.weight"]:
        assert proved.steps[0].deviation == 0  # nobody reads what the first block makes
    assert recheck(proved.save(tmp_path / "proof.json"), OF).bound == proved.exact_bound


def test_attack_finds_nothing_where_the_bound_is_zero() -> None:
    assert attack(EXACT, OF, starts=3, steps=3).exact_distance == 0
    other = Target([(w + 1, b) for w, b in zip(OF.weights, OF.biases, strict=True)], OF.domain)
    found = attack(EXACT, other, starts=3, steps=3)
    assert 0 < found.exact_distance <= certify(EXACT, other).exact_bound


def copies_of(d: Document) -> np.ndarray:
    return ints(d["copies"][0]).copy()


def claim_copies(change):
    def lie(d: Document) -> None:
        d["copies"][0] = pack_i4(change(copies_of(d)))

    return lie


def test_every_lie_about_one_copy_is_refuted_or_harmless(tmp_path: Path) -> None:
    """Claims of bound 0: only those about the copy that nobody reads pass, and they are true."""
    read = EXACT.mask["layers.2.weight"].dense()[0]
    for c in range(11):
        for stands in range(3):
            if stands == copies_of(PROVED.document())[c]:
                continue

            def one(now: np.ndarray, c: int = c, stands: int = stands) -> np.ndarray:
                now[c] = stands
                return now

            path = forge(PROVED, claim_copies(one), tmp_path / "proof.json")
            if read[c]:
                with pytest.raises(RefutedError, match=r"layer [01]: the (weight|bias) error is"):
                    recheck(path)
            else:
                assert recheck(path).bound == 0


def test_no_claim_of_copies_makes_a_false_bound(tmp_path: Path) -> None:
    """A target that is another network, bound 0: refuted whatever the copies are said to be."""
    values = np.frombuffer(OF.raw, "<f4").copy()
    values[0] += 1
    rng = np.random.default_rng(0)
    document = PROVED.document()
    document["target"]["data"] = certificate_module.pack(values.tobytes())
    for _ in range(60):
        document["copies"] = [pack_i4(rng.integers(0, 3, 11))]
        path = tmp_path / "proof.json"
        path.write_bytes(press(document))
        with pytest.raises(RefutedError, match="error is"):
            recheck(path)


REFUTED = {
    "swapped": (claim_copies(lambda c: np.concatenate([c[4:8], c[:4], c[8:]])), "error is"),
    "rotated": (claim_copies(lambda c: np.roll(c, 1)), "error is"),
    "all the constant": (claim_copies(lambda c: 0 * c + 2), "error is"),
    "past the constant": (claim_copies(lambda c: c + 1), "neurons that there are not"),
    "negative": (claim_copies(lambda c: c - 1), "neurons that there are not"),
    "too few": (claim_copies(lambda c: c[:-1]), "neurons that there are not"),
    "none": (put("copies", [None]), "not the target's widths behind block 0"),
    "one layer more": (put("copies", [None, None]), "copies are stated for every hidden"),
    "no layer": (put("copies", []), "copies are stated for every hidden"),
}


@pytest.mark.parametrize(("lie", "message"), REFUTED.values(), ids=REFUTED)
def test_forgeries_are_refuted(tmp_path: Path, lie, message: str) -> None:
    with pytest.raises(RefutedError, match=message):
        recheck(forge(PROVED, lie, tmp_path / "proof.json"))


UNREADABLE = {
    "too many": (claim_copies(lambda c: np.append(c, 0)), "longer than"),
    "a number": (put("copies", 3), "format 1 or 2"),
    "plain list": (put("copies", [[0, 1]]), "format 1 or 2"),
}


@pytest.mark.parametrize(("lie", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(tmp_path: Path, lie, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        recheck(forge(PROVED, lie, tmp_path / "proof.json"))


def test_a_method_that_does_not_know_copies_proves_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(_confirm.METHODS, "blind", lambda layers, domain, claim: Fraction(0))
    path = forge(PROVED, put("claim", "method", "blind"), tmp_path / "proof.json")
    with pytest.raises(RefutedError, match="'blind' proves nothing where neurons are copies"):
        recheck(path)

    def blind(of, layers):
        return PROVED.exact_bound, PROVED.steps

    monkeypatch.setitem(certificate_module.METHODS, "blind", blind)
    with pytest.raises(InputError, match="the method 'blind' does not know copies"):
        certify(EXACT, OF, method=blind)


def test_a_method_may_bound_the_outputs_alone(tmp_path: Path, monkeypatch) -> None:
    """No deviations, a witness: both go through the file to the checker's method."""
    made = replace(EXACT, provenance={"blocks": [1, 1, 1]})
    of = target((2, 60, 11, 1), Box(0, 1))

    def alone(of, layers):
        bound, steps = WEIGHT_ERROR(of, layers)
        return Proved(bound, tuple(replace(s, deviation=None) for s in steps), {"said": "7/2"})

    def checker(layers, domain, claim):
        assert claim["witness"] == {"said": "7/2"}
        return weight_error_box(layers, domain)[-1]

    monkeypatch.setitem(certificate_module.METHODS, "alone", alone)
    monkeypatch.setitem(_confirm.METHODS, "alone", checker)
    proved = certify(made, of, method=alone)
    path = proved.save(tmp_path / "proof.json")
    assert (
        recheck(path).bound
        == proved.exact_bound
        == certify(made, of, method=WEIGHT_ERROR).exact_bound
    )
    with pytest.raises(RefutedError, match="proves no deviation"):
        recheck(forge(proved, put("steps", 0, "deviation", "1"), path))
    lower = str(proved.exact_bound * Fraction(999, 1000))
    with pytest.raises(RefutedError, match="the bound is"):
        recheck(forge(proved, put("claim", "bound", lower), path))


# What is refused

BAD = {
    "no list": ("0,1", "must be a list of 1, one entry for each hidden layer"),
    "two layers": ([None, None], "must be a list of 1"),
    "plain numbers": ([[0] * 11], r"copies'\]\[0\] must be run lengths"),
    "three of them": ([[[0, 1, 10]]], "must be run lengths"),
    "negative": ([[[-1, 11]]], "must be run lengths"),
    "truth": ([[[True, 11]]], "must be run lengths"),
    "too few": ([[[0, 10]]], "what 10 neurons stand for; the network has 11 there"),
    "too large": ([[[0, 1 << 40]]], "must be run lengths"),
    "past the constant": ([[[3, 11]]], "names target neuron 3; the target has 2 there"),
    "none": ([None], r"widths \(2, 11, 1\), the target has \(2, 2, 1\)"),
}


@pytest.mark.parametrize(("stated", "message"), BAD.values(), ids=BAD)
def test_bad_copies(stated: object, message: str) -> None:
    made = replace(EXACT, provenance={"blocks": [2, 1], "copies": stated})
    with pytest.raises(InputError, match=message):
        certify(made, OF)
