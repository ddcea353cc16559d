"""R2+ for products of two Gaussian weights behind a ReLU.

Algebra: the growth constant of the product's density on a mesh. Probability: samples at the
claimed n, each held against all targets exactly.
"""

import sys

from _script import run

from strongticket.theorems.dacunha2022 import NORMAL_PRODUCT

if __name__ == "__main__":
    sys.exit(run(NORMAL_PRODUCT))
