"""Depth L + 1 with every constant: neurons in copies, direct weights, the true amplification.

Algebra: the induction step of the error of a copy, counts and masses restated. Construction:
targets with their largest weight at the reach, built at the claimed width, read in fractions.
"""

import sys

from _script import run

from strongticket.theorems.burkholz2022 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
