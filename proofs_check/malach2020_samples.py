"""Neuron pruning fits the labels of finitely many points, at an explicit width.

Construction and probability: the proof's mask at the stated width, held exactly. Scaling: the least
width at which any neuron mask fits, by all masks.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import SAMPLES

if __name__ == "__main__":
    sys.exit(run(SAMPLES))
