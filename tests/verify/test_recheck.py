"""`recheck`: it accepts what `certify` proves, alone; and every way to lie has its own error."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from certificates import (
    Document,
    forge,
    ints,
    kept_bits,
    network,
    pack_bits,
    pack_i4,
    press,
    put,
    raw,
    small,
    target,
    ticket,
)

from strongticket.networks import Network
from strongticket.targets import Ball, Box
from strongticket.verify import (
    WEIGHT_ERROR,
    RefutedError,
    UnreadableError,
    _recheck,
    certify,
    recheck,
)
from strongticket.verify._certificate import pack, seal
from strongticket.verify._recheck._file import open_document
from strongticket.verify._recheck._weights import Parameter

CERTIFICATE = small()
HONEST = CERTIFICATE.document()


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("widths", [(3, 2), (2, 3, 2), (2, 3, 2, 1)])
@pytest.mark.parametrize(
    "domain",
    [Box(0, 1), Box(-1, 0.3), Box(0.25, 0.25), Box(-2, -1), Box(0.1, 0.7), Ball(1.3), Ball(0)],
    ids=str,
)
def test_confirms_what_certify_proves(tmp_path: Path, domain, widths, biases: bool) -> None:
    of = target(widths, domain, biases=biases)
    pruned = ticket(of, pool=30)
    for method in (None, WEIGHT_ERROR):
        proved = certify(pruned, of, method=method)
        found = recheck(proved.save(tmp_path / "proof.json"), of)
        assert found.bound == proved.exact_bound
        assert found.epsilon is None
        assert not found.holds
        assert found.target_digest == of.digest
        assert found.ticket_id == pruned.ticket_id
        assert found.kept_weights == pruned.mask.kept
        assert found.subset_sums == of.parameters


@pytest.mark.parametrize(("epsilon", "holds"), [(0.5, True), (1e-9, False)])
def test_epsilon_is_compared_exactly(tmp_path: Path, epsilon: float, holds: bool) -> None:
    proved = certify(CERTIFICATE.ticket, CERTIFICATE.target, epsilon)
    found = recheck(proved.save(tmp_path / "proof.json"))
    assert found.epsilon == Fraction(epsilon)
    assert found.holds == proved.holds == holds


def test_laws_of_very_large_scale(tmp_path: Path) -> None:
    """The grid of products is coarser than 1 here: nothing may be shifted by a negative count."""
    of = target((2, 2, 1), Box(-1, 1))
    made = network(of, 20, scale=2.0**60)
    from strongticket.tickets import Mask, Ticket

    nothing = Mask.sparse({p.name: (p.shape, np.empty(0, np.int64)) for p in made.parameters})
    proved = certify(Ticket(made, nothing), of)
    assert recheck(proved.save(tmp_path / "proof.json")).bound == proved.exact_bound


# On its own


def test_imports_the_standard_library_and_numpy_alone() -> None:
    trees = [ast.parse(f.read_text()) for f in Path(_recheck.__file__).parent.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {
        name.split(".")[0]
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module if not node.level else "relative"]
        )
    }
    assert len(trees) > 5
    assert "numpy" in names
    assert names - {"numpy", "relative"} <= set(sys.stdlib_module_names)
    assert all(node.level <= 1 for node in nodes if isinstance(node, ast.ImportFrom))
    called = {
        node.func.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"__import__", "eval", "exec"}


def test_runs_without_strongticket_from_anywhere(tmp_path: Path) -> None:
    """The folder alone, copied; without `-I`'s isolation the working folder is where it lies."""
    shutil.copytree(Path(_recheck.__file__).parent, tmp_path / "_recheck")
    proof = CERTIFICATE.save(tmp_path / "proof.json")

    def run() -> subprocess.CompletedProcess[str]:
        code = "import runpy, sys; sys.modules['strongticket'] = None; "
        code += "sys.argv[0] = ''; runpy.run_module('_recheck', run_name='__main__')"
        command = [sys.executable, "-c", code, str(proof)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    good = run()
    assert good.returncode == 0
    assert good.stdout.startswith("confirmed: sup |f - g| <= ")
    assert float(good.stdout.split()[-1]) == pytest.approx(CERTIFICATE.bound)
    forge(CERTIFICATE, lower_bound, proof)
    assert (run().returncode, "refuted: the bound is" in run().stderr) == (1, True)
    proof.write_bytes(proof.read_bytes()[:-1])
    assert "unreadable: " in run().stderr


# Damage


def test_every_flipped_bit_fails(tmp_path: Path) -> None:
    """Exhaustive: each bit of a small certificate, read as the file it would be."""
    data = CERTIFICATE.to_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UnreadableError):
            open_document(bytes(flipped), "proof")
    path = tmp_path / "proof.json"
    flipped[0] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(UnreadableError, match=r"proof\.json"):
        recheck(path)


