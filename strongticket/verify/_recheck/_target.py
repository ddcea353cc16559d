"""The target and its domain, as the file has them."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np

from ._errors import RefutedError, UnreadableError
from ._file import DEEPEST, LARGEST, canonical, flags, need_keys, real, sha256, sizes, unpack


def domain_of(spec: dict[str, str]) -> dict[str, Any]:
    """The ends of a box or the radius of a ball, exactly, and whether any input is negative."""
    kind = spec["kind"]
    if kind not in ("box", "ball"):
        raise UnreadableError(f"a domain is a box or a ball, got {kind!r}")
    names = ("low", "high") if kind == "box" else ("radius",)
    need_keys(spec, " ".join(sorted(("kind", *names))))
    ends = {name: Fraction(real(spec[name])) for name in names}
    if kind == "box" and ends["low"] > ends["high"]:
        raise RefutedError("the box is empty: its low end is above its high end")
    if kind == "ball" and ends["radius"] < 0:
        raise RefutedError("the ball is empty: its radius is negative")
    negative = ends["low"] < 0 if kind == "box" else ends["radius"] > 0
    return {"kind": kind, "negative": negative, **ends}


def target_arrays(target: dict[str, Any]) -> list[tuple[Any, Any]]:
    need_keys(target, "biases data digest domain widths")
    widths, at = sizes(target["widths"]), 0
    weights = sum(a * c for a, c in itertools.pairwise(widths)) + sum(widths[1:])
    if weights > LARGEST or len(widths) > DEEPEST:
        raise UnreadableError(
            f"this checker takes targets of up to {LARGEST:,} weights and {DEEPEST} layers"
        )
    raw = unpack(target["data"], 4 * weights)
    head = {name: target[name] for name in ("widths", "biases", "domain")}
    if sha256(canonical(head), raw) != target["digest"]:
        raise RefutedError("the target's digest is not that of its weights and domain")
    arrays: list[tuple[Any, Any]] = []
    if len(flags(target["biases"])) != len(widths) - 1 or len(widths) < 2:
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
