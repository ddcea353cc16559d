"""The stored form of small integers, one a kept entry: an offset and as few bits as they need."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import FileError

Ints = NDArray[np.int32]
_WIDEST = 32


@dataclass(frozen=True)
class Packed:
    """Integers low + x, each x in `width` bits, low bit first; perhaps deflated."""

    low: int
    width: int
    deflated: bool
    data: bytes


def pack(numbers: Ints) -> Packed:
    """The smaller of the plain and the deflated form; plain where they are equal."""
    low = int(numbers.min()) if numbers.size else 0
    above = numbers.astype(np.int64) - low
    width = int(above.max()).bit_length() if numbers.size else 0
    bits = ((above[:, None] >> np.arange(width)) & 1).astype(np.uint8)
    plain = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    small = packer.compress(plain) + packer.flush()
    deflated = len(small) < len(plain)
    return Packed(low, width, deflated, small if deflated else plain)


def unpack(packed: Packed, count: int) -> Ints:
    """The `count` integers; FileError where the bytes hold none such."""
    low, width = packed.low, packed.width
    whole = type(low) is int and type(width) is int
    if not (whole and -(1 << 31) <= low < 1 << 31 and 0 <= width <= _WIDEST):
        raise FileError(
            f"stored numbers need an integer low of 32 bits and a width in 0 .. 32, got {low!r} "
            f"and {width!r}"
        )
    size = -(-count * width // 8)
    data = _inflate(packed.data, size) if packed.deflated else packed.data
    if len(data) != size:
        raise FileError(
            f"{count} stored numbers of {width} bits need {size} bytes, got {len(data)}"
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    if bits[count * width :].any():
        raise FileError("stored numbers have padding bits that are not zero; the file was edited")
    table = bits[: count * width].reshape(count, width).astype(np.int64)
    numbers = low + (table << np.arange(width)).sum(1) if width else np.full(count, low, np.int64)
    if numbers.size and not -(1 << 31) <= int(numbers.min()) <= int(numbers.max()) < 1 << 31:
        raise FileError("stored numbers do not fit 32 bits; the file was edited")
    return numbers.astype(np.int32)


def _inflate(data: bytes, size: int) -> bytes:
    try:
        unpacker = zlib.decompressobj(-15)
        out = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise FileError(f"stored numbers do not inflate ({error}); the file is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise FileError("a deflate stream of stored numbers ends in the wrong place")
    return out