def test_every_truncation_fails() -> None:
    data = CERTIFICATE.to_bytes()
    for length in range(len(data)):
        with pytest.raises(UnreadableError, match="truncated or no certificate"):
            open_document(data[:length], "proof")


def resealed(document: bytes) -> bytes:
    import hashlib

    head = document[:-1] + b',"sha256":"'
    return head + hashlib.sha256(head).hexdigest().encode() + b'"}'


FILES = {
    "edited": (CERTIFICATE.to_bytes().replace(b'"max"', b'"min"'), "was edited"),
    "more behind": (CERTIFICATE.to_bytes() + b"\n", "does not end in its digest"),
    "empty": (b"", "truncated"),
    "spaces": (resealed(json.dumps(HONEST, sort_keys=True).encode()), "no canonical JSON"),
    "order": (resealed(json.dumps(HONEST, separators=(",", ":")).encode()), "no canonical JSON"),
    "key twice": (
        resealed(b'{"format":1,' + json.dumps(HONEST, separators=(",", ":")).encode()[1:]),
        "no canonical JSON",
    ),
    "no JSON": (resealed(b"{nothing}"), "no certificate"),
    "a list": (resealed(b"[1]"), "no certificate"),
    "deep": (resealed(b"[" * 100_000 + b"]" * 100_000), "no certificate"),
    "NaN": (resealed(b'{"format":NaN}'), "no certificate"),
    "newer": (seal({**HONEST, "format": 3}), "format 3; this checker reads 1 or 2: use a newer"),
    "format true": (seal({**HONEST, "format": True}), "format True"),
    "no format": (seal({}), "format None"),
}


@pytest.mark.parametrize(("data", "message"), FILES.values(), ids=FILES)
def test_unreadable_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(data)
    with pytest.raises(UnreadableError, match=message):
        recheck(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"cannot read .*nothing"):
        recheck(tmp_path / "nothing.json")


# Forgeries: every digest fits, and one thing is a lie


def smaller(text: str) -> str:
    return str(Fraction(text) * Fraction(999_999, 1_000_000))


def lower_bound(d: Document) -> None:
    d["claim"]["bound"] = smaller(d["claim"]["bound"])


def lower_step(layer: int, name: str):
    def lie(d: Document) -> None:
        d["steps"][layer][name] = smaller(d["steps"][layer][name])

    return lie


def change_target(index: int):
    def lie(d: Document) -> None:
        values = np.frombuffer(raw(d["target"]["data"]), "<f4").copy()
        values[index] += np.float32(0.25)
        d["target"]["data"] = pack(values.tobytes())

    return lie


def infinite_target(d: Document) -> None:
    values = np.frombuffer(raw(d["target"]["data"]), "<f4").copy()
    values[0] = np.inf
    d["target"]["data"] = pack(values.tobytes())


def change_network(**changes: object):
    def lie(d: Document) -> None:
        d["ticket"]["network"].update(changes)

    return lie


def change_parameter(index: int, **changes: object):
    def lie(d: Document) -> None:
        d["ticket"]["network"]["parameters"][index].update(changes)

    return lie


def change_scales(d: Document) -> None:
    for p in d["ticket"]["network"]["parameters"]:
        p["scale"] = (2 * float.fromhex(p["scale"])).hex()


def flip_kept(layer: int, row: int, slot: int):
    def lie(d: Document) -> None:
        d_out = d["target"]["widths"][layer + 1]
        bits = kept_bits(d["layers"][layer], d_out).copy()
        bits[row, slot] ^= 1
        d["layers"][layer]["kept"] = pack_bits(bits)

    return lie


