"""Small targets and tickets, certificates of them, and a press that seals forged ones."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import math
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from strongticket import canonical, laws, philox
from strongticket.construct import LayerAccuracy, two_layer
from strongticket.laws import Uniform
from strongticket.networks import Network
from strongticket.targets import Ball, Box, Target
from strongticket.tickets import Ticket
from strongticket.verify import DIFFERENTIAL_INTERVAL, WEIGHT_ERROR, Certificate, certify
from strongticket.verify._certificate import pack, seal
from strongticket.verify._propagate import Method

Document = dict[str, Any]


def target(
    widths: tuple[int, ...], domain: Box | Ball, *, biases: bool = True, seed: int = 0
) -> Target:
    rng = np.random.default_rng(seed)
    layers = []
    for a, b in itertools.pairwise(widths):
        weight = rng.uniform(-0.5, 0.5, (b, a)).astype(np.float32)
        bias = rng.uniform(-0.5, 0.5, b).astype(np.float32) if biases else None
        layers.append((weight, bias))
    return Target(layers, domain)


def network(of: Target, pool: int, *, seed: int = 5, scale: float = 1.0) -> Network:
    widths, flags = [of.widths[0]], []
    for i in range(of.depth):
        bias = of.biases[i] is not None
        widths += [pool * (of.widths[i] + bias), of.widths[i + 1]]
        flags += [bias, False]
    laws = [Uniform(scale), Uniform(2.0)] * of.depth
    return Network.mlp(widths, laws=laws, seed=seed, biases=flags)


def ticket(of: Target, pool: int = 40, accuracy: float = 0.02, seed: int = 5) -> Ticket:
    wanted = [LayerAccuracy(accuracy)] * of.depth
    return two_layer(network(of, pool, seed=seed), of, wanted, window=10, strict=False)


def plain(of: Target) -> Method:
    """The exact method of the domain's kind, whose certificates state every deviation."""
    return WEIGHT_ERROR if isinstance(of.domain, Ball) else DIFFERENTIAL_INTERVAL


def small(domain: Box | Ball | None = None, seed: int = 0) -> Certificate:
    """A certificate of a 2-2-1 network of a few hundred random weights."""
    of = target((2, 2, 1), domain or Box(-1.0, 0.5), seed=seed)
    exact = WEIGHT_ERROR if isinstance(domain, Ball) else DIFFERENTIAL_INTERVAL
    return certify(ticket(of, pool=20), of, epsilon=0.5, method=exact)


# A press for forgeries: change a document, make every digest that the change touches fit again.


def kept_masks(document: Document) -> dict[str, np.ndarray]:
    """The flat kept indices that the layers of a document say, by parameter name."""
    spec = document["ticket"]["network"]
    kept = {p["name"]: np.empty(0, np.int64) for p in spec["parameters"]}
    widths = spec["architecture"]["widths"]
    start = 0
    for size, layer in zip(document.get("blocks", [2] * 99), document["layers"], strict=False):
        if "masks" in layer:
            kept |= {name: np.cumsum(ints(gaps)) - 1 for name, gaps in layer["masks"].items()}
        else:
            d_in, width, d_out = widths[start : start + 3]
            hidden = np.cumsum(ints(layer["hidden"])) - 1
            inputs = ints(layer["inputs"])
            reads = inputs < d_in
            kept[f"layers.{start}.weight"] = hidden[reads] * d_in + inputs[reads]
            if f"layers.{start}.bias" in kept:
                kept[f"layers.{start}.bias"] = hidden[~reads]
            rows, slot = np.nonzero(kept_bits(layer, d_out))
            kept[f"layers.{start + 1}.weight"] = rows * width + hidden[slot]
        start += size
    return kept


def ints(text: str) -> np.ndarray:
    return np.frombuffer(raw(text), "<i4").astype(np.int64)


