"""Constructions: a random network and a target become a ticket, as the proofs do it."""

from strongticket.construct._binary_doubling import Block as Block
from strongticket.construct._binary_doubling import binary_doubling as binary_doubling
from strongticket.construct._binary_mean import binary_mean as binary_mean
from strongticket.construct._copies import copies as copies
from strongticket.construct._copies import source_widths as source_widths
from strongticket.construct._exact import exact as exact
from strongticket.construct._exact import exact_subset as exact_subset
from strongticket.construct._exact import quantized as quantized
from strongticket.construct._exact_copies import exact_copies as exact_copies
from strongticket.construct._fixed_size import fixed_size_two_layer as fixed_size_two_layer
from strongticket.construct._golden import golden as golden
from strongticket.construct._masked_source import RandomSource as RandomSource
from strongticket.construct._masked_source import masked_two_layer as masked_two_layer
from strongticket.construct._two_layer import LayerAccuracy as LayerAccuracy
from strongticket.construct._two_layer import Objective as Objective
from strongticket.construct._two_layer import two_layer as two_layer
from strongticket.construct._two_neurons import BOTH_NEAR as BOTH_NEAR
from strongticket.construct._two_neurons import PRODUCT as PRODUCT
from strongticket.construct._two_neurons import two_neurons as two_neurons