def redirect(d: Document) -> None:
    """The first hidden neuron that reads input 0 is said to read input 1."""
    inputs = ints(d["layers"][0]["inputs"])
    inputs[np.flatnonzero(inputs == 0)[0]] = 1
    d["layers"][0]["inputs"] = pack_i4(inputs)


def move_hidden(d: Document) -> None:
    gaps = ints(d["layers"][0]["hidden"])
    at = int(np.flatnonzero(gaps[1:] > 1)[0])
    gaps[at] += 1
    gaps[at + 1] -= 1
    d["layers"][0]["hidden"] = pack_i4(gaps)


def hidden_gap(index: int, gap: int):
    def lie(d: Document) -> None:
        gaps = ints(d["layers"][0]["hidden"])
        gaps[index] = gap
        d["layers"][0]["hidden"] = pack_i4(gaps)

    return lie


def input_number(layer: int, number: int):
    def lie(d: Document) -> None:
        inputs = ints(d["layers"][layer]["inputs"])
        inputs[0] = number
        d["layers"][layer]["inputs"] = pack_i4(inputs)

    return lie


def padding(d: Document) -> None:
    bits = bytearray(raw(d["layers"][0]["kept"]))
    d["layers"][0]["kept"] = pack(bytes(bits) + b"\0")


def padding_bit(d: Document) -> None:
    bits = bytearray(raw(d["layers"][1]["kept"]))
    live = len(ints(d["layers"][1]["inputs"]))
    assert live % 8, "choose another seed: the bits must end inside a byte"
    bits[-1] |= 128
    d["layers"][1]["kept"] = pack(bytes(bits))


def extra_layer_in_the_network(d: Document) -> None:
    """A last random layer of which nothing is kept: the real network outputs 0."""
    spec = d["ticket"]["network"]
    *_, last = spec["architecture"]["widths"]
    spec["architecture"]["widths"].append(3)
    spec["architecture"]["biases"].append(False)
    more = {**spec["parameters"][-1], "name": "layers.4.weight", "shape": [3, last]}
    spec["parameters"].append(more)


def second_bias(masked: bool):
    """A bias behind the second sub-layer; if it is not masked, all of it stays."""

    def lie(d: Document) -> None:
        spec = d["ticket"]["network"]
        spec["architecture"] = (
            {"name": "model", "class": "M"} if not masked else spec["architecture"]
        )
        spec["parameters"][0]["masked"] = masked

    return lie


def drop(*path: object):
    def lie(d: Document) -> None:
        *keys, last = path
        at = d
        for key in keys:
            at = at[key]
        del at[last]

    return lie


def widen(d: Document) -> None:
    d["target"]["domain"]["high"] = float.hex(4.0)


def no_weights_at_all(d: Document) -> None:
    for layer in d["layers"]:
        layer.update(hidden=pack_i4([]), inputs=pack_i4([]), kept=pack(b""))


