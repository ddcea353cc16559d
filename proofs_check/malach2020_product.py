"""Weight pruning by the best product of two weights, at a width of order 1/epsilon.

Algebra: pairs of a coarser grid counted. Construction: targets certified. Scaling: 1/epsilon.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import PRODUCT

if __name__ == "__main__":
    sys.exit(run(PRODUCT))
