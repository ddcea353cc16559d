"""`from_theorem`: values that meet a theorem's hypotheses."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from strongticket.errors import InputError
from strongticket.testing._networks import architectures
from strongticket.testing._numbers import Strategy
from strongticket.testing._targets import domains, targets
from strongticket.theorems import Theorem

# What the hypotheses of a theorem on networks say of values that it computes from the target.
_FROM_TARGET = {"plan", "need", "finest", "norms"}
_WINDOWS = ("L", "ell", "W", "R")
_KNOWN = {"target", "delta", "eta", "epsilon", "R", "d", "n", "k", "width", "depth"}


def from_theorem(theorem: Theorem, **parts: Strategy[Any]) -> Strategy[dict[str, Any]]:
    """Named values that meet the hypotheses of a theorem, such as epsilon, delta and target.

    The values at which the claim is nearest to failing (`theorem.extremal`) are among them. The
    result fits ``theorem.require`` (but for "target", which ``theorem.network`` takes) and shrinks
    towards the extremal values, a coarse accuracy, delta 1/2 and the smallest target.

    Args:
        theorem: one of `strongticket.theorems.THEOREMS`, or your own.
        parts: a strategy for a name that replaces the one made here, or adds a value.

    Raises:
        InputError: a hypothesis speaks of a value for which no strategy is known: give one.
    """
    if not isinstance(theorem, Theorem):
        raise InputError(f"from_theorem needs a Theorem, got {theorem!r}")
    names = {name for hypothesis in theorem.hypotheses for name in hypothesis.names}
    fixed: dict[str, Any] = dict(getattr(theorem, "setting", ()))
    wanted = names - _FROM_TARGET - set(fixed) - set(parts)
    if names & _FROM_TARGET:
        wanted |= {"epsilon", "delta", "target"} - set(parts)
    if unknown := wanted - _KNOWN:
        raise InputError(
            f"{theorem.key} assumes something of {', '.join(sorted(unknown))}, for which no "
            f"strategy is known; give one: from_theorem(theorem, {min(unknown)}=...)"
        )
    return _from_theorem(theorem, names, tuple(sorted(wanted)), fixed, parts)


@st.composite
def _from_theorem(
    draw: st.DrawFn,
    theorem: Theorem,
    names: set[str],
    wanted: tuple[str, ...],
    fixed: dict[str, Any],
    parts: dict[str, Strategy[Any]],
) -> dict[str, Any]:
    values: dict[str, Any] = {name: draw(parts[name]) for name in sorted(parts)}
    windows = {**fixed, **values}
    lengths = [Fraction(windows[name]) for name in _WINDOWS if name in windows]
    top = min(lengths, default=Fraction(1))
    for name in sorted(wanted, key=lambda name: (name == "R", name)):  # R is at least eta
        values[name] = draw(_known(theorem, name, top, values))
    theorem.require(**{name: value for name, value in values.items() if name in names})
    return values


def _known(theorem: Theorem, name: str, top: Fraction, values: dict[str, Any]) -> Strategy[Any]:
    """The strategy of a name; `top` is the length of the shortest window of targets."""
    if name == "target":
        small = architectures(max_depth=2, max_width=2)
        return targets(domains(radius=1.0), architectures=small, exponent=-3)
    if name == "delta":
        general: Strategy[Any] = st.one_of(
            st.integers(0, 511).map(lambda k: (512 - k) / 1024),
            st.integers(1, 30).map(lambda k: math.ldexp(1.0, -k)),
            st.integers(1, 30).map(lambda k: 1 - math.ldexp(1.0, -k)),
        )
    elif name == "eta":
        # 17 octaves: far above the grid, on which the hypotheses' lower ends lie
        general = st.builds(
            lambda j, m: float(top / 2) * math.ldexp(1 - m / 32, -j),
            st.integers(0, 16),
            st.integers(0, 15),
        )
    elif name == "epsilon":
        # below 1/2, as lower bounds ask; a target of norm 1 has no accuracy finer than the grid's
        general = st.builds(
            lambda j, m: math.ldexp(1 - m / 32, -j) * 0.75, st.integers(1, 6), st.integers(0, 15)
        )
    elif name == "R":
        eta = Fraction(values.get("eta", 0.5))
        general = st.integers(0, 1 << 12).map(lambda k: eta * (1 + k))
    else:
        general = st.integers(1, 8)
    extremal = [v for v in theorem.extremal.get(name, ()) if isinstance(v, (int, float, Fraction))]
    return st.one_of(st.sampled_from(extremal), general) if extremal else general
