"""Blocks of any length: a pruned network is its collapse, bounds hold, and lies are refuted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from certificates import Document, forge, gap, ints, outputs, pack_i4, points, put, target

from strongticket import Ball, Box, Mask, Network, SignedConstant, Target, Ticket, Uniform
from strongticket.errors import InputError
from strongticket.laws import Grid, Law
from strongticket.tickets import Reading
from strongticket.verify import (
    DIFFERENTIAL_INTERVAL,
    WEIGHT_ERROR,
    Certificate,
    Collapsed,
    RefutedError,
    UnreadableError,
    _forms,
    certify,
    collapse,
    recheck,
)
from strongticket.verify._align import check_shapes
from strongticket.verify._certificate import pack, seal
from strongticket.verify._recheck._errors import in_words

UNIFORM = (Uniform(1.0), Uniform(0.5), Uniform(2.0))
SIGNS = (SignedConstant(1.0), SignedConstant(0.5), SignedConstant(4.0))
MIXED = (Grid(0.25, largest=4), SignedConstant(2.0), Uniform(1.0))


def random_ticket(
    widths: tuple[int, ...],
    blocks: list[int],
    seed: int,
    laws: tuple[Law, ...] = UNIFORM,
    *,
    biases: bool = True,
) -> Ticket:
    """A mask whose neurons inside blocks keep one input, or only weights and bias of one sign."""
    rng = np.random.default_rng(seed)
    depth = len(widths) - 1
    network = Network.mlp(
        widths, laws=[laws[i % len(laws)] for i in range(depth)], seed=seed, biases=biases
    )
    starts = set(np.cumsum([0, *blocks]).tolist())
    bits = {}
    for i in range(depth):
        name = f"layers.{i}.weight"
        w = network.weights(name)
        b = network.weights(f"layers.{i}.bias") if biases else np.zeros(len(w))
        keep, own = rng.random(w.shape) < 0.6, rng.random(len(w)) < 0.6
        if i + 1 not in starts:  # inside a block
            sign = rng.choice([-1, 1, 1, 1, 1], len(w))
            if i == 0:  # inputs of both signs: a neuron reads one of them, or its bias
                choice = rng.integers(-1, w.shape[1] + 1, len(w))
                keep, own = choice[:, None] == np.arange(w.shape[1]), choice == w.shape[1]
            else:
                keep, own = keep & (w * sign[:, None] > 0), own & (b * sign > 0)
        bits[name] = keep
        if biases:
            bits[f"layers.{i}.bias"] = own
    return Ticket(network, Mask.dense(bits), provenance={"blocks": blocks})


def collapsed_outputs(of: Ticket, x: list[Fraction]) -> list[Fraction]:
    layers = collapse(of)
    for i, layer in enumerate(layers):
        unit = Fraction(2) ** layer.exponent
        x = [
            unit
            * (int(b) + sum(int(p if v >= 0 else m) * v for p, m, v in zip(*rows, x, strict=True)))
            for *rows, b in zip(
                *(a.tolist() for a in (layer.plus, layer.minus, layer.bias)), strict=True
            )
        ]
        if i < len(layers) - 1:
            x = [max(v, Fraction(0)) for v in x]
    return x


CASES = [
    ((3, 2), [1]),
    ((3, 12, 2), [2]),
    ((2, 9, 9, 2), [3]),
    ((2, 9, 3, 2), [2, 1]),
    ((3, 4, 2), [1, 1]),
    ((2, 3, 9, 2), [1, 2]),
    ((2, 9, 9, 9, 3, 4, 9, 2, 2), [4, 1, 2, 1]),
    ((1, 7, 7, 3, 8, 8, 8, 1), [3, 4]),
]


@pytest.mark.parametrize("laws", [UNIFORM, SIGNS, MIXED], ids=["uniform", "signs", "mixed"])
@pytest.mark.parametrize(("widths", "blocks"), CASES, ids=str)
def test_collapse_is_the_network(widths, blocks, laws) -> None:
    rng = np.random.default_rng(0)
    for seed in range(4):
        made = random_ticket(widths, blocks, seed, laws, biases=seed % 2 == 0)
        for x in points(Box(-1.5, 1.0), widths[0], rng, 4):
            assert outputs(made, x) == collapsed_outputs(made, x)


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_forms_are_the_same_however_few_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    for seed, (widths, blocks) in enumerate(CASES):
        made = random_ticket(widths, blocks, seed, MIXED, biases=seed % 2 == 0)
        whole = collapse(made)
        with monkeypatch.context() as patch:
            patch.setattr(_forms, "_CHUNK", chunk)
            parts = collapse(made)
        for a, b in zip(whole, parts, strict=True):
            assert a.exponent == b.exponent
            assert all((x == y).all() for x, y in zip(wide(a), wide(b), strict=True))


def wide(layer: Collapsed) -> tuple[np.ndarray, ...]:
    return layer.plus, layer.minus, layer.bias


def test_a_deep_block_of_a_wide_input_stores_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 inputs in chains of 4 layers: as many coefficients a layer as inputs, not their square.

    What is not sparse is refused before it fills the memory.
    """
    d, depth = 300, 4
    network = Network.mlp([d] * depth + [1], laws=SignedConstant(1.0), seed=1)
    bits = {f"layers.{i}.weight": np.eye(d, dtype=bool) for i in range(depth - 1)}
    bits[f"layers.{depth - 1}.weight"] = np.ones((1, d), bool)
    made = Ticket(network, Mask.dense(bits), provenance={"blocks": [depth]})
    monkeypatch.setattr(_forms, "_LARGEST", 2 * d)
    (layer,) = collapse(made)
    for k in range(d):  # a chain passes one sign, and only where every edge behind is +1
        edges = [int(network.weights(f"layers.{i}.weight")[k, k]) for i in range(depth - 1)]
        last = int(network.weights(f"layers.{depth - 1}.weight")[0, k])
        open_ = last if min(edges[1:]) > 0 else 0
        assert layer.plus[0, k] == (open_ if edges[0] > 0 else 0)
        assert layer.minus[0, k] == (-open_ if edges[0] < 0 else 0)
    assert np.count_nonzero(layer.plus) > 20 < np.count_nonzero(layer.minus)
    for limit in ("_LARGEST", "_MOST"):
        with monkeypatch.context() as patch:
            patch.setattr(_forms, limit, d - 1)
            with pytest.raises(InputError, match="more than collapsing makes at once"):
                collapse(made)


