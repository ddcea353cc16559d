"""Masks and their stored forms: each layout round-trips, is reached, is refused when damaged."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongticket.errors import FileError, InputError
from strongticket.tickets import Entries, Mask
from strongticket.tickets import _encoding as encoding
from strongticket.tickets._encoding import Stored, decode, encode

SHAPES = st.lists(st.integers(1, 9), min_size=0, max_size=4).map(tuple)


@st.composite
def bits(draw: st.DrawFn) -> np.ndarray:
    """Arrays of all shapes and densities; rows and columns are sometimes left empty as a whole."""
    shape = draw(SHAPES | st.just((0, 3)) | st.just((3, 0)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    array = rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.97, 1.0]))
    if len(shape) > 1 and draw(st.booleans()):
        array &= rng.random(shape[0]).reshape(-1, *[1] * (len(shape) - 1)) < 0.3
    return np.asarray(array)


def sparse(array: np.ndarray) -> Entries:
    return Entries(array.shape, flat=np.flatnonzero(array))


def forms(entries: Entries) -> list[Stored]:
    """All stored forms of a mask, not the smallest alone."""
    flat = entries.indices()
    data = {
        "bits": np.packbits(entries.dense().reshape(-1), bitorder="little").tobytes(),
        "indices": encoding._leb128(np.diff(flat, prepend=-1) - 1),
        "grid": encoding._grid(entries, flat),
    }
    packed = {k: zlib.compress(v, wbits=-15) for k, v in data.items()}
    return [Stored(k, False, v) for k, v in data.items()] + [
        Stored(k, True, v) for k, v in packed.items()
    ]


@given(bits())
def test_every_stored_form_round_trips(array: np.ndarray) -> None:
    for entries in (Entries(array.shape, bits=array), sparse(array)):
        stored = encode(entries)
        every = forms(entries)
        assert len(stored.data) <= min(len(form.data) for form in every)
        for form in (stored, *every):
            back = decode(form, array.shape)
            assert back == entries
            np.testing.assert_array_equal(back.dense(), array)
            assert back.dense().shape == array.shape
            assert back.indices().dtype == np.int64


@given(bits())
def test_dense_and_sparse_are_one_mask(array: np.ndarray) -> None:
    dense, other = (
        Mask.dense({"w": array}),
        Mask.sparse({"w": (array.shape, np.flatnonzero(array))}),
    )
    assert dense == other
    assert hash(dense["w"]) == hash(other["w"])
    assert encode(dense["w"]) == encode(other["w"])
    assert dense.kept == other.kept == array.sum()
    assert dense.total == other.total == array.size
    np.testing.assert_array_equal(dense["w"].indices(), other["w"].indices())
    np.testing.assert_array_equal(dense["w"].dense(), other["w"].dense())
    if array.size:
        assert dense.density == other["w"].density == array.mean()
        assert dense.sparsity == 1.0 - dense.density
        flipped = array.copy()
        flipped.reshape(-1)[0] ^= True
        assert Mask.dense({"w": flipped}) != dense


def gadget(rows: int, columns: int, period: int) -> np.ndarray:
    """A mask like a constructed ticket's: few live columns, half of their entries kept."""
    live = np.arange(columns) % period == 0
    random = np.random.default_rng(0).random((rows, columns)) < 0.5
    kept: np.ndarray = random & live
    return kept


def random(shape: tuple[int, ...], density: float) -> np.ndarray:
    kept: np.ndarray = np.random.default_rng(1).random(shape) < density
    return kept


REACHED = {
    ("bits", False): random((40, 40), 0.5),
    ("bits", True): random((200, 200), 0.15),
    ("indices", False): random((200, 200), 0.002),
    ("indices", True): np.eye(600, dtype=bool),
    ("grid", False): random((3, 6000), 0.7) & random((6000,), 0.01),
    ("grid", True): gadget(40, 3000, 37) & (np.arange(40) % 2 == 0)[:, None] | gadget(40, 3000, 74),
}


@pytest.mark.parametrize(("form", "array"), REACHED.items(), ids=lambda f: str(f)[:20])
def test_every_form_is_the_smallest_of_some_mask(form, array: np.ndarray) -> None:
    stored = encode(sparse(array))
    assert (stored.layout, stored.deflated) == form
    assert decode(stored, array.shape) == sparse(array)


def test_sizes_are_near_the_entropy() -> None:
    array = random((300, 400), 0.05)
    entropy = -sum(p * math.log2(p) for p in (0.05, 0.95)) * array.size / 8
    assert len(encode(sparse(array)).data) < 1.25 * entropy
    live = gadget(50, 40_000, 100)  # 400 live columns: a bit an entry of them, and the list
    assert len(encode(sparse(live)).data) < 50 * 400 / 8 + 400 + 60


def test_huge_sparse_masks_are_never_dense() -> None:
    shape = (1 << 30, 1 << 20)
    entries = Entries(shape, flat=np.array([5, 1 << 40, (1 << 50) - 1]))
    stored = encode(entries)
    assert len(stored.data) < 30
    assert decode(stored, shape) == entries


def leb(*numbers: int) -> bytes:
    return encoding._leb128(np.array(numbers, np.int64))


