"""Tickets: the file notices every change; module(), compact() and into() are one network."""

from __future__ import annotations

import copy
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from torch import nn

from strongticket import canonical
from strongticket.errors import FileError, InputError
from strongticket.laws import Normal, SignedConstant, Uniform
from strongticket.networks import Network, Parameter, UserModel
from strongticket.tickets import Mask, Ticket, _file, _ticket

TINY = Network.mlp((2, 3, 1), laws=Uniform(), seed=1)
TICKET_ID = "469cd226ee39106ecc5f5767f462a5968bb1e12c2ebf39aabab769d82fd1d462"
KEPT_DIGEST = "39d0e30175dc6b871cfe96239e984564f889825de6bfaf7c327431e4acb58953"


def random_mask(network: Network, density: float, seed: int = 0) -> Mask:
    rng = np.random.default_rng(seed)
    return Mask.dense({n: rng.random(network[n].shape) < density for n in network.masked})


def tiny() -> Ticket:
    return Ticket(TINY, random_mask(TINY, 0.5), provenance={"a": [1, 2.5, None, "é"]})


def relayed(ticket: Ticket, path: Path) -> Ticket:
    return Ticket.load(ticket.save(path))


def loaded(data: bytes) -> Ticket:
    """`Ticket.load` of a file with these bytes, without the disk: thousands of them in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ticket, "read_whole", lambda _: data)
        return Ticket.load("t.safetensors")


@pytest.mark.parametrize("density", [0.0, 0.03, 0.5, 1.0])
@pytest.mark.parametrize("law", [Uniform(0.5), Normal(), SignedConstant()], ids=repr)
def test_round_trip(tmp_path: Path, law, density: float) -> None:
    network = Network.mlp((6, 50, 4), laws=law, seed=(1 << 64) - 1)
    ticket = Ticket(network, random_mask(network, density), provenance={"by": "hand", "n": 3})
    back = relayed(ticket, tmp_path / "t.safetensors")
    assert back == ticket
    assert hash(back) == hash(ticket)
    assert back.ticket_id == ticket.ticket_id
    assert back.kept_digest == ticket.kept_digest
    assert back.provenance == ticket.provenance
    assert (
        ticket.save(tmp_path / "u.safetensors").read_bytes()
        == (tmp_path / "t.safetensors").read_bytes()
    )


def test_dense_and_sparse_tickets_are_equal_to_the_byte(tmp_path: Path) -> None:
    dense = tiny()
    other = Mask.sparse({n: (e.shape, e.indices()) for n, e in dense.mask.items()})
    sparse = replace(dense, mask=other)
    assert sparse == dense
    assert sparse.ticket_id == dense.ticket_id
    files = [t.save(tmp_path / f"{i}").read_bytes() for i, t in enumerate((dense, sparse))]
    assert files[0] == files[1]


def test_equal_tickets_hash_alike_whatever_their_provenance() -> None:
    one, other = tiny(), replace(tiny(), provenance={"found": "elsewhere"})
    assert one == other
    assert len({one, other}) == 1
    assert one.ticket_id != other.ticket_id


def test_kept_weights_are_the_networks() -> None:
    ticket = tiny()
    for name in TINY.masked:
        np.testing.assert_array_equal(
            ticket.kept_weights(name), TINY.weights(name)[ticket.mask[name].dense()]
        )


def test_the_digests_are_literal() -> None:
    assert tiny().ticket_id == TICKET_ID
    assert tiny().kept_digest == KEPT_DIGEST


# Damage


def test_every_flipped_bit_fails(tmp_path: Path) -> None:
    data = tiny().save(tmp_path / "t.safetensors").read_bytes()
    assert loaded(data) == tiny()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FileError):
            loaded(bytes(flipped))


def test_every_truncation_fails(tmp_path: Path) -> None:
    data = tiny().save(tmp_path / "t.safetensors").read_bytes()
    for length in range(len(data)):
        with pytest.raises(FileError, match="is truncated"):
            loaded(data[:length])
    with pytest.raises(FileError, match="not a ticket file"):
        loaded(data + b"\0")


def opened(data: bytes) -> tuple[dict, dict]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return json.loads(header["__metadata__"]["strongticket"]), load(data)


def closed(document: dict, tensors: dict, *, digests: bool = True) -> bytes:
    """The bytes of a file that says this, with its digests made to fit."""
    if digests:
        for name, how in document["stored"].items():
            how["sha256"] = canonical.sha256(tensors[f"{name}.mask"].tobytes())
        raw = []
        shapes = {p["name"]: tuple(p["shape"]) for p in document["ticket"]["network"]["parameters"]}
        for name in sorted(document["stored"]):
            how, data = document["stored"][name], tensors[f"{name}.mask"].tobytes()
            form = _file._encoding.Stored(how["layout"], how["deflated"], data)
            raw.append(_file._encoding.decode(form, shapes[name]).indices().astype("<i8").tobytes())
        document["ticket_id"] = canonical.sha256(canonical.dumps(document["ticket"]), *raw)
    return save(tensors, metadata={"strongticket": canonical.dumps(document).decode()})


def put(*path: object):
    def lie(document: dict, tensors: dict) -> None:
        *keys, last, value = path
        at = document
        for key in keys:
            at = at[key]
        at[last] = value

    return lie


def store_mask(name: str, layout: str, data: bytes):
    def lie(document: dict, tensors: dict) -> None:
        tensors[f"{name}.mask"] = np.frombuffer(data, np.uint8)
        document["stored"][name].update(layout=layout, deflated=False)

    return lie


def swap_masks(document: dict, tensors: dict) -> None:
    bits = tiny().mask["layers.0.weight"].dense()
    data = np.packbits(~bits.reshape(-1), bitorder="little").tobytes()
    store_mask("layers.0.weight", "bits", data)(document, tensors)


def new_network_digest(document: dict) -> None:
    ticket = document["ticket"]
    ticket["network_digest"] = Network.from_spec(ticket["network"]).digest


def reseed(document: dict, tensors: dict) -> None:
    document["ticket"]["network"]["seed"] = 2
    new_network_digest(document)


def rescale(document: dict, tensors: dict) -> None:
    document["ticket"]["network"]["parameters"][0]["scale"] = float.hex(0.5)
    new_network_digest(document)


def tensor(name: str, value: np.ndarray):
    def lie(document: dict, tensors: dict) -> None:
        tensors[name] = value

    return lie


def as_buffer(document: dict, tensors: dict) -> None:
    tensors["x.buffer"] = np.zeros(2, np.float32)
    document["ticket"]["buffers"] = {"x": {"sha256": "0" * 64, "dtype": "<f4", "shape": [2]}}


def drop(*path: object):
    def lie(document: dict, tensors: dict) -> None:
        *keys, last = path
        at = document
        for key in keys:
            at = at[key]
        del at[last]

    return lie


# Each with stored digests and ticket_id made to fit: what is left is the lie itself.
LIES = {
    "seed": (put("ticket", "network", "seed", 2), "network's digest is not that of its weights"),
    "seed and network digest": (reseed, "kept weights, made again, have another digest"),
    "scale and network digest": (rescale, "kept weights, made again, have another digest"),
    "network digest": (put("ticket", "network_digest", "0" * 64), "network's digest"),
    "kept digest": (put("ticket", "kept_digest", "0" * 64), "kept weights, made again"),
    "mask": (swap_masks, "kept weights, made again"),
    "kept count": (put("ticket", "kept", "layers.0.weight", 1), "its description is not that"),
    "more in the ticket": (put("ticket", "more", 1), "its description is not that"),
    "seed as float": (put("ticket", "network", "seed", 1.0), "holds no ticket.*an integer"),
    "format as float": (put("ticket", "format", 1.0), "1.0 is no ticket format"),
    "format true": (put("ticket", "format", True), "True is no ticket format"),
    "newer": (put("ticket", "format", 3), "of format 3; .* formats up to 2: install a newer one"),
    "older": (put("ticket", "format", 0), "0 is no ticket format"),
    "generator": (put("ticket", "network", "generator", "mt19937"), "not 'mt19937'"),
    "scale no number": (
        put("ticket", "network", "parameters", 0, "scale", "zz"),
        "a law's specification names",
    ),
    "not masked": (put("ticket", "network", "parameters", 0, "masked", False), "all masked"),
    "architecture": (
        put("ticket", "network", "architecture", {"name": "model", "class": "M"}),
        "network's digest",
    ),
    "widths": (
        put("ticket", "network", "architecture", "widths", [2, 4, 1]),
        "those of its architecture",
    ),
    "provenance no mapping": (put("ticket", "provenance", [1]), "provenance must be a mapping"),
    "no provenance": (drop("ticket", "provenance"), "provenance"),
    "more in the document": (put("more", 1), "holds other data"),
    "more about a mask": (put("stored", "layers.0.weight", "more", 1), "how a mask is stored"),
    "deflated as number": (put("stored", "layers.0.weight", "deflated", 0), "how a mask is stored"),
    "layout": (put("stored", "layers.0.weight", "layout", "runs"), "layout is one of"),
    "mask too short": (store_mask("layers.0.weight", "bits", b""), "6 entries needs 1 bytes"),
    "mask past the end": (store_mask("layers.0.weight", "indices", b"\x06"), "has not"),
    "mask padding": (store_mask("layers.0.weight", "bits", b"\x80"), "padding bits"),
    "stray tensor": (tensor("x", np.zeros(1, np.float32)), "holds other data"),
    "stray mask": (tensor("x.mask", np.zeros(1, np.uint8)), "holds other data"),
    "stray buffer": (tensor("x.buffer", np.zeros(1, np.float32)), "holds other data"),
    "buffer with another digest": (as_buffer, "its description is not that"),
}


@pytest.mark.parametrize(("lie", "message"), LIES.values(), ids=LIES)
def test_edited_tickets_with_fitting_digests(tmp_path: Path, lie, message: str) -> None:
    path = tiny().save(tmp_path / "t.safetensors")
    document, tensors = opened(path.read_bytes())
    lie(document, tensors)
    try:
        data = closed(document, tensors)
    except (ValueError, LookupError):  # no digest fits that: those of the honest file stay
        document["stored"] = {
            n: {**how, "sha256": canonical.sha256(tensors[f"{n}.mask"].tobytes())}
            for n, how in document["stored"].items()
        }
        data = closed(document, tensors, digests=False)
    path.write_bytes(data)
    with pytest.raises(FileError, match=message):
        Ticket.load(path)


def test_closing_without_a_lie_gives_the_file_back(tmp_path: Path) -> None:
    data = tiny().save(tmp_path / "t").read_bytes()
    assert closed(*opened(data)) == data


def test_a_changed_provenance_changes_the_identity(tmp_path: Path) -> None:
    """With its digests made new it is another ticket; with the old ones it is an edited one."""
    path = tiny().save(tmp_path / "t.safetensors")
    document, tensors = opened(path.read_bytes())
    document["ticket"]["provenance"]["a"] = [1, 3.5, None, "é"]
    path.write_bytes(closed(copy.deepcopy(document), tensors, digests=False))
    with pytest.raises(FileError, match="ticket_id is not that of its contents"):
        Ticket.load(path)
    path.write_bytes(closed(document, tensors))
    assert Ticket.load(path).ticket_id != tiny().ticket_id


def test_another_spelling_of_the_mask_is_the_same_ticket(tmp_path: Path) -> None:
    """Deflate streams differ between zlib versions, so the identity does not depend on them."""
    path = tiny().save(tmp_path / "t.safetensors")
    document, tensors = opened(path.read_bytes())
    name = "layers.0.weight"
    packed = np.packbits(tiny().mask[name].dense().reshape(-1), bitorder="little")
    store_mask(name, "bits", packed.tobytes())(document, tensors)
    path.write_bytes(closed(document, tensors))
    assert Ticket.load(path).ticket_id == tiny().ticket_id


FOREIGN = {
    "empty": (b"", "truncated: 0 bytes"),
    "text": (b"this is no ticket at all", "not a ticket file"),
    "safetensors": (save({"w": np.zeros(3)}), "not a ticket file"),
    "other metadata": (save({"w": np.zeros(3)}, metadata={"format": "pt"}), "one metadata key"),
    "no JSON": (save({}, metadata={"strongticket": "{"}), "not a ticket file"),
    "a list": (save({}, metadata={"strongticket": "[]"}), "no JSON object"),
    "nothing in it": (save({}, metadata={"strongticket": "{}"}), "KeyError"),
    "numbers": (save({}, metadata={"strongticket": '{"ticket":1,"stored":2}'}), "TypeError"),
    "NaN": (
        save({}, metadata={"strongticket": '{"ticket":NaN,"stored":{},"ticket_id":1}'}),
        "not a ticket",
    ),
}


@pytest.mark.parametrize(("data", "message"), FOREIGN.values(), ids=FOREIGN)
def test_foreign_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileError, match=message):
        Ticket.load(path)


def test_extra_metadata_is_refused(tmp_path: Path) -> None:
    document, tensors = opened(tiny().save(tmp_path / "t").read_bytes())
    metadata = {"strongticket": canonical.dumps(document).decode(), "format": "pt"}
    (tmp_path / "t").write_bytes(save(tensors, metadata=metadata))
    with pytest.raises(FileError, match=r"one metadata key 'strongticket', got \['format'"):
        Ticket.load(tmp_path / "t")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read"):
        Ticket.load(tmp_path / "none")
    with pytest.raises(FileError, match="cannot read"):
        Ticket.load(tmp_path)


def test_fuzzed_documents_never_escape(tmp_path: Path) -> None:
    """Each leaf becomes each of a few strange values: FileError, or provenance."""
    path = tiny().save(tmp_path / "t")
    honest = path.read_bytes()
    accepted = []

    def leaves(value: object, at: tuple[object, ...]):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield (*at, key)
            if isinstance(inner, (dict, list)):
                yield from leaves(inner, (*at, key))

    for at in leaves(opened(honest)[0], ()):
        for value in (None, True, -1, 1.5, 1 << 80, "x", [1, 2], {"a": 1}, []):
            document, tensors = opened(honest)
            put(*at, value)(document, tensors)
            if json.dumps(document) == json.dumps(opened(honest)[0]):
                continue
            try:
                data = closed(document, tensors)
            except Exception:
                data = closed(document, tensors, digests=False)
            path.write_bytes(data)
            try:
                Ticket.load(path)
            except FileError:
                continue
            accepted.append(at)
    made_new = {"ticket_id", "sha256"}
    assert not [at for at in accepted if "provenance" not in at and at[-1] not in made_new]


# Files are written whole or not at all


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_error_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tiny().save(tmp_path / "t.safetensors")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(FileError, match=r"cannot write .*No space left"):
        replace(tiny(), provenance={}).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tiny().save(tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot write"):
        tiny().save(tmp_path / "no folder" / "t")
    with pytest.raises(FileError, match="cannot write"):
        tiny().save(tmp_path)


# Bad tickets


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ticket(TINY, Mask.dense({})), r"must name .*'layers.0.weight', .*got \[\]"),
        (
            lambda: Ticket(
                TINY,
                Mask.dense(
                    {
                        "layers.0.weight": np.ones((2, 3), bool),
                        "layers.1.weight": np.ones((1, 3), bool),
                    }
                ),
            ),
            r"layers.0.weight must have shape \(3, 2\), got \(2, 3\)",
        ),
        (lambda: replace(tiny(), provenance={"a": np.int64(1)}), "plain JSON values"),
        (lambda: replace(tiny(), provenance={"a": float("nan")}), "plain JSON values"),
        (lambda: replace(tiny(), provenance=[1]), "must be a mapping"),
    ],
)
def test_bad_tickets(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


# As modules


@pytest.mark.parametrize("density", [0.0, 0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("biases", [(True, True, True), (False, False, False), (True, False, True)])
@pytest.mark.parametrize("widths", [(4, 30, 12, 3), (1, 7, 1, 1)])
def test_module_and_compact_are_equal(widths, biases, density: float) -> None:
    network = Network.mlp(widths, laws=Uniform(), seed=2, biases=biases)
    for seed in range(3):
        ticket = Ticket(network, random_mask(network, density, seed))
        x = torch.randn(20, widths[0], generator=torch.Generator().manual_seed(seed))
        full, small = ticket.module(), ticket.compact()
        torch.testing.assert_close(small(x), full(x), rtol=1e-5, atol=1e-5)
        y = x
        for i in range(3):
            w = network.weights(f"layers.{i}.weight") * ticket.mask[f"layers.{i}.weight"].dense()
            y = y @ torch.from_numpy(w).T
            if biases[i]:
                name = f"layers.{i}.bias"
                y = y + torch.from_numpy(network.weights(name) * ticket.mask[name].dense())
            y = torch.relu(y) if i < 2 else y
        torch.testing.assert_close(full(x), y, rtol=1e-5, atol=1e-5)
        assert not any(p.requires_grad for m in (full, small) for p in m.parameters())
        sizes = [sum(p.numel() for p in m.parameters()) for m in (full, small)]
        assert density > 0.3 or sizes[1] < sizes[0]


def test_a_gadget_compacts_to_gather_and_scale_with_equal_bits() -> None:
    network = Network.mlp((3, 8, 2), laws=Uniform(), seed=0)
    first = np.zeros((8, 3), bool)
    first[[0, 2, 5], [1, 1, 0]] = True
    second = np.zeros((2, 8), bool)
    second[0, [0, 2]] = second[1, [5, 7]] = True  # neuron 7 reads nothing
    ticket = Ticket(network, Mask.dense({"layers.0.weight": first, "layers.1.weight": second}))
    small = ticket.compact()
    assert type(small.layers[0]).__name__ == "GatherScale"
    assert small.layers[1].weight.shape == (2, 3)
    x = torch.randn(9, 3)
    assert torch.equal(small(x), ticket.module()(x))


def test_a_network_too_large_for_module_still_compacts() -> None:
    network = Network.mlp((784, 360_000, 10), laws=Uniform(), seed=0)
    kept = {
        "layers.0.weight": ((360_000, 784), np.array([5 * 784 + 3, 359_999 * 784])),
        "layers.1.weight": ((10, 360_000), np.array([5, 7 * 360_000 + 359_999])),
    }
    ticket = Ticket(network, Mask.sparse(kept))
    with pytest.raises(InputError, match=r"285,840,000 weights, more than.*use compact\(\)"):
        ticket.module()
    x = torch.rand(4, 784)
    a, b = ticket.kept_weights("layers.0.weight"), ticket.kept_weights("layers.1.weight")
    y = ticket.compact()(x)
    assert torch.equal(y[:, 0], torch.relu(x[:, 3] * float(a[0])) * float(b[0]))
    assert torch.equal(y[:, 7], torch.relu(x[:, 0] * float(a[1])) * float(b[1]))
    assert not y[:, [1, 2, 3, 4, 5, 6, 8, 9]].any()


def test_a_lower_limit_can_be_asked_for() -> None:
    with pytest.raises(InputError, match="9 weights, more than the 8"):
        tiny().module(limit=8)
    tiny().module(limit=9)


# A user's own model


def batch_norm_net() -> nn.Sequential:
    layers = (nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    return nn.Sequential(*layers)


def test_into_fills_weights_constants_and_buffers(tmp_path: Path) -> None:
    model = batch_norm_net()
    network = Network.sample(model, SignedConstant(), seed=0)
    model(torch.randn(50, 3))  # moves the running statistics
    buffers = {n: b.detach().numpy().copy() for n, b in model.named_buffers()}
    mask = random_mask(network, 0.5)
    ticket = Ticket(network, mask, buffers)
    back = relayed(ticket, tmp_path / "t")
    assert back == ticket
    assert back.buffers["1.num_batches_tracked"].shape == ()
    other = batch_norm_net()
    with torch.no_grad():
        for p in other.parameters():
            p.fill_(3.0)
    assert back.into(other) is other
    for name in network.masked:
        wanted = network.weights(name) * mask[name].dense()
        np.testing.assert_array_equal(other.get_parameter(name).detach().numpy(), wanted)
    for name, value in buffers.items():
        np.testing.assert_array_equal(other.get_buffer(name).numpy(), value)
    assert (other[1].weight == 1).all()
    assert not other[0].bias.any()
    model.load_state_dict(other.state_dict())
    x = torch.randn(5, 3)
    assert torch.equal(model.eval()(x), other.eval()(x))


def test_changed_buffers_are_noticed(tmp_path: Path) -> None:
    network = Network(UserModel("M"), (Parameter("w", (2, 2), Uniform()),), 0)
    ticket = Ticket(network, random_mask(network, 0.5), {"a.b": np.arange(6.0, dtype=np.float32)})
    path = ticket.save(tmp_path / "t")
    document, tensors = opened(path.read_bytes())
    for changed in (
        tensors["a.b.buffer"].reshape(2, 3),
        tensors["a.b.buffer"].view(np.int32),
        tensors["a.b.buffer"] + 1,
    ):
        path.write_bytes(closed(copy.deepcopy(document), {**tensors, "a.b.buffer": changed}))
        with pytest.raises(FileError, match="its description is not that of its contents"):
            Ticket.load(path)


def test_buffers_are_copied_and_locked() -> None:
    network = Network(UserModel("M"), (Parameter("w", (2, 2), Uniform()),), 0)
    mine = np.arange(3.0, dtype=np.float32)
    given = {"mean": mine}
    ticket = Ticket(network, random_mask(network, 0.5), given, {"a": [1]})
    known = ticket.ticket_id
    mine[0], given["more"] = 9.0, mine
    assert list(ticket.buffers) == ["mean"]
    assert ticket.buffers["mean"].tolist() == [0.0, 1.0, 2.0]
    for again in (ticket, copy.deepcopy(ticket), pickle.loads(pickle.dumps(ticket))):
        assert again == ticket
        assert again.ticket_id == known
        with pytest.raises(ValueError, match="read-only"):
            again.buffers["mean"][0] = 1.0
        with pytest.raises(TypeError, match="item assignment"):
            again.buffers["more"] = mine


@pytest.mark.parametrize("dtype", [object, "U3", "M8[s]", np.complex128, ">f4"])
def test_buffers_that_no_file_holds(dtype: object) -> None:
    network = Network(UserModel("M"), (Parameter("w", (2, 2), Uniform()),), 0)
    with pytest.raises(InputError, match="the buffer 'x' must be an array of bool, complex64"):
        Ticket(network, random_mask(network, 0.5), {"x": np.zeros(2, dtype)})


@pytest.mark.parametrize("compiled", [False, True])
def test_into_wants_every_buffer_of_the_model(compiled: bool) -> None:
    own = batch_norm_net()
    network = Network.sample(own, Uniform(), seed=0)
    model = batch_norm_net()
    if compiled:
        model[1] = torch.compile(model[1], backend="eager")
    with torch.no_grad():
        model[1].running_mean.fill_(5.0)  # stale statistics
    before = [p.detach().clone() for p in model.parameters()]
    buffers = {n: b.numpy().copy() for n, b in own.named_buffers()}
    some = {"1.running_var": buffers["1.running_var"]}
    with pytest.raises(InputError, match=r"none for 1\.num_batches_tracked, 1\.running_mean: "):
        Ticket(network, random_mask(network, 0.5), some).into(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    model.register_buffer("cache", torch.ones(3), persistent=False)  # no part of its state
    Ticket(network, random_mask(network, 0.5), buffers).into(model)
    assert not model[1].running_mean.any()


def test_parameters_and_buffers_may_have_any_name(tmp_path: Path) -> None:
    names = ["x.buffer.weight", "x.mask", "x", "x.buffer"]
    parameters = tuple(Parameter(n, (3, 3), Uniform()) for n in names)
    network = Network(UserModel("M"), parameters, 0)
    buffers = {"x.buffer": np.zeros(2, np.float32), "x.mask": np.ones(3, np.int64)}
    ticket = Ticket(network, random_mask(network, 0.5), buffers)
    assert relayed(ticket, tmp_path / "t") == ticket


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), "3.weight .*no such parameter"),
        (
            nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)),
            r"0.weight of shape \(4, 3\), got \(5, 3\)",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.ReLU(), nn.Linear(4, 2)),
            "a buffer 1.running_mean .*no such buffer",
        ),
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(1), nn.ReLU(), nn.Linear(4, 2)),
            r"a buffer 1.running_mean of shape \(4,\), got \(1,\)",
        ),
        (nn.Sequential(*batch_norm_net(), nn.Linear(2, 2)), "knows no parameter 4.weight"),
    ],
)
def test_into_refuses_other_models(model: nn.Module, message: str) -> None:
    own = batch_norm_net()
    network = Network.sample(own, Uniform(), seed=0)
    buffers = {n: b.numpy().copy() for n, b in own.named_buffers()}
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(InputError, match=message):
        Ticket(network, random_mask(network, 0.5), buffers).into(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_module_and_compact_name_into_for_other_models() -> None:
    network = Network(UserModel("Mine"), (Parameter("w", (2, 2), Uniform()),), 0)
    ticket = Ticket(network, random_mask(network, 1.0))
    with pytest.raises(InputError, match=r"a model Mine: make one and call into\(model\)"):
        ticket.module()
    with pytest.raises(InputError, match="architectures that strongticket names"):
        ticket.compact()


def test_into_fills_an_mlp_of_the_same_names() -> None:
    network = Network.mlp((2, 3), laws=Uniform(), seed=0, biases=True)
    ticket = Ticket(network, random_mask(network, 0.5))
    model = nn.Module()
    model.layers = nn.ModuleList([nn.Linear(2, 3)])
    ticket.into(model)
    x = torch.randn(4, 2)
    torch.testing.assert_close(model.layers[0](x), ticket.module()(x))
