"""R1+: the same rate on a window twice as long.

Algebra: the drift on the longer window, and on every 0/1 string that at least half of all pairs
lie within half the window. Probability: all targets up to (2 - eta)/2, exactly.
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import R1PLUS

if __name__ == "__main__":
    sys.exit(run(R1PLUS))
