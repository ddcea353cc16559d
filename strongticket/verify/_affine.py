r"""Affine forms of unknowns in floats, and what is known of the unknowns.

A `Form` is the vector :math:`c + \sum_g M_g v_g` of unknown vectors :math:`v_g` (`Group`), with a
`slack` that covers every rounding: the true form, which exact arithmetic would have, and the one
that the floats spell differ by at most slack, entry by entry, whatever the unknowns are. The
`noise` says the same of the matrices: the magnitudes by which the entries of a row of :math:`M_g`
may be off, added up. No bound needs it, but the claimed norms of the matrices that a checker has.

A group knows a box, and an ellipsoid around its centre: :math:`low \le v \le high` and
:math:`|v_i| \le core_i + |e_i|` with :math:`\|e / scale\|_2 \le radius`. So for every set S of
coordinates :math:`\langle c, v \rangle` is at most the box's part on S plus

.. math:: \sum_{i \notin S} |c_i| core_i + radius \cdot \|(c \cdot scale)_{\notin S}\|_2 .
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strongticket.verify._norms import GROW, Floats, gamma, spectral_norm

# A product that underflows is off by 2^-1075: this is more than a row of them, 2^60 entries long.
_TINY = 2.0**-1000


@dataclass(frozen=True)
class Group:
    """What is known of one vector of unknowns (n,): a box around 0 and an ellipsoid."""

    low: Floats
    high: Floats
    core: Floats
    scale: Floats
    radius: float

    @property
    def size(self) -> Floats:
        """The largest magnitude of each unknown."""
        largest: Floats = np.maximum(-self.low, self.high)
        return largest

    def support(self, rows: Floats) -> Floats:
        """At least the largest <row, v>, for each of `rows` (k, n): the better of all sets S."""
        box = np.maximum(rows * self.low, rows * self.high)
        if self.radius == np.inf:
            return np.asarray(box.sum(1) * GROW)
        pulled = np.where(box > 0, np.abs(rows), 0.0)  # elsewhere 0 is the largest
        base, reach = pulled * self.core, pulled * self.scale
        top = reach.max(1, initial=0.0)
        part = np.divide(reach, top[:, None], out=np.zeros_like(reach), where=reach > 0) ** 2
        gain = np.divide(box - base, part, out=np.zeros_like(part), where=part > 0)
        order = np.argsort(gain, axis=1, kind="stable")
        box, base, part = (np.take_along_axis(a, order, 1) for a in (box, base, part))
        first = np.cumsum(box, 1)
        rest, square = (np.cumsum(a[:, ::-1], 1)[:, ::-1] for a in (base, part))
        none = np.zeros((len(rows), 1))
        inside = np.hstack([none, first])
        outside = np.hstack([rest + (self.radius * top)[:, None] * np.sqrt(square * GROW), none])
        # Squares below 2^-1074 vanish: those of entries below 2^-500 of the row's largest.
        lost = self.radius * (top * 2.0**-500 + _TINY * pulled.any(1))
        return np.asarray(((inside + outside).min(1, initial=np.inf) + lost) * GROW * GROW)

    def norm(self, rows: Floats, noise: Floats) -> float:
        """At least the norm of rows @ diag(scale), and of rows off by their noise."""
        most = self.scale.max(initial=0.0)
        return spectral_norm(rows * self.scale) + _of_noise(noise, most, bool(rows.any()))


@dataclass(frozen=True)
class SignedBox:
    """Inputs in [low, high]: v holds max(x, 0), then min(x, 0)."""

    low: float
    high: float
    half: int

    @property
    def size(self) -> Floats:
        """The largest magnitude of each unknown."""
        return np.repeat([max(self.high, 0.0), max(-self.low, 0.0)], self.half)

    @property
    def core(self) -> Floats:
        """Nothing lies outside the ellipsoid."""
        return np.zeros(2 * self.half)

    @property
    def radius(self) -> float:
        """At least the largest Euclidean norm of an input."""
        size = max(abs(self.low), abs(self.high))
        return float(np.sqrt(self.half)) * size * GROW

    def support(self, rows: Floats) -> Floats:
        """At least the largest <row, v>: of each input at one of its ends, or at 0."""
        plus, minus = rows[:, : self.half], rows[:, self.half :]
        ends = [(plus if end >= 0 else minus) * end for end in (self.low, self.high)]
        best = np.maximum(ends[0], ends[1])
        if self.low < 0 < self.high:
            best = np.maximum(best, 0.0)
        up = np.maximum(best, 0).sum(1) * GROW
        return _minus(up, np.maximum(-best, 0).sum(1))

    def norm(self, rows: Floats, noise: Floats) -> float:
        """At least the norm of `rows` on the inputs, and of rows off by their noise."""
        return _signed_norm(rows, self.half) + _of_noise(noise, 1.0, bool(rows.any()))


@dataclass(frozen=True)
class SignedBall:
    """Inputs of Euclidean norm at most `radius`: v holds max(x, 0), then min(x, 0)."""

    radius: float
    half: int

    @property
    def size(self) -> Floats:
        """The largest magnitude of each unknown."""
        return np.full(2 * self.half, self.radius)

    @property
    def core(self) -> Floats:
        """Nothing lies outside the ellipsoid."""
        return np.zeros(2 * self.half)

    def support(self, rows: Floats) -> Floats:
        r"""At least the largest <row, v>, which is radius times :math:`\|\max(c^+, -c^-, 0)\|_2`.

        An input contributes c+ |x| or -c- |x|, as its sign is; the best magnitudes are in
        proportion to the larger of both.
        """
        best = np.maximum(np.maximum(rows[:, : self.half], -rows[:, self.half :]), 0.0)
        top = best.max(1, initial=0.0)
        unit = np.divide(best, top[:, None], out=np.zeros_like(best), where=top[:, None] > 0)
        return np.asarray(top * np.sqrt((unit * unit).sum(1) * GROW) * self.radius * GROW * GROW)

    def norm(self, rows: Floats, noise: Floats) -> float:
        """At least the norm of `rows` on the inputs, and of rows off by their noise."""
        return _signed_norm(rows, self.half) + _of_noise(noise, 1.0, bool(rows.any()))


Unknowns = Group | SignedBox | SignedBall


@dataclass(frozen=True)
class Form:
    """Rows of constant + sum of parts[g] @ v_g, true up to `slack`."""

    constant: Floats
    parts: tuple[Floats, ...]
    slack: Floats
    noise: tuple[Floats, ...]

    def bounds(self, groups: Sequence[Unknowns]) -> tuple[Floats, Floats]:
        """Lower and upper bounds of every row."""
        up, down = self.slack.copy(), self.slack.copy()
        for part, group in zip(self.parts, groups, strict=True):
            if part.any():
                tiny = speck([group]) * part[:, group.size > 0].any(1)
                up += group.support(part) + tiny
                down += group.support(-part) + tiny
        error = (np.abs(self.constant) + np.abs(up) + np.abs(down)) * 2.0**-44
        return self.constant - down - error, self.constant + up + error

    def core(self, groups: Sequence[Unknowns]) -> Floats:
        """What of every row's magnitude lies outside the ellipsoids."""
        total = np.abs(self.constant) + self.slack
        for part, group in zip(self.parts, groups, strict=True):
            total = total + np.abs(part) @ group.core
        return total * GROW

    def reach(self, groups: Sequence[Unknowns]) -> Floats:
        """The sum of all terms' largest magnitudes, row by row."""
        total = np.abs(self.constant)
        for part, group in zip(self.parts, groups, strict=True):
            total = total + np.abs(part) @ group.size
        return total * GROW

    def varies(self, groups: Sequence[Unknowns]) -> bool:
        """Whether a row may be anything but 0."""
        pairs = zip(self.parts, groups, strict=True)
        return bool(self.constant.any() or any(part[:, g.size > 0].any() for part, g in pairs))

    def times(self, factors: Floats, groups: Sequence[Unknowns]) -> Form:
        """Rows multiplied by numbers in [0, 1]."""
        parts = tuple(factors[:, None] * part for part in self.parts)
        rounded = self.reach(groups) * 2.0**-50 + (speck(groups) if self.varies(groups) else 0.0)
        slack = (self.slack + rounded) * factors * GROW
        pairs = zip(self.parts, self.noise, strict=True)
        noise = tuple(_noise(part, 2.0**-50, off) * factors for part, off in pairs)
        return Form(factors * self.constant, parts, slack, noise)

    def padded(self, groups: Sequence[Unknowns]) -> Form:
        """The form over more groups, of which it does not depend on the new ones."""
        more = groups[len(self.parts) :]
        none = (np.zeros((len(self.constant), len(group.size))) for group in more)
        quiet = (np.zeros(len(self.constant)) for _ in more)
        return Form(self.constant, (*self.parts, *none), self.slack, (*self.noise, *quiet))


