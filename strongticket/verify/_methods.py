"""The methods that `certify` knows, by the name that a certificate gives them.

`_recheck/_methods.py` has the checker's own table: a name in both is a method of both.
"""

from __future__ import annotations

from strongticket.verify._linear import LINEAR, SPECTRAL
from strongticket.verify._propagate import DIFFERENTIAL_INTERVAL, WEIGHT_ERROR, Method

METHODS: dict[str, Method] = {
    "differential interval": DIFFERENTIAL_INTERVAL,
    "weight error": WEIGHT_ERROR,
    "linear relaxation": LINEAR,
    "spectral relaxation": SPECTRAL,
}
