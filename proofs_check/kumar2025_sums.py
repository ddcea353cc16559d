"""Exact subset sums on a grid: all integers at once, exponentially small failure.

Algebra: the growth of every covered set, and the exact failure probability at small M. Probability:
samples at the claimed width, with and without 0, and gated.
"""

import sys

from _script import run

from strongticket.theorems.kumar2025 import SUMS

if __name__ == "__main__":
    sys.exit(run(SUMS))
