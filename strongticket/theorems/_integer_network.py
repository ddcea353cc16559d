"""Networks evaluated in integers: a second witness beside the certificate, at single points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strongticket import philox
from strongticket.targets import Target
from strongticket.tickets import Ticket

Big = NDArray[Any]  # object arrays of Python integers


def integer_points(count: int, width: int, nonnegative: bool) -> Big:
    """Fixed pseudo-random integer inputs (count, width) in (-1000, 1000), or [0, 1000)."""
    words = philox.words(0, philox.stream("check", "integer points"), 0, count * width)
    values = (words % np.uint32(1000)).astype(np.int64)
    if not nonnegative:
        values *= 1 - 2 * (words >> np.uint32(31)).astype(np.int64)
    return values.reshape(count, width).astype(object)


def ticket_outputs(ticket: Ticket, points: Big) -> tuple[Big, int]:
    """The outputs of the pruned network without biases, as (integers, exponent): exact."""
    network, exponent, values = ticket.network, 0, points.T
    names = [p.name for p in network.parameters]
    for i, name in enumerate(names):
        rows, sources = np.divmod(ticket.mask[name].indices(), network[name].shape[1])
        units = network.units_at(name, ticket.mask[name].indices()).astype(object)
        out = np.zeros((network[name].shape[0], points.shape[0]), object)
        np.add.at(out, rows, units[:, None] * values[sources])
        values = np.maximum(out, 0) if i < len(names) - 1 else out
        exponent += int(network[name].law.exponent or 0)
    return values.T, exponent


def matrix_outputs(layers: Sequence[Big], points: Big) -> Big:
    """The outputs of a ReLU network of integer matrices."""
    values = points.T
    for i, matrix in enumerate(layers):
        values = matrix.dot(values)
        values = np.maximum(values, 0) if i < len(layers) - 1 else values
    return values.T


def agrees(ticket: Ticket, layers: Sequence[Big], exponent: int, target: Target) -> bool:
    """Whether the ticket and 2^exponent times the integer network agree at 64 points, exactly."""
    nonnegative = target.domain.nonnegative
    points = integer_points(64, target.widths[0], nonnegative)
    found, own = ticket_outputs(ticket, points)
    wanted = matrix_outputs(layers, points)
    shift = own - exponent
    same: Any = (found << shift) == wanted if shift >= 0 else found == (wanted << -shift)
    return bool(np.all(same))
