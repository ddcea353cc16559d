r"""5. Linear relaxation: affine forms of z and of dz in the inputs and in earlier remainders.

Behind a ReLU, h = a z + p and delta = lambda dz + r. The witness says of each neuron whether it is
inactive (0), active (1) or unstable (2), and a in units of 1/1024. Inactive and active ones are
held to their intervals: a = p = 0, or a = 1 and p = 0; of delta, z and z + dz must both have the
sign, and then lambda is 0 or 1 and r = 0. Of an unstable one (any neuron may be called that)

    0 <= p <= max(-a l, (1 - a) u, 0) for l <= z <= u, and p <= max(a, 1 - a) |z|;
    lambda = 1/2 and |r| <= |dz| / 2, for delta lies between 0 and dz.

The "spectral relaxation" bounds the remainders of a layer together as well: where
y = c + sum_g M_g v_g, the entries of y / s (s = 2^weights) outside the magnitudes of c and the v's
own centres have a Euclidean norm of at most sum_g |diag(1/s) M_g diag(scale_g)|_2 radius_g, with
norms that the witness claims and `check_norm` proves. For each row and group some coordinates are
bounded by their box, the others by the ellipsoid; every choice is valid, and floats make it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import RefutedError, UnreadableError
from ._exact import Big, check_norm, product, root_up
from ._file import need_keys, real
from ._layers import Layer

SLOPES = 1 << 10
INACTIVE, ACTIVE, UNSTABLE = 0, 1, 2


@dataclass
class Form:
    """constant + sum of parts[g] @ v_g: integers times 2^exponent."""

    constant: Big
    parts: list[Big]
    exponent: int


@dataclass
class Group:
    """low <= v <= high; |v| <= core + |e| with |e / scale|_2 <= radius (None: no ellipsoid).

    Integers times 2^exponent. `half` is 0 except for inputs of both signs: there v is the inputs'
    positive parts, then their negative ones, in the box of `ends` or in the ball of `radius`.
    """

    low: Big
    high: Big
    core: Big
    scale: Big
    exponent: int
    radius: Fraction | None
    half: int = 0
    ends: tuple[Fraction, Fraction] | None = None


def linear_relaxation(layers: list[Layer], domain: dict[str, Any], witness: Any) -> Fraction:
    """The largest difference of the outputs, every remainder bounded by itself."""
    return _relax(layers, domain, witness, spectral=False)


def spectral_relaxation(layers: list[Layer], domain: dict[str, Any], witness: Any) -> Fraction:
    """The same with norms of layers of remainders."""
    return _relax(layers, domain, witness, spectral=True)


def _relax(layers: list[Layer], domain: dict[str, Any], witness: Any, spectral: bool) -> Fraction:
    need_keys(witness, "layers")
    whole = spectral and domain["kind"] == "ball"
    if len(witness["layers"]) != len(layers) - 1 + whole:
        raise UnreadableError("the witness has not one entry a hidden layer")
    groups, centre = _inputs(domain, len(layers[0].w[0]))
    x = delta = None
    for i, layer in enumerate(layers):
        last = i == len(layers) - 1
        wanted = _matrix(layer.wanted, layers[i].w)
        plus, minus = (_matrix(rows, layer.w) - wanted for rows in (layer.plus, layer.minus))
        bias = _vector(layer.b_hat) - _vector(layer.wanted_bias)
        e = layer.exponent
        if x is None or delta is None:
            dz = _first(plus, minus, bias, e, groups[0], centre)
            w = _matrix(layer.w, layer.w)
            z = None if last else _first(w, w, _vector(layer.b), e, groups[0], centre)
        else:
            carry = np.zeros((len(layer.carry), len(delta.constant)), object)
            for row, pairs in zip(carry, layer.carry, strict=True):
                for c, u in pairs:
                    row[c] = u
            dz = _plus(_sum(_times(carry, e, delta), _times(plus, e, x)), bias, e)
            if not last:
                z = _plus(_times(_matrix(layer.w, layer.w), e, x), _vector(layer.b), e)
        if not last and z is not None:
            said = witness["layers"][i]
            x, delta = _through_relu(layer, z, dz, groups, said, spectral)
    ends = [max(abs(a), abs(b)) for a, b in _bounds(dz, groups)]
    if domain["kind"] == "box":
        return max(ends)
    each = root_up(sum((v * v for v in ends), Fraction(0)))
    if not spectral:
        return each
    need_keys(witness["layers"][-1], "norms")
    core = _core(dz, groups)
    radius = _radius(dz, np.zeros(len(core), np.int64), groups, witness["layers"][-1]["norms"])
    return min(each, root_up(sum((v * v for v in core), Fraction(0))) + radius)


# Inputs


def _inputs(domain: dict[str, Any], width: int) -> tuple[list[Group], Fraction]:
    """The inputs as unknowns around a centre."""
    none, one = np.zeros(width, object), np.ones(width, object)
    if domain["negative"]:
        wide = np.zeros(2 * width, object)
        if domain["kind"] == "ball":
            ends, radius = None, domain["radius"]
        else:
            ends = (domain["low"], domain["high"])
            radius = max(map(abs, ends)) * root_up(Fraction(width))
        return [Group(wide, wide, wide, wide + 1, 0, radius, width, ends)], Fraction(0)
    if domain["kind"] == "ball":
        return [Group(none, none, none, one, 0, Fraction(0))], Fraction(0)
    centre = (domain["low"] + domain["high"]) / 2
    (half,), e = _on_grid([domain["high"] - centre])
    radius = (domain["high"] - centre) * root_up(Fraction(width))
    return [Group(none - half, none + half, none, one << -e, e, radius)], centre


def _first(
    plus: Big, minus: Big, bias: Big, exponent: int, inputs: Group, centre: Fraction
) -> Form:
    if inputs.half:
        return Form(bias, [np.hstack([plus, minus])], exponent)
    (at,), e = _on_grid([centre])
    return Form(plus.sum(1) * at + (bias << -e), [plus << -e], exponent + e)


# Forms


def _times(matrix: Big, exponent: int, form: Form) -> Form:
    parts = [product(matrix, part) for part in form.parts]
    return Form(matrix.dot(form.constant), parts, exponent + form.exponent)


def _sum(one: Form, other: Form) -> Form:
    e = min(one.exponent, other.exponent)
    up = [one.exponent - e, other.exponent - e]
    parts = [(a << up[0]) + (b << up[1]) for a, b in zip(one.parts, other.parts, strict=True)]
    return Form((one.constant << up[0]) + (other.constant << up[1]), parts, e)


def _plus(form: Form, bias: Big, exponent: int) -> Form:
    return _sum(form, Form(bias, [np.zeros_like(p) for p in form.parts], exponent))


def _bounds(form: Form, groups: list[Group]) -> list[tuple[Fraction, Fraction]]:
    """Lower and upper bounds of every row."""
    low, high = ([Fraction(v) * Fraction(2) ** form.exponent for v in form.constant] for _ in "lh")
    for part, group in zip(form.parts, groups, strict=True):
        if part.any():
            high = [a + b for a, b in zip(high, _support(part, form.exponent, group), strict=True)]
            low = [a - b for a, b in zip(low, _support(-part, form.exponent, group), strict=True)]
    return list(zip(low, high, strict=True))


def _support(rows: Big, exponent: int, group: Group) -> list[Fraction]:
    """At least the largest <row, v> of every row."""
    if group.half:
        return _support_of_inputs(rows, exponent, group)
    unit = Fraction(2) ** (exponent + group.exponent)
    box = np.maximum(rows * group.low, rows * group.high)
    if group.radius is None:
        return [unit * v for v in box.sum(1).tolist()]
    pulled = np.where(box > 0, np.abs(rows), 0)
    base, part = pulled * group.core, pulled * group.scale
    inside = _better_in_the_box(box, base, part, float(group.radius))
    found = []
    for k, chosen in enumerate(inside):
        others = ~chosen
        straight = sum(box[k, chosen].tolist()) + sum(base[k, others].tolist())
        square = sum(v * v for v in part[k, others].tolist())
        found.append(unit * straight + group.radius * root_up(unit * unit * square))
    return found


def _better_in_the_box(box: Big, base: Big, part: Big, radius: float) -> np.ndarray[Any, Any]:
    """Which coordinates each row takes from the box: any answer is sound, this is near the best."""
    largest = max(int(a.max(initial=0)) for a in (box, base, part))
    down = max(largest.bit_length() - 500, 0)
    b, c, p = ((a >> down).astype(np.float64) for a in (box, base, part))
    square = p * p
    gain = np.divide(b - c, square, out=np.zeros_like(b), where=square > 0)
    order = np.argsort(gain, axis=1, kind="stable")
    b, c, square = (np.take_along_axis(a, order, 1) for a in (b, c, square))
    none = np.zeros((len(b), 1))
    first = np.hstack([none, np.cumsum(b, 1)])
    rest, left = (np.hstack([np.cumsum(a[:, ::-1], 1)[:, ::-1], none]) for a in (c, square))
    count = (first + rest + radius * np.sqrt(left)).argmin(1)
    ranks = np.argsort(order, axis=1, kind="stable")
    return np.asarray(ranks < count[:, None])


def _support_of_inputs(rows: Big, exponent: int, group: Group) -> list[Fraction]:
    plus, minus = rows[:, : group.half], rows[:, group.half :]
    if group.ends is None:
        assert group.radius is not None
        best = np.maximum(np.maximum(plus, -minus), 0)
        unit = Fraction(2) ** (2 * exponent)
        return [group.radius * root_up(unit * v) for v in (best * best).sum(1).tolist()]
    ends, e = _on_grid(list(group.ends))
    best = np.maximum(*((plus if end >= 0 else minus) * end for end in ends))
    if ends[0] < 0 < ends[1]:
        best = np.maximum(best, 0)
    unit = Fraction(2) ** (exponent + e)
    return [unit * v for v in best.sum(1).tolist()]


# The ReLU


def _through_relu(
    layer: Layer, z: Form, dz: Form, groups: list[Group], said: Any, spectral: bool
) -> tuple[Form, Form]:
    need_keys(said, "difference target")
    z_ends, dz_ends = _bounds(z, groups), _bounds(dz, groups)
    one = Fraction(1)
    of_rows = z_ends
    if layer.copy_of is not None:
        of_rows = [(*z_ends, (one, one))[t] for t in layer.copy_of]
    both = [
        (min(low, low + below), max(high, high + above))
        for (low, high), (below, above) in zip(of_rows, dz_ends, strict=True)
    ]
    slopes, unstable = _phases(said["target"], z_ends)
    halves, differing = _phases(said["difference"], both)
    if any(2 * int(v) != SLOPES for v in halves[differing]):
        raise RefutedError("the slope of a difference is 1/2")
    gaps = [
        max(-a * low, (SLOPES - a) * high, Fraction(0)) / SLOPES if free else Fraction(0)
        for a, free, (low, high) in zip(slopes.tolist(), unstable.tolist(), z_ends, strict=True)
    ]
    reach = [
        max(abs(low), abs(high)) / 2 if free else Fraction(0)
        for free, (low, high) in zip(differing.tolist(), dz_ends, strict=True)
    ]
    shares = np.where(unstable, np.maximum(slopes, SLOPES - slopes), 0)
    nothing = [Fraction(0)] * len(gaps)
    remainders = (
        (nothing, gaps, z, shares, unstable, said["target"]),
        ([-v for v in reach], reach, dz, halves * differing, differing, said["difference"]),
    )
    found = [
        _group(low, high, form, share, free, groups, claims, spectral)
        for low, high, form, share, free, claims in remainders
    ]
    x, delta = _scaled(z, slopes), _scaled(dz, halves)
    for form, own, at in ((x, unstable, 0), (delta, differing, 1)):
        for place, group in enumerate(found):
            part = np.zeros((len(form.constant), len(group.low)), object)
            if place == at:
                part[np.nonzero(own)[0], np.nonzero(own)[0]] = 1 << -form.exponent
            form.parts.append(part)
    groups += found
    return x, delta


def _phases(said: Any, ends: list[tuple[Fraction, Fraction]]) -> tuple[Big, Any]:
    """Slopes in units of 1 / SLOPES, and which neurons are unstable; phases held to intervals."""
    need_keys(said, "norms phases slopes weights")
    phases, slopes = said["phases"], said["slopes"]
    known = all(type(v) is int and 0 <= v <= SLOPES for v in (*phases, *slopes))
    if not known or not len(phases) == len(slopes) == len(ends):
        raise UnreadableError(f"phases and slopes are as many integers as neurons, to {SLOPES}")
    for phase, slope, (low, high) in zip(phases, slopes, ends, strict=True):
        if phase not in (INACTIVE, ACTIVE, UNSTABLE):
            raise UnreadableError(f"a phase is 0, 1 or 2, got {phase}")
        if (phase == ACTIVE and low < 0) or (phase == INACTIVE and high > 0):
            raise RefutedError("a neuron that the certificate calls stable may change its sign")
        if phase != UNSTABLE and slope != phase * SLOPES:
            raise RefutedError("a stable neuron has slope 0 or 1, as its sign is")
    return np.array(slopes, object), np.array(phases) == UNSTABLE


def _group(
    low: list[Fraction],
    high: list[Fraction],
    form: Form,
    share: Big,
    free: Any,
    groups: list[Group],
    said: Any,
    spectral: bool,
) -> Group:
    """The remainders of one layer: their box, and an ellipsoid of share / SLOPES times the form."""
    count = len(low)
    core, weights, radius = [Fraction(0)] * count, np.zeros(count, np.int64), None
    if spectral:
        radius = Fraction(0)
        if free.any():
            weights = _weights(said["weights"], count)
            masked = Form(
                np.where(free, form.constant, 0),
                [np.where(free[:, None], part, 0) for part in form.parts],
                form.exponent,
            )
            shares = [Fraction(int(v), SLOPES) for v in share]
            core = [a * b for a, b in zip(_core(masked, groups), shares, strict=True)]
            radius = _radius(masked, weights, groups, said["norms"])
    pairs = zip(share.tolist(), weights.tolist(), strict=True)
    scale = [Fraction(v, SLOPES) * Fraction(2) ** w for v, w in pairs]
    ints, exponent = _on_grid([*low, *high, *core, *scale])
    at = [_vector(ints[k * count : (k + 1) * count]) for k in range(4)]
    return Group(at[0], at[1], at[2], at[3], exponent, radius)


def _weights(said: list[Any], count: int) -> Any:
    if len(said) != count or not all(type(v) is int and abs(v) <= 900 for v in said):
        raise UnreadableError("weights are as many integers as neurons, from -900 to 900")
    return np.array(said, np.int64)


def _core(form: Form, groups: list[Group]) -> list[Fraction]:
    """What of every row's magnitude lies outside the ellipsoids."""
    unit = Fraction(2) ** form.exponent
    total = [unit * v for v in np.abs(form.constant).tolist()]
    for part, group in zip(form.parts, groups, strict=True):
        if group.core.any():
            more = np.abs(part).dot(group.core).tolist()
            finer = unit * Fraction(2) ** group.exponent
            total = [a + finer * b for a, b in zip(total, more, strict=True)]
    return total


