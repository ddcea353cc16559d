"""Strong tickets in partially frozen networks, as recalled.

Its constant is unspecified, so it claims no number; otsuka2024_explicit is ours and does.
"""

import sys

from _script import run

from strongticket.theorems.otsuka2024 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
