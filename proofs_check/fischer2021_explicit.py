"""Depth 2L with a bias in every layer: pools, scaled laws, biases as a constant input.

Construction: targets with their largest bias at the reach, certified in rationals.
"""

import sys

from _script import run

from strongticket.theorems.fischer2021 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
