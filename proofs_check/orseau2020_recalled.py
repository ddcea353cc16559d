"""Logarithmic pruning as it is recalled (Orseau et al. 2020): no number is claimed.

Its explicit form is orseau2020_network.
"""

import sys

from _script import run

from strongticket.theorems.orseau2020 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
