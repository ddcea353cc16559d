"""The impossibility that Malach et al. 2020 take from Yehudai and Shamir 2019, as recalled.

Its constant is unspecified, so it claims no number; malach2020_single_neuron is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
