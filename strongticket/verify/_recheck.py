"""Recheck a certificate from its file alone: a program that trusts nothing but arithmetic.

It imports the standard library and NumPy and nothing of strongticket, so no bug of the prover can
hide here; run it as ``python _recheck.py proof.json``. In order, it

1. reads the file, and accepts only canonical bytes that end in their own SHA-256;
2. checks the digests of target and network, and makes the kept random weights again from the
   seed by its own Philox4x32-10, held to Random123's published vectors;
3. adds up every subset sum in integers (int64 where an assertion shows that all fits 63 bits) and
   compares the effective weights with the target's, exactly;
4. propagates the errors to the outputs in Python integers and compares each step with the claim.

`UnreadableError` means that the bytes are no certificate of this format; `RefutedError` names the
lie of one that can be read. About real-number networks; a float execution adds its own rounding.
"""

from __future__ import annotations

import base64
import decimal
import hashlib
import itertools
import json
import math
import os
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
LARGEST = 1 << 27  # weights of a target, bytes of a layer's kept bits: what memory can hold
DEEPEST = 256
GENERATOR = "philox4x32-10/v1"
_MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"}\Z')


class UnreadableError(ValueError):
    """The bytes are no certificate: truncated, edited, foreign, or of a newer format."""


class RefutedError(Exception):
    """A certificate that can be read, and whose claim, or one of its steps, is false."""


@dataclass(frozen=True)
class Recheck:
    """What was confirmed: the bound, the epsilon it was claimed for, and how much was checked."""

    bound: Fraction
    epsilon: Fraction | None
    subset_sums: int
    kept_weights: int
    target_digest: str
    ticket_id: str

    @property
    def holds(self) -> bool:
        """Whether an epsilon was claimed and the bound is at most that."""
        return self.epsilon is not None and self.bound <= self.epsilon


def recheck(path: str | os.PathLike[str], target: Any = None) -> Recheck:
    """Confirm a certificate file, or raise `UnreadableError` or `RefutedError`.

    If a target (anything with a `digest`) is given, the certificate must be about that one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UnreadableError(f"cannot read {Path(path)}: {error.strerror}") from error
    document = _open(data, str(path))
    try:
        return _recheck(document, None if target is None else str(target.digest))
    except UnreadableError:
        raise
    except (*_MALFORMED, zlib.error) as error:
        raise UnreadableError(
            f"{path} is not a certificate of format {FORMAT}: {error!r}"
        ) from error


# 1. The file


def _open(data: bytes, where: str) -> dict[str, Any]:
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
        canonical = _canonical(document)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{where} is no certificate: {error}") from error
    if canonical[:-1] + b',"sha256":"' != head or not isinstance(document, dict):
        raise UnreadableError(f"{where} is no canonical JSON: it was written by something else")
    version = document.get("format")
    if type(version) is not int or version != FORMAT:
        raise UnreadableError(
            f"{where} is a certificate of format {version!r}; this checker reads {FORMAT}: "
            "use a newer one"
        )
    return document


def _canonical(value: Any) -> bytes:
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def _bytes(text: str, limit: int) -> bytes:
    """The bytes behind base64 and deflate, at most `limit`: a small file cannot fill the memory."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(text, validate=True), max(limit, 1))
    if not unpacker.eof or unpacker.unused_data or len(data) > limit:
        raise UnreadableError(f"a stored array is cut short, or longer than {limit} bytes")
    return data


