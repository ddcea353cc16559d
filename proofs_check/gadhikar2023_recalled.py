"""Strong tickets inside randomly pruned sources, as recalled.

Its constant is unspecified, so it claims no number; gadhikar2023_explicit is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.gadhikar2023 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
