"""Pruning: scores at initialisation, lottery tickets with training, trained models made smaller."""

from strongticket.pruning._prune import from_torch_prune as from_torch_prune
from strongticket.pruning._prune import prune as prune
from strongticket.pruning._prune import to_torch_prune as to_torch_prune
from strongticket.pruning._shrink import Shrunk as Shrunk
from strongticket.pruning._shrink import Size as Size
from strongticket.pruning._shrink import shrink as shrink
from strongticket.pruning._states import load_state as load_state
from strongticket.pruning._states import state_of as state_of
from strongticket.pruning.actions import kept_start as kept_start
from strongticket.pruning.actions import pruned_values as pruned_values
from strongticket.pruning.criteria import CRITERIA as CRITERIA
from strongticket.pruning.criteria import criterion as criterion
from strongticket.pruning.iterative import Lottery as Lottery
from strongticket.pruning.iterative import Round as Round
from strongticket.pruning.iterative import lottery as lottery
from strongticket.pruning.iterative import one_shot as one_shot
from strongticket.pruning.iterative import retrain as retrain
from strongticket.pruning.lenet import LENET_300_100 as LENET_300_100
from strongticket.pruning.lenet import LeNet as LeNet
from strongticket.pruning.scores import gradient as gradient
from strongticket.pruning.scores import grasp as grasp
from strongticket.pruning.scores import magnitude as magnitude
from strongticket.pruning.scores import random_scores as random_scores
from strongticket.pruning.scores import snip as snip
from strongticket.pruning.scores import synaptic_flow as synaptic_flow
from strongticket.pruning.scores import synflow as synflow
