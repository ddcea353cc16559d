"""One of each pair: subset sums of exactly k of 2k serve all targets at once.

Algebra: the growth constant, the exponential moments, the size in its parts. Probability: samples
at the claimed size, all targets held exactly.
"""

import sys

from _script import run

from strongticket.theorems.natale2024 import PAIRS

if __name__ == "__main__":
    sys.exit(run(PAIRS))
