"""1. The file: canonical bytes that end in their own SHA-256, and what is packed inside them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import zlib
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import UnreadableError

FORMATS = "1 or 2"
LARGEST = 1 << 27  # weights of a target, bytes of a layer's kept bits: what memory can hold
DEEPEST = 256
_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"}\Z')


def open_document(data: bytes, where: str) -> dict[str, Any]:
    seal = _SEAL.search(data[-128:])
    if seal is None:
        raise UnreadableError(
            f"{where} is truncated or no certificate: it does not end in its digest"
        )
    head = data[: len(data) - 66]
    if hashlib.sha256(head).hexdigest().encode() != seal[1]:
        raise UnreadableError(f"{where} was edited: its bytes have another SHA-256 than it ends in")
    try:
        document = json.loads(head[: -len(b',"sha256":"')] + b"}")
        again = canonical(document)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{where} is no certificate: {error}") from error
    if again[:-1] + b',"sha256":"' != head or not isinstance(document, dict):
        raise UnreadableError(f"{where} is no canonical JSON: it was written by something else")
    version = document.get("format")
    if type(version) is not int or version not in (1, 2):
        raise UnreadableError(
            f"{where} is a certificate of format {version!r}; this checker reads {FORMATS}: "
            "use a newer one"
        )
    return document


def canonical(value: Any) -> bytes:
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def unpack(text: str, limit: int) -> bytes:
    """The bytes behind base64 and deflate, at most `limit`: a small file cannot fill the memory."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(text, validate=True), max(limit, 1))
    if not unpacker.eof or unpacker.unused_data or len(data) > limit:
        raise UnreadableError(f"a stored array is cut short, or longer than {limit} bytes")
    return data


def unpack_ints(text: str, most: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(unpack(text, min(4 * most, LARGEST)), "<i4").astype(np.int64)


def need_keys(value: dict[str, Any], names: str) -> None:
    if set(value) != set(names.split()):
        raise UnreadableError(f"a certificate has {names} where this one has {', '.join(value)}")


def sizes(values: list[Any]) -> list[int]:
    if not all(type(n) is int and n >= 1 for n in values):
        raise UnreadableError(f"widths are integers >= 1, got {values}")
    return values


def flags(values: list[Any]) -> list[bool]:
    if not all(type(flag) is bool for flag in values):
        raise UnreadableError(f"bias flags are true or false, got {values}")
    return values


def real(text: str) -> float:
    value = float.fromhex(text)
    if not math.isfinite(value) or value.hex() != text:
        raise UnreadableError(f"a real number is written as float.hex writes it, got {text!r}")
    return value


def number(text: str) -> Fraction:
    if not re.fullmatch(r"[0-9]+(/[0-9]+)?", text):
        raise UnreadableError(f"a bound is a fraction of two whole numbers, got {text!r}")
    return Fraction(text)


def sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
