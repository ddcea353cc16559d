r"""Counter-based random words: Philox4x32-10 in integer arithmetic, the same bits everywhere.

Word :math:`i` of a stream is lane :math:`i \bmod 4` of block :math:`\lfloor i/4 \rfloor`. The key
is the 64-bit seed, low half first; the counter is (block low, block high, stream low, stream
high). So any slice, and any scattered set of words, can be made alone.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; held
to the known-answer vectors that Random123 publishes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import InputError

if TYPE_CHECKING:
    import torch

GENERATOR = "philox4x32-10/v1"

_M0, _M1 = 0xD2511F53, 0xCD9E8D57  # round multipliers
_W0, _W1 = 0x9E3779B9, 0xBB67AE85  # key increments
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 13  # blocks: the arrays of one chunk stay in cache

Words = NDArray[np.uint32]


def stream(purpose: str, name: str) -> int:
    """The 64-bit stream number of a named use: the first 8 bytes of SHA-256, big endian.

    Streams depend on the name alone, so adding a layer changes no other layer's weights.
    """
    digest = hashlib.sha256(f"{purpose}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def words(seed: int, stream: int, start: int, count: int) -> Words:
    """Words `start`, ..., `start + count - 1` of a stream, shape (count,), uint32."""
    _check(seed, stream)
    _check_range(start, count)
    compiled = _compiled()
    out = np.empty(count, np.uint32)
    if compiled is not None:
        compiled[0](*_halves(seed), *_halves(stream), start // 4, start % 4, out)
        return out
    first, last = start // 4, -(-(start + count) // 4)
    for block in range(first, last, _CHUNK):
        end = min(block + _CHUNK, last)
        made = numpy_blocks(seed, stream, np.arange(block, end, dtype=np.uint64)).reshape(-1)
        low, high = max(start, 4 * block), min(start + count, 4 * end)
        out[low - start : high - start] = made[low - 4 * block : high - 4 * block]
    return out


def words_at(seed: int, stream: int, indices: NDArray[np.int64]) -> Words:
    """The words with the given (non-negative) indices, an array of the same shape."""
    _check(seed, stream)
    indices = np.asarray(indices, np.int64)
    if indices.size and indices.min() < 0:
        raise InputError(f"words_at needs indices >= 0, got {int(indices.min())}")
    flat = np.ascontiguousarray(indices).reshape(-1)
    out = np.empty(flat.size, np.uint32)
    compiled = _compiled()
    if compiled is not None:
        compiled[1](*_halves(seed), *_halves(stream), flat, out)
    else:
        for low in range(0, flat.size, _CHUNK):
            part = flat[low : low + _CHUNK]
            made = numpy_blocks(seed, stream, (part // 4).astype(np.uint64))
            out[low : low + _CHUNK] = made[np.arange(part.size), part % 4]
    return out.reshape(indices.shape)


def numpy_blocks(seed: int, stream: int, blocks: NDArray[np.uint64]) -> Words:
    """The four words of each block, shape (len(blocks), 4): the plain NumPy form."""
    mask, shift = np.uint64(_MASK), np.uint64(32)
    x0, x1 = blocks & mask, blocks >> shift
    s0, s1 = _halves(stream)
    x2, x3 = np.full_like(x0, s0), np.full_like(x0, s1)
    p0, p1 = np.empty_like(x0), np.empty_like(x0)
    k0, k1 = _halves(seed)
    for _ in range(10):  # in place: ten passes a round over arrays that stay in cache
        np.multiply(x0, np.uint64(_M0), out=p0)
        np.multiply(x2, np.uint64(_M1), out=p1)
        np.right_shift(p1, shift, out=x0)
        np.bitwise_xor(x0, x1, out=x0)
        np.bitwise_xor(x0, np.uint64(k0), out=x0)
        np.right_shift(p0, shift, out=x2)
        np.bitwise_xor(x2, x3, out=x2)
        np.bitwise_xor(x2, np.uint64(k1), out=x2)
        np.bitwise_and(p1, mask, out=x1)
        np.bitwise_and(p0, mask, out=x3)
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    out = np.empty((len(blocks), 4), np.uint32)
    for lane, x in enumerate((x0, x1, x2, x3)):
        out[:, lane] = x
    return out


def torch_words(
    seed: int, stream: int, start: int, count: int, device: torch.device | str | None = None
) -> torch.Tensor:
    """The same words made by torch on `device`, an int64 tensor of shape (count,) in [0, 2^32).

    int64 products wrap, which leaves their low 64 bits right; the arithmetic shift of the high
    half is masked. Do not trace this with ``torch.compile``.
    """
    import torch

    _check(seed, stream)
    _check_range(start, count)
    first, last = start // 4, -(-(start + count) // 4)
    blocks = torch.arange(first, last, dtype=torch.int64, device=device)
    x0, x1 = blocks & _MASK, blocks >> 32
    s0, s1 = _halves(stream)
    x2, x3 = torch.full_like(x0, s0), torch.full_like(x0, s1)
    k0, k1 = _halves(seed)
    for _ in range(10):
        p0, p1 = x0 * _M0, x2 * _M1
        x0, x2 = ((p1 >> 32) & _MASK) ^ x1 ^ k0, ((p0 >> 32) & _MASK) ^ x3 ^ k1
        x1, x3 = p1 & _MASK, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    made = torch.stack([x0, x1, x2, x3], dim=1).reshape(-1)
    return made[start - 4 * first : start - 4 * first + count]


def _halves(value: int) -> tuple[int, int]:
    return value & _MASK, value >> 32


def _check(seed: int, stream: int) -> None:
    for name, value in (("seed", seed), ("stream", stream)):
        if not 0 <= value < 1 << 64:
            raise InputError(f"{name} must be an integer in [0, 2^64), got {value!r}")


def _check_range(start: int, count: int) -> None:
    if start < 0 or count < 0 or start + count > 1 << 63:
        raise InputError(
            f"words are numbered 0 .. 2^63 - 1: start and count must be >= 0 and end there, "
            f"got {start=}, {count=}"
        )


@functools.cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]] | None:
    """The numba loops (contiguous, scattered), or None where numba cannot be imported."""
    if importlib.util.find_spec("numba") is None:
        return None
    from strongticket import philox_numba

    return philox_numba.contiguous, philox_numba.scattered