def linear(matrix: Floats, form: Form, groups: Sequence[Unknowns]) -> Form:
    """Matrix times form. Every entry of both may be off by 4 roundings."""
    size, reach = np.abs(matrix), form.reach(groups)
    terms = matrix.shape[1] + max((p.shape[1] for p in form.parts), default=0)
    rounded = size @ reach * (gamma(terms) * GROW)
    slack = (size @ form.slack + rounded) * GROW
    if matrix.any() and form.varies(groups):
        slack = slack + speck(groups)
    parts = tuple(matrix @ part for part in form.parts)
    pairs = zip(form.parts, form.noise, strict=True)
    noise = tuple(size @ _noise(part, gamma(terms), off) * GROW for part, off in pairs)
    return Form(matrix @ form.constant, parts, slack, noise)


def add(one: Form, other: Form, groups: Sequence[Unknowns]) -> Form:
    """The sum, entry by entry, its roundings in the slack."""
    parts = tuple(a + b for a, b in zip(one.parts, other.parts, strict=True))
    reach = one.reach(groups) + other.reach(groups)
    slack = (one.slack + other.slack + reach * 2.0**-50) * GROW
    noise = tuple(
        _noise(a, 2.0**-50, c) + _noise(b, 2.0**-50, d)
        for a, b, c, d in zip(one.parts, other.parts, one.noise, other.noise, strict=True)
    )
    return Form(one.constant + other.constant, parts, slack, noise)


