"""Depth 2L by signs and log-uniform weights, every weight by one greedy (Orseau et al. 2020).

Construction: targets with the largest weight at the reach, certified. Probability: over seeds.
"""

import sys

from _script import run

from strongticket.theorems.orseau2020 import NETWORK

if __name__ == "__main__":
    sys.exit(run(NETWORK))
