"""What a user says once for all parameters, group by group or one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from strongticket.errors import InputError
from strongticket.search import selection
from strongticket.search.written import Masked

Scope = Literal["layer", "global"]
Density = float | Fraction | Mapping[str, float | Fraction]


def keep_counts(totals: Mapping[str, int], density: Density, scope: Scope) -> dict[str, int]:
    """How many scores of each parameter are kept; in global scope only checked."""
    if not isinstance(density, Mapping):
        return {name: selection.keep_count(density, total) for name, total in totals.items()}
    if scope == "global":
        raise InputError("a density for each parameter needs scope='layer'")
    if set(density) != set(totals):
        raise InputError(
            f"density must name the masked parameters {sorted(totals)}, got {sorted(density)}"
        )
    return {name: selection.keep_count(density[name], total) for name, total in totals.items()}


def grouped(layers: Iterable[Masked], groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Parameter groups from name patterns; what none of them takes comes last, with defaults."""
    rest = {layer.name: layer.parameter for layer in layers}
    made: list[dict[str, Any]] = []
    for group in groups:
        patterns = group.get("params", ())
        if isinstance(patterns, str):
            raise InputError(f"a group's params is a sequence of patterns, got {patterns!r}")
        names = [name for name in rest if any(fnmatchcase(name, p) for p in patterns)]
        if not names:
            raise InputError(f"no masked parameter is left for {patterns!r}; left: {list(rest)}")
        made.append({**group, "params": [(name, rest.pop(name)) for name in names]})
    if rest:
        made.append({"params": list(rest.items())})
    return made


def check_group(group: Mapping[str, Any]) -> None:
    """Raise InputError for a hyperparameter out of range, or one that no search has."""
    check_values(group)
    known = {"params", "param_names", "lr", "momentum", "weight_decay", "nesterov", "initial_lr"}
    if set(group) - known:
        raise InputError(f"a group sets lr, momentum, weight_decay, nesterov; got {sorted(group)}")


def check_values(group: Mapping[str, Any]) -> None:
    """Raise InputError for a hyperparameter that is missing, no number, or out of range."""
    for key in ("lr", "momentum", "weight_decay"):
        value = _number(key, group.get(key))
        if not 0 <= value <= float(np.finfo(np.float32).max):
            raise InputError(f"{key} must be finite and >= 0, as a float32; got {group[key]!r}")
    if not np.float32(float(group["momentum"])) < 1:
        raise InputError(f"momentum must be below 1, as a float32; got {group['momentum']!r}")
    if not isinstance(group.get("nesterov"), bool):
        raise InputError(f"nesterov must be True or False, got {group.get('nesterov')!r}")
    if group["nesterov"] and not group["momentum"]:
        raise InputError("nesterov needs momentum > 0")


def _number(key: str, value: Any) -> float:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        return float(value)  # torch's own optimizers take tensors of one number, and so do these
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{key} must be a number, got {value!r}") from None