REFUTED = {
    "bound": (lower_bound, r"the bound is .*, not"),
    "weight error, layer 0": (lower_step(0, "weight_error"), "layer 0: the weight error is"),
    "weight error, layer 1": (lower_step(1, "weight_error"), "layer 1: the weight error is"),
    "bias error, layer 0": (lower_step(0, "bias_error"), "layer 0: the bias error is"),
    "bias error, layer 1": (lower_step(1, "bias_error"), "layer 1: the bias error is"),
    "deviation, layer 0": (lower_step(0, "deviation"), "layer 0: the deviation is"),
    "deviation, layer 1": (lower_step(1, "deviation"), "layer 1: the deviation is"),
    "target weight": (change_target(0), "layer 0: the weight error is"),
    "target bias": (change_target(4), "layer 0: the bias error is"),
    "target weight, last layer": (change_target(6), "layer 1: the weight error is"),
    "infinite target": (infinite_target, "weights that are not finite"),
    "seed": (change_network(seed=6), "layer 0: the weight error is"),
    "law scales": (change_scales, "layer 0: the weight error is"),
    "flipped kept bit": (flip_kept(0, 0, 1), "layer 0: the (weight|bias) error is"),
    "flipped kept bit, last layer": (flip_kept(1, 0, 2), "layer 1: the (weight|bias) error is"),
    "redirected neuron": (redirect, "layer 0: the weight error is"),
    "moved neuron": (move_hidden, "layer 0: the (weight|bias) error is"),
    "nothing kept": (no_weights_at_all, "layer 0: the weight error is"),
    "hidden list not increasing": (hidden_gap(1, 0), "layer 0: .* no increasing list"),
    "hidden list going back": (hidden_gap(1, -1), "layer 0: .* no increasing list"),
    "hidden neuron past the end": (hidden_gap(-1, 1000), "layer 0: .* no increasing list"),
    "negative hidden neuron": (hidden_gap(0, -5), "layer 0: .* no increasing list"),
    "input past the end": (input_number(0, 3), "layer 0: .* an input that there is not"),
    "negative input": (input_number(0, -1), "layer 0: .* an input that there is not"),
    "too few kept bits": (put("layers", 0, "kept", pack(b"\0")), "layer 0: the kept bits"),
    "too many kept bits": (padding, "layer 0: the kept bits"),
    "kept bits in the padding": (padding_bit, "layer 1: the kept bits"),
    "method": (put("claim", "method", "sampling"), "'sampling' proves nothing on a box"),
    "norm": (put("claim", "norm", "euclidean"), "norm of a box is not 'euclidean'"),
    "empty box": (put("target", "domain", "high", float.hex(-2.0)), "the box is empty"),
    "wider box": (widen, "layer 0: the deviation is"),
    "missing step": (drop("steps", 0), "2 layers needs as many steps, got 1"),
    "missing last step": (drop("steps", 1), "as many steps, got 1"),
    "more steps": (lambda d: d["steps"].append(d["steps"][0]), "as many steps, got 3"),
    "missing layer": (drop("layers", 1), "2 layers need as many masks"),
    "more layers": (lambda d: d["layers"].append(d["layers"][0]), "need as many masks"),
    "extra random layer": (extra_layer_in_the_network, "blocks are not the network's layers"),
    "not masked": (change_parameter(0, masked=False), "layers.0.weight is not masked"),
    "parameter shape": (change_parameter(0, shape=[2, 60]), "not those of its architecture"),
    "parameter name": (change_parameter(0, name="w"), "not those of its architecture"),
    "parameter twice": (
        lambda d: d["ticket"]["network"]["parameters"].append(
            d["ticket"]["network"]["parameters"][0]
        ),
        "not those of its architecture|network's digest",
    ),
    "missing parameter": (
        lambda d: d["ticket"]["network"]["parameters"].pop(),
        "not those of its architecture|network's digest",
    ),
    "architecture": (
        put("ticket", "network", "architecture", "name", "cnn"),
        "not those of its architecture|network's digest",
    ),
    "seed beyond 64 bits": (change_network(seed=1 << 70), "is no seed"),
    "negative seed": (change_network(seed=-1), "is no seed"),
    "seed true": (change_network(seed=True), "is no seed"),
}


@pytest.mark.parametrize(("lie", "message"), REFUTED.values(), ids=REFUTED)
def test_forgeries_are_refuted(tmp_path: Path, lie, message: str) -> None:
    with pytest.raises(RefutedError, match=message):
        recheck(forge(CERTIFICATE, lie, tmp_path / "proof.json"))


def test_the_press_prints_certificates_that_pass(tmp_path: Path) -> None:
    """Without a lie the press gives the honest file back, byte for byte: its digests are right."""
    path = forge(CERTIFICATE, lambda d: None, tmp_path / "proof.json")
    assert path.read_bytes() == CERTIFICATE.to_bytes()
    assert recheck(path).bound == CERTIFICATE.exact_bound


