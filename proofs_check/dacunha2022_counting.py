"""R8: n subset sums cannot serve more than 2^n intervals.

Algebra: a sample that attains the bound. Probability: none below it. Doubled, it is beaten by a
uniform sample, exactly.
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import COUNTING

if __name__ == "__main__":
    sys.exit(run(COUNTING))
