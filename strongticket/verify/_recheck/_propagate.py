"""4. Propagation: f has layers W x + b, g has W+ x + b^; delta = x^ - x."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from ._collapse import Layer


def differential_interval(layers: list[Layer], domain: dict[str, Any]) -> list[Fraction]:
    low, high, exponent = box_ends(domain, len(layers[0].w[0]))
    dlow, dhigh = [0] * len(low), [0] * len(low)
    deviations = []
    for i, layer in enumerate(layers):
        z: list[tuple[int, int]] = []
        dz: list[tuple[int, int]] = []
        for j, row in enumerate(layer.w):
            zl = zh = layer.b[j] << -exponent
            dl = dh = (layer.b_hat[j] - layer.b[j]) << -exponent
            for k, w in enumerate(row):
                lo, hi, p = low[k], high[k], layer.plus[j][k]
                zl += w * (lo if w >= 0 else hi)
                zh += w * (hi if w >= 0 else lo)
                el, eh = error_range(p - w, layer.minus[j][k] - w, lo, hi)
                dl += el + p * (dlow[k] if p >= 0 else dhigh[k])
                dh += eh + p * (dhigh[k] if p >= 0 else dlow[k])
            z.append((zl, zh))
            dz.append((dl, dh))
        exponent += layer.exponent
        if i < len(layers) - 1:
            dz = [relu_range(a, c) for a, c in zip(z, dz, strict=True)]
        dlow, dhigh = [a for a, _ in dz], [c for _, c in dz]
        low, high = [max(a, 0) for a, _ in z], [max(c, 0) for _, c in z]
        deviations.append(dyadic(max(max(abs(a), abs(c)) for a, c in dz), exponent))
    return deviations


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
    low, high, exponent = box_ends(domain, len(layers[0].w[0]))
    size = [max(abs(a), abs(c)) for a, c in zip(low, high, strict=True)]
    deviation = [0] * len(low)
    deviations = []
    for i, layer in enumerate(layers):
        z, dz = [], []
        for j, row in enumerate(layer.w):
            zh = layer.b[j] << -exponent
            d = abs(layer.b_hat[j] - layer.b[j]) << -exponent
            for k, w in enumerate(row):
                p, m = layer.plus[j][k], layer.minus[j][k]
                error = abs(p - w)
                if i == 0 and low[k] < 0:
                    error = max(error, abs(m - w))
                d += abs(p) * deviation[k] + error * size[k]
                zh += w * (high[k] if w >= 0 else low[k])
            z.append(max(zh, 0))
            dz.append(d)
        exponent += layer.exponent
        size = high = z
        low, deviation = [0] * len(z), dz
        deviations.append(dyadic(max(dz), exponent))
    return deviations


def weight_error_ball(layers: list[Layer], domain: dict[str, Any]) -> list[Fraction]:
    size, deviation = domain["radius"], Fraction(0)
    deviations = []
    for i, layer in enumerate(layers):
        signed = i == 0 and domain["negative"]
        errors = [
            [max(abs(p - w), abs(m - w) if signed else 0) for p, m, w in zip(*rows, strict=True)]
            for rows in zip(layer.plus, layer.minus, layer.w, strict=True)
        ]
        bias_errors = [[a - c] for a, c in zip(layer.b_hat, layer.b, strict=True)]
        deviation = (
            norm(errors, layer.exponent) * size
            + norm(layer.plus, layer.exponent) * deviation
            + norm(bias_errors, layer.exponent)
        )
        size = norm(layer.w, layer.exponent) * size + norm([[v] for v in layer.b], layer.exponent)
        deviations.append(deviation)
    return deviations


def norm(matrix: list[list[int]], exponent: int) -> Fraction:
    """An upper bound of the spectral norm: min of Frobenius and sqrt(1-norm x max-norm)."""
    frobenius = sum(v * v for row in matrix for v in row)
    columns = max(sum(abs(v) for v in column) for column in zip(*matrix, strict=True))
    least = min(frobenius, columns * max(sum(abs(v) for v in row) for row in matrix))
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