LIES_OF_DIGESTS = {
    "target digest": (put("target", "digest", "0" * 64), "target's digest is not that"),
    "target weight": (change_target(0), "target's digest is not that"),
    "domain": (widen, "target's digest is not that"),
    "seed": (change_network(seed=6), "network's digest is not that"),
    "scale": (change_parameter(0, scale=float.hex(2.0)), "network's digest is not that"),
    "network digest": (put("ticket", "network_digest", "0" * 64), "network's digest is not that"),
    "kept digest": (put("ticket", "kept_digest", "0" * 64), "kept weights, .* another digest"),
    "kept bit": (flip_kept(0, 0, 1), "kept weights, .* another digest"),
    "redirected neuron": (redirect, "kept weights, .* another digest"),
    "kept count": (put("ticket", "kept", "layers.0.weight", 3), "another number of weights"),
    "ticket id": (put("ticket_id", "0" * 64), "ticket_id is not that"),
    "provenance": (put("ticket", "provenance", {"construction": "magic"}), "ticket_id is not that"),
    "objective": (put("ticket", "provenance", "objective", "none"), "ticket_id is not that"),
}


@pytest.mark.parametrize(("lie", "message"), LIES_OF_DIGESTS.values(), ids=LIES_OF_DIGESTS)
def test_digests_that_do_not_fit_are_refuted(tmp_path: Path, lie, message: str) -> None:
    with pytest.raises(RefutedError, match=message):
        recheck(forge(CERTIFICATE, lie, tmp_path / "proof.json", digests=False))


UNREADABLE = {
    "law": (change_parameter(0, law="cauchy"), "knows the laws "),
    "scale no power of two": (
        change_parameter(0, scale=float.hex(0.75)),
        "knows the laws ",
    ),
    "scale negative": (change_parameter(0, scale=float.hex(-1.0)), "knows the laws "),
    "scale huge": (change_parameter(0, scale=float.hex(2.0**200)), "knows the laws "),
    "generator": (change_network(generator="mt19937"), "makes weights by philox4x32-10/v1"),
    "more about the claim": (put("claim", "surely", "yes"), "surely"),
    "a witness that nobody reads": (put("claim", "witness", {}), "witness"),
    "more in a layer": (put("layers", 0, "more", 1), "more"),
    "more in all": (put("more", 1), "more"),
    "no target": (drop("target"), "certificate"),
    "bound as text": (put("claim", "bound", "small"), "fraction of two whole numbers, got 'small'"),
    "bound as NaN": (put("claim", "bound", "nan"), "got 'nan'"),
    "bound as exponent": (put("claim", "bound", "1e999999999"), "got '1e999999999'"),
    "negative bound": (put("claim", "bound", "-1"), "got '-1'"),
    "bound over zero": (put("claim", "bound", "1/0"), "ZeroDivisionError"),
    "bound as number": (put("claim", "bound", 0.5), "not a certificate of format 1"),
    "negative epsilon": (put("claim", "epsilon", "-1/2"), "got '-1/2'"),
    "infinite box": (put("target", "domain", "high", "inf"), "float.hex"),
    "other domain": (put("target", "domain", "kind", "sphere"), "a box or a ball, got 'sphere'"),
    "widths of zero": (put("target", "widths", [2, 0, 1]), "widths are integers >= 1"),
    "widths below zero": (put("target", "widths", [2, -1, 1]), "widths are integers >= 1"),
    "float widths": (put("target", "widths", [2.0, 2, 1]), "widths are integers >= 1"),
    "target cut": (put("target", "data", pack(b"\0" * 8)), "not a certificate of format 1"),
    "no base64": (put("target", "data", "***"), "not a certificate of format 1"),
    "no deflate": (put("layers", 0, "kept", "AAAA"), "not a certificate of format 1"),
    "odd list": (put("layers", 0, "inputs", pack(b"123")), "not a certificate of format 1"),
    "steps no list": (put("steps", 0, "deviation", None), "not a certificate of format 1"),
}


