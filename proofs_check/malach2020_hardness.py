"""The best mask is as hard to find as a subset sum: the reduction, both ways.

Algebra: every mask of small instances. Construction: large instances, solved on one side and held
exactly on the other.
"""

import sys

from _script import run

from strongticket.theorems.malach2020 import HARDNESS

if __name__ == "__main__":
    sys.exit(run(HARDNESS))
