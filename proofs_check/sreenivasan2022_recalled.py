"""Sreenivasan et al. 2022: the rate as restated, its constants unspecified.

So it claims no number, nothing can be refuted, and it has no false form: the script says so.
Its explicit form is sreenivasan2022_doubling.
"""

import sys

from _script import run

from strongticket.theorems.sreenivasan2022 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