@given(st.lists(st.integers(0, (1 << 62) - 1), max_size=20))
def test_leb128(numbers: list[int]) -> None:
    raw = np.frombuffer(leb(*numbers) + b"rest", np.uint8)
    found, rest = encoding._read_leb128(raw, len(numbers))
    assert found.tolist() == numbers
    assert rest.tobytes() == b"rest"
    assert leb(300) == b"\xac\x02"


DAMAGED = {
    "bits too short": (Stored("bits", False, b"\0"), "needs 2 bytes, got 1"),
    "bits too long": (Stored("bits", False, b"\0\0\0"), "needs 2 bytes, got 3"),
    "padding": (Stored("bits", False, b"\0\xf0"), "padding bits that are not zero"),
    "index past the end": (Stored("indices", False, leb(3, 8)), "entries that its array has not"),
    "gap past the end": (Stored("indices", False, leb(12)), "entries that its array has not"),
    "overflowing gaps": (Stored("indices", False, leb(*[(1 << 62) - 1] * 4)), "has not"),
    "inside a number": (Stored("indices", False, b"\x80"), "ends inside a number"),
    "64 bits": (Stored("indices", False, b"\x80" * 9 + b"\x01"), "over 63 bits"),
    "empty grid": (Stored("grid", False, b""), "ends inside a list"),
    "grid list": (Stored("grid", False, leb(3, 1, 0)), "ends inside a list"),
    "grid rows": (Stored("grid", False, leb(1, 1, 3, 0) + b"\1"), "has not"),
    "grid columns": (Stored("grid", False, leb(1, 1, 0, 4) + b"\1"), "has not"),
    "grid bits": (Stored("grid", False, leb(1, 1, 0, 0)), "needs 1 bytes, got 0"),
    "huge grid": (Stored("grid", False, leb((1 << 62) - 1, 1)), "ends inside a list"),
    "no deflate": (Stored("bits", True, b"\xff\xff"), "does not inflate"),
    "deflate cut": (Stored("bits", True, zlib.compress(b"\0\0", wbits=-15)[:-1]), "wrong place"),
    "deflate and more": (
        Stored("bits", True, zlib.compress(b"\0\0", wbits=-15) + b"x"),
        "wrong place",
    ),
    "deflate bomb": (Stored("bits", True, zlib.compress(b"\0" * 10**6, wbits=-15)), "wrong place"),
    "layout": (Stored("runs", False, b""), "layout is one of bits, indices, grid, got 'runs'"),
}


@pytest.mark.parametrize(("stored", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_masks(stored: Stored, message: str) -> None:
    with pytest.raises(FileError, match=message):
        decode(stored, (3, 4))


def test_no_damage_goes_unnoticed_or_escapes_as_another_error() -> None:
    """Every bit of every form: another mask, or FileError; never the same mask, no other error."""
    entries = sparse(random((5, 7), 0.2))
    for form in forms(entries):
        for bit in range(8 * len(form.data)):
            data = bytearray(form.data)
            data[bit // 8] ^= 1 << bit % 8
            try:
                back = decode(Stored(form.layout, form.deflated, bytes(data)), entries.shape)
            except FileError:
                continue
            # deflate has bits that mean nothing; the ticket file's digest of the bytes sees them
            assert form.deflated or back != entries


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Entries((2,)), "exactly one of bits and flat"),
        (
            lambda: Entries((2,), bits=np.ones(2, bool), flat=np.zeros(1, np.int64)),
            "exactly one of bits and flat",
        ),
        (lambda: Entries((2,), bits=np.ones(3, bool)), r"bool of shape \(2,\), got bool"),
        (lambda: Mask.dense({"w": np.ones(3)}), "got float64"),
        (lambda: Mask.sparse({"w": ((3,), np.array([0.0]))}), "int64 array, got float64"),
        (lambda: Mask.sparse({"w": ((3,), np.array([[0]]))}), r"got int64 of shape \(1, 1\)"),
        (
            lambda: Mask.sparse({"w": ((3,), np.array([1, 1]))}),
            r"increase strictly within 0 \.\. 2",
        ),
        (lambda: Mask.sparse({"w": ((3,), np.array([2, 1]))}), "increase strictly"),
        (lambda: Mask.sparse({"w": ((3,), np.array([3]))}), "increase strictly"),
        (lambda: Mask.sparse({"w": ((3,), np.array([-1, 0]))}), "increase strictly"),
    ],
)
def test_bad_masks(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_mask_is_a_mapping() -> None:
    mask = Mask.dense({"a": np.array([True, False]), "b": np.zeros((2, 3), bool)})
    assert list(mask) == ["a", "b"]
    assert len(mask) == 2
    assert mask["a"].kept == 1
    assert mask["a"].density == 0.5
    assert mask.density == 1 / 8
    assert Mask.dense({}).density == 0.0
    assert repr(mask) == "Mask(2 parameters, keeps 1 of 8)"
    with pytest.raises(KeyError):
        mask["c"]


def test_a_mask_does_not_change_with_the_callers_array() -> None:
    array, flat = np.array([True, False]), np.array([0])
    mask = Mask.dense({"w": array})
    other = Mask.sparse({"w": ((2,), flat)})
    array[1], flat[0] = True, 1
    assert mask == Mask.dense({"w": np.array([True, False])}) == other
    with pytest.raises(ValueError, match="read-only"):
        mask["w"].dense()[1] = True
    with pytest.raises(ValueError, match="read-only"):
        other["w"].indices()[0] = 1
