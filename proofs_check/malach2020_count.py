"""Weight pruning in the form of Malach et al. 2020: norm-one layers, a pool for every weight.

Construction: a 2-2-1 target out of the stated network. Scaling: the proof's rule, 1/epsilon^2.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import COUNT

if __name__ == "__main__":
    sys.exit(run(COUNT))