@pytest.mark.parametrize("domain", [Box(-1.0, 0.5), Box(0.25, 1.0), Ball(1.25)], ids=str)
@pytest.mark.parametrize(("widths", "blocks"), CASES, ids=str)
def test_bounds_hold_and_are_confirmed(tmp_path: Path, widths, blocks, domain) -> None:
    boundaries = tuple(widths[i] for i in np.cumsum([0, *blocks]))
    rng = np.random.default_rng(1)
    for seed, laws in enumerate((UNIFORM, SIGNS, MIXED)):
        of = target(boundaries, domain, biases=seed != 1, seed=seed)
        made = random_ticket(widths, blocks, seed, laws)
        largest = max(gap(made, of, x) for x in points(domain, widths[0], rng, 6))
        for method in (None, WEIGHT_ERROR):
            proved = certify(made, of, method=method)
            assert largest <= proved.exact_bound**2
            found = recheck(proved.save(tmp_path / "proof.json"), of)
            assert found.bound == proved.exact_bound
            assert found.kept_weights == made.mask.kept


def own_target(made: Ticket) -> Target:
    """The collapse itself as a target; exact where the coefficients are small integers."""
    return Target(
        [
            tuple(np.ldexp(a.astype(float), part.exponent).astype(np.float32) for a in arrays)
            for part in collapse(made)
            for arrays in [(part.plus, part.bias)]
        ],
        Box(0.0, 1.0),
    )