def _radius(form: Form, weights: Any, groups: list[Group], said: list[str]) -> Fraction:
    """The sum of the claimed norms times the groups' radii, every norm proved."""
    total = Fraction(0)
    for part, group, text in zip(form.parts, groups, said, strict=True):
        claimed = Fraction(real(text))
        scaled, exponents = part * group.scale, form.exponent + group.exponent - weights
        left = claimed
        if group.half:
            # P x^+ + M x^- = P x + (M - P) x^-, and |M - P| is often 0.
            first, apart = (
                scaled[:, : group.half],
                scaled[:, group.half :] - scaled[:, : group.half],
            )
            off = root_up(_square(apart, exponents))
            if off <= claimed / SLOPES**2:
                scaled, left = first, claimed - off
        check_norm(scaled, exponents, left)
        assert group.radius is not None
        total += claimed * group.radius
    return total


def _square(matrix: Big, exponents: Any) -> Fraction:
    """The Frobenius norm's square."""
    rows = zip((matrix * matrix).sum(1).tolist(), exponents.tolist(), strict=True)
    return sum((v * Fraction(4) ** e for v, e in rows if v), Fraction(0))


def _scaled(form: Form, factors: Big) -> Form:
    """Rows times factors / SLOPES, on a grid of exponent 0 at the most."""
    e = form.exponent - SLOPES.bit_length() + 1
    up = max(e, 0)
    parts = [(part * factors[:, None]) << up for part in form.parts]
    return Form((form.constant * factors) << up, parts, e - up)


def _on_grid(values: list[Fraction]) -> tuple[list[int], int]:
    """Dyadic fractions as integers times 2^e, e <= 0."""
    bits = max((v.denominator for v in values), default=1).bit_length() - 1
    return [int(v * (1 << bits)) for v in values], -bits


def _matrix(rows: list[list[int]], like: list[list[int]]) -> Big:
    found = np.empty((len(rows), len(like[0])), object)
    for k, row in enumerate(rows):
        found[k] = row
    return found


def _vector(values: list[int]) -> Big:
    found = np.empty(len(values), object)
    found[:] = values
    return found
