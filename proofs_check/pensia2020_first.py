"""Depth 2L with every constant, through the uniform part of the product law.

Construction: targets with their largest weight at the reach, box and ball, with and without
biases, built at the claimed width and certified in rationals. Probability: one network a seed.
"""

import sys

from _script import run

from strongticket.theorems.pensia2020 import FIRST

if __name__ == "__main__":
    sys.exit(run(FIRST))
