"""The sizes that the solvers' integers and floats may have."""

from __future__ import annotations

MOST = 62
"""The most candidates a row may have: a mask is one int64 number."""
MOST_NETWORK = 24
"""The most candidates of the merging network: its lists stay in the cache."""
MOST_STREAM = 50
"""The most candidates whose every subset is searched: its two lists are 2^24 sums each."""
REACH = 1 << 60
"""The largest sum of magnitudes of a row, in grid units, that int64 keys hold (they are 4 sums)."""
NARROW = (1 << 29) - 4
"""The same for int32 keys."""
FAR = 1 << 61
"""Targets are cut to this magnitude, in grid units: no sum comes near it."""
FINEST = -1000
"""The exponent of the finest grid; 2^1000 is the largest float that is taken."""
REFUSED = 1 << 30
"""Stands for the exponent of a row that has no usable grid."""
TINY = 2.0**-1000
"""Stands for a fraction below the smallest float, of which only the sign counts."""
