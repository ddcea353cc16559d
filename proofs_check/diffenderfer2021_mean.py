"""Binary weights, depth 2L: a weight is a count of kept products of two signs.

Algebra: Chernoff's bound against the exact binomial tail. Construction: targets built at the
claimed width, certified, and compared in integers with all scales taken out.
"""

import sys

from _script import run

from strongticket.theorems.diffenderfer2021 import MEAN

if __name__ == "__main__":
    sys.exit(run(MEAN))
