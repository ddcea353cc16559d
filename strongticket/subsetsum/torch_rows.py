r"""What every verb does to every row in torch ops: integer units, ranges, targets, masks, errors.

The numbers are those of `rows_numba` and `rows_numpy`, on any device. Powers of two are made from
their bits (``torch.ldexp`` goes through a rounded ``pow``), every product by one is an operation of
its own, and nothing here may be traced or fused: a multiply-add would round once where the error
terms count on two roundings. Arrays of rows come whole; nothing is copied to the host.
"""

from __future__ import annotations

import torch
from torch import Tensor

from strongticket.subsetsum._limits import FAR, FINEST, REACH, REFUSED, TINY

_MOST = (1 << 63) - 1
_BEYOND = 2.0 * REACH


def power(exponent: Tensor) -> Tensor:
    """2^exponent as float64, exactly, for int64 exponents from -1022 to 1023."""
    return (exponent + 1023).bitwise_left_shift(52).view(torch.float64)


def exponent_of(values: Tensor) -> Tensor:
    """The exponent in a float64's bits, int64: floor(log2 |v|), or -1023 below 2^-1022."""
    return (values.view(torch.int64).bitwise_right_shift(52) & 0x7FF) - 1023


def units_of(values: Tensor) -> tuple[Tensor, Tensor]:
    """Units (r, n) and exponents (r,) with values = units * 2^exponent, the greatest such grid.

    The exponent is REFUSED where no grid from 2^-1000 on holds the row in 62 bits, or where a
    value is beyond 2^1000, infinite or NaN; the units are then of no use.
    """
    if values.shape[1] == 0:
        return values.to(torch.int64), values.new_zeros(len(values), dtype=torch.int64)
    least, most = torch.aminmax(values, dim=1)  # NaN where there is one
    largest = torch.maximum(most, -least)
    room = (61 - exponent_of(largest)).clamp(max=-FINEST)[:, None]
    found = (values * power(room)).to(torch.int64)
    whole = (found.to(torch.float64).mul_(power(-room)) == values).all(dim=1)
    # Ones up to the lowest bit that is set; all 63 where none is.
    ones = (found - 1).bitwise_xor_(found).bitwise_and_(_MOST).amin(dim=1)
    shift = exponent_of(ones.bitwise_right_shift(1).add_(1).to(torch.float64))  # 62: a row of zeros
    exponents = torch.where(shift == 62, 0, shift - room[:, 0])
    good = whole & (largest <= 2.0**-FINEST)
    units = found.bitwise_right_shift_(shift[:, None])
    return units, torch.where(good, exponents, REFUSED)


def ranges_of(units: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The least and the greatest sum of every row, and whether the row is beyond REACH."""
    low, high = units.clamp(max=0), units.clamp(min=0)
    size = high.sum(dim=1, dtype=torch.float64) - low.sum(dim=1, dtype=torch.float64)
    lowest, highest = low.sum(dim=1), high.sum(dim=1)
    # Where the floats say at most 2^61 no integer sum has overflowed, so its comparison is exact.
    return lowest, highest, (size > _BEYOND) | (highest - lowest > REACH)


def aims_of(targets: Tensor, exponents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whole, fraction and hard of float64 targets, as `rows_numba.aims_of` has them."""
    scaled = targets * power(-exponents)
    far = scaled.abs() >= FAR
    lost = ~far & (exponents > 0) & (scaled * power(exponents) != targets)
    near = scaled.clamp(min=-float(FAR), max=float(FAR)).round_()
    tiny = torch.full_like(scaled, TINY).copysign_(targets)
    fraction = torch.where(lost, tiny, scaled - near)
    return near.to(torch.int64), fraction.masked_fill_(far, 0.0), far | lost


def intervals_of(
    epsilon: Tensor, exponents: Tensor, whole: Tensor, fraction: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Low, high and hard of float64 tolerances, as `rows_numba.intervals_of` has them."""
    scaled = epsilon * power(-exponents)
    cut = scaled >= 2.0 * FAR
    hard = ~cut & (exponents > 0) & (scaled * power(exponents) != epsilon)
    scaled = scaled.masked_fill(cut, 2.0 * FAR)
    wide = scaled.floor()
    f, g = fraction, scaled - wide
    total, rest = two_sum(g, f.abs())
    over = (total > 1) | ((total == 1) & (rest >= 0))
    width, up = wide.to(torch.int64), f > 0
    low = whole - width + (f > g).to(torch.int64) - (~up & over).to(torch.int64)
    high = whole + width - (-f > g).to(torch.int64) + (up & over).to(torch.int64)
    return low, high, hard


def subsets_of(numbers: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
    """The masks (m, n) of the numbers (m,) and their sums; `units` is (m, n) or (1, n).

    The empty mask stands before all others of sum 0.
    """
    bits = torch.arange(units.shape[1], dtype=torch.int64, device=units.device)
    mask = numbers[:, None].bitwise_right_shift(bits).bitwise_and_(1).to(torch.bool)
    sums = torch.where(mask, units, 0).sum(dim=1)
    return mask.logical_and_((sums != 0)[:, None]), sums


def errors_of(targets: Tensor, exponents: Tensor, sums: Tensor) -> Tensor:
    """|target - sum * 2^exponent| rounded up to float64, by exact additions (Knuth's)."""
    unit = power(exponents)
    high = sums.to(torch.float64)
    low = (sums - high.to(torch.int64)).to(torch.float64) * unit
    a, b = two_sum(targets, -(high * unit))
    c, d = two_sum(b, -low)
    top, rest = two_sum(a, c)
    rest, crumb = two_sum(rest, d)
    top, rest = two_sum(top, rest)
    negative = (top < 0) | ((top == 0) & (rest < 0))
    rest, crumb = (torch.where(negative, -part, part) for part in (rest, crumb))
    more = (rest > 0) | ((rest == 0) & (crumb > 0))
    errors = top.abs()
    # A float's bits and 1 are those of the next float up.
    return (errors.view(torch.int64) + more.to(torch.int64)).view(torch.float64)


def two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Tensors (s, r): s is a + b rounded to nearest and s + r equals a + b exactly (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)
