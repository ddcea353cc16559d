"""Depth 2L in a source a part of which is locked at random.

Algebra: the moments of the product. Construction: tickets at the claimed pools, certified, each
held against its source exactly. Probability: how often what is locked is not undone.
"""

import sys

from _script import run

from strongticket.theorems.otsuka2024 import EXPLICIT

if __name__ == "__main__":
    sys.exit(run(EXPLICIT))
