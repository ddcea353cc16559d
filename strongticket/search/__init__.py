"""Mask search: which weights of a frozen random network to keep, found by gradient descent."""

from strongticket.search.bernoulli import Bernoulli as Bernoulli
from strongticket.search.biprop import Biprop as Biprop
from strongticket.search.continuous import ContinuousSparsification as ContinuousSparsification
from strongticket.search.edge_popup import EdgePopup as EdgePopup
from strongticket.search.engine import MaskSearch as MaskSearch
from strongticket.search.functional import Masked as Masked
from strongticket.search.gem_miner import GemMiner as GemMiner
from strongticket.search.hard_concrete import HardConcrete as HardConcrete
from strongticket.search.iterand import IteRand as IteRand
from strongticket.search.method import Method as Method
from strongticket.search.multicoated import Multicoated as Multicoated
from strongticket.search.norms import reestimate as reestimate
from strongticket.search.partial import Frozen as Frozen
from strongticket.search.per_task import PerTask as PerTask
from strongticket.search.report import CollapseWarning as CollapseWarning
from strongticket.search.report import LayerReport as LayerReport
from strongticket.search.report import SearchReport as SearchReport
from strongticket.search.selection import keep_count as keep_count
from strongticket.search.selection import select as select
from strongticket.search.signed_supermask import SignedSupermask as SignedSupermask
from strongticket.search.structures import Blocks as Blocks
from strongticket.search.structures import Columns as Columns
from strongticket.search.structures import Heads as Heads
from strongticket.search.structures import NofM as NofM
from strongticket.search.structures import Rows as Rows
from strongticket.search.structures import Structure as Structure
