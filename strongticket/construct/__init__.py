"""Constructions: a random network and a target become a ticket, as the proofs do it."""

from strongticket.construct._copies import copies as copies
from strongticket.construct._copies import source_widths as source_widths
from strongticket.construct._two_layer import LayerAccuracy as LayerAccuracy
from strongticket.construct._two_layer import Objective as Objective
from strongticket.construct._two_layer import two_layer as two_layer
