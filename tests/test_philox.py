"""The random words: Random123's vectors, three engines that agree, any slice equal to the whole."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strongticket import philox
from strongticket.errors import InputError
from strongticket.verify import _recheck

SEEDS = st.integers(0, (1 << 64) - 1)

# Known-answer vectors of Random123's philox4x32-10: counter, key, words.
PUBLISHED = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (
        [0xFFFFFFFF] * 4,
        [0xFFFFFFFF] * 2,
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    ),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]

# Our own, frozen with the format: stream of (weights, layers.0.weight), words of seed 2024.
STREAM = 0x49DD5DD75E70D41C
WORDS = [2208562330, 1674427644, 4293691353, 2240099753]
FAR = [4083042303, 147321930]


def joined(halves: list[int]) -> int:
    return halves[0] | halves[1] << 32


@pytest.fixture(params=["numba", "numpy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numpy":
        monkeypatch.setattr(philox, "_compiled", lambda: None)
    else:
        pytest.importorskip("numba")
    return str(request.param)


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
@pytest.mark.parametrize("make", [philox.numpy_blocks, _recheck.philox])
def test_published_vectors(make, counter, key, expected) -> None:
    block = np.array([joined(counter[:2])], np.uint64)
    assert make(joined(key), joined(counter[2:]), block).tolist() == [expected]


@pytest.mark.parametrize("wrong", range(4))
def test_published_vectors_depend_on_every_counter_word(wrong: int) -> None:
    counter, key, expected = list(PUBLISHED[2][0]), *PUBLISHED[2][1:]
    counter[wrong] ^= 1
    block = np.array([joined(counter[:2])], np.uint64)
    made = philox.numpy_blocks(joined(key), joined(counter[2:]), block)[0]
    assert not (made == expected).any()


def test_published_vector_at_block_zero_in_every_engine(engine: str) -> None:
    expected = PUBLISHED[0][2]
    assert philox.words(0, 0, 0, 4).tolist() == expected
    assert philox.words_at(0, 0, np.array([3, 0, 2, 1])).tolist() == [
        expected[i] for i in (3, 0, 2, 1)
    ]
    assert philox.torch_words(0, 0, 0, 4).tolist() == expected


def test_frozen_words_and_streams() -> None:
    """Literal values: a change of generator, key, counter or naming is a change of format."""
    assert philox.GENERATOR == "philox4x32-10/v1"
    assert philox.stream("weights", "layers.0.weight") == STREAM
    assert philox.words(2024, STREAM, 5, 4).tolist() == WORDS
    far = np.array([10**12, 10**12 + 1])
    assert philox.words_at(2024, STREAM, far).tolist() == FAR


def test_stream_is_the_head_of_a_sha256() -> None:
    whole = hashlib.sha256(b"weights\0a.b").digest()
    assert philox.stream("weights", "a.b") == int.from_bytes(whole[:8], "big")
    assert philox.stream("weights", "a.b") != philox.stream("scores", "a.b")


@given(SEEDS, SEEDS, st.integers(0, 1 << 40), st.integers(0, 70))
def test_numba_numpy_and_torch_agree(seed: int, stream: int, start: int, count: int) -> None:
    made = philox.words(seed, stream, start, count)
    assert made.dtype == np.uint32
    assert made.shape == (count,)
    blocks = np.arange(start // 4, (start + count) // 4 + 1, dtype=np.uint64)
    plain = philox.numpy_blocks(seed, stream, blocks).reshape(-1)[start % 4 :][:count]
    np.testing.assert_array_equal(made, plain)
    np.testing.assert_array_equal(made, philox.torch_words(seed, stream, start, count).numpy())
    np.testing.assert_array_equal(
        made, _recheck.philox(seed, stream, blocks).ravel()[start % 4 :][:count]
    )


@given(data=st.data(), seed=SEEDS)
def test_any_slice_and_any_scatter_are_the_whole(data: st.DataObject, seed: int) -> None:
    whole = philox.words(seed, 7, 0, 300)
    start = data.draw(st.integers(0, 300))
    count = data.draw(st.integers(0, 300 - start))
    np.testing.assert_array_equal(philox.words(seed, 7, start, count), whole[start : start + count])
    at = np.array(data.draw(st.lists(st.integers(0, 299), max_size=40)), np.int64)
    np.testing.assert_array_equal(philox.words_at(seed, 7, at), whole[at])


def test_chunk_borders_are_seamless(engine: str) -> None:
    border = 4 * philox._CHUNK
    whole = philox.words(9, 9, 0, 3 * border)
    for start, count in ((border - 3, 7), (1, 2 * border), (border, border), (border + 2, 1)):
        np.testing.assert_array_equal(
            philox.words(9, 9, start, count), whole[start : start + count]
        )
    at = np.arange(3 * border)[::-1].reshape(3, border)
    np.testing.assert_array_equal(philox.words_at(9, 9, at), whole[at])


def test_far_indices(engine: str) -> None:
    """Blocks beyond 2^32 use the high counter word."""
    start = (1 << 63) - 5
    made = philox.words(1, 2, start, 5)
    np.testing.assert_array_equal(made, philox.torch_words(1, 2, start, 5).numpy())
    np.testing.assert_array_equal(made, philox.words_at(1, 2, start + np.arange(5)))
    low = philox.words(1, 2, 8, 4)
    assert not (philox.words(1, 2, 8 + (1 << 34), 4) == low).any()


@pytest.mark.parametrize("make", [philox.words, philox.torch_words])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0, 0, 1), "seed"),
        ((1 << 64, 0, 0, 1), "seed"),
        ((0, 1 << 64, 0, 1), "stream"),
        ((0, 0, -1, 1), "start=-1"),
        ((0, 0, 0, -1), "count=-1"),
        ((0, 0, (1 << 63) - 1, 2), "2\\^63"),
    ],
)
def test_bad_arguments(make, arguments, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(*arguments)


def test_negative_indices_are_refused() -> None:
    with pytest.raises(InputError, match="got -2"):
        philox.words_at(0, 0, np.array([1, -2]))


def test_words_look_random() -> None:
    """Each bit is set half of the time: 6 standard deviations, p < 1e-7 for 32 bits."""
    words = philox.words(3, 1, 0, 1 << 18)
    share = ((words[:, None] >> np.arange(32, dtype=np.uint32)) & 1).mean(0)
    assert np.abs(share - 0.5).max() < 6 * 0.5 / 2**9


def test_torch_words_stay_on_their_device_and_dtype() -> None:
    made = philox.torch_words(0, 0, 1, 6, device="cpu")
    assert made.dtype == torch.int64
    assert int(made.min()) >= 0