@pytest.mark.parametrize(("widths", "blocks"), CASES, ids=str)
def test_equal_networks_are_certified_to_be_equal(tmp_path: Path, widths, blocks) -> None:
    made = random_ticket(widths, blocks, 3, SIGNS)
    of = own_target(made)
    for method in (None, WEIGHT_ERROR):
        proved = certify(made, of, 0.0, method=method)
        assert proved.exact_bound == 0
        assert proved.holds
        assert repr(proved).startswith("Certificate(bound=0, ")
        found = recheck(proved.save(tmp_path / "proof.json"), of)
        assert found.bound == 0
        assert found.holds
    with pytest.raises(RefutedError, match="layer 0: the bias error is"):
        recheck(forge(proved, other_target_bias(of), tmp_path / "proof.json"))


def other_target_bias(of: Target):
    def lie(d: Document) -> None:
        values = np.frombuffer(of.raw, "<f4").copy()
        values[of.weights[0].size] += np.float32(2.0**-20)
        d["target"]["data"] = pack(values.tobytes())

    return lie


def test_a_bound_of_zero_is_printed() -> None:
    assert in_words(Fraction(0)) == "0"


def test_sums_beyond_63_bits(tmp_path: Path) -> None:
    """Five layers of 24-bit units: 120 bits."""
    made = random_ticket((2, 9, 9, 9, 9, 2), [5], 5)
    (layer,) = collapse(made)
    assert max(abs(int(v)) for v in layer.plus.ravel()) >= 1 << 70
    x = [Fraction(1, 3), Fraction(-2, 7)]
    assert outputs(made, x) == collapsed_outputs(made, x)
    of = own_target(made)
    assert recheck(certify(made, of).save(tmp_path / "proof.json")).bound < Fraction(1, 10**6)


def test_biases_on_coarser_and_finer_grids() -> None:
    """SignedConstant weights beside Uniform biases, and the other way round."""
    for laws in (
        (SignedConstant(2.0**30), Uniform(2.0**-30)),
        (Uniform(1.0), SignedConstant(64.0)),
    ):
        for seed in range(3):
            made = random_ticket((2, 4, 3, 2), [3], seed, laws)
            parameters = tuple(
                type(p)(p.name, p.shape, laws[p.name.endswith("bias")])
                for p in made.network.parameters
            )
            network = Network(made.network.architecture, parameters, seed)
            bits = {}
            for i in range(3):  # one input each: any signs will do
                shape = network[f"layers.{i}.weight"].shape
                bits[f"layers.{i}.weight"] = np.arange(shape[1]) == np.arange(shape[0])[:, None]
                bits[f"layers.{i}.bias"] = np.arange(shape[0]) >= shape[1]
            bits["layers.2.bias"][:] = True
            changed = Ticket(network, Mask.dense(bits), provenance={"blocks": [3]})
            for x in ([Fraction(1), Fraction(-1)], [Fraction(-1, 2), Fraction(3)]):
                assert outputs(changed, x) == collapsed_outputs(changed, x)
            of = target((2, 2), Box(-1, 1))
            proved = certify(changed, of)
            assert gap(changed, of, [Fraction(1), Fraction(-1)]) <= proved.exact_bound**2


# What is refused


def hand_made(blocks: object, **keep: list[tuple[int, int]]) -> Ticket:
    """Widths 2-4-4-2 with signs; `keep` names weights of layers l0, l1, l2."""
    network = Network.mlp((2, 4, 4, 2), laws=SignedConstant(1.0), seed=2)
    bits = {name: np.zeros(network[name].shape, bool) for name in network.masked}
    for name, at in keep.items():
        for index in at:
            bits[f"layers.{name[1]}.weight"][index] = True
    return Ticket(network, Mask.dense(bits), provenance={"blocks": blocks})


def signs(layer: int) -> np.ndarray:
    return hand_made([3]).network.weights(f"layers.{layer}.weight")


def row_with_both(layer: int, rows: range = range(4)) -> tuple[int, int, int]:
    """A row of a layer, and a column each where its weight is positive and negative."""
    w = signs(layer)
    row = next(r for r in rows if w[r].min() < 0 < w[r].max())
    return row, int(w[row].argmax()), int(w[row].argmin())


