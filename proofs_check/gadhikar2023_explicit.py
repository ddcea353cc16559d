"""Depth 2L in a randomly pruned source.

Construction: tickets at the claimed pools, certified, each held against its source exactly.
"""

import sys

from _script import run

from strongticket.theorems.gadhikar2023 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
