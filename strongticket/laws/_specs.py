"""All laws, and the way back from a law's specification."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from strongticket.errors import InputError
from strongticket.laws._law import Law
from strongticket.laws._normal import Normal
from strongticket.laws._signed_constant import SignedConstant
from strongticket.laws._uniform import Uniform

LAWS: tuple[type[Law], ...] = (Uniform, Normal, SignedConstant)


def from_spec(spec: dict[str, Any]) -> Law:
    """The law that `Law.spec` described; InputError where it describes none."""
    for law in LAWS:
        if spec.get("law") == law.name and set(spec) == {f.name for f in fields(law)} | {"law"}:
            try:
                found = law(scale=float.fromhex(spec["scale"]))
            except (TypeError, ValueError, OverflowError):  # InputError, too, is a ValueError
                break
            if found.spec() == spec:
                return found
    known = ", ".join(law.name for law in LAWS)
    raise InputError(f"a law's specification names one of {known} and its scale, got {spec!r}")