def test_a_neuron_unsure_of_its_sign_is_named() -> None:
    row, plus, minus = row_with_both(1)
    feed = {"l0": [(plus, 0), (minus, 1)]}  # two inputs: their difference has no sure sign
    with pytest.raises(InputError, match=f"hidden neuron {row} of layers.1 keeps two inputs"):
        collapse(hand_made([3], **feed, l1=[(row, plus), (row, minus)], l2=[(0, row)]))
    collapse(hand_made([3], **feed, l1=[(row, plus)], l2=[(0, row)]))
    collapse(hand_made([1, 1, 1], **feed, l1=[(row, plus), (row, minus)], l2=[(0, row)]))


def test_inputs_of_the_first_block_may_be_negative_those_of_others_not() -> None:
    two = [(1, 0), (1, 1)]
    with pytest.raises(InputError, match=r"hidden neuron 1 of layers\.0 keeps two inputs"):
        collapse(hand_made([3], l0=two))
    equal = next(
        (r, *np.flatnonzero(signs(1)[r] == s)[:2].tolist())
        for r in range(4)
        for s in (1, -1)
        if (signs(1)[r] == s).sum() >= 2
    )
    row, a, b = equal
    collapse(hand_made([1, 2], l0=[(a, 0), (b, 1)], l1=[(row, a), (row, b)], l2=[(0, row)]))


def test_an_input_and_a_bias_inside_a_block() -> None:
    """Before the first block any bias spoils a neuron; behind it only one of the other sign."""
    network = Network.mlp((2, 2, 9, 2), laws=SignedConstant(1.0), seed=2, biases=True)
    bits = {name: np.zeros(network[name].shape, bool) for name in network.masked}
    for layer, blocks in ((0, [3]), (1, [1, 2])):
        w = network.weights(f"layers.{layer}.weight")[:, 0]
        b = network.weights(f"layers.{layer}.bias")
        assert {*(w * b)} == {1.0, -1.0} or not layer
        for neuron in range(len(b)):
            kept = {name: array.copy() for name, array in bits.items()}
            kept[f"layers.{layer}.weight"][neuron, 0] = kept[f"layers.{layer}.bias"][neuron] = True
            made = Ticket(network, Mask.dense(kept), provenance={"blocks": blocks})
            if layer and w[neuron] == b[neuron]:
                collapse(made)
            else:
                with pytest.raises(InputError, match=f"neuron {neuron} of layers.{layer} keeps"):
                    collapse(made)


BAD_BLOCKS = {
    "no list": ("2,1", "must be a list of integers >= 1, got '2,1'"),
    "empty": ([], "must be a list of integers >= 1"),
    "zero": ([3, 0], "must be a list of integers >= 1"),
    "true": ([True, 2], "must be a list of integers >= 1"),
    "float": ([1.0, 2], "must be a list of integers >= 1"),
    "too few": ([2], "adds up to 2, the network has depth 3"),
    "too many": ([2, 2], "adds up to 4, the network has depth 3"),
}


