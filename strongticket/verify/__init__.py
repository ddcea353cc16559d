"""Certificates: how far a ticket is from its target, proved, and rechecked from the file alone.

This floor knows no construction and no search: it reads a ticket and a target. `recheck` is a
program of its own (the folder `_recheck`) that imports nothing of strongticket.
"""

from strongticket.verify._activations import ActivationBound as ActivationBound
from strongticket.verify._activations import certify_activation as certify_activation
from strongticket.verify._agreement import Agreement as Agreement
from strongticket.verify._agreement import agreement as agreement
from strongticket.verify._attack import Attack as Attack
from strongticket.verify._attack import attack as attack
from strongticket.verify._certificate import Certificate as Certificate
from strongticket.verify._certificate import certify as certify
from strongticket.verify._collapse import Collapsed as Collapsed
from strongticket.verify._collapse import collapse as collapse
from strongticket.verify._float_term import float_term as float_term
from strongticket.verify._linear import LINEAR as LINEAR
from strongticket.verify._linear import SPECTRAL as SPECTRAL
from strongticket.verify._maximum import Maximum as Maximum
from strongticket.verify._maximum import maximum as maximum
from strongticket.verify._propagate import DIFFERENTIAL_INTERVAL as DIFFERENTIAL_INTERVAL
from strongticket.verify._propagate import WEIGHT_ERROR as WEIGHT_ERROR
from strongticket.verify._recheck import Recheck as Recheck
from strongticket.verify._recheck import RefutedError as RefutedError
from strongticket.verify._recheck import UnreadableError as UnreadableError
from strongticket.verify._recheck import recheck as recheck
