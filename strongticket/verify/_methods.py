"""The methods that `certify` knows, by the name that a certificate gives them.

`_recheck/_methods.py` has the checker's own table: a name in both is a method of both.
"""

from __future__ import annotations

from collections.abc import Sequence

from strongticket.errors import InputError
from strongticket.targets import Ball, Target
from strongticket.verify._collapse import Collapsed
from strongticket.verify._linear import LINEAR, SPECTRAL
from strongticket.verify._propagate import DIFFERENTIAL_INTERVAL, WEIGHT_ERROR, Method, Proved

# Neurons of a layer, and weights, beyond which norms take more than a second or two.
_WIDEST, _MOST = 1536, 1 << 22

METHODS: dict[str, Method] = {
    "differential interval": DIFFERENTIAL_INTERVAL,
    "weight error": WEIGHT_ERROR,
    "linear relaxation": LINEAR,
    "spectral relaxation": SPECTRAL,
}


def prove(method: Method, target: Target, layers: Sequence[Collapsed]) -> Proved:
    """What a method proves."""
    found = method(target, layers)
    return found if isinstance(found, Proved) else Proved(*found)


def tightest(target: Target, layers: Sequence[Collapsed]) -> tuple[Method, Proved]:
    """The smallest bound of the methods that take no more than a second or two.

    The exact one of the domain's kind, and `SPECTRAL` where no layer, copies counted, has more than
    1,536 neurons and the target no more than 2^22 weights; of equal bounds the exact one's.
    """
    exact = WEIGHT_ERROR if isinstance(target.domain, Ball) else DIFFERENTIAL_INTERVAL
    best = exact, prove(exact, target, layers)
    widest = max(len(layer.plus) for layer in layers)
    if target.parameters > _MOST or max(widest, *target.widths[1:]) > _WIDEST:
        return best
    try:
        other = prove(SPECTRAL, target, layers)
    except InputError:  # numbers beyond floats
        return best
    return (SPECTRAL, other) if other.bound < best[1].bound else best
