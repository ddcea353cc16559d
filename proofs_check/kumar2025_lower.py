"""Kumar and Natale 2025, Theorem 3: no smaller network has all quantized tickets.

Probability: every mask of networks with fewer parameters. Doubled, the bound is beaten by random
linear networks that serve every target, exactly.
"""

import sys

from _script import run

from strongticket.theorems.kumar2025 import LOWER

if __name__ == "__main__":
    sys.exit(run(LOWER))