def _ints(text: str, most: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(_bytes(text, 4 * most), "<i4").astype(np.int64)


def _keys(value: dict[str, Any], names: str) -> None:
    if set(value) != set(names.split()):
        raise UnreadableError(f"a certificate has {names} where this one has {', '.join(value)}")


def _sizes(values: list[Any]) -> list[int]:
    if not all(type(n) is int and n >= 1 for n in values):
        raise UnreadableError(f"widths are integers >= 1, got {values}")
    return values


def _flags(values: list[Any]) -> list[bool]:
    if not all(type(flag) is bool for flag in values):
        raise UnreadableError(f"bias flags are true or false, got {values}")
    return values


def _real(text: str) -> float:
    value = float.fromhex(text)
    if not math.isfinite(value) or value.hex() != text:
        raise UnreadableError(f"a real number is written as float.hex writes it, got {text!r}")
    return value


def _number(text: str) -> Fraction:
    if not re.fullmatch(r"[0-9]+(/[0-9]+)?", text):
        raise UnreadableError(f"a bound is a fraction of two whole numbers, got {text!r}")
    return Fraction(text)


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def in_words(value: Fraction) -> str:
    """A fraction of any size with nine digits, rounded up: what is printed is still a bound."""
    digits = decimal.Context(prec=9, rounding=decimal.ROUND_CEILING)
    return f"{digits.divide(value.numerator, value.denominator):g}"


# 2. Random weights


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


class _Parameter:
    """One random weight array: units odd in (-2^24, 2^24) for the uniform law, times 2^exponent."""

    def __init__(self, seed: int, spec: dict[str, Any]) -> None:
        _keys(spec, "law masked name scale shape")
        self.seed, self.name, self.shape = seed, spec["name"], tuple(_sizes(spec["shape"]))
        self.scale = _real(spec["scale"])
        mantissa, exponent = math.frexp(self.scale)
        if spec["law"] != "uniform" or mantissa != 0.5 or not -100 <= exponent - 1 <= 100:
            raise UnreadableError(
                "this checker knows uniform laws whose scale is a power of two in "
                f"[2^-100, 2^100], not {spec}"
            )
        if type(seed) is not int or not 0 <= seed < 1 << 64:
            raise RefutedError(f"{seed!r} is no seed: one is an integer in [0, 2^64)")
        if spec["masked"] is not True:
            raise RefutedError(f"{self.name} is not masked: all of its weights would stay")
        if math.prod(self.shape) >= 1 << 63:
            raise UnreadableError(f"{self.name} has more weights than 63 bits can number")
        self.exponent = exponent - 1 - 24
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
        if len(indices) and not 0 <= indices.min() <= indices.max() < math.prod(self.shape):
            raise RefutedError(f"{self.name} has no weights with the indices that the ticket keeps")
        return ((self.words(indices) >> np.uint64(8)).astype(np.int64) << 1) + (1 - (1 << 24))


# 3. Effective weights


@dataclass
class _Layer:
    """One layer of target and ticket on a common grid: Python integers times 2^exponent."""

    w: list[list[int]]
    plus: list[list[int]]
    minus: list[list[int]]
    b: list[int]
    b_hat: list[int]
    exponent: int


def _recheck(document: dict[str, Any], target_digest: str | None) -> Recheck:
    _keys(document, "claim format layers steps target ticket ticket_id")
    claim, target, ticket = document["claim"], document["target"], document["ticket"]
    _keys(claim, "bound epsilon method norm")
    arrays = _target_arrays(target)
    if target_digest is not None and target["digest"] != target_digest:
        raise RefutedError("the certificate is about another target than the one given")
    _keys(ticket, "buffers format kept kept_digest network network_digest provenance")
    if type(ticket["format"]) is not int or ticket["format"] != FORMAT or ticket["buffers"] != {}:
        raise UnreadableError(f"this checker knows tickets of format {FORMAT} without buffers")
    spec = ticket["network"]
    _keys(spec, "architecture generator parameters seed")
    if spec["generator"] != GENERATOR:
        raise UnreadableError(
            f"this checker makes weights by {GENERATOR}, not {spec['generator']!r}"
        )
    parameters = {p["name"]: _Parameter(spec["seed"], p) for p in spec["parameters"]}
    heads = [
        p.words(np.arange(min(1024, math.prod(p.shape)))).astype("<u4").tobytes()
        for p in (parameters[s["name"]] for s in spec["parameters"])
    ]
    if _sha256(_canonical(spec), *heads) != ticket["network_digest"]:
        raise RefutedError("the network's digest is not that of its specification and words")
    widths = _widths(spec, parameters)
    if widths[::2] != target["widths"] or len(widths) != 2 * len(arrays) + 1:
        raise RefutedError("the network has not the target's widths at every second layer")
    if len(document["layers"]) != len(arrays):
        raise RefutedError(f"{len(arrays)} layers need as many masks")

    kept: dict[str, Any] = {name: np.empty(0, np.int64) for name in parameters}
    layers = [
        _collapse(i, stored, parameters, widths, kept, arrays[i])
        for i, stored in enumerate(document["layers"])
    ]
    _check_ticket(document, ticket, parameters, kept)

    domain = _domain(target["domain"])
    method: Callable[[list[_Layer], dict[str, Any]], list[Fraction]]
    if claim["norm"] != ("max" if domain["kind"] == "box" else "euclidean"):
        raise RefutedError(f"the norm of a {domain['kind']} is not {claim['norm']!r}")
    if claim["method"] == "differential interval" and domain["kind"] == "box":
        method = _differential_interval
    elif claim["method"] == "weight error":
        method = _weight_error_box if domain["kind"] == "box" else _weight_error_ball
    else:
        raise RefutedError(f"{claim['method']!r} proves nothing on a {domain['kind']}")
    deviations = method(layers, domain)
    _check_steps(document["steps"], layers, deviations, domain)
    bound = _number(claim["bound"])
    if bound < deviations[-1]:
        raise RefutedError(f"the bound is {in_words(deviations[-1])}, not {in_words(bound)}")
    return Recheck(
        bound=bound,
        epsilon=None if claim["epsilon"] is None else _number(claim["epsilon"]),
        subset_sums=sum(a.size for pair in arrays for a in pair if a is not None),
        kept_weights=sum(len(k) for k in kept.values()),
        target_digest=target["digest"],
        ticket_id=document["ticket_id"],
    )


def _domain(spec: dict[str, str]) -> dict[str, Any]:
    """The ends of a box or the radius of a ball, exactly, and whether any input is negative."""
    kind = spec["kind"]
    if kind not in ("box", "ball"):
        raise UnreadableError(f"a domain is a box or a ball, got {kind!r}")
    names = ("low", "high") if kind == "box" else ("radius",)
    _keys(spec, " ".join(sorted(("kind", *names))))
    ends = {name: Fraction(_real(spec[name])) for name in names}
    if kind == "box" and ends["low"] > ends["high"]:
        raise RefutedError("the box is empty: its low end is above its high end")
    if kind == "ball" and ends["radius"] < 0:
        raise RefutedError("the ball is empty: its radius is negative")
    negative = ends["low"] < 0 if kind == "box" else ends["radius"] > 0
    return {"kind": kind, "negative": negative, **ends}


def _target_arrays(target: dict[str, Any]) -> list[tuple[Any, Any]]:
    _keys(target, "biases data digest domain widths")
    widths, at = _sizes(target["widths"]), 0
    weights = sum(a * c for a, c in itertools.pairwise(widths)) + sum(widths[1:])
    if weights > LARGEST or len(widths) > DEEPEST:
        raise UnreadableError(
            f"this checker takes targets of up to {LARGEST:,} weights and {DEEPEST} layers"
        )
    raw = _bytes(target["data"], 4 * weights)
    head = {name: target[name] for name in ("widths", "biases", "domain")}
    if _sha256(_canonical(head), raw) != target["digest"]:
        raise RefutedError("the target's digest is not that of its weights and domain")
    arrays: list[tuple[Any, Any]] = []
    if len(_flags(target["biases"])) != len(widths) - 1 or len(widths) < 2:
        raise UnreadableError("a target has one bias flag a layer")
    for i, has_bias in enumerate(target["biases"]):
        count = widths[i] * widths[i + 1]
        w = np.frombuffer(raw, "<f4", count, at).reshape(widths[i + 1], widths[i])
        at += 4 * count
        b = np.frombuffer(raw, "<f4", widths[i + 1], at) if has_bias else None
        at += 4 * widths[i + 1] * has_bias
        if not (np.isfinite(w).all() and (b is None or np.isfinite(b).all())):
            raise RefutedError("the target has weights that are not finite")
        arrays.append((w, b))
    if at != len(raw):
        raise UnreadableError("the target's data has not the size that its widths ask for")
    return arrays


def _widths(spec: dict[str, Any], parameters: dict[str, _Parameter]) -> list[int]:
    architecture = spec["architecture"]
    _keys(architecture, "biases name widths")
    widths, biases = _sizes(architecture["widths"]), _flags(architecture["biases"])
    wanted: dict[str, tuple[int, ...]] = {}
    for i, bias in enumerate(biases):
        wanted[f"layers.{i}.weight"] = (widths[i + 1], widths[i])
        if bias:
            wanted[f"layers.{i}.bias"] = (widths[i + 1],)
    shapes = {name: p.shape for name, p in parameters.items()}
    one_each = len(biases) == len(widths) - 1 and len(spec["parameters"]) == len(shapes)
    if architecture["name"] != "mlp" or wanted != shapes or not one_each:
        raise RefutedError("the network's parameters are not those of its architecture")
    return list(widths)


def _collapse(
    i: int,
    stored: dict[str, str],
    parameters: dict[str, _Parameter],
    widths: list[int],
    kept: dict[str, Any],
    target: tuple[Any, Any],
) -> _Layer:
    _keys(stored, "hidden inputs kept")
    d_in, width, d_out = widths[2 * i : 2 * i + 3]
    first, bias = f"layers.{2 * i}.weight", f"layers.{2 * i}.bias"
    second = f"layers.{2 * i + 1}.weight"
    gaps, inputs = _ints(stored["hidden"], width), _ints(stored["inputs"], width)
    hidden = np.cumsum(gaps) - 1
    if len(hidden) != len(inputs) or (gaps < 1).any() or (len(hidden) and hidden[-1] >= width):
        raise RefutedError(f"layer {i}: the live hidden neurons are no increasing list")
    if ((inputs < 0) | (inputs > d_in)).any() or ((inputs == d_in).any() and bias not in kept):
        raise RefutedError(f"layer {i}: a hidden neuron reads an input that there is not")
    size = -(-d_out * len(hidden) // 8)
    if size > LARGEST:
        raise UnreadableError(f"this checker takes layers of up to {8 * LARGEST:,} live weights")
    packed = np.frombuffer(_bytes(stored["kept"], size + 1), np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    if len(packed) != size or bits[d_out * len(hidden) :].any():
        raise RefutedError(f"layer {i}: the kept bits have not the size of the layer")

    reads = inputs < d_in
    kept[first] = hidden[reads] * d_in + inputs[reads]
    incoming = np.empty(len(hidden), np.int64)
    incoming[reads] = parameters[first].units(kept[first])
    if bias in kept:
        kept[bias] = hidden[~reads]
        incoming[~reads] = parameters[bias].units(kept[bias])
        if parameters[bias].exponent != parameters[first].exponent:
            raise RefutedError(f"layer {i}: weights and biases lie on different grids")
    rows, slot = np.nonzero(bits[: d_out * len(hidden)].reshape(d_out, len(hidden)))
    kept[second] = rows * width + hidden[slot]
    products = parameters[second].units(kept[second]) * incoming[slot]
    # Units are below 2^24, so a product is below 2^48 and this many of them fit 63 bits.
    if len(products) >= 1 << 15 and max(np.bincount(rows * (d_in + 1) + inputs[slot])) >= 1 << 15:
        raise RefutedError(f"layer {i}: a subset sum has more terms than 63 bits are sure to hold")
    sums = np.zeros((2, d_out, d_in + 1), np.int64)
    np.add.at(sums, ((incoming[slot] < 0).astype(int), rows, inputs[slot]), products)
    return _on_one_grid(sums, parameters[first].exponent + parameters[second].exponent, target)


def _on_one_grid(sums: Any, exponent: int, target: tuple[Any, Any]) -> _Layer:
    w, b = target
    b = np.zeros(len(w), np.float32) if b is None else b
    every = np.concatenate([w.ravel(), b]).astype(np.float64)
    mantissa, shift = np.frexp(every)
    whole = (mantissa * (1 << 24)).astype(np.int64)  # float32: 24 bits, exact
    shift = shift.astype(np.int64) - 24
    grid = int(min(exponent, 0, shift[whole != 0].min(initial=exponent)))
    ints = [int(m) << int(s) for m, s in zip(whole, np.maximum(shift - grid, 0), strict=True)]
    d_out, d_in = w.shape
    up = exponent - grid
    plus, minus = (
        [[int(v) << up for v in row] for row in sums[group, :, :d_in]] for group in (0, 1)
    )
    return _Layer(
        w=[ints[j * d_in : (j + 1) * d_in] for j in range(d_out)],
        plus=plus,
        minus=minus,
        b=ints[d_out * d_in :],
        b_hat=[int(v) << up for v in sums[0, :, d_in]],
        exponent=grid,
    )


def _check_ticket(
    document: dict[str, Any],
    ticket: dict[str, Any],
    parameters: dict[str, _Parameter],
    kept: dict[str, Any],
) -> None:
    digest = hashlib.sha256()
    for name in sorted(parameters):
        p = parameters[name]
        units = p.units(kept[name]).astype(np.float32) * np.float32(2.0**-24)
        weights = units * np.float32(p.scale)
        digest.update(name.encode() + b"\0" + weights.astype("<f4").tobytes())
    if digest.hexdigest() != ticket["kept_digest"]:
        raise RefutedError("the kept weights, made again from the seed, have another digest")
    counts = {name: len(k) for name, k in kept.items()}
    if counts != ticket["kept"] or any(type(n) is not int for n in ticket["kept"].values()):
        raise RefutedError("the ticket keeps another number of weights than it says")
    raw = [kept[name].astype("<i8").tobytes() for name in sorted(kept)]
    if _sha256(_canonical(ticket), *raw) != document["ticket_id"]:
        raise RefutedError("the ticket_id is not that of the ticket's description and masks")


# 4. Propagation: f has layers W x + b, g has W+ x + b^; delta = x^ - x.


def _differential_interval(layers: list[_Layer], domain: dict[str, Any]) -> list[Fraction]:
    low, high, exponent = _box(domain, len(layers[0].w[0]))
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
                el, eh = _error_range(p - w, layer.minus[j][k] - w, lo, hi)
                dl += el + p * (dlow[k] if p >= 0 else dhigh[k])
                dh += eh + p * (dhigh[k] if p >= 0 else dlow[k])
            z.append((zl, zh))
            dz.append((dl, dh))
        exponent += layer.exponent
        if i < len(layers) - 1:
            dz = [_relu_range(a, c) for a, c in zip(z, dz, strict=True)]
        dlow, dhigh = [a for a, _ in dz], [c for _, c in dz]
        low, high = [max(a, 0) for a, _ in z], [max(c, 0) for _, c in z]
        deviations.append(_dyadic(max(max(abs(a), abs(c)) for a, c in dz), exponent))
    return deviations


def _error_range(plus: int, minus: int, lo: int, hi: int) -> tuple[int, int]:
    """The range of plus * y (y >= 0) or minus * y (y < 0) for lo <= y <= hi."""
    ends = [(plus if y >= 0 else minus) * y for y in (lo, hi)]
    if lo < 0 < hi:
        ends.append(0)
    return min(ends), max(ends)


def _relu_range(z: tuple[int, int], d: tuple[int, int]) -> tuple[int, int]:
    """The range of relu(z + d) - relu(z)."""
    if z[0] >= 0 and z[0] + d[0] >= 0:
        return d
    return (
        max(min(d[0], 0), -max(z[1], 0)),
        min(max(d[1], 0), max(z[1] + d[1], 0)),
    )


def _weight_error_box(layers: list[_Layer], domain: dict[str, Any]) -> list[Fraction]:
    low, high, exponent = _box(domain, len(layers[0].w[0]))
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
        deviations.append(_dyadic(max(dz), exponent))
    return deviations


def _weight_error_ball(layers: list[_Layer], domain: dict[str, Any]) -> list[Fraction]:
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
            _norm(errors, layer.exponent) * size
            + _norm(layer.plus, layer.exponent) * deviation
            + _norm(bias_errors, layer.exponent)
        )
        size = _norm(layer.w, layer.exponent) * size + _norm([[v] for v in layer.b], layer.exponent)
        deviations.append(deviation)
    return deviations


def _norm(matrix: list[list[int]], exponent: int) -> Fraction:
    """An upper bound of the spectral norm: min of Frobenius and sqrt(1-norm x max-norm)."""
    frobenius = sum(v * v for row in matrix for v in row)
    columns = max(sum(abs(v) for v in column) for column in zip(*matrix, strict=True))
    least = min(frobenius, columns * max(sum(abs(v) for v in row) for row in matrix))
    if not least:
        return Fraction(0)
    square = _dyadic(least, 2 * exponent)
    root = math.isqrt(square.numerator * (1 << 128) // square.denominator + 1) + 1
    return Fraction(root, 1 << 64)


def _box(domain: dict[str, Any], width: int) -> tuple[list[int], list[int], int]:
    ends = [domain["low"], domain["high"]]
    bits = max(e.denominator for e in ends).bit_length() - 1
    return [int(ends[0] * 2**bits)] * width, [int(ends[1] * 2**bits)] * width, -bits


def _dyadic(value: int, exponent: int) -> Fraction:
    return Fraction(value << exponent) if exponent >= 0 else Fraction(value, 1 << -exponent)


def _check_steps(
    steps: list[dict[str, str]],
    layers: list[_Layer],
    deviations: list[Fraction],
    domain: dict[str, Any],
) -> None:
    if len(steps) != len(layers):
        raise RefutedError(f"a proof of {len(layers)} layers needs as many steps, got {len(steps)}")
    for i, (step, layer) in enumerate(zip(steps, layers, strict=True)):
        error = 0
        for p_row, m_row, w_row in zip(layer.plus, layer.minus, layer.w, strict=True):
            error = max(error, *(abs(p - w) for p, w in zip(p_row, w_row, strict=True)))
            if i == 0 and domain["negative"]:
                error = max(error, *(abs(m - w) for m, w in zip(m_row, w_row, strict=True)))
        bias = max(abs(a - c) for a, c in zip(layer.b_hat, layer.b, strict=True))
        true = {
            "weight_error": _dyadic(error, layer.exponent),
            "bias_error": _dyadic(bias, layer.exponent),
            "deviation": deviations[i],
        }
        _keys(step, " ".join(true))
        for name, value in true.items():
            said = _number(step[name])
            if said < value:
                raise RefutedError(
                    f"layer {i}: the {name.replace('_', ' ')} is {in_words(value)}, more than "
                    f"the {in_words(said)} that the certificate says"
                )


if __name__ == "__main__":
    try:
        _result = recheck(sys.argv[1])
    except UnreadableError as _error:
        sys.exit(f"unreadable: {_error}")
    except RefutedError as _error:
        sys.exit(f"refuted: {_error}")
    sys.stdout.write(f"confirmed: sup |f - g| <= {in_words(_result.bound)}\n")
