"""Depth 2L, quantized: pruned network and target are equal.

Construction: targets with weights at the reach, built at the claimed width, certified with error 0
and compared in integers. Probability: one network a seed.
"""

import sys

from _script import run

from strongticket.theorems.kumar2025 import EXACT

if __name__ == "__main__":
    sys.exit(run(EXACT))