def raw(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def pack_i4(numbers: Any) -> str:
    return pack(np.asarray(numbers).astype("<i4").tobytes())


def kept_bits(layer: dict[str, str], d_out: int) -> np.ndarray:
    live = len(ints(layer["inputs"]))
    bits = np.unpackbits(np.frombuffer(raw(layer["kept"]), np.uint8), bitorder="little")
    return bits[: d_out * live].reshape(d_out, live)


def pack_bits(bits: np.ndarray) -> str:
    return pack(np.packbits(bits, axis=None, bitorder="little").tobytes())


def words(seed: int, parameter: dict[str, Any], at: np.ndarray) -> np.ndarray:
    return philox.words_at(seed, philox.stream("weights", parameter["name"]), at)


def press(document: Document) -> bytes:
    """A sealed certificate; the digests of target, network, weights and ticket are made to fit."""
    said, about = document["ticket"], document["target"]
    head = {name: about[name] for name in ("widths", "biases", "domain")}
    about["digest"] = canonical.sha256(canonical.dumps(head), raw(about["data"]))
    try:
        seed, specs = said["network"]["seed"], said["network"]["parameters"]
        heads = [
            words(seed, p, np.arange(min(1024, math.prod(p["shape"])))).astype("<u4").tobytes()
            for p in specs
        ]
        said["network_digest"] = canonical.sha256(canonical.dumps(said["network"]), *heads)
        kept = kept_masks(document)
        digest = hashlib.sha256()
        for p in sorted(specs, key=lambda p: str(p["name"])):
            law = laws.from_spec({"law": p["law"], "scale": p["scale"]})
            weights = law.weights(words(seed, p, kept[p["name"]]))
            digest.update(p["name"].encode() + b"\0" + weights.astype("<f4").tobytes())
        said["kept_digest"] = digest.hexdigest()
        said["kept"] = {name: len(k) for name, k in kept.items()}
        masks = [kept[name].astype("<i8").tobytes() for name in sorted(kept)]
        document["ticket_id"] = canonical.sha256(canonical.dumps(said), *masks)
    except (ValueError, LookupError):
        pass  # a lie so bold that its digests cannot be made: the checker must see it before them
    return seal(document)


def put(*path: Any) -> Callable[[Document], None]:
    """put(key, ..., value) sets document[key]...[last key] = value."""

    def lie(d: Document) -> None:
        *keys, last, value = path
        at: Any = d
        for key in keys:
            at = at[key]
        at[last] = value

    return lie


def forge(
    certificate: Certificate,
    lie: Callable[[Document], object],
    path: Path,
    *,
    digests: bool = True,
) -> Path:
    """Write the certificate with one lie in it, every digest fitting (or only the seal)."""
    document = copy.deepcopy(json.loads(canonical.dumps(certificate.document())))
    lie(document)
    path.write_bytes(press(document) if digests else seal(document))
    return path


# What a pruned network computes, in rationals, straight from its kept weights.


def outputs(of: Ticket | Target, x: list[Fraction]) -> list[Fraction]:
    """The outputs of a ticket's network or a target at x, exactly."""
    if isinstance(of, Target):
        pairs = list(zip(of.weights, of.biases, strict=True))
    else:
        names = [f"layers.{i}" for i in range(len(of.mask)) if f"layers.{i}.weight" in of.mask]
        pairs = [(dense(of, f"{name}.weight"), dense(of, f"{name}.bias")) for name in names]
    for i, (w, b) in enumerate(pairs):
        shift = np.zeros(len(w)) if b is None else b
        x = [
            sum(
                (Fraction(float(v)) * y for v, y in zip(row, x, strict=True) if v),
                Fraction(float(c)),
            )
            for row, c in zip(w, shift, strict=True)
        ]
        if i < len(pairs) - 1:
            x = [max(v, Fraction(0)) for v in x]
    return x


def dense(of: Ticket, name: str) -> np.ndarray | None:
    """A parameter with its pruned weights 0, or None where the network has none such."""
    if name not in of.mask:
        return None
    return np.where(of.mask[name].dense(), of.network.weights(name), np.float32(0))


def points(
    domain: Box | Ball, d: int, rng: np.random.Generator, count: int
) -> list[list[Fraction]]:
    """Corners and inner points of a box, or of the cube inside a ball."""
    if isinstance(domain, Ball):
        reach = float(np.nextafter(domain.radius / math.sqrt(d), 0)) * (1 - 2.0**-40)
        domain = Box(-reach, reach)
    ends = rng.choice([domain.low, domain.high], (count, d))
    inside = domain.low + (domain.high - domain.low) * rng.random((count, d))
    every = np.concatenate([ends, np.clip(inside, domain.low, domain.high)])
    return [[Fraction(float(v)) for v in row] for row in every]


def gap(pruned: Ticket, of: Target, x: list[Fraction]) -> Fraction:
    """The square of the distance of the outputs at x, in the norm of the domain."""
    gaps = [a - b for a, b in zip(outputs(pruned, x), outputs(of, x), strict=True)]
    if isinstance(of.domain, Ball):
        return sum((v * v for v in gaps), Fraction(0))
    return max(abs(v) for v in gaps) ** 2
