r"""How far a float execution of a ticket may be from the real network that its weights define.

Certificates are about real numbers. A machine rounds: with unit roundoff u, a sum of n products is
computed within :math:`\gamma_n = n u / (1 - n u)` times the sum of their magnitudes, in any order
and with or without fused operations. With :math:`\hat y` the executed and y the real value,

.. math:: |\hat y_i - y_i| \le |W_i| |\hat y_{i-1} - y_{i-1}|
          + \gamma_{n+1} \bigl(|W_i| |\hat y_{i-1}| + |b_i|\bigr) + (1 + \gamma_{n+1}) (n + 1) \eta,

row by row, n the row's kept weights and :math:`\eta` half the least positive number of the dtype. A
ReLU is exact and adds nothing. Weights of a pruned connection are 0 and add exact zeros.

Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strongticket.activations import RELU
from strongticket.errors import InputError
from strongticket.networks import MLP
from strongticket.targets import Ball, Domain
from strongticket.tickets import Ticket
from strongticket.verify._norms import GROW, Floats, gamma

# Unit roundoff, half the least positive number, the largest finite one.
_KINDS = {
    "float32": (2.0**-24, 2.0**-150, 2.0**127),
    "float64": (2.0**-53, 2.0**-1074, 2.0**1000),
}


def float_term(ticket: Ticket, domain: Domain, dtype: str = "float32") -> float:
    """At least the distance of an execution of the pruned network from its real outputs.

    Over all inputs of the domain that are numbers of the dtype, "float32" or "float64"; largest
    absolute value on a Box, Euclidean norm on a Ball. Not for arithmetic of fewer bits than the
    dtype (TF32), nor for machines that flush subnormal numbers to 0. Add it to a certificate's
    bound for a statement on executions. It is a worst case: real errors are far smaller.
    """
    if dtype not in _KINDS:
        raise InputError(f"dtype must be one of {', '.join(_KINDS)}, got {dtype!r}")
    architecture = ticket.network.architecture
    if not isinstance(architecture, MLP) or architecture.activation != RELU:
        raise InputError(f"float_term needs a ticket of a ReLU Network.mlp, got {architecture}")
    if not ticket.reading.plain:
        raise InputError(
            "float_term is for plain tickets; this one's kept weights are redrawn, multiplied or "
            "made binary"
        )
    unit, least, largest = _KINDS[dtype]
    with np.errstate(all="ignore"):
        size = np.full(architecture.widths[0], domain.radius)
        error = np.zeros(architecture.widths[0])
        for layer in range(architecture.depth):
            rows, columns, weights = _kept(ticket, layer)
            width = architecture.widths[layer + 1]
            bias = _bias(ticket, layer, width)
            # Magnitudes only: every number is a sum of non-negative terms, rounded by GROW.
            count = np.bincount(rows, minlength=width) + 2
            if count.max(initial=0) * unit >= 0.5:
                raise InputError(f"a sum of {int(count.max())} {dtype} terms has no such bound")
            relative = count * unit / (1 - count * unit) * GROW
            carried = _apply(rows, weights, error[columns], width)
            reach = (_apply(rows, weights, size[columns], width) + bias) * GROW
            grown = (reach + carried) * relative
            error = (carried + grown + count * least * (1 + relative)) * GROW
            size = reach
            # Hidden layers count too: what overflows there may look small behind small weights.
            if not float((size + error).max()) < largest:
                raise InputError(f"layers.{layer} may overflow {dtype}: no bound holds")
        bound = float(error.max())
        if isinstance(domain, Ball):
            bound = float(np.sqrt((error * error).sum()) * GROW)
    return bound * GROW


def _kept(ticket: Ticket, layer: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    name = f"layers.{layer}.weight"
    parameter = ticket.network[name]
    at = ticket.mask[name].indices()
    rows, columns = np.divmod(at, parameter.shape[1])
    units = ticket.network.units_at(name, at)
    return rows, columns, np.abs(parameter.law.weights_of(units).astype(np.float64))


def _bias(ticket: Ticket, layer: int, width: int) -> Floats:
    name = f"layers.{layer}.bias"
    found = np.zeros(width)
    if name in ticket.mask:
        at = ticket.mask[name].indices()
        units = ticket.network.units_at(name, at)
        found[at] = np.abs(ticket.network[name].law.weights_of(units))
    return found


def _apply(rows: NDArray[np.int64], weights: Floats, values: Floats, width: int) -> Floats:
    """|W| v, above its rounded value."""
    total = np.bincount(rows, weights * values, minlength=width)
    return np.asarray(total * (1 + gamma(len(rows))) * GROW)
