"""2. Random weights, made again from the seed."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from ._errors import RefutedError, UnreadableError
from ._file import need_keys, real, sizes
from ._laws import LAWS, law_named

GENERATOR = "philox4x32-10/v1"


def philox(seed: int, stream: int, blocks: Any) -> Any:
    """Philox4x32-10: words (len(blocks), 4) of the counter blocks, as uint64 below 2^32."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1 = blocks & low, blocks >> shift
    x2 = np.full_like(x0, stream & 0xFFFFFFFF)
    x3 = np.full_like(x0, stream >> 32)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1 = (p1 >> shift) ^ x1 ^ np.uint64(k0), p1 & low
        x2, x3 = (p0 >> shift) ^ x3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([x0, x1, x2, x3], 1)


class Parameter:
    """One random weight array: its law's units times 2^exponent."""

    def __init__(self, seed: int, spec: dict[str, Any]) -> None:
        need_keys(spec, "law masked name scale shape")
        self.seed, self.name, self.shape = seed, spec["name"], tuple(sizes(spec["shape"]))
        self.scale = real(spec["scale"])
        mantissa, exponent = math.frexp(self.scale)
        law = law_named(spec["law"])
        if law is None or mantissa != 0.5 or not -100 <= exponent - 1 <= 100:
            raise UnreadableError(
                f"this checker knows the laws {', '.join(LAWS)} with a scale that is a power of "
                f"two in [2^-100, 2^100], not {spec}"
            )
        if type(seed) is not int or not 0 <= seed < 1 << 64:
            raise RefutedError(f"{seed!r} is no seed: one is an integer in [0, 2^64)")
        if spec["masked"] is not True:
            raise RefutedError(f"{self.name} is not masked: all of its weights would stay")
        self.numel = math.prod(self.shape)
        if self.numel >= 1 << 63:
            raise UnreadableError(f"{self.name} has more weights than 63 bits can number")
        self.law, self.exponent = law, exponent - 1 - law.grid
        name_hash = hashlib.sha256(f"weights\0{self.name}".encode()).digest()
        self.stream = int.from_bytes(name_hash[:8], "big")

    def words(self, indices: Any) -> Any:
        out = np.empty(len(indices), np.uint64)
        for start in range(0, len(indices), 1 << 15):
            part = indices[start : start + (1 << 15)]
            blocks, at = np.unique(part >> 2, return_inverse=True)
            made = philox(self.seed, self.stream, blocks.astype(np.uint64))
            out[start : start + (1 << 15)] = made[at, part & 3]
        return out

    def units(self, indices: Any) -> Any:
        if len(indices) and not 0 <= indices.min() <= indices.max() < self.numel:
            raise RefutedError(f"{self.name} has no weights with the indices that the ticket keeps")
        return self.law.units(self.words(indices).astype(np.int64))

    def weights(self, indices: Any) -> Any:
        """The weights as float32: the product is rounded nowhere."""
        plain = self.units(indices).astype(np.float32) * np.float32(2.0**-self.law.grid)
        return plain * np.float32(self.scale)
