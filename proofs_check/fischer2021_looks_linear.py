"""Looks-linear sources: one subset sum for both signs, by mirrored pairs of neurons.

Algebra: the mirror identity in integers. Probability: products without a gate.
"""

import sys

from _script import run

from strongticket.theorems.fischer2021 import LOOKS_LINEAR

if __name__ == "__main__":
    sys.exit(run(LOOKS_LINEAR))
