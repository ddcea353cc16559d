"""Masks and tickets: a frozen random network, which of its weights stay, and the file of both."""

from strongticket.tickets._mask import Entries as Entries
from strongticket.tickets._mask import Mask as Mask
from strongticket.tickets._reading import Reading as Reading
from strongticket.tickets._ticket import Ticket as Ticket
