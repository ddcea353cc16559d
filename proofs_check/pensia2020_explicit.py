"""Depth 2L with every constant, through the whole product law: the smaller widths.

Algebra: kappa, the cut lemma, error propagation with biases. Construction: targets with their
largest weight at the reach, built at the claimed width and certified in rationals.
"""

import sys

from _script import run

from strongticket.theorems.pensia2020 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
