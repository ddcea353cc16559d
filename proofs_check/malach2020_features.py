"""Neuron pruning against random features with bounded coefficients, both ways.

Algebra: mean and square of a selected weight, Bernstein's inequality at the stated width.
Construction and probability: the proof's mask of the stated network, its loss exactly.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import FEATURES

if __name__ == "__main__":
    sys.exit(run(FEATURES))
