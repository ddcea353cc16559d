"""A bound proved for a ticket of any law, without a certificate file."""

from __future__ import annotations

from fractions import Fraction

from strongticket.targets import Box, Target
from strongticket.tickets import Ticket
from strongticket.verify import DIFFERENTIAL_INTERVAL, WEIGHT_ERROR, collapse


def proved_bound(ticket: Ticket, target: Target) -> Fraction:
    """A bound on the sup error over the domain: what `certify` would say, whatever the laws."""
    method = DIFFERENTIAL_INTERVAL if isinstance(target.domain, Box) else WEIGHT_ERROR
    found = method(target, collapse(ticket))
    return found[0] if isinstance(found, tuple) else found.bound
