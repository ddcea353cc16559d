r"""The worst case over a box as the worst case on finitely many points, whatever the mask.

Pruned network and target are linear between the hyperplanes on which one of their hidden neurons
changes sides. Over all masks these are finitely many, since a neuron with d inputs has at most
:math:`2^{d+1}` ways to be pruned. The largest magnitude of the difference over a cell that
they and the faces of the box cut out is at one of its vertices, where d of them meet; so the
vertices of the whole arrangement serve every mask at once. They are rational points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from strongticket.errors import InputError
from strongticket.networks import Network
from strongticket.optimal._integers import Array
from strongticket.optimal._losses import outputs
from strongticket.optimal._network import OneHidden
from strongticket.targets import Box, Target
from strongticket.tickets import Mask

MOST_SUBSETS = 1 << 16
Plane = tuple[Fraction, ...]  # (a_1, ..., a_d, b): the points with <a, x> + b = 0


def box_sample(
    network: OneHidden | Network, target: OneHidden | Target, domain: Box | None = None
) -> tuple[Array, Array]:
    """The points of a box at which the worst case over it is found, for every mask at once.

    ``best_weight_mask(network, *box_sample(network, target), loss="worst case")`` is the best
    mask for the worst case over the whole box, and its loss that worst case; `best_neuron_mask`
    and `masked_loss` likewise. Only tiny networks have few enough points.

    Args:
        network: the frozen network.
        target: the function to be near, with one hidden ReLU layer of its own.
        domain: the box; None: that of a `Target`.

    Returns:
        (x, y): Fractions of shape (N, d) and the target's values there, (N,).

    Raises InputError for a domain that is no box, and for more than 2^16 sets of d hyperplanes.
    """
    frozen, wanted = OneHidden.of(network), OneHidden.of(target)
    if domain is None and isinstance(target, Target) and isinstance(target.domain, Box):
        domain = target.domain
    if not isinstance(domain, Box):
        raise InputError(
            f"the worst case is exact over a Box; got the domain {domain!r}. Give domain=Box(low, "
            "high), or sample points and use the worst case on them"
        )
    d = frozen.inputs
    if wanted.inputs != d:
        raise InputError(f"network and target must read the same inputs: {d} and {wanted.inputs}")
    planes = {_normal(p) for p in _planes(frozen, pruned=True)}
    planes |= {_normal(p) for p in _planes(wanted, pruned=False)}
    low, high = Fraction(domain.low), Fraction(domain.high)
    for i, edge in itertools.product(range(d), {low, high}):
        planes.add(_normal((*(Fraction(int(i == j)) for j in range(d)), -edge)))
    subsets = math.comb(len(planes), d)
    if subsets > MOST_SUBSETS:
        raise InputError(
            f"{len(planes)} hyperplanes (one for each way to prune each of {frozen.width} neurons "
            f"with {d} inputs, and the target's) meet in up to {subsets:,} points, more than the "
            f"{MOST_SUBSETS:,} that are tried; only tiny networks have an exact worst case over a "
            "box. Take the worst case on sampled points, and certify the ticket afterwards"
        )
    points = {p for p in _vertices(sorted(planes), d) if all(low <= v <= high for v in p)}
    x = np.empty((len(points), d), object)
    x[:] = sorted(points)
    values, unit = outputs(wanted, Mask({}), x)
    y = np.empty(len(points), object)
    y[:] = [int(v) * unit for v in values]
    return x, y


def _planes(network: OneHidden, *, pruned: bool) -> Iterator[Plane]:
    """Where a hidden neuron changes sides, for every way to prune it or for the whole one."""
    for j in range(network.width):
        row = [Fraction(v) for v in network.weights[j].tolist()]
        row.append(Fraction(0) if network.bias is None else Fraction(network.bias.tolist()[j]))
        bits = (0, 1) if pruned else (1,)
        for kept in itertools.product(bits, repeat=len(row)):
            plane = tuple(v * k for v, k in zip(row, kept, strict=True))
            if any(plane[:-1]):
                yield plane


def _normal(plane: Plane) -> Plane:
    """The same hyperplane, scaled so that its first coefficient that is not 0 is 1."""
    first = next(v for v in plane if v)
    return tuple(v / first for v in plane)


def _vertices(planes: Sequence[Plane], d: int) -> Iterator[tuple[Fraction, ...]]:
    """The single points in which d of the hyperplanes meet."""
    for chosen in itertools.combinations(planes, d):
        point = _meet([list(plane) for plane in chosen], d)
        if point is not None:
            yield point


def _meet(rows: list[list[Fraction]], d: int) -> tuple[Fraction, ...] | None:
    """Gauss and Jordan over the rationals; None where the hyperplanes share no single point."""
    for i in range(d):
        pivot = next((r for r in range(i, d) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(d):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return tuple(-row[d] for row in rows)
