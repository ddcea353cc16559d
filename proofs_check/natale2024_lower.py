"""Theorem 5 of Natale et al. 2024 as a count in integers.

Probability: networks below the bound with all their masks of k weights, and subset sums of exactly
k of n. The doubled bound is beaten by a random linear network.
"""

import sys

from _script import run

from strongticket.theorems.natale2024 import LOWER

if __name__ == "__main__":
    sys.exit(run(LOWER))
