"""The stored forms of a mask: three layouts, each plain or deflated; the smallest is kept.

bits     all entries, packed, little bit order
indices  the gaps between kept flat indices, as LEB128 numbers
grid     the rows and the columns that keep anything (gap lists as above), then the packed bits of
         that sub-array; rows are the first dimension, columns all others together
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strongticket.errors import FileError
from strongticket.tickets._mask import Entries

Bytes = NDArray[np.uint8]
LAYOUTS = ("bits", "indices", "grid")


@dataclass(frozen=True)
class Stored:
    """One mask as bytes, and how to read them."""

    layout: str
    deflated: bool
    data: bytes


def encode(entries: Entries) -> Stored:
    """The smallest stored form of a mask; of equal sizes the first, plain before deflated."""
    flat = entries.indices()
    forms = {"indices": _leb128(np.diff(flat, prepend=-1) - 1), "grid": _grid(entries, flat)}
    least = min(len(data) for data in forms.values())
    # A layout 16 times longer does not win by deflating; and the bits of a gadget's mask are long.
    if entries.total // 8 <= 16 * (least + 64):
        forms["bits"] = np.packbits(entries.dense().reshape(-1), bitorder="little").tobytes()
    found = []
    for layout in LAYOUTS:
        if layout in forms:
            found.append(Stored(layout, False, forms[layout]))
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            found.append(Stored(layout, True, packer.compress(forms[layout]) + packer.flush()))
    return min(found, key=lambda form: len(form.data))


def decode(stored: Stored, shape: tuple[int, ...]) -> Entries:
    """The mask that `encode` stored; FileError where the bytes hold none of that shape."""
    entries = Entries(shape, flat=np.empty(0, np.int64))
    total, rows = entries.total, shape[0] if shape else 1
    data = _inflate(stored.data, 32 * (total + 64)) if stored.deflated else stored.data
    raw = np.frombuffer(data, np.uint8)
    if stored.layout == "bits":
        return Entries(shape, bits=_unpack(raw, total).reshape(shape))
    if stored.layout == "indices":
        return Entries(shape, flat=_from_gaps(_read_leb128(raw, None)[0], total))
    if stored.layout == "grid":
        columns = total // rows if rows else 0
        counts, raw = _read_leb128(raw, 2)
        kept_rows, raw = _read_leb128(raw, int(counts[0]))
        kept_columns, raw = _read_leb128(raw, int(counts[1]))
        r, c = _from_gaps(kept_rows, rows), _from_gaps(kept_columns, columns)
        bits = _unpack(raw, r.size * c.size).reshape(r.size, c.size)
        i, j = np.nonzero(bits)
        return Entries(shape, flat=r[i] * columns + c[j])
    raise FileError(f"a mask's layout is one of {', '.join(LAYOUTS)}, got {stored.layout!r}")


def _grid(entries: Entries, flat: NDArray[np.int64]) -> bytes:
    rows = entries.shape[0] if entries.shape else 1
    columns = entries.total // rows if rows else 0
    r, c = (flat // columns, flat % columns) if columns else (flat, flat)
    row_list, row_at = np.unique(r, return_inverse=True)
    column_list, column_at = np.unique(c, return_inverse=True)
    bits = np.zeros((row_list.size, column_list.size), np.bool_)
    bits[row_at, column_at] = True
    return b"".join(
        (
            _leb128(np.array([row_list.size, column_list.size])),
            _leb128(np.diff(row_list, prepend=-1) - 1),
            _leb128(np.diff(column_list, prepend=-1) - 1),
            np.packbits(bits.reshape(-1), bitorder="little").tobytes(),
        )
    )


def _leb128(numbers: NDArray[np.int64]) -> bytes:
    """Each number in groups of seven bits, low first, top bit set on all but its last byte."""
    groups = np.zeros((numbers.size, 9), np.uint8)
    width = np.ones(numbers.size, np.int64)
    for k in range(9):
        part = numbers >> (7 * k)
        groups[:, k] = part & 127
        width[part > 0] = k + 1
    position = np.arange(9)[None, :]
    groups[position < width[:, None] - 1] |= 128
    return groups[position < width[:, None]].tobytes()


def _read_leb128(raw: Bytes, count: int | None) -> tuple[NDArray[np.int64], Bytes]:
    """The first `count` numbers (None: all) and the bytes behind them."""
    if count == 0:
        return np.empty(0, np.int64), raw
    # Nine bytes a number at the most: no need to look further for the ends of `count` numbers.
    ends = np.flatnonzero(raw[: None if count is None else 9 * count] < 128)
    if count is None:
        count = ends.size
        if raw.size and (not ends.size or ends[-1] != raw.size - 1):
            raise FileError("a stored mask ends inside a number; the file is damaged")
    if ends.size < count or count < 0:
        raise FileError("a stored mask ends inside a list; the file is damaged")
    if count == 0:
        return np.empty(0, np.int64), raw
    ends = ends[:count]
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 8:
        raise FileError("a stored mask holds a number of over 63 bits; the file is damaged")
    numbers = np.zeros(count, np.int64)
    for k in range(int((ends - starts).max()) + 1):
        has = starts + k <= ends
        numbers[has] |= (raw[starts[has] + k].astype(np.int64) & 127) << (7 * k)
    return numbers, raw[ends[-1] + 1 :]


def _from_gaps(gaps: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    if gaps.size and (gaps.max() >= total or gaps.size > total):
        raise FileError("a stored mask keeps entries that its array has not; the file is damaged")
    flat = np.cumsum(gaps + 1) - 1
    if flat.size and flat[-1] >= total:
        raise FileError("a stored mask keeps entries that its array has not; the file is damaged")
    return flat


def _unpack(raw: Bytes, total: int) -> NDArray[np.bool_]:
    if raw.size != -(-total // 8):
        raise FileError(
            f"a stored mask of {total} entries needs {-(-total // 8)} bytes, got {raw.size}"
        )
    bits = np.unpackbits(raw, bitorder="little").astype(np.bool_)
    if bits[total:].any():
        raise FileError("a stored mask has padding bits that are not zero; the file was edited")
    return bits[:total]


def _inflate(data: bytes, limit: int) -> bytes:
    try:
        unpacker = zlib.decompressobj(-15)
        out = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise FileError(f"a stored mask does not inflate ({error}); the file is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise FileError("a stored mask's deflate stream ends in the wrong place")
    return out
