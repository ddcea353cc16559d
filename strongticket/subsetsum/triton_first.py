# mypy: disable-error-code="no-untyped-def,no-untyped-call,untyped-decorator,misc"
"""The first subset within an interval by one Triton program a row, which ends at its hit.

The least mask number of all, as `torch_enumerate.first_hit` has it: a tile of 2^8 sums stays in
registers, and what the later candidates add moves the interval.
"""

from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]
from torch import Tensor

_TILE = 8


@triton.jit(do_not_specialize=["width", "row_step", "bits"])
def _kernel(
    units,
    of,
    lows,
    highs,
    numbers,
    width,
    row_step,
    bits,
    shared: tl.constexpr,
    tile: tl.constexpr,
    wide: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    if shared:  # noqa: SIM108, decided when compiled
        first = units + tl.load(of + row) * width
    else:
        first = units + row * row_step
    key = tl.int64 if wide else tl.int32
    place = tl.arange(0, 1 << tile)
    sums = tl.zeros((1 << tile,), key)
    for j in tl.static_range(tile):
        sums += tl.where(((place >> j) & 1) != 0, tl.load(first + j).to(key), 0)
    low = tl.load(lows + row).to(key)
    high = tl.load(highs + row).to(key)
    count = tl.where(low <= high, 1 << (bits - tile), 0)
    found = tl.full((), -1, tl.int64)
    o = count * 0
    while o < count:
        taken = (low * 0).to(key)
        for i in range(bits - tile):
            item = tl.load(first + tile + i).to(key)
            taken += tl.where(((o >> i) & 1) != 0, item, 0).to(key)
        hit = (sums >= low - taken) & (sums <= high - taken)
        here = tl.min(tl.where(hit, place, 1 << tile), 0)
        got = here < (1 << tile)
        found = tl.where(got, o.to(tl.int64) * (1 << tile) + here, found)
        o = tl.where(got, count, o + 1)
    tl.store(numbers + row, found)


def first_hit(
    units: Tensor, of: Tensor | None, low: Tensor, high: Tensor, bits: int, dtype: torch.dtype
) -> Tensor:
    """The least mask number below 2^bits with low <= sum <= high, int64 (m,), else -1.

    Units and `of` as `torch_network.solve` has them; bits from 1 to 30.
    """
    numbers = torch.empty_like(low)
    if len(low) == 0:
        return numbers
    units, low, high = units.contiguous(), low.contiguous(), high.contiguous()
    n = units.shape[1]
    index = low if of is None else of.contiguous()  # not read where there is none
    with torch.cuda.device_of(units):
        _kernel[(len(low),)](
            units,
            index,
            low,
            high,
            numbers,
            n,
            0 if len(units) == 1 else n,
            bits,
            of is not None,
            min(bits, _TILE),
            dtype == torch.int64,
            num_warps=1,
            enable_fp_fusion=False,
        )
    return numbers
