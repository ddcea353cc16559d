"""Random subset sums of samples that exist with probability kappa.

Probability: samples at the claimed n, all targets held exactly. Scaling: the mean of the least n
at densities 1 to 1/8.
"""

import sys

from _script import run

from strongticket.theorems.gadhikar2023 import SAMPLES

if __name__ == "__main__":
    sys.exit(run(SAMPLES))
