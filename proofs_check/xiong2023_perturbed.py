"""All targets at once from samples that may be moved (after Xiong, Liao, Kyrillidis 2023).

Algebra: one step of the recursion; the same samples with and without perturbations. Scaling: the
samples that perturbations save.
"""

import sys

from _script import run

from strongticket.theorems.xiong2023 import PERTURBED

if __name__ == "__main__":
    sys.exit(run(PERTURBED))
