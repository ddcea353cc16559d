"""Mask search: which weights of a frozen random network to keep, found by gradient descent."""

from strongticket.search.edge_popup import EdgePopup as EdgePopup
from strongticket.search.engine import MaskSearch as MaskSearch
from strongticket.search.method import Method as Method
from strongticket.search.report import CollapseWarning as CollapseWarning
from strongticket.search.report import LayerReport as LayerReport
from strongticket.search.report import SearchReport as SearchReport
from strongticket.search.selection import keep_count as keep_count
from strongticket.search.selection import select as select
