r"""The packing argument counted out on small networks, in integers.

Matrices with entries in :math:`\{-k, \dots, k\} t`, t = 1/(d k), have norm at most d k t = 1, and
two of them differ by at least t in some entry, so by more than 2 epsilon in norm if 2 epsilon < t.
A pruned network that is within epsilon of x -> M x is within epsilon of the columns of M at the
unit vectors, so it can be near one of these matrices only. All masks of a small network are tried.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.laws import Uniform
from strongticket.theorems._algebra import Finding

Ints = NDArray[np.int64]
_UNIT = 1 << 48  # products of two weights are multiples of 2^-48


@dataclass(frozen=True)
class Packing:
    """The (2k + 1)^(d^2) matrices for k a power of two; d = 1 or 2."""

    d: int
    k: int

    @property
    def step(self) -> int:
        """The distance t of two values of an entry, in units of 2^-48."""
        return _UNIT // (self.d * self.k)

    @property
    def epsilon(self) -> Fraction:
        """The largest multiple of 2^-48 below t/2."""
        return Fraction((self.step - 1) // 2, _UNIT)

    @property
    def members(self) -> int:
        """How many matrices there are."""
        return int((2 * self.k + 1) ** (self.d**2))

    def served(self, outputs: Ints) -> Ints:
        """Rows (m, d^2): members within epsilon at all given points, by their entries.

        `outputs` (masks, 2, d, d): entry (0, i) is what the network makes of the i-th unit vector,
        entry (1, i) minus what it makes of minus that, in units of 2^-48.
        """
        nearest = (outputs + self.step // 2) // self.step
        limit = int(self.epsilon * _UNIT)
        good = (np.abs(outputs - nearest * self.step) <= limit) & (np.abs(nearest) <= self.k)
        one = (nearest[:, 0] == nearest[:, 1]).all((1, 2)) & good.all((1, 2, 3))
        return np.unique(nearest[one, 0].reshape(-1, self.d**2), axis=0)


def all_outputs(first: Ints, second: Ints) -> Ints:
    """`Packing.served`'s outputs of all masks of a network d-h-d; units of weights (h, d), (d, h).

    Exact: a sum of h <= 16 products of two units below 2^24.
    """
    h, d = first.shape
    parameters = 2 * h * d
    bits = (np.arange(1 << parameters)[:, None] >> np.arange(parameters)) & 1
    a = first * bits[:, : h * d].reshape(-1, h, d)
    b = second * bits[:, h * d :].reshape(-1, d, h)
    signs = (np.maximum(a, 0), -np.maximum(-a, 0))
    return np.stack([np.einsum("mjh,mhi->mij", b, part) for part in signs], axis=1)


def drawn(d: int, hidden: int, trials: int) -> list[tuple[Ints, Ints]]:
    """Uniform weights of networks d-h-d, as units."""
    words = philox.words(9, philox.stream("check", "packing"), 0, 2 * d * hidden * trials)
    units = Uniform().units(words).astype(np.int64).reshape(trials, 2, -1)
    return [(part[0].reshape(hidden, d), part[1].reshape(d, hidden)) for part in units]


def separated() -> Finding:
    """Norms at most 1, distances above 2 epsilon, and at least (1/(2 eps))^(d^2) members: exact."""
    for d, k in itertools.product((1, 2), (1, 2)):
        packing = Packing(d, k)
        entries = range(-k, k + 1)
        members = np.array(list(itertools.product(entries, repeat=d * d))).reshape(-1, d, d)
        step = Fraction(1, d * k)
        rows = int(np.abs(members).sum(2).max()), int(np.abs(members).sum(1).max())
        # the spectral norm is at most the root of the product of these two
        if rows[0] * rows[1] * step**2 > 1 or len(members) != packing.members:
            return False, f"d {d}, k {k}: norm above 1"
        apart = np.abs(members[:, None] - members[None]).max((2, 3))
        np.fill_diagonal(apart, k)
        # the spectral norm is at least the largest entry
        if int(apart.min()) < 1 or step <= 2 * packing.epsilon:
            return False, f"d {d}, k {k}: members within 2 epsilon"
    for d, power in itertools.product((1, 2), range(12)):
        packing = Packing(d, 1 << power)
        # nearly (1/(2 eps))^(d^2): that for t/2, which the volume argument promises
        if packing.members < (d << power) ** (d * d):
            return False, f"d {d}, k {1 << power}: too few members"
    return True, "4 packings pair by pair, 24 by their size"
