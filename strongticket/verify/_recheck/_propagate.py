"""4. Propagation: f has layers W x + b, g has W+ x + b^; delta = x^ - x.

Where neurons c of the ticket stand for neurons t(c) of the target, or for the constant 1, delta_c =
x^_c - x_t(c), and sum_c u_jc x^_c = sum_c u_jc delta_c + sum_k (sum over t(c) = k of u_jc) x_k: the
first sum is over `carry`, the second over `plus`, and its constants are in `b_hat`. An identity for
any t, so wrong copies make a large bound and no false one.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from ._layers import Layer


def differential_interval(layers: list[Layer], domain: dict[str, Any]) -> list[Fraction]:
    """Intervals of z and of its deviation dz, through every layer; the largest |dz| of each."""
    low, high, exponent = box_ends(domain, len(layers[0].w[0]))
    dlow, dhigh = [0] * len(low), [0] * len(low)
    deviations = []
    for i, layer in enumerate(layers):
        z: list[tuple[int, int]] = []
        for row, bias in zip(layer.w, layer.b, strict=True):
            zl = zh = bias << -exponent
            for w, lo, hi in zip(row, low, high, strict=True):
                zl += w * (lo if w >= 0 else hi)
                zh += w * (hi if w >= 0 else lo)
            z.append((zl, zh))
        dz: list[tuple[int, int]] = []
        for j, wanted in enumerate(layer.wanted):
            dl = dh = (layer.b_hat[j] - layer.wanted_bias[j]) << -exponent
            entries = zip(wanted, layer.plus[j], layer.minus[j], low, high, strict=True)
            for w, p, m, lo, hi in entries:
                el, eh = error_range(p - w, m - w, lo, hi)
                dl += el
                dh += eh
            for c, u in layer.carry[j] if i else []:  # nothing deviates before the first layer
                dl += u * (dlow[c] if u >= 0 else dhigh[c])
                dh += u * (dhigh[c] if u >= 0 else dlow[c])
            dz.append((dl, dh))
        exponent += layer.exponent
        if i < len(layers) - 1:
            dz = [relu_range(a, c) for a, c in zip(of_rows(layer, z, exponent), dz, strict=True)]
        dlow, dhigh = [a for a, _ in dz], [c for _, c in dz]
        low, high = [max(a, 0) for a, _ in z], [max(c, 0) for _, c in z]
        worst = max((max(abs(a), abs(c)) for a, c in dz), default=0)
        deviations.append(dyadic(worst, exponent))
    return deviations


def of_rows(layer: Layer, z: list[tuple[int, int]], exponent: int) -> list[tuple[int, int]]:
    """The interval of the target neuron that each row stands for; the constant is 1."""
    if layer.copy_of is None:
        return z
    one = 1 << -exponent
    return [(*z, (one, one))[t] for t in layer.copy_of]


def error_range(plus: int, minus: int, lo: int, hi: int) -> tuple[int, int]:
    """The range of plus * y (y >= 0) or minus * y (y < 0) for lo <= y <= hi."""
    ends = [(plus if y >= 0 else minus) * y for y in (lo, hi)]
    if lo < 0 < hi:
        ends.append(0)
    return min(ends), max(ends)


def relu_range(z: tuple[int, int], d: tuple[int, int]) -> tuple[int, int]:
    """The range of relu(z + d) - relu(z)."""
    if z[0] >= 0 and z[0] + d[0] >= 0:
        return d
    return (
        max(min(d[0], 0), -max(z[1], 0)),
        min(max(d[1], 0), max(z[1] + d[1], 0)),
    )


def weight_error_box(layers: list[Layer], domain: dict[str, Any]) -> list[Fraction]:
    """Absolute sums: |carry| deviation + |error| size + |bias error|, row by row."""
    low, high, exponent = box_ends(domain, len(layers[0].w[0]))
    size = [max(abs(a), abs(c)) for a, c in zip(low, high, strict=True)]
    deviation = [0] * len(low)
    deviations = []
    for i, layer in enumerate(layers):
        z, dz = [], []
        for row, bias in zip(layer.w, layer.b, strict=True):
            ends = zip(row, low, high, strict=True)
            zh = (bias << -exponent) + sum(w * (hi if w >= 0 else lo) for w, lo, hi in ends)
            z.append(max(zh, 0))
        for j, wanted in enumerate(layer.wanted):
            d = abs(layer.b_hat[j] - layer.wanted_bias[j]) << -exponent
            for k, (w, p, m) in enumerate(zip(wanted, layer.plus[j], layer.minus[j], strict=True)):
                error = abs(p - w)
                if i == 0 and low[k] < 0:
                    error = max(error, abs(m - w))
                d += error * size[k]
            d += sum(abs(u) * deviation[c] for c, u in layer.carry[j])
            dz.append(d)
        exponent += layer.exponent
        size = high = z
        low, deviation = [0] * len(z), dz
        deviations.append(dyadic(max(dz, default=0), exponent))
    return deviations


def weight_error_ball(layers: list[Layer], domain: dict[str, Any]) -> list[Fraction]:
    """The same with norms of matrices and vectors."""
    size, deviation = domain["radius"], Fraction(0)
    deviations = []
    for i, layer in enumerate(layers):
        signed = i == 0 and domain["negative"]
        errors = [
            [max(abs(p - w), abs(m - w) if signed else 0) for p, m, w in zip(*rows, strict=True)]
            for rows in zip(layer.plus, layer.minus, layer.wanted, strict=True)
        ]
        bias_errors = [[a - c] for a, c in zip(layer.b_hat, layer.wanted_bias, strict=True)]
        carry = [dict(row) for row in layer.carry]
        deviation = (
            norm(errors, layer.exponent) * size
            + norm_of_rows(carry, layer.exponent) * deviation
            + norm(bias_errors, layer.exponent)
        )
        size = norm(layer.w, layer.exponent) * size + norm([[v] for v in layer.b], layer.exponent)
        deviations.append(deviation)
    return deviations


def norm(matrix: list[list[int]], exponent: int) -> Fraction:
    """An upper bound of the spectral norm: min of Frobenius and sqrt(1-norm x max-norm)."""
    return norm_of_rows([dict(enumerate(row)) for row in matrix], exponent)


def norm_of_rows(rows: list[dict[int, int]], exponent: int) -> Fraction:
    """The same of a matrix whose rows are {column: entry}."""
    columns: dict[int, int] = {}
    for row in rows:
        for k, v in row.items():
            columns[k] = columns.get(k, 0) + abs(v)
    frobenius = sum(v * v for row in rows for v in row.values())
    longest = max((sum(abs(v) for v in row.values()) for row in rows), default=0)
    least = min(frobenius, max(columns.values(), default=0) * longest)
    if not least:
        return Fraction(0)
    square = dyadic(least, 2 * exponent)
    root = math.isqrt(square.numerator * (1 << 128) // square.denominator + 1) + 1
    return Fraction(root, 1 << 64)


def box_ends(domain: dict[str, Any], width: int) -> tuple[list[int], list[int], int]:
    ends = [domain["low"], domain["high"]]
    bits = max(e.denominator for e in ends).bit_length() - 1
    return [int(ends[0] * 2**bits)] * width, [int(ends[1] * 2**bits)] * width, -bits


def dyadic(value: int, exponent: int) -> Fraction:
    return Fraction(value << exponent) if exponent >= 0 else Fraction(value, 1 << -exponent)
