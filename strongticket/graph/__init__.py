"""A mask as a graph: what is connected to what, how well, and pictures of gadgets."""

from strongticket.graph._cut import Cut as Cut
from strongticket.graph._cut import Of as Of
from strongticket.graph._cut import min_cut as min_cut
from strongticket.graph._draw import draw as draw
from strongticket.graph._draw import gadget as gadget
from strongticket.graph._layered import Layer as Layer
from strongticket.graph._layered import Layered as Layered
from strongticket.graph._layered import layered as layered
from strongticket.graph._live import effective as effective
from strongticket.graph._live import live as live
from strongticket.graph._paths import log_paths as log_paths
from strongticket.graph._paths import paths as paths
from strongticket.graph._paths import unit_paths as unit_paths
from strongticket.graph._report import GraphReport as GraphReport
from strongticket.graph._report import LayerRow as LayerRow
from strongticket.graph._report import UnitRow as UnitRow
from strongticket.graph._report import report as report
