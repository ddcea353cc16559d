"""Random subset sums of a fixed size, Theorem 2 of Natale et al. 2024.

Its constant is unspecified, so it claims no number; natale2024_pairs is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.natale2024 import SUBSETS

if __name__ == "__main__":
    sys.exit(run(SUBSETS))
