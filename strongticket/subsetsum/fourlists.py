"""What both kernels of the four lists share."""

from __future__ import annotations

SLOTS = 2
"""A window has 2^SLOTS slots for every sum of a list: fewer lose more sums that share one."""
