"""R2+ for Gaussian weights: all targets of a window of two standard deviations at once.

Algebra: the growth constant on a mesh and the distance of the toolkit's deviate from the normal
law. Probability: samples at the claimed n, each held against all targets exactly.
"""

import sys

from _script import run

from strongticket.theorems.dacunha2022 import NORMAL

if __name__ == "__main__":
    sys.exit(run(NORMAL))
