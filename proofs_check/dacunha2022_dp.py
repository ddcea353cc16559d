"""R1': a sharper width by dynamic programming, rounded outward.

Algebra: the certificate is never above the closed form. Probability: it is never below what
samples show, also at lengths where it is far from 0 and 1.
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import DYNAMIC_PROGRAM

if __name__ == "__main__":
    sys.exit(run(DYNAMIC_PROGRAM))
