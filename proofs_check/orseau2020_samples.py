"""Log-uniform weights and the golden-ratio greedy, all targets at once (Orseau et al. 2020).

Algebra: bins counted word by word. Probability: bins without a sample, and targets unserved.
"""

import sys

from _script import run

from strongticket.theorems.orseau2020 import SAMPLES

if __name__ == "__main__":
    sys.exit(run(SAMPLES))
