"""Logarithmically many uniform numbers serve all targets, as recalled.

Its constant is unspecified, so it claims no number; dacunha2022_r1 is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.dacunha2022 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
