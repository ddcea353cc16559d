"""The loops of `strongticket.philox` in numba: the same words, one pass.

Functions of the module, none in another: so numba finds on disk what an earlier process compiled.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from strongticket._jit import jit
from strongticket.philox import _M0, _M1, _W0, _W1

u32, u64, shift = np.uint32, np.uint64, np.uint64(32)
m0, m1, w0, w1 = u64(_M0), u64(_M1), u32(_W0), u32(_W1)


@jit
def block(k0: Any, k1: Any, number: Any, x2: Any, x3: Any) -> Any:
    """The four words of one block."""
    x0, x1 = u32(number), u32(number >> shift)
    for _ in range(10):  # 32-bit state, widened only for the products: this vectorises
        p0, p1 = u64(x0) * m0, u64(x2) * m1
        x0, x1 = u32(u32(p1 >> shift) ^ x1 ^ k0), u32(p1)
        x2, x3 = u32(u32(p0 >> shift) ^ x3 ^ k1), u32(p0)
        k0, k1 = u32(k0 + w0), u32(k1 + w1)
    return x0, x1, x2, x3


@jit
def contiguous(
    seed0: int, seed1: int, stream0: int, stream1: int, first: int, lane: int, out: Any
) -> None:
    """Fill `out` from lane `lane` of block `first` on."""
    k0, k1, s0, s1 = u32(seed0), u32(seed1), u32(stream0), u32(stream1)
    head = min((4 - lane) % 4, out.size)
    start = u64(first)
    if head:
        x = block(k0, k1, start, s0, s1)
        for i in range(head):
            out[i] = x[lane + i]
        start += u64(1)
    body = out[head:]
    whole = body.size // 4
    for b in range(whole):
        # `block` written out: only so does it become vector code, 7 times faster
        n = start + u64(b)
        x0, x1, x2, x3, q0, q1 = u32(n), u32(n >> shift), s0, s1, k0, k1
        for _ in range(10):
            p0, p1 = u64(x0) * m0, u64(x2) * m1
            x0, x1 = u32(u32(p1 >> shift) ^ x1 ^ q0), u32(p1)
            x2, x3 = u32(u32(p0 >> shift) ^ x3 ^ q1), u32(p0)
            q0, q1 = u32(q0 + w0), u32(q1 + w1)
        body[4 * b] = x0
        body[4 * b + 1] = x1
        body[4 * b + 2] = x2
        body[4 * b + 3] = x3
    if 4 * whole < body.size:
        x = block(k0, k1, start + u64(whole), s0, s1)
        for i in range(body.size - 4 * whole):
            body[4 * whole + i] = x[i]


@jit
def scattered(seed0: int, seed1: int, stream0: int, stream1: int, indices: Any, out: Any) -> None:
    """Fill `out` with the words of these indices."""
    k0, k1, s0, s1 = u32(seed0), u32(seed1), u32(stream0), u32(stream1)
    last = np.int64(-1)
    x = (u32(0), u32(0), u32(0), u32(0))
    for i in range(indices.size):
        number = indices[i] >> 2
        if number != last:  # sorted indices share blocks
            x = block(k0, k1, u64(number), s0, s1)
            last = number
        out[i] = x[indices[i] & 3]
