"""A small network's difference as a linear programme: rows, bounds and goals, in integers.

What `strongticket.verify.maximum` branches over: the rows hold for all inputs that have the signs
which a node has fixed, so the programme's value is an upper bound there.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket.targets import Box, Target
from strongticket.verify._align import align
from strongticket.verify._collapse import Collapsed
from strongticket.verify._duality import linear_programme, weak_duality

Big = NDArray[Any]
Floats = NDArray[np.float64]
Signs = tuple[int, ...]  # of every z, then every z-hat, then every input: 1, -1, or 0 for either


class Programme:
    """Rows, bounds and goals of the relaxation, in integers times 2^exponent."""

    def __init__(self, target: Target, layers: Sequence[Collapsed]) -> None:
        assert isinstance(target.domain, Box)
        first, second = align(target, layers)
        ends = [Fraction(target.domain.low), Fraction(target.domain.high)]
        bits = max(f.denominator for f in ends).bit_length() - 1
        low, high = (int(f * (1 << bits)) for f in ends)
        d, m = target.widths[0], target.widths[1]
        self.d, self.m, self.exponent = d, m, first.exponent - bits
        # Inputs in units of 2^-bits, hidden values in units of 2^exponent.
        self.z = np.hstack([first.w, first.w])
        self.z_hat = np.hstack([first.plus, first.minus])
        self.b, self.b_hat = first.b << bits, first.b_hat << bits
        self.low = [max(low, 0)] * d + [min(low, 0)] * d
        self.high = [max(high, 0)] * d + [min(high, 0)] * d
        self.ends, self.unit = (low, high), 2.0**-bits
        pairs = ((self.z, self.b), (self.z_hat, self.b_hat))
        ranges = [ranges_of(rows, b, self.low, self.high) for rows, b in pairs]
        self.ranges = [*ranges[0], *ranges[1]]
        self.hidden_low = [0] * (2 * m)
        self.hidden_high = [max(u, 0) for _, u in self.ranges]
        self.of_h, self.of_h_hat = second.w, second.plus
        shift = -self.exponent
        self.constant = (second.b_hat - second.b) << shift
        self.goal_exponent = self.exponent + second.exponent
        signs = [1 if lo >= 0 else -1 if up <= 0 else 0 for lo, up in self.ranges]
        inputs = [0 if low < 0 < high and (first.plus != first.minus).any() else 2] * d
        self.known: Signs = (*signs, *inputs)

    def worst(self, goal: tuple[int, int]) -> Fraction:
        """A first bound: every variable at its worse end."""
        c, constant = self.goal(goal)
        high = [*self.high, *self.hidden_high]
        low = [*self.low, *self.hidden_low]
        total = sum(max(a * lo, a * up) for a, lo, up in zip(c, low, high, strict=True))
        return self.value(constant + total)

    def goal(self, goal: tuple[int, int]) -> tuple[list[int], int]:
        """Coefficients of all variables (inputs, h, h-hat), and the constant."""
        j, s = goal
        c = [0] * (2 * self.d) + [-s * int(v) for v in self.of_h[j]]
        return [*c, *(s * int(v) for v in self.of_h_hat[j])], s * int(self.constant[j])

    def value(self, ints: int | Fraction) -> Fraction:
        """Integers of the goal as a number."""
        return Fraction(ints) * Fraction(2) ** self.goal_exponent

    def rows(self, signs: Signs) -> tuple[list[list[int]], list[int], list[int], list[int]]:
        """Rows A v <= b and bounds of v that hold for all inputs with these signs."""
        d, m = self.d, self.m
        low, high = [*self.low, *self.hidden_low], [*self.high, *self.hidden_high]
        found: list[list[int]] = []
        right: list[int] = []

        def row(inputs: Any, at: int, factor: int, limit: int) -> None:
            entries = [int(v) for v in inputs] + [0] * (2 * m)
            if factor:
                entries[2 * d + at] = factor
            found.append(entries)
            right.append(limit)

        for at, (lo, up) in enumerate(self.ranges):
            own = (self.z, self.b) if at < m else (self.z_hat, self.b_hat)
            line, b, sign = own[0][at % m], int(own[1][at % m]), signs[at]
            if sign == -1:
                high[2 * d + at] = 0
                row(line, at, 0, -b)  # z <= 0
                continue
            row(line, at, -1, -b)  # h >= z
            if sign == 1:
                row(-line, at, 1, b)  # h <= z, and h >= 0
            else:
                row(-line * up, at, up - lo, up * (b - lo))  # h <= u (z - l) / (u - l)
        for k in range(d):
            sign, (lo, up) = signs[2 * m + k], self.ends
            if sign == 1:
                low[d + k] = 0
            elif sign == -1:
                high[k] = 0
            elif lo < 0 < up:
                entries = [0] * (2 * d)
                entries[k], entries[d + k] = -lo, -up  # x' / u + x'' / l <= 1
                row(entries, 0, 0, -lo * up)
        # h and h-hat of one neuron: h-hat - h lies between 0 and z-hat - z.
        gaps = ranges_of(self.z_hat - self.z, self.b_hat - self.b, self.low, self.high)
        for i, (lo, up) in enumerate(gaps):
            lo, up = min(lo, 0), max(up, 0)
            if not up - lo:
                continue
            line, b = self.z_hat[i] - self.z[i], int(self.b_hat[i] - self.b[i])
            # (u - l) (h-hat - h) <= u (dz - l), and >= l (u - dz)
            for factor, limit, slope in ((1, up * (b - lo), -up), (-1, -lo * (up - b), -lo)):
                row(line * slope, 0, 0, limit)
                found[-1][2 * d + i] = -factor * (up - lo)
                found[-1][2 * d + m + i] = factor * (up - lo)
        return found, right, low, high

    def bound(
        self, goal: tuple[int, int], signs: Signs, upper: Fraction
    ) -> tuple[Fraction, int | None]:
        """The node's exact bound, at most `upper`, and the sign to split next (None: none left)."""
        a, b, low, high = self.rows(signs)
        c, constant = self.goal(goal)
        y, v = linear_programme(a, b, low, high, c)
        if v is None:  # no input has these signs, if 0 <= y b - y A v is exactly impossible
            if weak_duality(a, b, low, high, [0] * len(c), y) < 0:
                return Fraction(-1), None
            return upper, self._split(signs, np.zeros(len(c)))
        exact = weak_duality(a, b, low, high, c, y)
        return min(upper, self.value(exact + constant)), self._split(signs, v)

    def _split(self, signs: Signs, v: Floats) -> int | None:
        """The undecided sign whose ReLU the relaxed solution breaks most."""
        d, m = self.d, self.m
        x = v[: 2 * d]
        worst, chosen = -1.0, None
        for at, sign in enumerate(signs):
            if sign:
                continue
            if at >= 2 * m:
                k = at - 2 * m
                broken = min(abs(x[k]), abs(x[d + k])) / max(-self.ends[0], self.ends[1])
            else:
                lo, up = self.ranges[at]
                line, b = (self.z, self.b) if at < m else (self.z_hat, self.b_hat)
                z = float(np.dot(line[at % m].astype(np.float64), x)) + float(b[at % m])
                broken = abs(v[2 * d + at] - max(z, 0.0)) / max(float(up - lo), 1.0)
                weight = np.abs((self.of_h if at < m else self.of_h_hat)[:, at % m]).max()
                broken *= float(weight) * float(up - lo)
                broken *= 2.0 ** min(max(self.goal_exponent, -900), 900)
            if broken > worst:
                worst, chosen = broken, at
        return chosen


def ranges_of(rows: Big, b: Big, low: list[int], high: list[int]) -> list[tuple[int, int]]:
    """Of every row's values: x' and x'' share an input, and both ranges hold 0 where it matters."""
    half = rows.shape[1] // 2
    found = []
    for row, constant in zip(rows.tolist(), b.tolist(), strict=True):
        lo = up = constant
        for k in range(half):
            p, q = row[k], row[half + k]
            ends = [p * low[k] + q * low[half + k], p * high[k] + q * high[half + k]]
            if low[half + k] < 0 < high[k]:
                ends.append(0)
            lo, up = lo + min(ends), up + max(ends)
        found.append((lo, up))
    return found
