"""Copies that realise an exact target in a pruned source with trained weights.

Algebra: the count recomputed in rationals, and what no smaller number does. Construction: integer
targets realised exactly.
"""

import sys

from _script import run

from strongticket.theorems.gadhikar2023 import REALISABLE

if __name__ == "__main__":
    sys.exit(run(REALISABLE))
