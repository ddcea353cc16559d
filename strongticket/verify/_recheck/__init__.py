"""Recheck a certificate from its file alone: a program that trusts nothing but arithmetic.

It imports the standard library and NumPy and nothing of strongticket, so no bug of the prover can
hide here. Run it in the folder that holds this one, or a copy of this one, as
``python -m _recheck proof.json``. In order, it

1. reads the file, and accepts only canonical bytes that end in their own SHA-256 (`_file.py`);
2. checks the digests of target and network, and makes the kept random weights again from the
   seed by its own Philox4x32-10, held to Random123's published vectors (`_target.py`,
   `_weights.py`);
3. adds up every subset sum in integers (int64 where an assertion shows that all fits 63 bits) and
   compares the effective weights with the target's, exactly (`_collapse.py`);
4. propagates the errors to the outputs in Python integers and compares each step with the claim
   (`_propagate.py`; `_methods.py` has the table of methods).

`UnreadableError` means that the bytes are no certificate of this format; `RefutedError` names the
lie of one that can be read. About real-number networks; a float execution adds its own rounding.
"""

from ._confirm import recheck as recheck
from ._errors import Recheck as Recheck
from ._errors import RefutedError as RefutedError
from ._errors import UnreadableError as UnreadableError
from ._weights import philox as philox
