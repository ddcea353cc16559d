"""`certify`: prove a bound on the distance between a ticket and its target; `Certificate`: keep it.

A certificate file is canonical JSON that ends in the SHA-256 of all bytes before that digest. It
holds the target, the network's specification, the kept weights' positions, and the claim with
every step of its proof, so `recheck` needs the file alone.
"""

from __future__ import annotations

import base64
import math
import os
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import canonical
from strongticket.activations import RELU
from strongticket.errors import InputError
from strongticket.files import write_whole
from strongticket.targets import Ball, Target
from strongticket.tickets import Ticket
from strongticket.verify._align import check_shapes
from strongticket.verify._collapse import Collapsed, collapse
from strongticket.verify._methods import METHODS, prove, tightest
from strongticket.verify._propagate import (
    LayerError,
    Method,
)
from strongticket.verify._recheck._errors import in_words
from strongticket.verify._recheck._laws import LAWS, law_named
from strongticket.verify._recheck._methods import COPIES
from strongticket.verify._structure import structure

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proved bound on sup |f(x) - g(x)| over the target's domain, f the target, g the ticket.

    The norm is the largest absolute output on a `Box`, Euclidean on a `Ball`. The bound is about
    the real-number networks that the weights define, not about one float execution of them.
    """

    ticket: Ticket
    target: Target
    method: str
    exact_bound: Fraction
    epsilon: float | None
    steps: tuple[LayerError, ...]
    layers: tuple[Collapsed, ...]
    witness: dict[str, Any] | None = None

    @property
    def bound(self) -> float:
        """The proved bound, rounded up to float64."""
        return up(self.exact_bound)

    @property
    def holds(self) -> bool:
        """Whether the bound is at most epsilon; InputError where no epsilon was given."""
        if self.epsilon is None:
            raise InputError("this certificate claims no epsilon: call certify(..., epsilon=...)")
        return self.exact_bound <= Fraction(self.epsilon)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate file, whole or not at all."""
        return write_whole(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The bytes of the certificate file."""
        return seal(self.document())

    def document(self) -> dict[str, Any]:
        """What the certificate file says, before it is sealed."""
        target = self.target
        return {
            "format": FORMAT,
            "claim": {
                "method": self.method,
                "norm": "euclidean" if isinstance(target.domain, Ball) else "max",
                "bound": _text(self.exact_bound),
                "epsilon": None if self.epsilon is None else _text(Fraction(self.epsilon)),
                **({} if self.witness is None else {"witness": self.witness}),
            },
            "target": {
                "widths": list(target.widths),
                "biases": [b is not None for b in target.biases],
                "domain": target.domain.spec(),
                "digest": target.digest,
                "data": pack(target.raw),
            },
            "ticket": self.ticket.description,
            "ticket_id": self.ticket.ticket_id,
            "blocks": list(structure(self.ticket).blocks),
            "copies": [
                None if layer.copy_of is None else pack_ints(layer.copy_of)
                for layer in self.layers[:-1]
            ],
            "layers": [_kept(layer) for layer in self.layers],
            "steps": [
                {
                    "weight_error": _text(step.weight_error),
                    "bias_error": _text(step.bias_error),
                    "deviation": None if step.deviation is None else _text(step.deviation),
                }
                for step in self.steps
            ],
        }

    def __repr__(self) -> str:
        claim = "" if self.epsilon is None else f", epsilon={self.epsilon}, holds={self.holds}"
        return f"Certificate(bound={in_words(self.exact_bound, 6)}, method={self.method!r}{claim})"


def certify(
    ticket: Ticket, target: Target, epsilon: float | None = None, *, method: Method | None = None
) -> Certificate:
    """Prove how far a ticket is from its target, over the whole domain.

    The ticket's network is the target's in blocks of layers, two for one unless its provenance
    says otherwise (see `verify._collapse`).

    `method` None takes the smaller bound of `DIFFERENTIAL_INTERVAL` on a Box (`WEIGHT_ERROR` on a
    Ball) and, for layers of up to 1,536 neurons and targets of up to 2^22 weights, `SPECTRAL`: a
    second or two. `epsilon`, if given, is what `Certificate.holds` compares with.
    """
    if epsilon is not None and not (math.isfinite(epsilon) and epsilon >= 0):
        raise InputError(f"epsilon must be finite and >= 0 (0: equality), got {epsilon!r}")
    foreign = [p for p in ticket.network.parameters if law_named(p.law.spec()["law"]) is None]
    if foreign:
        raise InputError(
            f"recheck makes the weights of the laws {', '.join(LAWS)} again and no others; "
            f"{foreign[0].name} has {foreign[0].law}"
        )
    kind = getattr(ticket.network.architecture, "activation", RELU)
    if {kind, target.activation} != {RELU}:
        raise InputError(
            f"certify is about ReLU networks; the ticket has {kind}, the target "
            f"{target.activation}: use verify.certify_activation"
        )
    layers = collapse(ticket)
    check_shapes(layers, target)
    proved = None
    if method is None:
        method, proved = tightest(target, layers)
    names = [name for name, known in METHODS.items() if known is method]
    if not names:
        raise InputError(f"method must be one of the methods of verify: {', '.join(METHODS)}")
    if any(layer.copy_of is not None for layer in layers) and names[0] not in COPIES:
        raise InputError(
            f"the method {names[0]!r} does not know copies of neurons, which this ticket has; take "
            f"one of {', '.join(sorted(COPIES))}"
        )
    proved = proved or prove(method, target, layers)
    claimed = None if epsilon is None else float(epsilon)
    return Certificate(
        ticket, target, names[0], proved.bound, claimed, proved.steps, layers, proved.witness
    )


def up(value: Fraction) -> float:
    """The least float64 that is not below a fraction."""
    try:
        nearest = float(value)
    except OverflowError:
        return math.inf
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def _kept(layer: Collapsed) -> dict[str, Any]:
    """The mask of one block: in short for two layers for one, else every kept index."""
    if layer.masks:
        return {
            "masks": {
                name: pack_ints(np.diff(indices, prepend=-1))
                for name, indices in layer.masks.items()
            }
        }
    return {
        "hidden": pack_ints(np.diff(layer.hidden, prepend=-1)),
        "inputs": pack_ints(layer.inputs),
        "kept": pack(np.packbits(layer.kept, axis=None, bitorder="little").tobytes()),
    }


def _text(value: Fraction) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python prints no integers of more than 4,300 digits
        raise InputError(
            "the exact bound has more digits than a certificate file holds: the target is too "
            "deep, or its weights span too many powers of two"
        ) from error


def seal(document: dict[str, Any]) -> bytes:
    """Canonical JSON that ends in the SHA-256 of all bytes before that digest."""
    head = canonical.dumps(document)[:-1] + b',"sha256":"'
    return head + canonical.sha256(head).encode() + b'"}'


def pack(data: bytes) -> str:
    """Bytes, deflated, in base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def pack_ints(numbers: NDArray[np.int64]) -> str:
    """Non-negative integers as little-endian int32, deflated, in base64."""
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < 1 << 31:
        raise InputError("a certificate stores neuron numbers, and gaps in masks, below 2^31")
    return pack(numbers.astype("<i4").tobytes())


_check = check_shapes
