"""Depth 2L with biases as recalled: a constant is unspecified, so there is nothing to check."""

import sys

from _script import run

from strongticket.theorems.fischer2021 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