def start(constant: Floats, part: Floats, slack: Floats) -> Form:
    """A form of one group, whose matrix is off by a rounding."""
    return Form(constant, (part,), slack, (_noise(part, 2.0**-50, np.zeros(len(part))),))


def _noise(part: Floats, relative: float, off: Floats) -> Floats:
    """What the rows of a part are off by where every entry is off by that much more."""
    if not part.any():
        return off
    found: Floats = (np.abs(part).sum(1) * relative + off + _TINY) * GROW
    return found


def _of_noise(noise: Floats, scale: float, some: bool) -> float:
    """At least the norm of a matrix whose rows add up to `noise`, on unknowns of that scale."""
    most = float(noise.max(initial=0.0)) * scale
    return float(np.sqrt(len(noise)) * most * 1.01 + _TINY) if some or most else 0.0


def speck(groups: Sequence[Unknowns]) -> float:
    """More than underflow takes away from a row of products with all unknowns."""
    return float(_TINY * (1 + sum(float(group.size.sum()) for group in groups)))


def _signed_norm(rows: Floats, half: int) -> float:
    plus, minus = rows[:, :half], rows[:, half:]
    return spectral_norm(plus if (plus == minus).all() else rows)


def _minus(up: Floats, down: Floats) -> Floats:
    """Up - down of non-negative rounded sums, rounded up."""
    return up - down + (up + down) * 2.0**-30
