"""Depth L + 1 as recalled: a constant is unspecified, so there is nothing to check."""

import sys

from _script import run

from strongticket.theorems.burkholz2022 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
