"""Depth L + 1, quantized: pruned network and target are equal.

Construction: a target of depth 3 in copies, built at the claimed width, certified with error 0 and
compared in integers. Probability: one network a seed.
"""

import sys

from _script import run

from strongticket.theorems.kumar2025 import COPIES

if __name__ == "__main__":
    sys.exit(run(COPIES))
