"""Pensia et al. 2020, Theorem 1, as restated (exact form recalled): its constant is unspecified.

So it claims no number, nothing can be refuted, and it has no false form: the script says so.
Its explicit forms are pensia2020_first and pensia2020_explicit.
"""

import sys

from _script import run

from strongticket.theorems.pensia2020 import PUBLISHED

if __name__ == "__main__":
    sys.exit(run(PUBLISHED))
