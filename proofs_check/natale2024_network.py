"""Tickets of a chosen density, Theorem 3 of Natale et al. 2024.

Its constant is unspecified, so it claims no number; natale2024_explicit is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.natale2024 import NETWORK

if __name__ == "__main__":
    sys.exit(run(NETWORK))
