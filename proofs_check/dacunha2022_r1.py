"""R1: 2.41 log2(2 / (eta^2 delta)) uniform weights serve every |z| <= 1/2 at once.

Algebra: the steps of the potential argument, and that the 24-bit grid costs nothing. Probability:
samples at the claimed n, each held against *all* targets by sorting its subset sums exactly.
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import R1

if __name__ == "__main__":
    sys.exit(run(R1))