@pytest.mark.parametrize(("lie", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_malformed_certificates(tmp_path: Path, lie, message: str) -> None:
    path = tmp_path / "proof.json"
    document = json.loads(json.dumps(HONEST))
    lie(document)
    try:
        path.write_bytes(press(document))
    except Exception:  # the press needs what is missing here: seal it as it is
        path.write_bytes(seal(document))
    with pytest.raises(UnreadableError, match=message):
        recheck(path)


def test_a_negative_radius_is_refuted(tmp_path: Path) -> None:
    ball = small(Ball(1.0))
    lie = put("target", "domain", "radius", float.hex(-1.0))
    with pytest.raises(RefutedError, match="radius is negative"):
        recheck(forge(ball, lie, tmp_path / "proof.json"))
    method = put("claim", "method", "differential interval")
    with pytest.raises(RefutedError, match="proves nothing on a ball"):
        recheck(forge(ball, method, tmp_path / "proof.json"))
    with pytest.raises(RefutedError, match="norm of a ball is not 'max'"):
        recheck(forge(ball, put("claim", "norm", "max"), tmp_path / "proof.json"))


def test_a_smaller_box_is_another_target(tmp_path: Path) -> None:
    """True of the smaller box, so alone it passes; not of the target that was asked about."""
    path = forge(
        CERTIFICATE, put("target", "domain", "low", float.hex(-0.5)), tmp_path / "proof.json"
    )
    assert recheck(path).target_digest != CERTIFICATE.target.digest
    with pytest.raises(RefutedError, match="about another target than the one given"):
        recheck(path, CERTIFICATE.target)
    assert recheck(CERTIFICATE.save(path), CERTIFICATE.target).bound == CERTIFICATE.exact_bound


def test_looser_claims_are_true(tmp_path: Path) -> None:
    def looser(d: Document) -> None:
        d["claim"]["bound"] = str(2 * Fraction(d["claim"]["bound"]))
        d["steps"][0]["deviation"] = str(2 * Fraction(d["steps"][0]["deviation"]))

    found = recheck(forge(CERTIFICATE, looser, tmp_path / "proof.json"))
    assert found.bound == 2 * CERTIFICATE.exact_bound


def test_more_than_63_bits_can_number_is_unreadable(tmp_path: Path) -> None:
    def lie(d: Document) -> None:
        spec = d["ticket"]["network"]
        width = 1 << 62
        spec["architecture"]["widths"][1] = width
        for index, shape in ((0, [width, 2]), (1, [width]), (2, [2, width])):
            spec["parameters"][index]["shape"] = shape

    with pytest.raises(UnreadableError, match="more weights than 63 bits can number"):
        recheck(forge(CERTIFICATE, lie, tmp_path / "proof.json"))


def test_own_words_are_the_networks() -> None:
    made = Network.mlp((7, 30), laws=CERTIFICATE.ticket.network.parameters[0].law, seed=9)
    spec = made.spec()["parameters"][0]
    parameter = Parameter(9, spec)
    at = np.array([0, 209, 3, 3, 77])
    assert parameter.units(at).tolist() == made.units_at("layers.0.weight", at).tolist()
    with pytest.raises(RefutedError, match="no weights with the indices"):
        parameter.units(np.array([210]))


def test_fuzzed_documents_never_escape(tmp_path: Path) -> None:
    """Each leaf of the document becomes each of a few strange values: only our two errors."""
    path = tmp_path / "proof.json"
    strange = [None, True, -1, 2.5, 1 << 80, "x", [1, 2], {"a": 1}, pack(b"")]

    def leaves(value: object, at: tuple[object, ...]):
        if isinstance(value, dict) and value:
            for key in value:
                yield from leaves(value[key], (*at, key))
        elif isinstance(value, list) and value:
            for i in range(len(value)):
                yield from leaves(value[i], (*at, i))
        else:
            yield at

    accepted = []
    honest = json.loads(json.dumps(HONEST))
    for at in leaves(honest, ()):
        for value in strange:
            document = json.loads(json.dumps(HONEST))
            put(*at, value)(document)
            if json.dumps(document) == json.dumps(honest):
                continue
            try:
                path.write_bytes(press(document))
            except Exception:
                path.write_bytes(seal(document))
            try:
                recheck(path)
            except (RefutedError, UnreadableError):
                continue
            accepted.append(at)
    # What says nothing about the claim: how the ticket was found, its format and buffers, no
    # epsilon; and the digests, which the press makes new.
    free = {"provenance", "buffers", "format", "network_digest", "kept_digest", "kept"}
    free_paths = {("ticket", name) for name in free}
    free_paths |= {("claim", "epsilon"), ("target", "digest"), ("ticket_id",)}
    assert not [at for at in accepted if at[:2] not in free_paths]
