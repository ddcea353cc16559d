"""R3: reserved samples carry coverage of |z| <= 1/2 to |z| <= 1.

Algebra: the width splits into its two parts. Probability: samples at the claimed n.
"""

import sys

from _script import run

from strongticket.theorems.dacunha2022 import REACH

if __name__ == "__main__":
    sys.exit(run(REACH))
