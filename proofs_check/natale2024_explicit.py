"""Depth 2L with exactly k kept weights for every weight of the target.

Algebra: as pairs, for products. Construction: tickets at the claimed pools, certified, their
density counted beside the stated one.
"""

import sys

from _script import run

from strongticket.theorems.natale2024 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
