"""Binary weights, powers of two by depth.

Algebra: the union bound event by event. Construction: two random networks pruned to the same
function, certified. Probability: one network a seed.
"""

import sys

from _script import run

from strongticket.theorems.sreenivasan2022 import DOUBLING

if __name__ == "__main__":
    sys.exit(run(DOUBLING))