@pytest.mark.parametrize(("blocks", "message"), BAD_BLOCKS.values(), ids=BAD_BLOCKS)
def test_bad_blocks(blocks: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        collapse(hand_made(blocks))


def test_other_blocks_than_the_targets() -> None:
    of = target((2, 4, 2), Box(0, 1))
    with pytest.raises(InputError, match=r"widths \(2, 2\), the target has \(2, 4, 2\)"):
        certify(hand_made([3]), of)


def test_only_plain_tickets_of_relu_networks() -> None:
    made = hand_made([3], l0=[(0, 0)])
    doubled = Reading(multiples={"layers.0.weight": np.array([2], np.int32)})
    with pytest.raises(InputError, match="certificates are for plain tickets"):
        collapse(replace(made, reading=doubled))
    leaky = Network.mlp((2, 4, 4, 2), laws=SignedConstant(1.0), seed=2, activation="tanh")
    with pytest.raises(InputError, match=r"where the activation is ReLU; this .* has tanh"):
        collapse(Ticket(leaky, made.mask, provenance=made.provenance))
    of = Target([(np.zeros((2, 2), np.float32), None)], Box(0, 1), activation="tanh")
    with pytest.raises(InputError, match="those of a ReLU network; the target has tanh"):
        check_shapes(collapse(made), of)


# Forgeries


def made_certificate() -> Certificate:
    made = random_ticket((2, 6, 6, 3, 2), [3, 1], 4, SIGNS)
    return certify(made, own_target(made), 0.5, method=DIFFERENTIAL_INTERVAL)


CERTIFICATE = made_certificate()


def masks(d: Document, name: str) -> np.ndarray:
    block = next(layer for layer in d["layers"] if name in layer["masks"])
    return np.cumsum(ints(block["masks"][name])) - 1


def set_masks(d: Document, name: str, kept: np.ndarray) -> None:
    block = next(layer for layer in d["layers"] if name in layer["masks"])
    block["masks"][name] = pack_i4(np.diff(kept, prepend=-1))


def break_sign(d: Document) -> None:
    """A neuron inside the first block keeps one more weight, of the other sign."""
    made = CERTIFICATE.ticket
    units = made.network.weights("layers.1.weight")
    kept = made.mask["layers.1.weight"].dense()
    fed = made.mask["layers.0.weight"].dense()
    for row in range(len(units)):
        for a in np.flatnonzero(kept[row] & fed.any(1)):
            for b in np.flatnonzero(~kept[row] & fed.any(1)):
                inputs = fed[a].argmax(), fed[b].argmax()
                if units[row, a] * units[row, b] < 0 and inputs[0] != inputs[1]:
                    more = np.union1d(masks(d, "layers.1.weight"), [row * units.shape[1] + b])
                    return set_masks(d, "layers.1.weight", more)
    raise AssertionError("choose another seed")


def add_bias_inside(d: Document) -> None:
    """A neuron of layer 0 that keeps an input keeps its own bias as well."""
    fed = np.unique(masks(d, "layers.0.weight") // 2)
    more = np.setdiff1d(fed, masks(d, "layers.0.bias"))[:1]
    set_masks(d, "layers.0.bias", np.union1d(masks(d, "layers.0.bias"), more))


def drop_kept(name: str):
    def lie(d: Document) -> None:
        set_masks(d, name, masks(d, name)[1:])

    return lie


def flip_bias(d: Document) -> None:
    set_masks(d, "layers.3.bias", np.setxor1d(masks(d, "layers.3.bias"), [0]))


def gap_of(index: int, value: int):
    def lie(d: Document) -> None:
        gaps = ints(d["layers"][0]["masks"]["layers.0.weight"])
        gaps[index] = value
        d["layers"][0]["masks"]["layers.0.weight"] = pack_i4(gaps)

    return lie


def change_law(law: str, scale: float = 1.0):
    def lie(d: Document) -> None:
        for p in d["ticket"]["network"]["parameters"]:
            p.update(law=law, scale=scale.hex())

    return lie


REFUTED = {
    "blocks": (put("blocks", [2, 2]), "widths behind block 0|masks"),
    "one block": (put("blocks", [4]), "one block a target layer"),
    "blocks too long": (put("blocks", [3, 2]), "not the network's layers"),
    "sign broken": (break_sign, "is not sure of its sign"),
    "input and bias": (add_bias_inside, r"neuron \d+ of layers.0 is not sure of its sign"),
    "weight dropped": (drop_kept("layers.3.weight"), "layer 1: the weight error is"),
    "bias dropped": (drop_kept("layers.2.bias"), "layer 0: the bias error is"),
    "bias flipped": (flip_bias, "layer 1: the bias error is"),
    "indices not increasing": (gap_of(1, 0), "no increasing list"),
    "indices past the end": (gap_of(-1, 1000), "no increasing list"),
    "negative index": (gap_of(0, -3), "no increasing list"),
    "law": (change_law("uniform"), "layer 0: the (weight|bias) error is|not sure of its sign"),
    "law of the grid": (change_law("grid2"), "layer 0: the .* error is|not sure of its sign"),
    "scale": (change_law("signed_constant", 2.0), "layer 0: the weight error is"),
    "more copies": (put("copies", [None, None]), "copies are stated for every hidden layer"),
}


@pytest.mark.parametrize(("lie", "message"), REFUTED.values(), ids=REFUTED)
def test_forgeries_are_refuted(tmp_path: Path, lie, message: str) -> None:
    with pytest.raises(RefutedError, match=message):
        recheck(forge(CERTIFICATE, lie, tmp_path / "proof.json"))


def drop(*path: object):
    def lie(d: Document) -> None:
        *keys, last = path
        at = d
        for key in keys:
            at = at[key]
        del at[last]

    return lie


UNREADABLE = {
    "no blocks": (drop("blocks"), "blocks"),
    "no copies": (drop("copies"), "copies"),
    "old format with blocks": (put("format", 1), "blocks"),
    "a mask missing": (drop("layers", 0, "masks", "layers.1.bias"), "layers.1.bias"),
    "a mask too many": (put("layers", 0, "masks", "layers.3.bias", pack_i4([])), "layers.3.bias"),
    "blocks of zero": (put("blocks", [4, 0]), "integers >= 1"),
    "block true": (put("blocks", [3, True]), "integers >= 1"),
    "other law": (change_law("cauchy"), "knows the laws"),
    "grid without size": (change_law("grid"), "knows the laws"),
    "sized signs": (change_law("uniform3"), "knows the laws"),
    "grid of 3": (change_law("grid3"), "a power of two"),
    "grid too large": (change_law("grid33554432"), "a power of two"),
    "log-uniform without size": (change_law("log_uniform"), "knows the laws"),
    "log-uniform too wide": (change_law("log_uniform23553"), "1 to 23552 cells"),
    "law no name": (put("ticket", "network", "parameters", 0, "law", 7), "format 1 or 2"),
}


@pytest.mark.parametrize(("lie", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(tmp_path: Path, lie, message: str) -> None:
    path = tmp_path / "proof.json"
    try:
        forge(CERTIFICATE, lie, path)
    except Exception:  # the press cannot read it either
        document = CERTIFICATE.document()
        lie(document)
        path.write_bytes(seal(document))
    with pytest.raises(UnreadableError, match=message):
        recheck(path)


def test_a_target_of_one_more_input_is_refuted(tmp_path: Path) -> None:
    """An input that no weight reads: the bound would be true, of a network of other inputs."""
    of = CERTIFICATE.target
    first = np.column_stack([of.weights[0], np.zeros(len(of.weights[0]), np.float32)])
    wider = Target([(first, of.biases[0]), (of.weights[1], of.biases[1])], of.domain)

    def lie(d: Document) -> None:
        d["target"].update(widths=list(wider.widths), data=pack(wider.raw))

    with pytest.raises(RefutedError, match="not the target's widths at its inputs"):
        recheck(forge(CERTIFICATE, lie, tmp_path / "proof.json"))


def test_a_division_into_blocks_is_no_claim(tmp_path: Path) -> None:
    """The same network in other blocks with hidden layers of the same widths: true or refuted."""
    made = random_ticket((2, 2, 2, 2), [1, 2], 4, SIGNS)
    proved = certify(made, own_target(made))
    rows = outputs(made, [Fraction(1), Fraction(0)])

    def other(d: Document) -> None:
        d["blocks"] = [2, 1]
        every = {k: v for layer in d["layers"] for k, v in layer["masks"].items()}
        first = {k: v for k, v in every.items() if "layers.2" not in k}
        d["layers"] = [
            {"masks": first},
            {"masks": {k: every[k] for k in every.keys() - first.keys()}},
        ]

    assert rows == outputs(proved.target, [Fraction(1), Fraction(0)])
    with pytest.raises(RefutedError):
        recheck(forge(proved, other, tmp_path / "proof.json"))
