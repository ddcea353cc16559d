"""Kumar and Natale 2025, Theorem 1 (formulas reconstructed): its constants are unspecified.

So it claims no number, nothing can be refuted, and it has no false form: the script says so.
Its explicit form is kumar2025_exact.
"""

import sys

from _script import run

from strongticket.theorems.kumar2025 import PUBLISHED

if __name__ == "__main__":
    sys.exit(run(PUBLISHED))
