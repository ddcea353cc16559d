"""All laws, and the way back from a law's specification."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from strongticket.errors import InputError
from strongticket.laws._grid import Grid
from strongticket.laws._law import Law
from strongticket.laws._log_uniform import LogUniform
from strongticket.laws._normal import Normal
from strongticket.laws._signed_constant import SignedConstant
from strongticket.laws._uniform import Uniform

LAWS: tuple[type[Law], ...] = (Uniform, Normal, SignedConstant)  # all that a scale makes


def from_spec(spec: dict[str, Any]) -> Law:
    """The law that `Law.spec` described; InputError where it describes none."""
    kinds: list[tuple[str, Callable[[float], Law]]] = [(law.name, law) for law in LAWS]
    if largest := Grid.largest_of(spec.get("law")):
        kinds.append((spec["law"], functools.partial(Grid, largest=largest)))
    if cells := LogUniform.cells_of(spec.get("law")):
        kinds.append((spec["law"], functools.partial(LogUniform, cells=cells)))
    for name, law in kinds:
        if spec.get("law") == name and set(spec) == {"law", "scale"}:
            try:
                found = law(float.fromhex(spec["scale"]))
            except (TypeError, ValueError, OverflowError):  # InputError, too, is a ValueError
                break
            if found.spec() == spec:
                return found
    ranged = ("grid1, grid2, grid4, ...", "log_uniform<cells>")
    known = ", ".join([*(law.name for law in LAWS), *ranged])
    raise InputError(f"a law's specification names one of {known} and its scale, got {spec!r}")
