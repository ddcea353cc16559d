"""A mask as a graph: what is connected to what, and pictures of gadgets."""

from strongticket.graph._draw import draw as draw
from strongticket.graph._draw import gadget as gadget
