"""Weight pruning, one random neuron for one weight, at its explicit width (Malach et al. 2020).

Construction: a target of depth 2 out of the stated network, certified. Scaling: the neurons read
for one weight, by the paper's rule (1/eta^2) and by the best product (1/eta).
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import WEIGHTS

if __name__ == "__main__":
    sys.exit(run(WEIGHTS))
