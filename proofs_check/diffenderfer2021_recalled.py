"""Diffenderfer and Kailkhura 2021: the rate as restated, its constants unspecified.

So it claims no number, nothing can be refuted, and it has no false form: the script says so.
Its explicit form is diffenderfer2021_mean.
"""

import sys

from _script import run

from strongticket.theorems.diffenderfer2021 import RECALLED

if __name__ == "__main__":
    sys.exit(run(RECALLED))
