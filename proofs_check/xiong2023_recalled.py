"""Perturbed weights need fewer neurons, as it is recalled (Xiong et al. 2023): no number.

Its explicit form is xiong2023_perturbed.
"""

import sys

from _script import run

from strongticket.theorems.xiong2023 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
