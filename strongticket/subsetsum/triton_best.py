# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,misc"
r"""The nearest subset by one Triton program a row: the masks of `torch_network`, in registers.

The right half's 2^p sums are sorted once; every left sum looks up, by bisection, the two right
sums around what it lacks. The nearest pair's sum is unique by the tag of the target; of the pairs
that have it the least left sum is taken, and each half's least mask with its sum. All is integers.
"""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

from strongticket.subsetsum.torch_network import solve


@triton.jit(do_not_specialize=["width", "row_step"])
def _kernel(
    units,
    of,
    aims,
    numbers,
    width,
    row_step,
    shared: tl.constexpr,
    n: tl.constexpr,
    p: tl.constexpr,
    wide: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    if shared:  # noqa: SIM108, decided when compiled
        first = units + tl.load(of + row) * width
    else:
        first = units + row * row_step
    key = tl.int64 if wide else tl.int32
    most = 9223372036854775807 if wide else 2147483647
    m: tl.constexpr = 1 << p
    place = tl.arange(0, m)
    left = tl.zeros((m,), key)
    right = tl.zeros((m,), key)
    for j in range(p):
        kept = ((place >> j) & 1) != 0
        a = (4 * tl.load(first + j)).to(key)
        b = (4 * tl.load(first + p + j)).to(key)
        left += tl.where(kept, a, 0)
        right += tl.where(kept, b, 0)
    # A bitonic sort in loops, which compile in a tenth of the time that tl.sort takes unrolled.
    ranked = right
    for size in range(1, p + 1):
        for k in range(size):
            stride = 1 << (size - 1 - k)
            other = tl.gather(ranked, place ^ stride, 0)
            rising = ((place >> size) & 1) == 0
            smaller = ((place & stride) == 0) == rising
            ranked = tl.where(smaller, tl.minimum(ranked, other), tl.maximum(ranked, other))
    aim = tl.load(aims + row).to(key)
    best = tl.full((), most, key)
    best_left = tl.zeros((), key)
    best_top = tl.zeros((), key)
    outer = tl.zeros((), tl.int64)
    for o in range(1 << (n - 2 * p)):
        top = aim
        for i in range(n - 2 * p):
            c = (4 * tl.load(first + 2 * p + i)).to(key)
            top -= tl.where(((o >> i) & 1) != 0, c, 0).to(key)
        need = top - left
        # below = how many right sums but the last are less than what is needed
        below = tl.zeros((m,), tl.int32)
        for k in range(p):
            step = 1 << (p - 1 - k)
            probe = tl.gather(ranked, below + (step - 1), 0)
            below += tl.where(probe < need, step, 0)
        upper = tl.gather(ranked, below, 0)
        lower = tl.gather(ranked, tl.maximum(below - 1, 0), 0)
        distance = tl.minimum(tl.abs(upper - need), tl.abs(lower - need))
        least = tl.min(distance, 0)
        found = tl.min(tl.where(distance == least, left, most), 0)
        better = least < best
        best = tl.where(better, least, best)
        best_left = tl.where(better, found, best_left)
        best_top = tl.where(better, top, best_top)
        outer = tl.where(better, o, outer).to(tl.int64)
    # Keys of sums are multiples of 4, and the distance is odd: one side only can be a sum.
    lack = best_top - best_left
    wanted = tl.where(((lack - best) & 3) == 0, lack - best, lack + best)
    low = tl.min(tl.where(left == best_left, place, m), 0).to(tl.int64)
    high = tl.min(tl.where(right == wanted, place, m), 0).to(tl.int64)
    number = (outer << (2 * p)) | (high << p) | low
    tl.store(numbers + row, tl.where((low == m) | (high == m), -1, number))


def nearest(units: Tensor, of: Tensor | None, aims: Tensor, dtype: torch.dtype) -> Tensor:
    """The number of the nearest mask for every row, as `torch_network.solve` has it."""
    n, p = units.shape[1], max((units.shape[1] - 1) // 2, 0)
    units, aims = units.contiguous(), aims.contiguous()
    numbers = torch.empty_like(aims)
    if p < 2 or len(aims) == 0:
        return solve(units, of, aims, dtype, 1 << 24)
    wide = dtype == torch.int64
    warps = {9: 2, 10: 4, 11: 8}.get(p, 1)
    row_step = 0 if len(units) == 1 else n
    index = aims if of is None else of.contiguous()  # not read where there is none
    with torch.cuda.device_of(units):
        _kernel[(len(aims),)](
            units,
            index,
            aims,
            numbers,
            n,
            row_step,
            of is not None,
            n,
            p,
            wide,
            num_warps=warps,
            enable_fp_fusion=False,
        )
    return numbers
