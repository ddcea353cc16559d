"""Tickets whose kept weights are redrawn, multiplied, made binary or rescaled."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from strongticket import canonical, philox
from strongticket.errors import FileError, InputError
from strongticket.laws import Law, Normal, SignedConstant, Uniform
from strongticket.networks import Network
from strongticket.tickets import Mask, Reading, Ticket, _file, _numbers, _ticket

NETWORK = Network.mlp((4, 6, 2), laws=Normal(0.7), seed=5)
NAMES = NETWORK.masked
KEPT = {"layers.0.weight": 13, "layers.1.weight": 7}
ROUNDS = {
    "layers.0.weight": np.array([0, 3, 0, 0, 1, 0, 300, 0, 3, 0, 0, 2, 0]),
    "layers.1.weight": np.array([0, 0, 0, 0, 0, 0, 9]),
}
MULTIPLES = {
    "layers.0.weight": np.array([1, -1, 3, 1, 1, 2, 1, -1, 1, 1, 1, 1, 2]),
    "layers.1.weight": np.array([-1] * 7),
}


def mask(seed: int = 1) -> Mask:
    rng = np.random.default_rng(seed)
    found = {}
    for name, kept in KEPT.items():
        flat = np.zeros(NETWORK[name].numel, bool)
        flat[rng.permutation(flat.size)[:kept]] = True
        found[name] = flat.reshape(NETWORK[name].shape)
    return Mask.dense(found)


READINGS = {
    "rounds": Reading(rounds=ROUNDS),
    "multiples": Reading(multiples=MULTIPLES),
    "binary": Reading(gain="binary"),
    "inverse density": Reading(gain="inverse density"),
    "all": Reading(ROUNDS, MULTIPLES, "inverse density"),
    "all binary": Reading(ROUNDS, MULTIPLES, "binary"),
}


def loaded(data: bytes) -> Ticket:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ticket, "read_whole", lambda _: data)
        return Ticket.load("t.safetensors")


def by_hand(ticket: Ticket, name: str) -> list[float]:
    """The formula, one entry at a time, the gain exact until it is rounded."""
    network, reading, law = ticket.network, ticket.reading, ticket.network[name].law
    indices = ticket.mask[name].indices().tolist()
    rounds = reading.rounds.get(name, np.zeros(len(indices), int)).tolist()
    multiples = reading.multiples.get(name, np.ones(len(indices), int)).tolist()
    units = []
    for i, t in zip(indices, rounds, strict=True):
        purpose = f"weights round {t}" if t else "weights"
        word = philox.words(network.seed, philox.stream(purpose, name), i, 1)
        units.append(int(law.units(word)[0]))
    assert law.scale is not None
    size = np.float32(float(Fraction(sum(map(abs, units)), len(units)) / 2**law.grid) * law.scale)
    found = []
    for unit, m in zip(units, multiples, strict=True):
        if reading.gain == "binary":
            w = np.float32(np.sign(unit)) * size
        else:
            w = np.float32(unit * 2.0**-law.grid) * np.float32(law.scale)
        if reading.gain == "inverse density":
            w = w * np.float32(network[name].numel / len(indices))
        found.append(float(w * np.float32(m)))
    return found


@pytest.mark.parametrize("law", [Normal(0.7), Uniform(0.25), SignedConstant(0.3)], ids=repr)
@pytest.mark.parametrize("name", READINGS)
def test_kept_weights_follow_the_formula(name: str, law: Law, tmp_path: Path) -> None:
    network = Network.mlp((4, 6, 2), laws=law, seed=5)
    ticket = Ticket(network, mask(), provenance={"by": name}, reading=READINGS[name])
    for parameter in NAMES:
        assert ticket.kept_weights(parameter).tolist() == by_hand(ticket, parameter)
    back = Ticket.load(ticket.save(tmp_path / "t"))
    assert back == ticket
    assert (back.ticket_id, hash(back)) == (ticket.ticket_id, hash(ticket))
    assert back.reading == ticket.reading
    assert back.save(tmp_path / "u").read_bytes() == (tmp_path / "t").read_bytes()
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(back.compact()(x), ticket.module()(x))
    first = ticket.module().layers[0].weight.numpy().reshape(-1)  # type: ignore[union-attr,operator]
    assert first[ticket.mask[NAMES[0]].indices()].tolist() == by_hand(ticket, NAMES[0])
    assert np.count_nonzero(first) == KEPT[NAMES[0]]


def test_the_mean_magnitude_is_exact_for_many_weights() -> None:
    network = Network.mlp((500, 900, 3), laws=Normal(0.123), seed=8)
    everything = {n: np.ones(network[n].shape, bool) for n in network.masked}
    ticket = Ticket(network, Mask.dense(everything), reading=Reading(gain="binary"))
    name = network.masked[0]
    kept = ticket.kept_weights(name)
    units = network.units(name, 0, kept.size).tolist()
    scale = network[name].law.scale
    assert scale is not None
    exact = Fraction(sum(map(abs, units)), len(units)) * Fraction(scale) / 2**20
    assert np.unique(np.abs(kept)).size == 1
    assert abs(Fraction(float(abs(kept[0]))) - exact) <= exact / 2**23
    assert (np.sign(kept) == np.sign(units)).all()


def test_a_reading_that_says_nothing_is_a_plain_ticket(tmp_path: Path) -> None:
    nothing = Reading(
        {n: np.zeros(k, int) for n, k in KEPT.items()},
        {n: np.ones(k, int) for n, k in KEPT.items()},
    )
    assert nothing.plain
    assert nothing == Reading()
    plain, other = Ticket(NETWORK, mask()), Ticket(NETWORK, mask(), reading=nothing)
    assert plain == other
    assert plain.save(tmp_path / "a").read_bytes() == other.save(tmp_path / "b").read_bytes()
    assert plain.description["format"] == 1
    assert "reading" not in plain.description
    document, tensors = opened((tmp_path / "a").read_bytes())
    assert set(document) == {"stored", "ticket", "ticket_id"}
    assert set(tensors) == {f"{n}.mask" for n in NAMES}


@pytest.mark.parametrize("name", READINGS)
def test_another_reading_is_another_ticket(name: str) -> None:
    plain = Ticket(NETWORK, mask())
    ticket = replace(plain, reading=READINGS[name])
    assert ticket != plain
    assert ticket.ticket_id != plain.ticket_id
    assert ticket.kept_digest != plain.kept_digest
    assert ticket.description["format"] == 2
    assert "not plain" in repr(ticket)
    for again in (copy.copy(ticket), copy.deepcopy(ticket), pickle.loads(pickle.dumps(ticket))):
        assert again == ticket
        assert again.reading == ticket.reading


def test_a_reading_is_locked() -> None:
    mine = {NAMES[1]: np.arange(7)}
    reading = Reading(rounds=mine)
    mine[NAMES[1]][3] = 99
    assert reading.rounds[NAMES[1]].tolist() == list(range(7))
    with pytest.raises(ValueError, match="read-only"):
        reading.rounds[NAMES[1]][0] = 1
    with pytest.raises(TypeError):
        reading.rounds["more"] = mine[NAMES[1]]  # type: ignore[index]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Reading(gain="double"), "gain is one of none, binary, inverse density"),
        (lambda: Reading(rounds=3), "rounds must map parameter names"),
        (lambda: Reading({NAMES[1]: np.full(7, -1)}), "in 0 .. 2"),
        (lambda: Reading({NAMES[1]: np.full(7, 1 << 31)}), "in 0 .. 2"),
        (lambda: Reading({NAMES[1]: np.ones(7)}), "flat array of integers, got float64"),
        (lambda: Reading({NAMES[1]: np.ones((7, 1), int)}), "flat array of integers"),
        (lambda: Reading({}, {NAMES[1]: np.arange(7)}), "integers other than 0"),
        (lambda: Reading({}, {NAMES[1]: np.full(7, 1 << 25)}), "at most 2\\^24"),
        (lambda: Ticket(NETWORK, mask(), reading=Reading({NAMES[1]: np.arange(8)})), "7 kept"),
        (lambda: Ticket(NETWORK, mask(), reading=Reading({"w": np.arange(8)})), "got some of 'w'"),
        (lambda: Ticket(NETWORK, mask(), reading="binary"), "must be a Reading, got 'binary'"),
    ],
)
def test_bad_readings(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


@pytest.mark.parametrize("name", ["all", "binary"])
def test_every_flipped_bit_of_a_reading_fails(name: str, tmp_path: Path) -> None:
    data = Ticket(NETWORK, mask(), reading=READINGS[name]).save(tmp_path / "t").read_bytes()
    assert loaded(data).reading == READINGS[name]
    rng = np.random.default_rng(0)
    bits = 8 * len(data)
    tail = range(bits - 8 * 60, bits)  # all of the numbers, and a tenth of the header
    for bit in {*tail, *rng.integers(0, bits, bits // 10).tolist()}:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FileError):
            loaded(bytes(flipped))


def opened(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"]["strongticket"]), load(data)


def closed(document: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    """The bytes of a file that says this, with the digests of its stored bytes and its id."""
    for kind, how in document.get("numbers", {}).items():
        for name, one in how.items() if isinstance(how, dict) else ():
            if f"{name}.{kind}" in tensors and "sha256" in one:
                one["sha256"] = canonical.sha256(tensors[f"{name}.{kind}"].tobytes())
    raw = [mask()[n].indices().astype("<i8").tobytes() for n in sorted(NAMES)]
    document["ticket_id"] = canonical.sha256(canonical.dumps(document["ticket"]), *raw)
    return save(tensors, metadata={"strongticket": canonical.dumps(document).decode()})


def restore_numbers(kind: str, name: str, numbers: Any, *, honest: bool) -> Any:
    """A lie: other numbers, stored well; `honest` puts their digest into the description too."""

    def lie(document: dict[str, Any], tensors: dict[str, Any]) -> None:
        array = np.array(numbers, np.int32)
        packed = _numbers.pack(array)
        tensors[f"{name}.{kind}"] = np.frombuffer(packed.data, np.uint8)
        document["numbers"][kind][name] |= {
            "low": packed.low,
            "width": packed.width,
            "deflated": packed.deflated,
        }
        if honest:
            digest = canonical.sha256(array.astype("<i4").tobytes())
            document["ticket"]["reading"][kind][name] = digest

    return lie


def put(*path: Any) -> Any:
    def lie(document: dict[str, Any], tensors: dict[str, Any]) -> None:
        *keys, last, value = path
        at = document
        for key in keys:
            at = at[key]
        at[last] = value

    return lie


def drop(*path: Any) -> Any:
    def lie(document: dict[str, Any], tensors: dict[str, Any]) -> None:
        *keys, last = path
        at = document
        for key in keys:
            at = at[key]
        del at[last]

    return lie


def padding(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    raw = tensors[f"{NAMES[1]}.multiples"]
    assert document["numbers"]["multiples"][NAMES[1]]["width"] == 0
    tensors[f"{NAMES[1]}.multiples"] = np.append(raw, np.uint8(1))


def last_bit(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    """13 numbers of 3 bits leave the last bit of 5 bytes unused."""
    array = np.array([*range(1, 8), *range(1, 7)], np.int32) - 1
    packed = _numbers.pack(array)
    assert (packed.width, packed.deflated, len(packed.data)) == (3, False, 5)
    raw = np.frombuffer(packed.data, np.uint8).copy()
    raw[-1] |= 128
    tensors[f"{NAMES[0]}.rounds"] = raw
    document["numbers"]["rounds"][NAMES[0]] |= {"low": 0, "width": 3, "deflated": False}


def drop_tensor(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    del tensors[f"{NAMES[0]}.rounds"]


FIRST, LAST = NAMES
ONES = [1] * KEPT[FIRST]
CHANGED = [0, 3, 0, 0, 1, 0, 300, 0, 3, 0, 0, 1, 0]
LIES = {
    "other rounds": (
        restore_numbers("rounds", FIRST, CHANGED, honest=False),
        "made again, have another",
    ),
    "other rounds, digest too": (
        restore_numbers("rounds", FIRST, CHANGED, honest=True),
        "the kept weights, made again, have another digest",
    ),
    "other multiples, digest too": (
        restore_numbers("multiples", LAST, [1, -1, -1, -1, -1, -1, -1], honest=True),
        "the kept weights, made again",
    ),
    "trivial multiples": (restore_numbers("multiples", FIRST, ONES, honest=True), "say nothing"),
    "a zero multiple": (
        restore_numbers("multiples", FIRST, [0, *ONES[1:]], honest=True),
        "integers other than 0",
    ),
    "negative rounds": (
        restore_numbers("rounds", FIRST, [-1, *CHANGED[1:]], honest=True),
        "rounds of .* must be in 0",
    ),
    "too few": (restore_numbers("rounds", FIRST, CHANGED[:5], honest=True), "need 4 bytes, got 2"),
    "gain": (put("ticket", "reading", "gain", "binary"), "the kept weights, made again"),
    "no gain known": (put("ticket", "reading", "gain", "x"), "gain is one of"),
    "no gain": (drop("ticket", "reading", "gain"), "'gain'"),
    "more said": (put("ticket", "reading", "more", 1), "its description is not that"),
    "no reading": (drop("ticket", "reading"), "'reading'"),
    "no numbers": (drop("numbers"), "'numbers'"),
    "no multiples": (drop("numbers", "multiples"), "'multiples'"),
    "more kinds": (put("numbers", "more", {}), "numbers are rounds, multiples"),
    "numbers of another": (put("numbers", "rounds", "w", {}), "holds other data"),
    "no tensor": (drop_tensor, "holds other data"),
    "padding": (padding, "need 0 bytes, got 1"),
    "last bit": (last_bit, "padding bits that are not zero"),
    "width": (put("numbers", "multiples", LAST, "width", 33), "a width in 0 .. 32"),
    "width text": (put("numbers", "multiples", LAST, "width", "1"), "a width in 0 .. 32"),
    "low float": (put("numbers", "multiples", LAST, "low", -1.0), "an integer low"),
    "low far": (put("numbers", "multiples", LAST, "low", 1 << 40), "low of 32 bits"),
    "low beyond": (put("numbers", "multiples", LAST, "low", -(1 << 70)), "low of 32 bits"),
    "low other": (put("numbers", "multiples", LAST, "low", -2), "the kept weights, made|not that"),
    "deflated": (put("numbers", "multiples", LAST, "deflated", 1), "how numbers are stored|infl"),
    "deflated true": (put("numbers", "multiples", LAST, "deflated", True), "ends in the wrong"),
    "more of one": (put("numbers", "multiples", LAST, "more", 1), "how numbers are stored"),
    "plain format": (put("ticket", "format", 1), "holds other data"),
    "newer format": (put("ticket", "format", 3), "formats up to 2: install a newer one"),
}


@pytest.mark.parametrize(("lie", "says"), LIES.values(), ids=LIES)
def test_forged_readings_with_fitting_digests(lie: Any, says: str, tmp_path: Path) -> None:
    ticket = Ticket(NETWORK, mask(), reading=READINGS["all"])
    data = ticket.save(tmp_path / "t").read_bytes()
    document, tensors = opened(data)
    assert closed(document, tensors) == data
    lie(document, tensors)
    with pytest.raises(FileError, match=says):
        loaded(closed(document, tensors))


def test_other_rounds_that_give_equal_weights_are_noticed(tmp_path: Path) -> None:
    network = Network.mlp((4, 6, 2), laws=SignedConstant(0.3), seed=5)
    ticket = Ticket(network, mask(), reading=Reading(rounds=ROUNDS))
    document, tensors = opened(ticket.save(tmp_path / "t").read_bytes())
    found = 0
    for number in range(1, 20):
        rounds = ROUNDS[FIRST].copy()
        rounds[0] = number
        other = replace(ticket, reading=Reading({FIRST: rounds, LAST: ROUNDS[LAST]}))
        if other.kept_digest != ticket.kept_digest:
            continue
        found += 1
        forged = copy.deepcopy(document), dict(tensors)
        restore_numbers("rounds", FIRST, rounds, honest=False)(*forged)
        with pytest.raises(FileError, match="its description is not that of its contents"):
            loaded(closed(*forged))
        assert other != ticket
    assert found > 3


def test_a_plain_ticket_cannot_call_itself_another_format(tmp_path: Path) -> None:
    document, tensors = opened(Ticket(NETWORK, mask()).save(tmp_path / "t").read_bytes())
    for lie in (
        {"numbers": {"rounds": {}, "multiples": {}}},
        {"numbers": {}},
        {},
    ):
        forged = copy.deepcopy(document) | lie
        forged["ticket"]["format"] = 2
        empty = {"gain": "none", "rounds": {}, "multiples": {}}
        for reading in ({}, {"reading": empty}):
            forged["ticket"] |= reading
            with pytest.raises(FileError):
                loaded(closed(forged, tensors))


@pytest.mark.parametrize("size", [0, 1, 7, 1000])
@pytest.mark.parametrize("span", [(0, 0), (-1, 1), (0, 1), (0, 700), (-(1 << 31), (1 << 31) - 1)])
def test_numbers_are_stored_in_few_bits(size: int, span: tuple[int, int]) -> None:
    numbers = np.random.default_rng(size).integers(*span, size, endpoint=True).astype(np.int32)
    packed = _numbers.pack(numbers)
    np.testing.assert_array_equal(_numbers.unpack(packed, size), numbers)
    bits = (span[1] - span[0]).bit_length()
    assert len(packed.data) <= -(-size * bits // 8)


def test_rounds_cost_little(tmp_path: Path) -> None:
    network = Network.mlp((200, 300, 10), laws=Normal(), seed=1)
    rng = np.random.default_rng(0)
    kept = Mask.dense({n: rng.random(network[n].shape) < 0.5 for n in network.masked})
    rounds = {n: rng.geometric(0.5, kept[n].kept) - 1 for n in network.masked}
    plain, other = Ticket(network, kept), Ticket(network, kept, reading=Reading(rounds=rounds))
    sizes = [t.save(tmp_path / "t").stat().st_size for t in (plain, other)]
    assert sizes[1] - sizes[0] < kept.kept / 2 + 1000  # under four bits a kept weight
    assert _file.FORMAT == 2
