"""R1+ to the very ends of its window, for a factor 2 in front.

Probability: all targets up to 1, exactly, from weights in (-1, 1).
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import R1PLUS_WHOLE

if __name__ == "__main__":
    sys.exit(run(R1PLUS_WHOLE))
