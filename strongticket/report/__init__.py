"""What is shown to a person beyond a line of text: tables of theorems side by side, and figures."""

from strongticket.report._comparison import Line as Line
from strongticket.report._comparison import comparison as comparison
from strongticket.report._comparison import comparison_figure as comparison_figure
