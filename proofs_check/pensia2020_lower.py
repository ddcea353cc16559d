"""Pensia et al. 2020, Theorem 2: no smaller network has all tickets.

Probability: every mask of networks with fewer parameters. Doubled, the bound is beaten by random
linear networks that serve every target, exactly.
"""

import sys

from _script import run

from strongticket.theorems.pensia2020 import LOWER

if __name__ == "__main__":
    sys.exit(run(LOWER))
