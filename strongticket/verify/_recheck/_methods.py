"""The methods that prove a bound, by the name that a certificate gives them.

A method takes the layers, the domain and the document's claim. It returns either a bound on the
deviation behind every layer, the last of which is the bound, or the bound alone; then no step of
the certificate states a deviation. It raises `RefutedError` where the method proves nothing on such
a domain, or where what the claim says beside name and bound (its `witness`) does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ._errors import RefutedError
from ._file import need_keys
from ._layers import Layer
from ._propagate import differential_interval, weight_error_ball, weight_error_box
from ._relaxation import linear_relaxation, spectral_relaxation

Domain = dict[str, Any]
Claim = dict[str, Any]
PLAIN = "bound epsilon method norm"  # a claim without a witness: what else it says is read here
Method = Callable[[list[Layer], Domain, Claim], list[Fraction] | Fraction]


def _differential_interval(layers: list[Layer], domain: Domain, claim: Claim) -> list[Fraction]:
    need_keys(claim, PLAIN)
    if domain["kind"] != "box":
        raise RefutedError(f"{claim['method']!r} proves nothing on a {domain['kind']}")
    return differential_interval(layers, domain)


def _weight_error(layers: list[Layer], domain: Domain, claim: Claim) -> list[Fraction]:
    need_keys(claim, PLAIN)
    method = weight_error_box if domain["kind"] == "box" else weight_error_ball
    return method(layers, domain)


def _linear(layers: list[Layer], domain: Domain, claim: Claim) -> Fraction:
    return linear_relaxation(layers, domain, claim["witness"])


def _spectral(layers: list[Layer], domain: Domain, claim: Claim) -> Fraction:
    return spectral_relaxation(layers, domain, claim["witness"])


METHODS: dict[str, Method] = {
    "differential interval": _differential_interval,
    "weight error": _weight_error,
    "linear relaxation": _linear,
    "spectral relaxation": _spectral,
}

# Those that read `carry`, `wanted` and `copy_of` of a layer: right where neurons are copies.
COPIES = {"differential interval", "weight error", "linear relaxation", "spectral relaxation"}
