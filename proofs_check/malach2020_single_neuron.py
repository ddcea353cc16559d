"""No few features are near every single ReLU neuron: parities on the cube.

Algebra: a parity is a sum of few single neurons. Construction and scaling: random features below
the bound, and the least number of them that serves.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import SINGLE_NEURON

if __name__ == "__main__":
    sys.exit(run(SINGLE_NEURON))
