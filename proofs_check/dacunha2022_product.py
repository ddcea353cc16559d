"""R2+: products of two weights behind a ReLU, the law that a gadget samples.

Algebra: kappa by interval subdivision, the density of the discrete mixture at all its steps, the
cut lemma on all 0/1 strings and in closed form. Probability: all targets of the window, exactly.
"""

import sys

from _script import run

from strongticket.theorems.random_subset_sum import PRODUCT

if __name__ == "__main__":
    sys.exit(run(PRODUCT))
