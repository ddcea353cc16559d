"""``python -m _recheck proof.json``: confirm one certificate, without strongticket."""

import sys

from ._confirm import recheck
from ._errors import RefutedError, UnreadableError, in_words

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m _recheck proof.json")
    try:
        found = recheck(sys.argv[1])
    except UnreadableError as error:
        sys.exit(f"unreadable: {error}")
    except RefutedError as error:
        sys.exit(f"refuted: {error}")
    sys.stdout.write(f"confirmed: sup |f - g| <= {in_words(found.bound)}\n")
