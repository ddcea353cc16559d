"""The ticket file: one safetensors file whose every bit is checked when it is read.

Exactly one metadata key, "strongticket", holds canonical JSON

    {"stored": {parameter: {deflated, layout, sha256}}, "ticket": {...}, "ticket_id": ...}

`ticket_id` is the SHA-256 of the canonical JSON of `ticket` and of the raw masks (kept flat
indices, little-endian int64) in name order, so it does not depend on how a mask is stored.
"stored" says how, with a digest of the stored bytes, because one deflate stream can be spelled in
several ways.

A plain ticket is of format 1. One whose kept weights are redrawn, multiplied or made binary is of
format 2: `ticket` says so under "reading", with digests of the raw numbers (little-endian int32),
and "numbers" says how those are stored.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import canonical
from strongticket.errors import FileError
from strongticket.tickets import _encoding, _numbers
from strongticket.tickets._mask import Mask
from strongticket.tickets._reading import PLAIN, Numbers, Reading

PLAIN_FORMAT = 1
FORMAT = 2
KEY = "strongticket"
_DOCUMENT = {"ticket", "ticket_id", "stored"}
_STORED = {"layout", "deflated", "sha256"}
_PACKED = {"low", "width", "deflated", "sha256"}
_KINDS = ("rounds", "multiples")
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Contents:
    """What a ticket file holds: its description, masks and buffers, and its identity."""

    ticket: dict[str, Any]
    mask: Mask
    buffers: dict[str, NDArray[Any]]
    reading: Reading
    ticket_id: str


def identity(ticket: dict[str, Any], mask: Mask) -> str:
    """SHA-256 of the canonical JSON of `ticket` and the raw masks in name order."""
    raw = [mask[name].indices().astype("<i8").tobytes() for name in sorted(mask)]
    return canonical.sha256(canonical.dumps(ticket), *raw)


def described(reading: Reading) -> dict[str, Any]:
    """What a description says of a reading: its gain, and digests of its numbers."""
    digests = {
        kind: {name: _digest(array) for name, array in _numbers_of(reading, kind).items()}
        for kind in _KINDS
    }
    return {"gain": reading.gain, **digests}


def to_bytes(
    ticket: dict[str, Any], mask: Mask, buffers: Arrays, reading: Reading = PLAIN
) -> bytes:
    """The bytes of a ticket file."""
    stored = {name: _encoding.encode(mask[name]) for name in mask}
    document: dict[str, Any] = {
        "ticket": ticket,
        "ticket_id": identity(ticket, mask),
        "stored": {
            name: {
                "layout": s.layout,
                "deflated": s.deflated,
                "sha256": canonical.sha256(s.data),
            }
            for name, s in stored.items()
        },
    }
    tensors = {f"{n}.mask": np.frombuffer(s.data, np.uint8) for n, s in stored.items()}
    tensors |= {f"{n}.buffer": np.asarray(b, order="C") for n, b in buffers.items()}
    if not reading.plain:
        document["numbers"] = {}
        for kind in _KINDS:
            packed = {n: _numbers.pack(a) for n, a in _numbers_of(reading, kind).items()}
            tensors |= {f"{n}.{kind}": np.frombuffer(p.data, np.uint8) for n, p in packed.items()}
            document["numbers"][kind] = {
                name: {
                    "low": p.low,
                    "width": p.width,
                    "deflated": p.deflated,
                    "sha256": canonical.sha256(p.data),
                }
                for name, p in packed.items()
            }
    return _safetensors(tensors, document)


def from_bytes(data: bytes, where: str) -> Contents:
    """Parse a ticket file, write it again, and accept only identical bytes."""
    _check_length(data, where)
    document, tensors = _parse(data, where)
    try:
        ticket, stored = document["ticket"], document["stored"]
        _check_version(ticket["format"], where)
        given = {*(f"{n}.mask" for n in stored), *(f"{n}.buffer" for n in ticket["buffers"])}
        numbers, parts = {}, _DOCUMENT
        if ticket["format"] == FORMAT:
            numbers, parts = document["numbers"], _DOCUMENT | {"numbers"}
            given |= {f"{n}.{kind}" for kind in _KINDS for n in numbers[kind]}
        if set(document) != parts or set(tensors) != given:
            raise FileError(f"{where} is not a ticket that strongticket wrote: it holds other data")
        shapes = {p["name"]: tuple(p["shape"]) for p in ticket["network"]["parameters"]}
        entries, buffers = {}, {}
        for name, how in stored.items():
            raw = tensors[f"{name}.mask"].tobytes()
            if canonical.sha256(raw) != how["sha256"]:
                raise FileError(
                    f"{where} was edited or damaged: the stored mask of {name} has not the "
                    "digest that the file gives"
                )
            form = _encoding.Stored(how["layout"], how["deflated"], raw)
            if set(how) != _STORED or type(form.deflated) is not bool:
                raise FileError(f"{where}: {how!r} does not say how a mask is stored")
            entries[name] = _encoding.decode(form, shapes[name])
        buffers = {name: tensors[f"{name}.buffer"] for name in ticket["buffers"]}
        mask = Mask(entries)
        reading = _read(ticket["reading"], numbers, mask, tensors, where) if numbers else PLAIN
        known = identity(ticket, mask) == document["ticket_id"]
        written = _safetensors(tensors, document)
    except FileError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(f"{where} is not a ticket that strongticket wrote: {error!r}") from error
    if not known:
        raise FileError(f"{where} was edited: its ticket_id is not that of its contents")
    if written != data:
        raise FileError(f"{where} was edited: it is not byte for byte what strongticket writes")
    return Contents(ticket, mask, buffers, reading, document["ticket_id"])


def _read(
    said: dict[str, Any], stored: dict[str, Any], mask: Mask, tensors: Arrays, where: str
) -> Reading:
    """The reading of a ticket of format 2."""
    if set(stored) != set(_KINDS):
        raise FileError(f"{where}: numbers are {', '.join(_KINDS)}, got {sorted(stored)}")
    found: dict[str, dict[str, NDArray[np.int32]]] = {kind: {} for kind in _KINDS}
    for kind in _KINDS:
        for name, how in stored[kind].items():
            raw = tensors[f"{name}.{kind}"].tobytes()
            if canonical.sha256(raw) != how["sha256"]:
                raise FileError(
                    f"{where} was edited or damaged: the stored {kind} of {name} have not the "
                    "digest that the file gives"
                )
            packed = _numbers.Packed(how["low"], how["width"], how["deflated"], raw)
            if set(how) != _PACKED or type(packed.deflated) is not bool:
                raise FileError(f"{where}: {how!r} does not say how numbers are stored")
            found[kind][name] = _numbers.unpack(packed, mask[name].kept)
    reading = Reading(found["rounds"], found["multiples"], said["gain"])
    if reading.plain or any(set(_numbers_of(reading, kind)) != set(found[kind]) for kind in _KINDS):
        raise FileError(f"{where} was edited: it stores numbers that say nothing")
    return reading


def _numbers_of(reading: Reading, kind: str) -> Numbers:
    return reading.rounds if kind == "rounds" else reading.multiples


def _digest(array: NDArray[np.int32]) -> str:
    return canonical.sha256(array.astype("<i4").tobytes())


def _check_version(version: Any, where: str) -> None:
    if type(version) is int and version > FORMAT:
        raise FileError(
            f"{where} is a ticket of format {version!r}; this version of strongticket reads "
            f"formats up to {FORMAT}: install a newer one"
        )
    if type(version) is not int or version not in (PLAIN_FORMAT, FORMAT):
        raise FileError(f"{where}: {version!r} is no ticket format")


def _safetensors(tensors: Arrays, document: dict[str, Any]) -> bytes:
    from safetensors.numpy import save

    return save(dict(tensors), metadata={KEY: canonical.dumps(document).decode()})


def _check_length(data: bytes, where: str) -> None:
    header = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0
    try:
        described = json.loads(data[8 : 8 + header])
        ends = [t["data_offsets"][1] for n, t in described.items() if n != "__metadata__"]
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        ends = None
    if len(data) < 8 or len(data) < 8 + header < 1 << 40:
        raise FileError(f"{where} is truncated: {len(data)} bytes do not hold its header")
    if ends is None:
        raise FileError(f"{where} is not a ticket file: its header is no safetensors header")
    wanted = 8 + header + max(ends, default=0)
    if len(data) < wanted:
        raise FileError(f"{where} is truncated: it needs {wanted} bytes and has {len(data)}")


def _parse(data: bytes, where: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = dict(load(data))
        header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
        metadata = header["__metadata__"]
        if set(metadata) != {KEY}:
            raise FileError(f"{where} needs the one metadata key {KEY!r}, got {sorted(metadata)}")
        document = json.loads(metadata[KEY])
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{where} is not a ticket file: {error}") from error
    if not isinstance(document, dict):
        raise FileError(f"{where} is not a ticket file: its metadata is no JSON object")
    return document, tensors
