r"""When the four lists pay, and how many candidates and windows they should have.

With lists of :math:`2^p` sums of 4p candidates, all drawn alike, the sums of a pair of lists
spread over :math:`\sqrt{2p}` times less than they reach, and a window has in the mean a constant
times :math:`2^x` hits, where :math:`x = 3p + \frac12 \log_2 2p - \log_2(R / (2 \epsilon))` and R
is the sum of the magnitudes of the 4p candidates. Uniform candidates, their products, and targets
in the middle or at one candidate's size all gave much the same curve: 0.3 of the rows hit in the
first window at x = 0, half at 1, nine in ten at 3; 2.5 windows in the mean at x = 1.
"""

from __future__ import annotations

import math

SLOTS = 2
"""A window has 2^SLOTS slots for every sum of a list: fewer lose more sums that share one."""
LEAST, MOST = 28, 60
"""The fewest and most candidates that are worth using, and that a mask's number holds."""
_COARSE = 17.0  # below so many bits the enumeration of subsets is as fast
_PLENTY = 0.75  # a list twice as long costs as much here as the windows that it saves
_SCARCE = -5.0  # below, or below 4 - p, the windows cost as much as the nearest of all subsets


def shape(n: int, bits: float) -> tuple[int, int] | None:
    r"""(use, windows) for `find` on rows of n candidates, or None where four lists do not pay.

    `use` is the least multiple of 4 with :math:`x \ge 0.75` (and 1.6 more for every list length
    below :math:`2^9`, where rows whose target lies far from the middle of their sums run out of
    windows): it minimises the mean time among those that miss at most about one row in 1,000.
    Where n is too small for that, it is the greatest multiple of 4 within n as long as
    :math:`x \ge \max(4 - p, -5)`: then up to 15 rows in 100 are missed, and the mean time, with the
    nearest of all subsets for those, is still below that of the nearest for all.

    Args:
        n: candidates a row.
        bits: :math:`\log_2(R / (2 \epsilon))`, R the sum of the magnitudes of the n candidates.
    """
    if bits < _COARSE or n < LEAST:
        return None
    for use in range(LEAST, min(n, MOST) + 1, 4):
        if _surplus(n, bits, use) >= _PLENTY + 1.6 * max(0, 9 - use // 4):
            return use, 256
    use = min(n, MOST) // 4 * 4
    return (use, 1024) if _surplus(n, bits, use) >= max(4 - use // 4, _SCARCE) else None


def _surplus(n: int, bits: float, use: int) -> float:
    """The x of the module's docstring, for the first `use` of n like candidates."""
    p = use // 4
    return 3 * p + math.log2(2 * p) / 2 - (bits + math.log2(use / n))
